/** Boot, and memory of what has come to rest: url-to-page, and a hundred hosts on one switch, as processes and packed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { planOf } from '../../services/lab/labs.ts';
import { built } from './bench-lab.ts';
import { commandUntil } from './children.ts';
import { type Bench, inTurn } from './group.ts';
import { alternate, atMost, type Figure, type Row } from './harness.ts';
import { type LiveLab, liveLab, starLab } from './live-lab.ts';
import { meanPssMb } from './machine.ts';
import { Peer, whyNot } from './peers.ts';
import { scratch } from './undo.ts';

const BARE_RATIO_MAX = 2;
const MEMORY_MB_MORE_MAX = 25;

/** Seconds to bring a lab up; what a device of it takes at rest goes into `memory`. */
async function boot(start: () => Promise<LiveLab>, memory: number[], restMs: number): Promise<number> {
  const lab = await start();
  try {
    memory.push(await meanPssMb(lab.pids, restMs));
    return lab.seconds;
  } finally {
    await lab.stop();
  }
}

async function bare(count: number, memory: number[], restMs: number): Promise<number> {
  const command = await commandUntil('ready', [built('test/bench/bare-up.js'), String(count)]);
  try {
    memory.push(await meanPssMb(command.line.split(' ').slice(1).map(Number), restMs));
    return command.seconds;
  } finally {
    await command.end();
  }
}

function besideBare(what: string, count: number, times: Pair, memory: Pair): Figure[] {
  const against = `${count} bare node processes`;
  return [
    { name: `boot of ${what}`, unit: 's', ...times, against, target: atMost(BARE_RATIO_MAX) },
    {
      name: `memory (PSS) per idle device of ${what}`,
      unit: 'MB',
      ...memory,
      against,
      target: atMost(MEMORY_MB_MORE_MAX, 'difference'),
    },
  ];
}

interface Pair {
  readonly ours: number[];
  readonly theirs: number[];
}

/** A lab that people have, with everything it runs. */
export async function bootOfPage(bench: Bench): Promise<Row[]> {
  const { lab, rounds, restMs } = bench.scale;
  const count = planOf(lab).devices.length;
  const memory: Pair = { ours: [], theirs: [] };
  const times = await alternate(
    rounds,
    {
      ours: () => boot(() => liveLab(lab), memory.ours, restMs),
      theirs: () => bare(count, memory.theirs, restMs),
    },
    inTurn(bench, 'boot'),
  );
  return besideBare(lab, count, times, memory);
}

/** A packed lab in a process of its own, from the command to every wire lit. */
async function bootPacked(hosts: number): Promise<number> {
  const folder = scratch();
  const path = join(folder.path, 'lab.yaml');
  writeFileSync(path, starLab(hosts));
  const command = await commandUntil('ready', [built('test/bench/packed-child.js'), 'boot', path]);
  await command.end();
  await folder.remove();
  return command.seconds;
}

async function bootPeer(kind: 'mininet' | 'shell', hosts: number): Promise<number> {
  const start = performance.now();
  const peer = await Peer.start(kind, String(hosts));
  const seconds = (performance.now() - start) / 1_000;
  await peer.stop();
  return seconds;
}

export async function hundred(bench: Bench): Promise<Row[]> {
  const { hosts, rounds, restMs } = bench.scale;
  const memory: Pair = { ours: [], theirs: [] };
  const kind = whyNot('mininet') === undefined ? 'mininet' : 'shell';
  const why = whyNot(kind);
  const { ours, theirs, packed, native } = await alternate(
    rounds,
    {
      ours: () => boot(() => liveLab(starLab(hosts)), memory.ours, restMs),
      theirs: () => bare(hosts + 1, memory.theirs, restMs),
      packed: () => bootPacked(hosts),
      native: async () => (why === undefined ? await bootPeer(kind, hosts) : Number.NaN),
    },
    inTurn(bench, 'hundred'),
  );
  const against =
    kind === 'mininet'
      ? `mn --topo single,${hosts} (Mininet, Linux bridge)`
      : `${hosts} namespaces on a bridge, by a loop of the shell (no Mininet here)`;
  const name = `boot of ${hosts} hosts on a switch, packed`;
  return [
    ...besideBare(`${hosts} hosts on a switch`, hosts + 1, { ours, theirs }, memory),
    why === undefined
      ? { name, unit: 's', ours: packed, against, theirs: native, target: atMost(1) }
      : { name: `${name}, beside Mininet`, why, failed: false },
  ];
}
