/** An overloaded machine: a lab of many hosts comes up while another moves files. It is slow, not lossy. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Net, lab as openLab } from '../../services/lab/index.ts';
import { SMALL_SITE, type SoakShape, site } from './soak-labs.ts';

/** Hosts h1, h2, … on one switch, and a web server. */
export function crowdShape(hosts: number, bytes: number): SoakShape {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-crowd-'));
  const source = site(join(folder, 'site'), bytes);
  mkdirSync(folder, { recursive: true });
  const names = Array.from({ length: hosts }, (_, i) => `h${i + 1}`);
  const lines = [
    `name: crowd-${hosts}`,
    'devices:',
    `  sw: { kind: switch, ports: ${hosts + 1} }`,
    '  web: { kind: host, eth0: 10.8.255.1/16, run: [ httpd site/ ] }',
    ...names.map((name, i) => `  ${name}: { kind: host, eth0: 10.8.${i >> 7}.${(i & 127) + 1}/16 }`),
    'wires:',
    `  - web:eth0 -- sw:p${hosts + 1}`,
    ...names.map((name, i) => `  - ${name}:eth0 -- sw:p${i + 1}`),
  ];
  writeFileSync(join(folder, 'lab.yaml'), `${lines.join('\n')}\n`);
  return {
    name: `crowd-${hosts}`,
    lab: join(folder, 'lab.yaml'),
    clients: names,
    url: 'http://10.8.255.1/soak.txt',
    source,
    small: 'http://10.8.255.1/small.txt',
    smallSource: SMALL_SITE,
    name4: '',
    address: '',
    ring: [],
  };
}

/**
 * A small lab moves files without a pause while a crowd comes up beside it, and the crowd moves files as soon as it is
 * there; answers what was lost.
 */
export async function overload(open: typeof openLab, hosts: number): Promise<string[]> {
  const problems: string[] = [];
  const few = crowdShape(2, 1_000_000);
  await using net = await open(few.lab);
  let booting = true;
  const moving = keepMoving(net, few, () => booting, problems);
  const many = crowdShape(hosts, 200_000);
  {
    await using crowd = await open(many.lab);
    booting = false;
    // All at once, and few at a time from one server: a full qdisc is allowed to drop, and TCP sends again.
    for (let i = 0; i < many.clients.length; i += 10) {
      await Promise.all(many.clients.slice(i, i + 10).map((client) => fetchOne(crowd, many, client, problems)));
    }
    await balanced(crowd, problems);
  }
  const files = await moving;
  if (files === 0) problems.push('not one file came through meanwhile');
  await balanced(net, problems);
  return problems;
}

async function keepMoving(net: Net, shape: SoakShape, going: () => boolean, problems: string[]): Promise<number> {
  let files = 0;
  do {
    await fetchOne(net, shape, 'h1', problems);
    files++;
  } while (going());
  return files;
}

async function fetchOne(net: Net, shape: SoakShape, client: string, problems: string[]): Promise<void> {
  try {
    const { status, stdout, stderr } = await net.host(client).exec('curl', '-sS', shape.url);
    if (status === 0 && stdout === shape.source) return;
    problems.push(`${shape.name}: ${client} got ${stdout.length} octets, status ${status} ${stderr}`);
  } catch (error) {
    problems.push(`${shape.name}: curl could not be run on ${client}: ${(error as Error).message}`);
  }
}

/** Nothing was lost on any wire, and no end's carrier ever went. */
async function balanced(net: Net, problems: string[]): Promise<void> {
  await net.wait
    .until(async () => (await net.ledger()).balances, '30s')
    .catch(() => problems.push(`${net.name}: the ledger does not balance`));
  for (const { from, takenAway, lost, refused, toEarlier } of (await net.ledger()).rows) {
    const gone = Object.entries({ ...takenAway, ...lost, ...refused });
    if (gone.length > 0 || toEarlier > 0)
      problems.push(`${net.name}: ${from} lost ${JSON.stringify(gone)} ${toEarlier}`);
  }
  for (const device of net.devices()) {
    for (const { name, counters } of (await net.host(device).state()).ports) {
      if ((counters?.carrierDown ?? 0) > 0) problems.push(`${net.name}: ${device}:${name} was without carrier`);
    }
  }
}
