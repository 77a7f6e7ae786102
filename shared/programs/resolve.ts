/** A destination on a command line: inet_aton's numbers as they are, names through getaddrinfo. */
import type { Ipv4 } from '../header/address.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { GAI_TEXT, lookUpAddresses } from './getaddrinfo.ts';

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
  const found = await lookUpAddresses(sys, text);
  if (typeof found === 'string') return GAI_TEXT[found];
  const [first] = found.addresses;
  return first === undefined ? GAI_TEXT.EAI_NODATA : { address: first, numeric: false };
}
