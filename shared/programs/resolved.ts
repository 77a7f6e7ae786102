/**
 * resolved: the resident name cache of a host, after systemd-resolved: programs ask it on 127.0.0.53. It looks into its
 * cache, then /etc/hosts, then asks the servers of /etc/resolv.conf. `resolvectl` looks into it.
 *
 * Left out: LLMNR, mDNS, DNSSEC, DNS over TLS, servers per link.
 */

import type { CacheEntry } from '../dns/cache.ts';
import { formatIpv4 } from '../header/address.ts';
import { DNS_PORT } from '../header/dns.ts';
import { nameWithoutDot } from '../header/dns-name.ts';
import { formatRdata } from '../header/dns-text.ts';
import { formatType } from '../header/dns-type.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { serveCommands } from './control-channel.ts';
import { serveDns } from './dns-server.ts';
import { at } from './dns-socket.ts';
import { program } from './failure.ts';
import { RESOLVED_ADDRESS } from './getaddrinfo.ts';
import { StubServer } from './resolved-server.ts';
import { readResolvConf } from './stub.ts';

/** Where resolvectl finds it; on a real host a Varlink socket, a file. */
export const RESOLVECTL_PORT = 5_355;

export const resolved = program(async ({ sys }: ProgramContext) => {
  const server = new StubServer(sys);
  void serveCommands(sys.thread(0), RESOLVED_ADDRESS, RESOLVECTL_PORT, (line) => control(sys, server, line)).catch(
    () => {
      // Without TCP there is no resolvectl, and all else works.
    },
  );
  await serveDns(sys, at(RESOLVED_ADDRESS, DNS_PORT), (thread, asked) => server.handle(thread, asked));
  return 0;
});

function control(sys: Syscalls, server: StubServer, command: string): string {
  switch (command) {
    case 'flush-caches':
      server.cache.flush();
      return '';
    case 'statistics':
      return statistics(server);
    case 'reset-statistics':
      server.transactions = server.cache.hits = server.cache.misses = 0;
      return '';
    case 'show-cache':
      return showCache(server);
    case 'status':
      return status(sys);
    default:
      return `Unknown command verb '${command}'.\n`;
  }
}

/** `resolvectl statistics` of systemd 252. */
function statistics({ cache, transactions }: StubServer): string {
  const row = (label: string, value: number): string => `${label.padStart(30)}: ${value}\n`;
  return [
    'Transactions\n',
    row('Current Transactions', 0),
    row('Total Transactions', transactions),
    '\nCache\n',
    row('Current Cache Size', cache.size),
    row('Cache Hits', cache.hits),
    row('Cache Misses', cache.misses),
    '\nDNSSEC Verdicts\n',
    row('Secure', 0),
    row('Insecure', 0),
    row('Bogus', 0),
    row('Indeterminate', 0),
  ].join('');
}

function showCache({ cache }: StubServer): string {
  const lines = [...cache.entries()].flatMap((entry) => cacheLines(entry, cache.secondsLeft(entry)));
  return `Scope protocol=dns\n${lines.map((line) => `${line}\n`).join('')}`;
}

function cacheLines(entry: CacheEntry, seconds: number): string[] {
  const name = nameWithoutDot(entry.name);
  if (entry.kind === 'nxdomain') return [`${name} IN ANY -- NXDOMAIN (ttl ${seconds}s)`];
  if (entry.kind === 'nodata') return [`${name} IN ${formatType(entry.type)} -- NODATA (ttl ${seconds}s)`];
  if (entry.kind === 'failure') return [`${name} IN ${formatType(entry.type)} -- SERVFAIL (ttl ${seconds}s)`];
  return (entry.set?.records ?? []).map(
    ({ type, data }) => `${name} IN ${formatType(type)} ${formatRdata(type, data)} (ttl ${seconds}s)`,
  );
}

function status(sys: Syscalls): string {
  const conf = readResolvConf(sys);
  const servers = conf.servers.map(formatIpv4);
  return [
    'Global',
    '         Protocols: -LLMNR -mDNS -DNSOverTLS DNSSEC=no/unsupported',
    '  resolv.conf mode: foreign',
    `Current DNS Server: ${servers[0] ?? ''}`,
    `       DNS Servers: ${servers.join(' ')}`,
    ...(conf.search.length === 0 ? [] : [`        DNS Domain: ${conf.search.join(' ')}`]),
    '',
  ].join('\n');
}
