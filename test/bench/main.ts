/**
 * The bench: each figure beside what it is compared with, measured in turn in the same run, as a table and as JSON.
 *
 *   npm run bench              all of it
 *   npm run bench -- goodput   only what is named: goodput, ping, boot, stack, trace
 *   … --json FILE              the JSON there instead of on standard output
 *   … --readme                 the table into README.md, between its marks
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { BenchLab } from './bench-lab.ts';
import { bootFigures } from './boot.ts';
import { type Figure, json, pairs, table } from './harness.ts';
import { machineName } from './machine.ts';
import { Relay } from './relay.ts';
import { stackFigures, traceFigure } from './stack.ts';

const ROUNDS = 5;
const BLAST_SECONDS = 2;
const PINGS = 50;
const PING_IDLE_MS = 20;
/** 56 octets of data, ICMP, IP, Ethernet, preamble and FCS. */
const PING_BYTES = 110;

async function goodput(lab: BenchLab, relay: Relay): Promise<Figure> {
  const blast = async (): Promise<number> => {
    const [octets = 0, micros = 1] = (await lab.exec('alice', 'blast', '10.0.0.2', String(BLAST_SECONDS)))
      .split(' ')
      .map(Number);
    return (octets * 8) / micros / 1_000;
  };
  await blast();
  const { ours, theirs } = await pairs(ROUNDS, blast, () => relay.goodput(BLAST_SECONDS));
  const against = 'the same through three bare ws processes';
  return { name: 'TCP goodput host-switch-host', unit: 'Gbit/s', ours, against, theirs };
}

async function ping(lab: BenchLab, relay: Relay): Promise<Figure> {
  const round = async (): Promise<number> => {
    const output = await lab.exec('alice', 'ping', '-c', String(PINGS), '-i', String(PING_IDLE_MS / 1_000), '10.0.0.2');
    const times = [...output.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1_000);
    return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
  };
  await round();
  const { ours, theirs } = await pairs(ROUNDS, round, () => relay.rounds(PINGS, PING_BYTES, PING_IDLE_MS));
  return {
    name: 'ping host-switch-host',
    unit: 'us',
    ours,
    against: 'a message there and back through three bare ws processes',
    theirs,
  };
}

/** Replace what stands between the marks. */
function intoReadme(text: string): void {
  const path = 'README.md';
  const marks = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/;
  const before = readFileSync(path, 'utf8');
  if (!marks.test(before)) throw new Error(`${path} has no place for the table: <!-- bench --> and <!-- /bench -->`);
  writeFileSync(
    path,
    before.replace(marks, (_, open: string, close: string) => `${open}${text}\n${close}`),
  );
}

async function main(argv: readonly string[]): Promise<void> {
  const file = argv.includes('--json') ? argv[argv.indexOf('--json') + 1] : undefined;
  const named = argv.filter((word) => !word.startsWith('--') && word !== file);
  const wanted = (name: string): boolean => named.length === 0 || named.includes(name);
  const figures: Figure[] = [];
  if (wanted('goodput') || wanted('ping')) {
    const lab = new BenchLab();
    const relay = new Relay();
    try {
      await Promise.all([lab.start(), relay.start()]);
      if (wanted('goodput')) figures.push(await goodput(lab, relay));
      if (wanted('ping')) figures.push(await ping(lab, relay));
    } finally {
      await Promise.all([lab.stop(), relay.stop()]);
    }
  }
  if (wanted('stack')) figures.push(...(await stackFigures()));
  if (wanted('trace')) figures.push(await traceFigure());
  if (wanted('boot')) figures.push(...(await bootFigures(3)));
  const machine = machineName();
  process.stdout.write(`\n${machine}\n\n${table(figures)}\n\n`);
  if (argv.includes('--readme')) intoReadme(`${machine}\n\n${table(figures)}`);
  if (file === undefined) process.stdout.write(`${json(figures, machine)}\n`);
  else writeFileSync(file, `${json(figures, machine)}\n`);
}

await main(process.argv.slice(2));
