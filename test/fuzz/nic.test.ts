import { expect, test } from 'vitest';
import { Switch } from '../../shared/bridge/switch.ts';
import type { Mac } from '../../shared/header/address.ts';
import { MTU_DEFAULT } from '../../shared/header/ethernet.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import type { Wire } from '../../shared/wire/wire.ts';
import { addCard, cardHost, platform } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';
import { frameBytes, tcpSkb } from '../kit/tcp-frames.ts';

const random = testRandom('nic fuzz');

/** Put octets on the cable; most of the time with a good preamble and FCS around them. */
function write(wire: Wire, frame: Uint8Array): void {
  const batch = wire.reserve(frame.length + 12);
  const at = batch.append(frame.length + 12, random.u32(), random.u32(), random.below(3));
  batch.view.setUint32(at, 0x5555_5555);
  batch.view.setUint32(at + 4, 0x5555_55d5);
  batch.bytes.set(frame, at + 8);
  batch.view.setUint32(at + 8 + frame.length, platform.crc32(frame, 0, frame.length), true);
  if (random.below(10) === 0) batch.bytes[at + random.below(frame.length + 12)]! ^= 1 << random.below(8);
}

function mutate(frame: Uint8Array): Uint8Array {
  const mutant = frame.slice(0, random.below(4) === 0 ? random.below(frame.length + 1) : frame.length);
  for (let n = random.below(5); n > 0 && mutant.length > 0; n--) mutant[random.below(mutant.length)] = random.u32();
  return mutant;
}

test(`mutated frames into a card and a switch never throw, and no sk_buff stays behind (seed ${TEST_SEED})`, () => {
  const clock = new ManualClock();
  const [hostWire, portWire] = memoryWire(clock, 'dut:eth0', 'sw:p1');
  const [farWire, secondPort] = memoryWire(clock, 'fuzz:eth0', 'sw:p2');
  const swHost = cardHost('sw', clock);
  const sw = new Switch(swHost);
  sw.addPort({ name: 'p1', mtu: MTU_DEFAULT, wire: portWire });
  sw.addPort({ name: 'p2', mtu: MTU_DEFAULT, wire: secondPort });
  const host = cardHost('dut', clock);
  const { dev } = addCard(host, 'eth0', hostWire, { addresses: ['10.0.0.2/24'], mac: 0x0200_0000_0002 as Mac });
  farWire.setPortUp(true);
  farWire.attach({ onBatch: () => {}, onCarrier: () => {}, onReady: () => {} });
  for (let run = 0; run < 3_000; run++) {
    for (let n = 1 + random.below(20); n > 0; n--) {
      const payload = random.below(1_400);
      const options = random.below(2) === 0 ? [] : [0x0101_080a, 1, 1];
      write(farWire, mutate(frameBytes(host, tcpSkb(host, { payload, options, sequence: n * 100, id: n }))));
    }
    farWire.kick();
    clock.advance(10);
  }
  clock.advance(120_000_000);
  expect(dev.counters.rxPackets).toBeGreaterThan(5_000);
  expect(host.skbs.counters.live).toBe(0);
  expect(swHost.skbs.counters.live).toBe(0);
});
