/**
 * What a bridge does with a frame: the one decision that the switch (frames) and a router's bridged ports (sk_buffs)
 * share. Learn the source, look the target up; group addresses and unknown ones go everywhere but back.
 * (IEEE 802.1D §7.7; Linux: br_handle_frame, br_handle_frame_finish)
 */
import { formatMac, isMulticastMac, type Mac } from '../header/address.ts';
import type { Identified, Trace } from '../net/trace.ts';
import type { Micros } from '../platform.ts';
import type { Fdb } from './fdb.ts';

/** 01:80:c2:00:00:00 to 0f: spanning tree, pause frames, LLDP … never forwarded (IEEE 802.1D table 7-10). */
const RESERVED_FIRST = 0x0180_c200_0000;
const RESERVED_LAST = 0x0180_c200_000f;

/** A port to send it out of, or what else is to be done. */
export type Decision<Port> = Port | 'flood' | 'same port' | 'reserved';

export interface NamedPort {
  readonly name: string;
}

/** Learn where `source` is. */
export function learnSource<Port extends NamedPort>(
  fdb: Fdb<Port>,
  frame: { readonly source: Mac; readonly port: Port; readonly now: Micros },
  trace: Trace,
  identity: Identified | undefined,
): void {
  const learned = fdb.learn(frame.source, frame.port, frame.now);
  if (!trace.on || learned === 'refused') return;
  trace.point('br_fdb_update', identity, {
    mac: formatMac(frame.source),
    port: frame.port.name,
    new: learned !== 'known',
  });
}

export function decide<Port extends NamedPort>(fdb: Fdb<Port>, target: Mac, from: Port, now: Micros): Decision<Port> {
  if (isMulticastMac(target)) return isReserved(target) ? 'reserved' : 'flood';
  const port = fdb.find(target, now)?.port;
  if (port === undefined) return 'flood';
  return port === from ? 'same port' : port;
}

export function isReserved(mac: Mac): boolean {
  return mac >= RESERVED_FIRST && mac <= RESERVED_LAST;
}
