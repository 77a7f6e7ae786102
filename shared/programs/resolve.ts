/** A destination on a command line: inet_aton's numbers as they are, names through getaddrinfo. */
import { type Ipv4, parseIpv4 } from '../header/address.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { linesOf } from './text.ts';

/** gai_strerror(3). */
export const GAI_TEXT = {
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_NONAME: 'Name or service not known',
  EAI_NODATA: 'No address associated with hostname',
} as const;

export interface Resolved {
  readonly address: Ipv4;
  /** It was given as a number, so that no names are asked for. */
  readonly numeric: boolean;
}

/** inet_aton(3): `10.1` is 10.0.0.1; parts are decimal. */
export function parseNumericHost(text: string): Ipv4 | undefined {
  const parts = text.split('.');
  if (parts.length > 4 || parts.some((part) => !/^[0-9]{1,10}$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  const last = numbers.pop() ?? 0;
  if (numbers.some((number) => number > 255) || last >= 256 ** (4 - numbers.length)) return undefined;
  const high = numbers.reduce((sum, number, at) => sum + number * 256 ** (3 - at), 0);
  return (high + last) as Ipv4;
}

/** The first address of a name, or what gai_strerror would say. */
export async function resolveHost(sys: Syscalls, text: string): Promise<Resolved | string> {
  const address = parseNumericHost(text);
  if (address !== undefined) return { address, numeric: true };
  const listed = hostsFile(sys, text);
  return listed === undefined ? GAI_TEXT.EAI_AGAIN : { address: listed, numeric: false };
}

function hostsFile(sys: Syscalls, name: string): Ipv4 | undefined {
  for (const line of linesOf(sys, '/etc/hosts')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const parsed = parseIpv4(address);
    if (parsed !== undefined && names.includes(name)) return parsed;
  }
  return undefined;
}
