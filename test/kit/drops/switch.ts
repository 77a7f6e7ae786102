/** Drops of a switch. */
import { Switch } from '../../../shared/bridge/switch.ts';
import type { Phy } from '../../../shared/nic/phy.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { cardHost } from '../cards.ts';
import { ManualClock } from '../clock.ts';
import { type DropRecipes, EXPERIMENTAL, farEnd, link, NO_COUNTER, type Watch } from './bench.ts';

/** A switch with three ports and the far ends of their cables; `send` puts a frame on one of them. */
class SwitchBench {
  readonly clock = new ManualClock();
  readonly sw: Switch;
  readonly far: Phy[] = [];

  constructor(watch: Watch) {
    const host = cardHost('sw', this.clock);
    this.sw = new Switch(host);
    watch(host, this.clock);
    for (let n = 1; n <= 3; n++) {
      const [near, far] = memoryWire(this.clock, `sw:p${n}`, `test:${n}`);
      this.sw.addPort({ name: `p${n}`, mtu: 1_500, wire: near });
      this.far.push(farEnd(host, far));
    }
  }

  /** Its wire takes no more. */
  blockPort2(): void {
    (this.sw.ports[1]!.phy.wire as unknown as { ready: boolean }).ready = false;
  }

  send(port: number, source: number, target: number, count = 1): void {
    const phy = this.far[port - 1]!;
    for (let i = 0; i < count; i++) {
      const at = phy.start(60, 99, i + 1, 0);
      phy.out.bytes.fill(0, at, at + 60);
      phy.out.view.setUint16(at, Math.floor(target / 0x1_0000_0000));
      phy.out.view.setUint32(at + 2, target % 0x1_0000_0000);
      phy.out.view.setUint16(at + 6, Math.floor(source / 0x1_0000_0000));
      phy.out.view.setUint32(at + 8, source % 0x1_0000_0000);
      phy.out.view.setUint16(at + 12, EXPERIMENTAL);
      phy.finish();
    }
    phy.kick();
    this.clock.advance(1);
  }
}

const [A, B] = [0x0200_0000_0a01, 0x0200_0000_0b01];

export const SWITCH_DROPS: DropRecipes = {
  bridge_same_port: [
    {
      when: 'its target was learned on the port that it came from',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = new SwitchBench(watch);
        bench.send(1, A, B);
        bench.send(1, B, A);
      },
    },
  ],
  bridge_port_down: [
    {
      when: 'the cable is pulled while frames wait for it',
      counter: link('tx', 'dropped', 'p2'),
      make: (watch) => {
        const bench = new SwitchBench(watch);
        bench.send(2, B, A);
        bench.blockPort2();
        bench.send(1, A, B, 5);
        bench.far[1]!.setPortUp(false);
        bench.clock.advance(1);
      },
    },
  ],
  bridge_queue_full: [
    {
      when: 'more than 1000 frames wait for a wire that takes none',
      counter: link('tx', 'dropped', 'p2'),
      make: (watch) => {
        const bench = new SwitchBench(watch);
        bench.send(2, B, A);
        bench.blockPort2();
        bench.send(1, A, B, 1_003);
      },
    },
  ],
  bridge_reserved: [
    {
      when: 'it is a spanning-tree frame',
      counter: NO_COUNTER,
      make: (watch) => new SwitchBench(watch).send(1, A, 0x0180_c200_0000),
    },
  ],
};
