/**
 * The lab of the README, as data: every route in it is walked for every pair of devices, with all wires in and with any
 * one of the backbone's out, and its DNS tree is searched by the real resolver from the real zone files. No kernel.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answerFromZones } from '../../../shared/dns/answer.ts';
import { readHints } from '../../../shared/dns/delegation.ts';
import { Resolver } from '../../../shared/dns/resolver.ts';
import { encodeReply, receiveQuery } from '../../../shared/dns/respond.ts';
import { Zone, Zones } from '../../../shared/dns/zone.ts';
import { parseZoneFile } from '../../../shared/dns/zone-file.ts';
import { formatIpv4, networkOf, parseCidr, parseIpv4 } from '../../../shared/header/address.ts';
import { dnsName } from '../../../shared/header/dns-name.ts';
import { CLASS, TYPE } from '../../../shared/header/dns-type.ts';
import { loadLab } from '../../../shared/lab/find.ts';
import type { DevicePlan } from '../../../shared/lab/plan-types.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PLAN = loadLab('url-to-page', { labsFolder: join(ROOT, 'labs'), cwd: ROOT });
const TTL = 64;

function device(name: string): DevicePlan {
  const found = PLAN.devices.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no device ${name}`);
  return found;
}

const owners = new Map<string, string>();
for (const { name, ports } of PLAN.devices) {
  for (const { addresses } of ports) for (const address of addresses) owners.set(address.split('/')[0] ?? '', name);
}

function covers(network: string, target: string): number {
  const cidr = parseCidr(network === 'default' ? '0.0.0.0/0' : network);
  const address = parseIpv4(target);
  if (cidr === undefined || address === undefined) throw new Error(`${network} ${target}`);
  return networkOf(address, cidr.prefix) === networkOf(cidr.address, cidr.prefix) ? cidr.prefix : -1;
}

/** Linux's choice: the longest prefix, then the smallest metric, leaving out what leads into a dark port. */
function nextHop(at: DevicePlan, target: string, dark: ReadonlySet<string>): string | undefined {
  const lit = at.ports.filter((port) => !dark.has(port.wire?.name ?? ''));
  const onLink = (address: string, ports = lit): boolean =>
    ports.some((port) => port.addresses.some((own) => covers(own, address) >= 0));
  const choices = lit.flatMap((port) =>
    port.addresses.map((own) => ({ prefix: covers(own, target), metric: 0, via: target })),
  );
  const ignoresDark = at.sysctl['net.ipv4.conf.all.ignore_routes_with_linkdown'] === '1';
  for (const { to, via, metric } of at.routes) {
    if (via === null || !onLink(via, ignoresDark ? lit : [...at.ports])) continue;
    choices.push({ prefix: covers(to, target), metric, via });
  }
  const found = choices
    .filter(({ prefix }) => prefix >= 0)
    .sort((a, b) => b.prefix - a.prefix || a.metric - b.metric)[0];
  return found !== undefined && onLink(found.via) ? found.via : undefined;
}

/** The devices that a packet passes, or where it ends. */
function walk(from: string, target: string, dark: ReadonlySet<string> = new Set()): string[] {
  const path = [from];
  for (let hops = 0; hops < TTL; hops++) {
    const at = path.at(-1) ?? from;
    if (owners.get(target) === at) return path;
    const hop = nextHop(device(at), target, dark);
    if (hop === undefined) return [...path, 'nowhere'];
    path.push(owners.get(hop) ?? 'nobody');
  }
  return [...path, 'for ever'];
}

/** Behind NAT a packet comes from the router's address. */
const seenAs = (name: string): string => (['alice', 'bob', 'carol'].includes(name) ? '198.51.100.2' : addressOf(name));
const addressOf = (name: string): string =>
  device(name)
    .ports.flatMap((port) => port.addresses)[0]
    ?.split('/')[0] ?? '';

const BACKBONE = ['core1:eth1--core2:eth1', 'core2:eth2--core3:eth2', 'core1:eth2--core3:eth1'];
const ENDS = ['alice', 'bob', 'carol', 'local-dns', 'root-dns', 'com-dns', 'server-dns', 'www'];

test('alice reaches the web server by five routers, and the answer comes back the same way', () => {
  expect(walk('alice', '192.0.2.80')).toEqual([
    'alice',
    'home-router',
    'isp-router',
    'core1',
    'core3',
    'server-router',
    'www',
  ]);
  expect(walk('www', seenAs('alice'))).toEqual(['www', 'server-router', 'core3', 'core1', 'isp-router', 'home-router']);
});

test('without the wire between core1 and core3 it goes round by core2, both ways', () => {
  const dark = new Set(['core1:eth2--core3:eth1']);
  expect(walk('alice', '192.0.2.80', dark)).toEqual([
    'alice',
    'home-router',
    'isp-router',
    'core1',
    'core2',
    'core3',
    'server-router',
    'www',
  ]);
  expect(walk('www', seenAs('alice'), dark)).toEqual([
    'www',
    'server-router',
    'core3',
    'core2',
    'core1',
    'isp-router',
    'home-router',
  ]);
});

