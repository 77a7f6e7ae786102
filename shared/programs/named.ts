/**
 * named: a name server. `named -z ORIGIN=FILE …` serves zones with authority; `named -r HINTS` answers anything for its
 * clients by asking from the root down. Both may be given. `rndc` looks into its cache.
 *
 * Options: -z ORIGIN=FILE (any number), -r HINTS, -p PORT, -m (ask servers for no more of a name than they need),
 * -x (mix letter case), -g and -f (stay in the foreground: always so).
 * Left out: named.conf, views, dynamic updates, notification and transfers to secondaries beyond AXFR, DNSSEC.
 */

import { readHints } from '../dns/delegation.ts';
import { Resolver } from '../dns/resolver.ts';
import { Zone, Zones } from '../dns/zone.ts';
import { formatProblem, parseZoneFile, type ZoneFile } from '../dns/zone-file.ts';
import { IPV4_LOOPBACK, type Ipv4 } from '../header/address.ts';
import { DNS_PORT } from '../header/dns.ts';
import { type DnsName, nameWithoutDot, parseName } from '../header/dns-name.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { serveCommands } from './control-channel.ts';
import { serveDns } from './dns-server.ts';
import { at } from './dns-socket.ts';
import { Failure, program } from './failure.ts';
import { NamedControl, RNDC_PORT } from './named-control.ts';
import { NameServerProgram } from './named-server.ts';
import { getopt } from './options.ts';
import { decodeText } from './text.ts';

const USAGE = 'usage: named [-z ORIGIN=FILE]... [-r HINTS] [-p port] [-mx]';

interface Options {
  readonly zones: readonly { readonly origin: DnsName; readonly file: string }[];
  readonly hints: string | undefined;
  readonly port: number;
  readonly minimiseNames: boolean;
  readonly mixCase: boolean;
}

export const named = program(async ({ sys, argv }: ProgramContext) => {
  const options = readOptions(argv);
  const zones = new Zones();
  for (const { origin, file } of options.zones) zones.add(loadZone(sys, origin, file));
  const resolver = options.hints === undefined ? undefined : makeResolver(sys, options, options.hints);
  const server = new NameServerProgram(zones, resolver);
  const control = new NamedControl(sys, zones, resolver, server.counters);
  void serveCommands(sys.thread(0), IPV4_LOOPBACK, RNDC_PORT, (line) => control.answer(line)).catch(() => {
    // Another named on this host has the channel: this one serves without.
  });
  const serving = listenAddresses(sys).map((address) =>
    serveDns(sys.thread(0), at(address, options.port), (thread, asked) => server.handle(thread, asked)),
  );
  await Promise.all(serving);
  return 0;
});

/**
 * A socket for each address, as BIND does: an answer comes from the address that was asked (RFC 2181 §4.1). Addresses
 * that are added later are not listened on.
 */
function listenAddresses(sys: Syscalls): readonly Ipv4[] {
  const records = sys.netlink({ type: 'RTM_GETADDR' });
  const addresses = records.map((record) => record.address);
  return addresses.includes(IPV4_LOOPBACK) ? addresses : [IPV4_LOOPBACK, ...addresses];
}

function readOptions(argv: readonly string[]): Options {
  const line = getopt(argv, 'z:r:p:mxgfu:c:');
  if (line.error !== undefined) throw new Failure(1, `${line.error}\n${USAGE}`);
  const zones: { origin: DnsName; file: string }[] = [];
  let hints: string | undefined;
  let port = DNS_PORT;
  const flags = new Set<string>();
  for (const { name, value } of line.options) {
    if (name === 'z') zones.push(readZoneOption(value));
    else if (name === 'r') hints = value;
    else if (name === 'p') port = Number(value);
    else flags.add(name);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Failure(1, 'named: port is not between 1 and 65535');
  if (zones.length === 0 && hints === undefined) throw new Failure(1, USAGE);
  return { zones, hints, port, minimiseNames: flags.has('m'), mixCase: flags.has('x') };
}

function readZoneOption(value: string): { origin: DnsName; file: string } {
  const equals = value.indexOf('=');
  const origin = parseName(value.slice(0, Math.max(equals, 0)) || '.');
  if (equals < 0 || typeof origin !== 'string') throw new Failure(1, `named: -z ${value}: ORIGIN=FILE is needed`);
  return { origin, file: value.slice(equals + 1) };
}

function readZoneFile(sys: Syscalls, file: string, origin: DnsName): ZoneFile {
  const read = (path: string): string | undefined => {
    try {
      return decodeText(sys.readFile(path));
    } catch {
      return undefined;
    }
  };
  const text = read(file);
  if (text === undefined) throw new Failure(1, `named: ${file}: file not found`);
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  const include = (path: string) => read(path.startsWith('/') ? path : folder + path) ?? read(path);
  return parseZoneFile(text, { file, origin, include });
}

function loadZone(sys: Syscalls, origin: DnsName, file: string): Zone {
  const loaded = Zone.load(origin, readZoneFile(sys, file, origin));
  if ('zone' in loaded) return loaded.zone;
  const lines = loaded.problems.map((problem) => formatProblem(problem.file === '' ? { ...problem, file } : problem));
  throw new Failure(1, [...lines, `named: zone ${nameWithoutDot(origin)}/IN: not loaded due to errors.`].join('\n'));
}

function makeResolver(sys: Syscalls, options: Options, file: string): Resolver {
  const parsed = readZoneFile(sys, file, '.' as DnsName);
  if (parsed.problems.length > 0) throw new Failure(1, parsed.problems.map(formatProblem).join('\n'));
  const hints = readHints(parsed);
  if (!hints.servers.some((server) => server.addresses.length > 0)) {
    throw new Failure(1, `named: ${file}: no root server with an address in it`);
  }
  const { minimiseNames, mixCase } = options;
  return new Resolver({ hints, now: () => sys.clockGettime(), minimiseNames, mixCase });
}
