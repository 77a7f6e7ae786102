/** Frames a second through one switch process, in full batches and singly, beside vde_switch. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Child } from '../../services/lab/child.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';
import { built, planOfText, slotsOf, TWO_HOSTS } from './bench-lab.ts';
import { ended } from './children.ts';
import type { FromFrames, ToFrames } from './frames-child.ts';
import { type Bench, inTurn } from './group.ts';
import { alternate, atLeast, type Row } from './harness.ts';
import { Peer, whyNot } from './peers.ts';
import { scratch, toUndo } from './undo.ts';

const BATCH_RATE_MIN = 1_000_000;
const SINGLE_RATE_MIN = 50_000;

/** A switch's process, and its two neighbours in another. */
class SwitchBench {
  private readonly folder = scratch();
  private readonly end = toUndo(() => this.endAll());
  private device: Child | undefined;
  private neighbours: ChildProcess | undefined;

  static async start(): Promise<SwitchBench> {
    const bench = new SwitchBench();
    const { slots, token } = await slotsOf(planOfText(TWO_HOSTS));
    const slot = slots.get('sw');
    if (slot === undefined) throw new Error('the lab has a switch');
    const options = { name: 'sw', kind: 'switch', environment: slot.environment };
    bench.device = new Child(
      { ...options, log: join(bench.folder.path, 'sw.log') },
      { onMessage: () => {}, onState: () => {} },
    );
    await bench.device.start();
    bench.neighbours = fork(built('test/bench/frames-child.js'));
    const sliceOf = (name: string): DevicePlan => JSON.parse(slots.get(name)?.environment['WIRELAB_DEVICE'] ?? '{}');
    await bench.order({ type: 'plug', from: sliceOf('alice'), to: sliceOf('bob'), token }, 'plugged');
    return bench;
  }

  /** What came through, as with vde_switch: a switch drops what its far end is too slow for, and `onLoss` is told. */
  async rate(seconds: number, batch: boolean, onLoss: (frames: number) => void): Promise<number> {
    const { rate, lost } = await this.order({ type: 'send', seconds, batch }, 'sent');
    if (lost > 0) onLoss(lost);
    return rate;
  }

  stop(): Promise<void> {
    return this.end();
  }

  private async order<T extends FromFrames['type']>(
    order: ToFrames,
    type: T,
  ): Promise<Extract<FromFrames, { type: T }>> {
    const { neighbours } = this;
    if (neighbours === undefined) throw new Error('the neighbours are there');
    neighbours.send(order);
    const gone = once(neighbours, 'exit').then(() => Promise.reject(new Error("the neighbours' process has ended")));
    const [answer] = (await Promise.race([once(neighbours, 'message'), gone])) as [FromFrames];
    if (answer.type !== type) throw new Error(`the neighbours said ${answer.type}`);
    return answer as Extract<FromFrames, { type: T }>;
  }

  private async endAll(): Promise<void> {
    await Promise.all([this.neighbours && ended(this.neighbours), this.device?.end('stop')]);
    this.device?.log.close();
    await this.folder.remove();
  }
}

export async function frames(bench: Bench): Promise<Row[]> {
  const { rounds, blastSeconds } = bench.scale;
  const why = whyNot('vde');
  const [own, vde] = await Promise.all([SwitchBench.start(), why === undefined ? Peer.start('vde') : undefined]);
  const onLoss = (lost: number): void => bench.note(`frames: the switch dropped ${lost}, which do not count`);
  const thousands = (rate: number): number => rate / 1_000;
  try {
    await own.rate(blastSeconds, true, onLoss);
    await own.rate(blastSeconds, false, onLoss);
    const { batches, singly, theirs } = await alternate(
      rounds,
      {
        batches: async () => thousands(await own.rate(blastSeconds, true, onLoss)),
        theirs: async () => thousands((await vde?.frames(blastSeconds)) ?? Number.NaN),
        singly: async () => thousands(await own.rate(blastSeconds, false, onLoss)),
      },
      inTurn(bench, 'frames'),
    );
    const row = (how: string, ours: number[], min: number): Row => ({
      name: `64-octet frames through a switch, ${how}`,
      unit: 'thousand/s',
      ours,
      against: why === undefined ? 'vde_switch, what of iperf3 -u came through' : `vde_switch (skipped: ${why})`,
      theirs,
      target: atLeast(thousands(min), 'value'),
    });
    return [row('full batches', batches, BATCH_RATE_MIN), row('one a message', singly, SINGLE_RATE_MIN)];
  } finally {
    await Promise.all([own.stop(), vde?.stop()]);
  }
}
