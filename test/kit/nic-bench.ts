/** A card with a cable on which a test writes frames of its own. */
import type { Mac } from '../../shared/header/address.ts';
import { type CpuCosts, cpuOf } from '../../shared/nic/napi.ts';
import { Phy } from '../../shared/nic/phy.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { addCard, cardHost } from './cards.ts';
import { ManualClock } from './clock.ts';

const MINE = 0x0200_0000_0002 as Mac;
/** An EtherType for experiments: the stack drops such frames once they are through driver and NAPI. */
const TYPE = 0x88b5;

export function nicBench(costs?: CpuCosts) {
  const clock = new ManualClock();
  const host = cardHost('dut', clock);
  const [near, far] = memoryWire(clock, 'dut:eth0', 'test:0');
  if (costs !== undefined) cpuOf(host).configure(costs);
  const { dev, nic } = addCard(host, 'eth0', near, { mac: MINE });
  const silent = {
    onFrame: () => {},
    onBurstEnd: () => {},
    onRefused: () => {},
    onCarrier: () => {},
    onReady: () => {},
  };
  const phy = new Phy(host, silent, { name: 'test', mtu: 1_500 });
  phy.setPortUp(true);
  phy.attach(far);
  const send = (count: number, size = 60): void => {
    for (let i = 0; i < count; i++) {
      const at = phy.start(size, 5, i + 1, 3);
      phy.out.bytes.fill(0, at, at + size);
      phy.out.view.setUint16(at, Math.floor(MINE / 0x1_0000_0000));
      phy.out.view.setUint32(at + 2, MINE % 0x1_0000_0000);
      phy.out.view.setUint16(at + 6, 0x0200);
      phy.out.view.setUint16(at + 12, TYPE);
      phy.finish();
    }
    phy.kick();
  };
  const stat = (name: string): number => dev.ops.statistics().get(name) ?? Number.NaN;
  /** One frame every `gap` microseconds, for so long. */
  const stream = (gap: number, micros: number): void => {
    for (let at = 0; at < micros; at += gap) {
      send(1);
      clock.advance(gap);
    }
  };
  return { clock, host, dev, nic, send, stream, stat, cpu: cpuOf(host) };
}
