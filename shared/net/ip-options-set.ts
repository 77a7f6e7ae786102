/** IPv4 options that a program gives to its socket and gets back (Linux: ip_options_get, ip_options_undo in ip_options.c). */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import type { Errno } from './errno.ts';
import { IPOPT, TIMESTAMP_KIND } from './ip-options.ts';
import type { OptionsToSend } from './ip-options-echo.ts';

/** What a header of 60 octets has room for (MAX_IPOPTLEN). */
const OPTION_BYTES_MAX = 40;
/** Kind, length and pointer come before the addresses of a route. */
const ROUTE_HEAD = 3;
const ADDRESS = 4;
/** Pointers count from 1: the first slot of a route, of timestamps. */
const ROUTE_FIRST = 4;
const STAMP_FIRST = 5;

/** Where to send a packet for `target`: to a source route's first hop, if there is one. */
export function firstHopOf(options: OptionsToSend | undefined, target: Ipv4): Ipv4 {
  return options === undefined || options.firstHop === IPV4_ANY ? target : options.firstHop;
}

/** Octets that options add to every header. */
export function optionsLength(options: OptionsToSend | undefined): number {
  return options?.bytes.length ?? 0;
}

type Draft = { -readonly [K in keyof OptionsToSend]: OptionsToSend[K] };

/** What setsockopt(IP_OPTIONS) keeps; undefined for none. (Linux: ip_options_get, ip_options_compile without a packet) */
export function optionsGet(given: Uint8Array): OptionsToSend | undefined | 'EINVAL' {
  if (given.length > OPTION_BYTES_MAX) return 'EINVAL';
  if (given.length === 0) return undefined;
  const bytes = new Uint8Array(Math.ceil(given.length / 4) * 4);
  bytes.set(given);
  const draft: Draft = {
    bytes,
    firstHop: IPV4_ANY,
    strict: false,
    record: -1,
    sourceRoute: -1,
    timestamp: -1,
    timestampNeedsAddress: false,
    timestampNeedsTime: false,
  };
  for (let at = 0; at < bytes.length && bytes[at] !== IPOPT.END; ) {
    if (bytes[at] === IPOPT.NOOP) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length || takeOne(draft, at, length) !== undefined) return 'EINVAL';
    at += length;
  }
  return draft;
}

function takeOne(draft: Draft, at: number, length: number): Errno | undefined {
  const { bytes } = draft;
  const pointer = bytes[at + 2] ?? 0;
  switch (bytes[at]) {
    case IPOPT.LSRR:
    case IPOPT.SSRR:
      return takeRoute(draft, at, length);
    case IPOPT.RR:
      if (draft.record >= 0 || length < ROUTE_HEAD || pointer < ROUTE_FIRST) return 'EINVAL';
      if (pointer > length) return undefined;
      if (pointer + 3 > length) return 'EINVAL';
      bytes[at + 2] = pointer + ADDRESS;
      draft.record = at;
      return undefined;
    case IPOPT.TIMESTAMP:
      return takeTimestamp(draft, at, length);
    default:
      return undefined;
  }
}

/** The first address is taken out; the last slot waits for the target. */
function takeRoute(draft: Draft, at: number, length: number): Errno | undefined {
  const { bytes } = draft;
  const addresses = length - ROUTE_HEAD;
  // One source route a header, with at least one address, from the first on.
  if (draft.sourceRoute >= 0 || addresses < ADDRESS || addresses % ADDRESS !== 0) return 'EINVAL';
  if (bytes[at + 2] !== ROUTE_FIRST) return 'EINVAL';
  const first = at + ROUTE_HEAD;
  draft.firstHop = new DataView(bytes.buffer).getUint32(first) as Ipv4;
  draft.strict = bytes[at] === IPOPT.SSRR;
  draft.sourceRoute = at;
  bytes.copyWithin(first, first + ADDRESS, at + length);
  return undefined;
}

function takeTimestamp(draft: Draft, at: number, length: number): Errno | undefined {
  const { bytes } = draft;
  const pointer = bytes[at + 2] ?? 0;
  const kind = (bytes[at + 3] ?? 0) & 15;
  const slot = kind === TIMESTAMP_KIND.ONLY ? ADDRESS : 2 * ADDRESS;
  if (draft.timestamp >= 0 || length < ADDRESS || pointer < STAMP_FIRST) return 'EINVAL';
  if (pointer > length || kind === TIMESTAMP_KIND.PRESPECIFIED) return undefined;
  if (pointer + slot - 1 > length) return 'EINVAL';
  bytes[at + 2] = pointer + slot;
  draft.timestamp = at;
  draft.timestampNeedsTime = true;
  draft.timestampNeedsAddress = kind === TIMESTAMP_KIND.AND_ADDRESS;
  return undefined;
}

/** Options as a program gives them: what they would be before anything was taken out or filled in. (ip_options_undo) */
export function optionsUndo(options: OptionsToSend | undefined): Uint8Array {
  if (options === undefined) return new Uint8Array(0);
  const bytes = options.bytes.slice();
  const back = (at: number, by: number): void => {
    if (at >= 0) bytes[at + 2] = (bytes[at + 2] ?? by) - by;
  };
  if (options.sourceRoute >= 0) {
    const first = options.sourceRoute + ROUTE_HEAD;
    const end = options.sourceRoute + (bytes[options.sourceRoute + 1] ?? ROUTE_HEAD);
    bytes.copyWithin(first + ADDRESS, first, end - ADDRESS);
    new DataView(bytes.buffer).setUint32(first, options.firstHop);
  }
  back(options.record, ADDRESS);
  back(options.timestamp, options.timestampNeedsAddress ? 2 * ADDRESS : ADDRESS);
  return bytes;
}
