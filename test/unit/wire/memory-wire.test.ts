import { expect, test } from 'vitest';
import { type FrameBatch, takeBatch } from '../../../shared/wire/frame-batch.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import type { Wire } from '../../../shared/wire/wire.ts';
import { ManualClock } from '../../kit/clock.ts';

interface Ear {
  readonly frames: string[];
  readonly carrier: boolean[];
  ready: number;
}

function listen(wire: Wire): Ear {
  const ear: Ear = { frames: [], carrier: [], ready: 0 };
  wire.attach({
    onBatch: (batch: FrameBatch) => {
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset(i);
        ear.frames.push(`${batch.first + i}:${Buffer.from(batch.bytes.subarray(at, at + batch.size(i))).toString()}`);
      }
    },
    onCarrier: (up) => ear.carrier.push(up),
    onReady: () => ear.ready++,
  });
  return ear;
}

function send(wire: Wire, text: string): void {
  const batch = wire.reserve(text.length);
  const at = batch.append(text.length, 1, 2, 0);
  batch.bytes.set(Buffer.from(text), at);
  wire.kick();
}

function pair(): { clock: ManualClock; a: Wire; b: Wire; atA: Ear; atB: Ear } {
  const clock = new ManualClock();
  const [a, b] = memoryWire(clock, 'alice:eth0', 'sw:p1');
  const atA = listen(a);
  const atB = listen(b);
  a.setPortUp(true);
  b.setPortUp(true);
  return { clock, a, b, atA, atB };
}

test('frames sent in one instant arrive at its end, in order, numbered per direction', () => {
  const { clock, a, b, atA, atB } = pair();
  expect(a.name).toBe('alice:eth0--sw:p1');
  send(a, 'one');
  send(a, 'two');
  send(b, 'back');
  expect(atB.frames).toEqual([]);
  clock.run(0);
  send(a, 'three');
  clock.run(0);
  expect(atB.frames).toEqual(['0:one', '1:two', '2:three']);
  expect(atA.frames).toEqual(['0:back']);
  expect(a.counters).toMatchObject({ sentFrames: 3, sentBytes: 11, receivedFrames: 1, receivedBytes: 4 });
});

test('carrier is up while the far port is up and both plugs are in, and each end is told', () => {
  const { clock, a, b, atA, atB } = pair();
  expect([a.carrier, b.carrier]).toEqual([true, true]);
  a.unplug();
  expect([a.carrier, b.carrier]).toEqual([false, false]);
  a.plug();
  b.setPortUp(false);
  expect([a.carrier, b.carrier]).toEqual([false, true]);
  b.setPortUp(true);
  b.close();
  expect([a.carrier, b.carrier]).toEqual([false, false]);
  expect(atA.carrier).toEqual([true, false, true, false, true, false]);
  expect(atB.carrier).toEqual([true, false, true, false]);
  expect([a.counters.carrierDown, b.counters.carrierDown]).toEqual([3, 2]);
  send(a, 'lost');
  clock.run(0);
  expect(a.counters.lostWithoutCarrier).toBe(1);
});

test('what is under way when the wire is unplugged never arrives, and is in the ledger', () => {
  const { clock, a, b, atB } = pair();
  send(a, 'under way');
  clock.after(0, () => b.unplug());
  clock.run(0);
  send(a, 'later');
  clock.run(0);
  expect(atB.frames).toEqual([]);
  expect(a.counters.sentFrames + a.counters.lostWithoutCarrier).toBe(2);
  expect(b.counters.lostByUnplug).toBe(a.counters.sentFrames);
  expect(b.numbers).toMatchObject({ listenedFrom: 0, expected: 1, received: 0, lost: 1 });
});

test('an end that has more than 1 MB waiting is not ready, and says when it is again', () => {
  const { clock, a, atA, atB } = pair();
  const text = 'x'.repeat(1_500);
  let sent = 0;
  while (a.ready && sent < 10_000) {
    send(a, text);
    sent++;
  }
  expect(sent).toBeGreaterThan(600);
  expect(sent).toBeLessThan(760);
  clock.run(0);
  expect(a.ready).toBe(true);
  expect(atA.ready).toBe(1);
  expect(atB.frames).toHaveLength(sent);
});

test('a batch that has no room behind what is being filled leaves after it, in the memory it came in', () => {
  const { clock, a, atB } = pair();
  const loose = (size: number): FrameBatch => {
    const batch = takeBatch();
    batch.bytes.fill(0x61, batch.append(size, 1, 2, 0), batch.end);
    batch.loose = true;
    return batch;
  };
  const large = loose(63_990);
  const small = loose(5);
  send(a, 'before');
  expect(a.passOn(small)).toBe(false);
  expect(a.passOn(large)).toBe(true);
  a.kick();
  clock.run(0);
  expect(atB.frames.map((frame) => frame.slice(0, 8))).toEqual(['0:before', '1:aaaaaa']);
});
