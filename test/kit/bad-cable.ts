/** A cable whose sending end makes trouble, and what arrives at the other: when, which, and whether its FCS is right. */
import { crc32 } from '../../shared/header/fcs.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { impaired } from '../../shared/wire/impair.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { platform } from './cards.ts';
import { ManualClock } from './clock.ts';

export interface Arrived {
  readonly at: number;
  readonly n: number;
  readonly good: boolean;
}

export function cable(impairment: Impairment, seed = 1, from = 'a:eth0') {
  const clock = new ManualClock();
  const [inner, far] = memoryWire(clock, from, 'b:eth0');
  const wire = impaired(inner, { clock, platform, seed, impairment });
  const arrived: Arrived[] = [];
  far.attach({
    onBatch: (batch) => {
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset(i);
        const size = batch.size(i);
        const good = crc32(batch.bytes, at + 8, at + size - 4) === batch.view.getUint32(at + size - 4, true);
        arrived.push({ at: clock.now(), n: batch.traceNumbers[i]!, good });
      }
    },
    onCarrier: () => {},
    onReady: () => {},
  });
  wire.attach({ onBatch: () => {}, onCarrier: () => {}, onReady: () => {} });
  wire.setPortUp(true);
  far.setPortUp(true);
  let sent = 0;
  const send = (count: number, size = 1_526): void => {
    for (let i = 0; i < count; i++) {
      const batch = wire.reserve(size);
      const at = batch.append(size, 1, ++sent, 0);
      batch.bytes.fill(sent & 255, at, at + size);
      batch.view.setUint32(at + size - 4, crc32(batch.bytes, at + 8, at + size - 4), true);
    }
    wire.kick();
  };
  return { clock, wire, far, arrived, send };
}

export const order = (arrived: readonly Arrived[]): number[] => arrived.map(({ n }) => n);
export const ascending = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
