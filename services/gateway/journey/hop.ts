/** What one router changed in a packet: the frame that came in beside the one that went out. */
import { numberOf, type SeenFrame, textOf } from './recording.ts';

/** `TTL 64 → 63` and the MACs of both sides, for the sentence about a hop. */
export function hopChange(
  seen: SeenFrame,
  sent: SeenFrame | undefined,
): { ttlIn: number; ttlOut: number; macsIn: string; macsOut: string; out: string } {
  const macs = (frame: SeenFrame): string => `${textOf(frame, 'eth.src')} → ${textOf(frame, 'eth.dst')}`;
  return {
    ttlIn: numberOf(seen, 'ip.ttl'),
    ttlOut: sent === undefined ? numberOf(seen, 'ip.ttl') - 1 : numberOf(sent, 'ip.ttl'),
    macsIn: macs(seen),
    macsOut: sent === undefined ? 'not sent' : macs(sent),
    out: sent?.port ?? '?',
  };
}
