/** Whether an impairment does anything at all, and what its MTU is held against. */
import { CABLE, ETHERNET, FRAME_SIZE_MIN } from '../header/ethernet.ts';
import type { Impairment } from '../lab/plan-types.ts';
import { ratioOf } from './corrupt.ts';

export function hasKnob(knobs: Impairment): boolean {
  const { delay, jitter, duplicate, reorder, rate, limit, mtu, loss, corrupt, match } = knobs;
  return (
    [delay, jitter, duplicate, reorder, rate, ratioOf(corrupt)].some((knob) => knob !== undefined && knob > 0) ||
    (loss !== undefined && loss !== 0) ||
    [limit, mtu].some((knob) => knob !== undefined) ||
    (match !== undefined && match.length > 0)
  );
}

/** Length of the network-layer packet in a frame on the cable; padding counts, as nobody looks inside. */
export function networkLength(size: number): number {
  const frame = size - CABLE.LEAD - CABLE.FCS;
  return frame <= FRAME_SIZE_MIN ? 0 : frame - ETHERNET.SIZE;
}
