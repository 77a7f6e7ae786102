/** /etc/hosts (hosts(5)): names in any letter case, the first address counts, no wildcards, no TTL. */
import { type Ipv4, parseIpv4 } from '../header/address.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { linesOf } from './text.ts';

/** Every address that a line gives the name, in order. */
export function hostsByName(sys: Pick<Syscalls, 'readFile'>, name: string): Ipv4[] {
  const wanted = name.replace(/\.$/, '').toLowerCase();
  const found: Ipv4[] = [];
  for (const { address, names } of hostsLines(sys)) {
    if (names.some((other) => other.toLowerCase() === wanted) && !found.includes(address)) found.push(address);
  }
  return found;
}

/** The first name on the address's line. */
export function hostsByAddress(sys: Pick<Syscalls, 'readFile'>, address: Ipv4): readonly string[] | undefined {
  for (const line of hostsLines(sys)) if (line.address === address) return line.names;
  return undefined;
}

export function* hostsLines(sys: Pick<Syscalls, 'readFile'>): Generator<{ address: Ipv4; names: readonly string[] }> {
  for (const line of linesOf(sys, '/etc/hosts')) {
    const [first = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const address = parseIpv4(first);
    if (address !== undefined && names.length > 0) yield { address, names };
  }
}
