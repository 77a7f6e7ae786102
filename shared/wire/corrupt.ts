/** One bit of a frame turned over, as a bad cable does it; or with the FCS made good again, as bad memory does it. */
import { CABLE, ETHERNET, ETHERTYPE } from '../header/ethernet.ts';
import { IPV4 } from '../header/ipv4.ts';
import type { Corrupt } from '../lab/plan-types.ts';
import type { Platform } from '../platform.ts';
import type { FrameBatch } from './frame-batch.ts';

export function ratioOf(corrupt: Corrupt | undefined): number | undefined {
  return typeof corrupt === 'object' ? corrupt.ratio : corrupt;
}

/** Turn a bit of frame `i` over; `draw`, from 0 to 1, says which. A frame without the wanted layer is hit anywhere. */
export function flipBit(
  batch: FrameBatch,
  i: number,
  draw: number,
  corrupt: Corrupt | undefined,
  crc32: Platform['crc32'],
): void {
  const { bytes, view } = batch;
  // Somewhere in frame or FCS: a broken preamble would be noise between frames, not a frame.
  const from = batch.offset(i) + CABLE.LEAD;
  const end = batch.offset(i) + batch.size(i);
  const part = typeof corrupt === 'object' ? partOf(view, from, end - CABLE.FCS, corrupt.layer) : undefined;
  const [first, last] = part ?? [from, end];
  const bits = (last - first) * 8;
  if (bits <= 0) return;
  const bit = Math.floor(draw * bits);
  bytes[first + (bit >>> 3)]! ^= 1 << (bit & 7);
  if (part !== undefined) view.setUint32(end - CABLE.FCS, crc32(bytes, from, end - CABLE.FCS), true);
}

/** Where the IPv4 header of a frame at [from, end) stands, or what follows it; undefined when it has none. */
function partOf(view: DataView, from: number, end: number, layer: 'ip' | 'tcp'): readonly [number, number] | undefined {
  const ip = from + ETHERNET.SIZE;
  if (end - ip < IPV4.SIZE || view.getUint16(from + ETHERNET.TYPE) !== ETHERTYPE.IPV4) return undefined;
  const payload = ip + (view.getUint8(ip) & 15) * 4;
  const total = Math.min(end, ip + view.getUint16(ip + IPV4.TOTAL_LENGTH));
  if (payload < ip + IPV4.SIZE || payload >= total) return undefined;
  return layer === 'ip' ? [ip, payload] : [payload, total];
}
