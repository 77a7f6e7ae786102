/** Names for numbers, from the host's own files: ports (/etc/services), protocols, hosts (/etc/hosts). */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { hostsLines } from './hosts-file.ts';
import { linesOf } from './text.ts';

const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [2, 'igmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [41, 'ipv6'],
  [47, 'gre'],
  [50, 'esp'],
  [58, 'ipv6-icmp'],
  [89, 'ospf'],
  [132, 'sctp'],
]);

export function protocolName(protocol: number): string | undefined {
  return PROTOCOLS.get(protocol);
}

export function protocolNumber(name: string): number | undefined {
  for (const [number, known] of PROTOCOLS) if (known === name.toLowerCase()) return number;
  return undefined;
}

/** What a host without /etc/services still knows. */
const USUAL_SERVICES = [
  'ftp 21/tcp',
  'ssh 22/tcp',
  'telnet 23/tcp',
  'smtp 25/tcp',
  'domain 53/tcp',
  'domain 53/udp',
  'http 80/tcp www',
  'ntp 123/udp',
  'https 443/tcp',
  'https 443/udp',
  'http-alt 8080/tcp',
];

/** /etc/services, read once per program (getservbyport, getservbyname). */
export class Services {
  private readonly names = new Map<string, string>();
  private readonly ports = new Map<string, number>();

  constructor(sys: Pick<Syscalls, 'readFile'>) {
    const lines = linesOf(sys, '/etc/services');
    for (const line of lines.length === 0 ? USUAL_SERVICES : lines) {
      const [name, entry, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
      const match = /^([0-9]+)\/(tcp|udp)$/.exec(entry ?? '');
      if (name === undefined || match === null) continue;
      const port = Number(match[1]);
      const protocol = match[2] ?? '';
      if (!this.names.has(`${port}/${protocol}`)) this.names.set(`${port}/${protocol}`, name);
      for (const word of [name, ...aliases]) this.ports.set(`${word}/${protocol}`, port);
    }
  }

  name(port: number, protocol: string): string | undefined {
    return this.names.get(`${port}/${protocol}`);
  }

  port(name: string, protocol: string): number | undefined {
    return this.ports.get(`${name}/${protocol}`);
  }

  /** A number or a name of either protocol. */
  anyPort(text: string): number | undefined {
    if (/^[0-9]+$/.test(text)) return Number(text) > 65_535 ? undefined : Number(text);
    return this.port(text, 'tcp') ?? this.port(text, 'udp');
  }
}

/** Names by address from /etc/hosts, for listings: PTR questions (getnameinfo.ts) would make each wait for a server. */
export class HostNames {
  private readonly names = new Map<Ipv4, string>();

  constructor(sys: Pick<Syscalls, 'readFile'>) {
    for (const { address, names } of hostsLines(sys)) {
      const [name] = names;
      if (name !== undefined && !this.names.has(address)) this.names.set(address, name);
    }
  }

  name(address: Ipv4): string | undefined {
    return this.names.get(address);
  }

  /** The name when there is one, the number otherwise. */
  show(address: Ipv4): string {
    return this.names.get(address) ?? formatIpv4(address);
  }
}
