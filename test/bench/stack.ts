/** The stack by itself beside a plain copy, and beside itself with its trace points compiled out. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ended } from './children.ts';
import { type Bench, inTurn } from './group.ts';
import { alternate, atLeast, type Figure } from './harness.ts';
import type { StackAnswer, StackOrder, StackWork } from './stack-child.ts';
import { toUndo } from './undo.ts';

const TRACE_PAIRS = 10;
/** What trace points may cost while nobody listens. */
const TRACED_RATIO_MIN = 0.98;
const DIST = fileURLToPath(new URL('../../', import.meta.url));
const BARE = join(DIST, 'bare');
/** `host.trace.on`, `this.trace.on`, `trace.on`, read; an assignment is none. */
const TEST_OF_TRACE = /\b(?:[A-Za-z_$][\w$]*(?:\([^()]*\))?\.)*trace\.on\b(?!\s*=[^=])/g;

/** A process that measures; warm after its first answers. */
class Stack {
  private readonly child: ChildProcess;
  private readonly ended: Promise<never>;
  private readonly share: number;
  private readonly end = toUndo(() => ended(this.child));

  constructor(dist: string, share: number) {
    this.share = share;
    this.child = fork(join(dist, 'test/bench/stack-child.js'));
    this.ended = once(this.child, 'exit').then(([status]) => {
      throw new Error(`the stack's process ended with ${status}`);
    });
    this.ended.catch(() => {});
  }

  async rate(work: StackWork, processor = false): Promise<number> {
    this.child.send({ work, processor, share: this.share } satisfies StackOrder);
    const [answer] = (await Promise.race([once(this.child, 'message'), this.ended])) as [StackAnswer];
    return answer.rate;
  }

  stop(): Promise<void> {
    return this.end();
  }
}

const toGbit = (rate: number): number => (rate * 8) / 1e9;
const toMillion = (rate: number): number => rate / 1e6;

export async function stackFigures(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  const kinds: readonly [string, string, StackWork, StackWork, (rate: number) => number][] = [
    ['stack only, TCP goodput at MTU 1500, TSO and GRO', 'Gbit/s', 'tcp', 'copy', toGbit],
    ['stack only, TCP goodput at MTU 1500, neither', 'Gbit/s', 'tcp-plain', 'copy', toGbit],
    ['stack only, UDP in 64-octet frames', 'million/s', 'udp', 'copy-small', toMillion],
  ];
  for (const [name, unit, work, copy, scale] of kinds) {
    // Each in a process of its own: what one kind taught the compiler is not the other's.
    const [one, other] = [new Stack(DIST, bench.scale.stackShare), new Stack(DIST, bench.scale.stackShare)];
    try {
      await Promise.all([one.rate(work), other.rate(copy)]);
      const { ours, theirs } = await alternate(
        bench.scale.rounds,
        { ours: async () => scale(await one.rate(work)), theirs: async () => scale(await other.rate(copy)) },
        inTurn(bench, 'stack'),
      );
      figures.push({ name, unit, ours, theirs, against: 'the same octets copied through the same rings' });
    } finally {
      await Promise.all([one.stop(), other.stop()]);
    }
  }
  return figures;
}

/** A second build in which no trace point is left: their tests are the constant false. How many there were. */
function compileOut(): number {
  rmSync(BARE, { recursive: true, force: true });
  let points = 0;
  for (const folder of ['shared', 'test']) {
    cpSync(join(DIST, folder), join(BARE, folder), { recursive: true });
    for (const file of readdirSync(join(BARE, folder), { recursive: true, encoding: 'utf8' })) {
      // trace.ts itself is the switch.
      if (!file.endsWith('.js') || file.endsWith('trace.js')) continue;
      const path = join(BARE, folder, file);
      const text = readFileSync(path, 'utf8');
      const without = text.replace(TEST_OF_TRACE, () => {
        points++;
        return 'false';
      });
      if (without !== text) writeFileSync(path, without);
    }
  }
  return points;
}

/** Goodput with the trace points, nobody listening, and without them; a second is one of the processor's, so that others' work is not counted. */
export async function traceFigure(bench: Bench): Promise<Figure> {
  const count = Math.min(TRACE_PAIRS, bench.scale.rounds * 2);
  const points = compileOut();
  const [traced, bare] = [new Stack(DIST, bench.scale.stackShare), new Stack(BARE, bench.scale.stackShare)];
  try {
    // Warm both, one after the other: the first runs are the compiler's.
    for (let n = 0; n < Math.min(3, bench.scale.rounds); n++) {
      await traced.rate('tcp-plain', true);
      await bare.rate('tcp-plain', true);
    }
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let n = 0; n < count; n++) {
      bench.note(`trace: round ${n + 1} of ${count}`);
      // One, the other, the other, one: neither is always the first.
      const first = await traced.rate('tcp-plain', true);
      const others = (await bare.rate('tcp-plain', true)) + (await bare.rate('tcp-plain', true));
      ours.push(toGbit((first + (await traced.rate('tcp-plain', true))) / 2));
      theirs.push(toGbit(others / 2));
    }
    const name = `stack only, TCP goodput with ${points} trace points and no listener`;
    return {
      name,
      unit: 'Gbit/s',
      ours,
      theirs,
      against: 'the same with the trace points compiled out',
      target: atLeast(TRACED_RATIO_MIN),
    };
  } finally {
    await Promise.all([traced.stop(), bare.stop()]);
    rmSync(BARE, { recursive: true, force: true });
  }
}
