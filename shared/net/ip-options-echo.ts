/** IPv4 options on packets of our own: those that an ICMP answer gives back (Linux: ip_options_echo, ip_options_build). */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { IPV4 } from '../header/ipv4.ts';
import type { Host } from './host.ts';
import { IPOPT, type IpOptions, optionsOf, TIMESTAMP_KIND, timestampNow } from './ip-options.ts';
import { addressType } from './route.ts';
import type { SkBuff } from './skbuff.ts';

/** Options for a packet of our own: octets to stand behind the header, and where they send it first. */
export interface OptionsToSend {
  readonly bytes: Uint8Array;
  /** The first stop of a source route, or 0. */
  readonly firstHop: Ipv4;
  /** No router may lie between its stops. */
  readonly strict: boolean;
  /** Offsets into `bytes`; -1 for none. */
  readonly record: number;
  readonly sourceRoute: number;
  readonly timestamp: number;
  readonly timestampNeedsAddress: boolean;
  readonly timestampNeedsTime: boolean;
}

/** What an answer carries: routes turned round, records and timestamps with their next slot free. (ip_options_echo) */
export function echoOptions(host: Host, skb: SkBuff): OptionsToSend | undefined {
  const options = optionsOf(skb);
  if (options === undefined || options.length === 0) return undefined;
  const out: number[] = [];
  const record = echoRecord(skb, options, out);
  const stamps = echoTimestamp(host, skb, options, out);
  const back = echoSourceRoute(skb, options, out);
  if (out.length === 0) return undefined;
  while ((out.length & 3) !== 0) out.push(IPOPT.END);
  return {
    bytes: Uint8Array.from(out),
    firstHop: back.firstHop,
    strict: options.strict,
    record,
    sourceRoute: back.at,
    timestamp: stamps.at,
    timestampNeedsAddress: stamps.address,
    timestampNeedsTime: stamps.time,
  };
}

function optionBytes({ bytes, networkHeader }: SkBuff, at: number): Uint8Array {
  const from = networkHeader + at;
  return bytes.subarray(from, from + (bytes[from + 1] ?? 2));
}

function echoRecord(skb: SkBuff, options: IpOptions, out: number[]): number {
  if (options.record === 0) return -1;
  const copy = optionBytes(skb, options.record).slice();
  const [, length = 0, pointer = 0] = copy;
  const fits = options.recordNeedsAddress && pointer + 3 <= length;
  if (fits) copy[2] = pointer + 4;
  out.push(...copy);
  return fits ? out.length - copy.length : -1;
}

function echoTimestamp(
  host: Host,
  skb: SkBuff,
  options: IpOptions,
  out: number[],
): { at: number; address: boolean; time: boolean } {
  if (options.timestamp === 0) return { at: -1, address: false, time: false };
  const copy = optionBytes(skb, options.timestamp).slice();
  const [, length = 0, pointer = 0, flags = 0] = copy;
  let next = pointer;
  let [address, time] = [false, false];
  const prespecified = (flags & 15) === TIMESTAMP_KIND.PRESPECIFIED;
  if (options.timestampNeedsAddress && next + 7 <= length) {
    address = true;
    next += 4;
  }
  if (options.timestampNeedsTime && !prespecified && next + 3 <= length) {
    time = true;
    next += 4;
  } else if (options.timestampNeedsTime && prespecified && next + 7 <= length) {
    const named = new DataView(copy.buffer).getUint32(next - 1) as Ipv4;
    if (addressType(host, named) !== 'unicast') {
      time = true;
      next += 8;
    }
  }
  copy[2] = next;
  out.push(...copy);
  return { at: out.length - copy.length, address, time };
}

/** The stops passed so far, the other way round. */
function echoSourceRoute(skb: SkBuff, options: IpOptions, out: number[]): { at: number; firstHop: Ipv4 } {
  if (options.sourceRoute === 0) return { at: -1, firstHop: IPV4_ANY };
  const route = optionBytes(skb, options.sourceRoute);
  const view = new DataView(route.buffer, route.byteOffset, route.length);
  const [kind = IPOPT.LSRR, length = 3, pointer = 4] = route;
  const stops: number[] = [];
  for (let at = Math.min(pointer, length + 1) - 4; at > 3; at -= 4) stops.push(view.getUint32(at - 1));
  // RFC 1812 §5.2.4.1: an illegal route that names its source as a stop is mended.
  if (stops[stops.length - 1] === skb.view.getUint32(skb.networkHeader + IPV4.SOURCE)) stops.pop();
  const [firstHop, ...rest] = stops;
  if (firstHop === undefined) return { at: -1, firstHop: IPV4_ANY };
  const at = out.length;
  // The last slot is for the target itself, which the header does not hold until the last stop.
  out.push(kind, 3 + 4 * (rest.length + 1), 4);
  for (const stop of [...rest, 0]) out.push(stop >>> 24, (stop >>> 16) & 255, (stop >>> 8) & 255, stop & 255);
  return { at, firstHop: firstHop as Ipv4 };
}

/** Write options behind a header of ours, their free slots filled in. (Linux: ip_options_build) */
export function buildOptions(
  host: Host,
  skb: SkBuff,
  at: number,
  { options, target, source }: { readonly options: OptionsToSend; readonly target: Ipv4; readonly source: Ipv4 },
): void {
  const { view, bytes } = skb;
  bytes.set(options.bytes, at);
  if (options.sourceRoute >= 0) {
    const from = at + options.sourceRoute;
    view.setUint32(from + view.getUint8(from + 1) - 4, target);
  }
  if (options.record >= 0) {
    const from = at + options.record;
    view.setUint32(from + view.getUint8(from + 2) - 5, source);
  }
  if (options.timestamp < 0) return;
  const from = at + options.timestamp;
  const pointer = view.getUint8(from + 2);
  if (options.timestampNeedsAddress) view.setUint32(from + pointer - 9, source);
  if (options.timestampNeedsTime) view.setUint32(from + pointer - 5, timestampNow(host));
}