describe.each([[], ...BACKBONE.map((wire) => [wire])])('with %s out', (...dark) => {
  test('everyone reaches everyone, and every router can answer', () => {
    const routers = PLAN.devices.filter(({ kind }) => kind === 'router').map(({ name }) => name);
    for (const from of [...ENDS, ...routers]) {
      for (const to of ENDS) {
        if (from === to) continue;
        const path = walk(from, seenAs(to), new Set(dark));
        expect(owners.get(seenAs(to)), path.join(' > ')).toBe(path.at(-1));
      }
    }
  });
});

test('every address that a router shows in a traceroute is reached, and has a name', () => {
  const zone = readFileSync(join(PLAN.folder, 'zones/root.zone'), 'utf8');
  for (const { kind, ports } of PLAN.devices) {
    if (kind !== 'router') continue;
    for (const address of ports.flatMap((port) => port.addresses)) {
      const bare = address.split('/')[0] ?? '';
      if (bare.startsWith('192.168.')) continue;
      expect(owners.get(bare)).toBe(walk('alice', bare).at(-1));
      expect(zone).toContain(`\n${bare.split('.').reverse().join('.')}.in-addr.arpa.`);
    }
  }
});

/** A server of the lab by its address: its zones, loaded as named loads them. */
function zonesAt(address: string): Zones {
  const zones = new Zones();
  for (const { origin, file } of device(owners.get(address) ?? '').zones) {
    const name = dnsName(origin);
    const text = readFileSync(join(PLAN.folder, file), 'utf8');
    const loaded = Zone.load(name, parseZoneFile(text, { file, origin: name }));
    if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
    zones.add(loaded.zone);
  }
  return zones;
}

/** What the local server finds, and whom it asked. */
async function search(name: string, type: number): Promise<{ asked: string[]; found: string; answers: string[] }> {
  const file = device('local-dns').hints ?? '';
  const hints = readHints(parseZoneFile(readFileSync(join(PLAN.folder, file), 'utf8'), { file }));
  const asked: string[] = [];
  const resolution = await new Resolver({ hints, now: () => 0, prime: false }).resolve(
    { name: dnsName(name), type, class: CLASS.IN },
    {
      now: () => 0,
      random: () => 4,
      mark: () => {},
      exchange: async (server, bytes, { tcp, accept }) => {
        const address = formatIpv4(server);
        asked.push(`${owners.get(address)}${tcp ? ' over TCP' : ''}`);
        const incoming = receiveQuery(bytes, { recursionAvailable: false, tcp });
        if (incoming.kind !== 'query') return 'timeout';
        const found = answerFromZones(zonesAt(address), incoming.question, incoming.query);
        const reply = encodeReply(incoming.query, found, tcp);
        return accept(reply) ? reply : 'timeout';
      },
    },
  );
  const answers = resolution.answers.flatMap(({ records }) => records.map(({ data }) => data.join('.')));
  return { asked, found: resolution.kind, answers };
}

test.each([
  ['www.server.com', TYPE.A, 'answer', ['192.0.2.80'], ['root-dns', 'com-dns', 'server-dns']],
  ['server.com', TYPE.A, 'answer', ['192.0.2.80'], ['root-dns', 'com-dns', 'server-dns']],
  ['any.shops.server.com', TYPE.A, 'answer', ['192.0.2.80'], ['root-dns', 'com-dns', 'server-dns']],
  ['nosuch.server.com', TYPE.A, 'nxdomain', [], ['root-dns', 'com-dns', 'server-dns']],
  ['www.server.com', TYPE.MX, 'nodata', [], ['root-dns', 'com-dns', 'server-dns']],
  ['nosuch.com', TYPE.A, 'nxdomain', [], ['root-dns', 'com-dns']],
  ['nosuch', TYPE.A, 'nxdomain', [], ['root-dns']],
  ['core1.backbone.net', TYPE.A, 'answer', ['203.0.113.1'], ['root-dns']],
] as const)('%s, type %i: %s', async (name, type, found, answers, asked) => {
  expect(await search(name, type)).toEqual({ asked, found, answers });
});

test('web.server.com is another name of www.server.com, and the reverse of its address is known', async () => {
  expect((await search('web.server.com', TYPE.A)).answers.at(-1)).toBe('192.0.2.80');
  expect((await search('80.2.0.192.in-addr.arpa', TYPE.PTR)).found).toBe('answer');
});

test('the site has a page, a style sheet and a picture of more than 200 kB, and its links lead somewhere', () => {
  const site = join(PLAN.folder, 'site');
  const page = readFileSync(join(site, 'index.html'), 'utf8');
  const links = [...page.matchAll(/(?:href|src)="\/([^"]*)"/g)].map(([, link]) => link ?? '');
  expect(links).toEqual(['style.css', 'valley.png', 'how.html', 'old/']);
  for (const link of links) expect(statSync(join(site, link)).size).toBeGreaterThan(0);
  expect(statSync(join(site, 'valley.png')).size).toBeGreaterThan(200_000);
});

test('lines.txt of lossy-link is 2 MiB of numbered lines', () => {
  const text = readFileSync(join(ROOT, 'labs/lossy-link/site/lines.txt'), 'utf8');
  expect(text.length).toBe(2 * 1024 * 1024);
  text
    .split('\n')
    .slice(0, -2)
    .forEach((line, index) => {
      if (!line.startsWith(String(index + 1).padStart(6, '0'))) throw new Error(`line ${index + 1} is ${line}`);
    });
});
