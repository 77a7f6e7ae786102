/**
 * The bench: each figure beside what it is compared with, measured in turn in the same run, as a table and as JSON.
 *
 *   npm run bench              all of it
 *   npm run bench -- goodput   only what is named (an unknown name lists them)
 *   … --rounds N               so many pairs instead of five
 *   … --json FILE              the JSON there instead of in bench.json
 *   … --readme                 the table into README.md, between its marks; all rows, full size
 *   … --smoke                  the smallest size: shows that every row runs, and nothing else
 *
 * Peers that need root are test/bench/peers.sh's; `sudo test/bench/peers.sh install` installs them. A row whose peer cannot be had says so.
 * Ctrl-C ends everything that was started. Exit status: 0, 1 when a row could not be measured, 2 bad use, 130 interrupted.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../services/lab/root.ts';
import { bootOfPage, hundred } from './boot.ts';
import { chain, goodput, ping } from './fabric.ts';
import { frames } from './frames.ts';
import type { Bench, Group } from './group.ts';
import { growth } from './growth.ts';
import { isMissing, type Row } from './harness.ts';
import { machineName } from './machine.ts';
import { packed } from './packed.ts';
import { FULL, type Scale, SMOKE } from './scale.ts';
import { stackFigures, traceFigure } from './stack.ts';
import { json, table, withTable } from './table.ts';
import { undoAll } from './undo.ts';

const GROUPS: readonly Group[] = [
  { name: 'goodput', seconds: 45, run: goodput },
  { name: 'chain', seconds: 60, run: chain },
  { name: 'ping', seconds: 60, run: ping },
  { name: 'frames', seconds: 45, run: frames },
  { name: 'hundred', seconds: 300, run: hundred },
  { name: 'packed', seconds: 90, run: packed },
  { name: 'growth', seconds: 600, run: growth },
  { name: 'boot', seconds: 60, run: bootOfPage },
  { name: 'stack', seconds: 60, run: stackFigures },
  { name: 'trace', seconds: 60, run: async (bench) => [await traceFigure(bench)] },
];
/** What a group may take of its time before it is given up: other machines are slower, and this one may be busy. */
const PATIENCE = 5;
const MS = 1_000;

/** Ctrl-C came: what is running is being ended, and nothing new starts. */
let interrupted = false;

const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** Run a group within its time; a row that says why, when it fails. */
async function measured(group: Group, bench: Bench): Promise<readonly Row[]> {
  const limit = group.seconds * PATIENCE;
  let late: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`took longer than ${limit} s`)), limit * MS);
  });
  try {
    return await Promise.race([group.run(bench), tooLong]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    note(`${group.name} failed: ${why}`);
    return [{ name: group.name, why: why.replace(/\s+/g, ' ').slice(0, 200), failed: true }];
  } finally {
    clearTimeout(late);
  }
}

/** One group after the other; undefined when Ctrl-C came. */
async function inOrder(groups: readonly Group[], scale: Scale): Promise<readonly Row[] | undefined> {
  const rows: Row[] = [];
  const began = performance.now();
  for (const [i, group] of groups.entries()) {
    note(`[${i + 1}/${groups.length}] ${group.name}, about ${group.seconds} s, at most ${group.seconds * PATIENCE} s`);
    rows.push(...(await measured(group, { scale, note: (text) => note(`  ${text}`) })));
    await undoAll();
    if (interrupted) return undefined;
    note(`  ${((performance.now() - began) / MS).toFixed(0)} s so far`);
  }
  return rows;
}

/** Every group at once, at the smallest size: that they run is all that is asked. */
async function smokeTest(groups: readonly Group[]): Promise<boolean> {
  const began = performance.now();
  const rows = (await Promise.all(groups.map((group) => measured(group, { scale: SMOKE, note: () => {} })))).flat();
  await undoAll();
  const missing = rows.filter(isMissing);
  const seconds = ((performance.now() - began) / MS).toFixed(1);
  note(`${rows.length - missing.length} rows ran, ${missing.length} did not, in ${seconds} s`);
  for (const row of missing) note(`  ${row.name}: ${row.why}`);
  return missing.every(({ failed }) => !failed);
}

interface Options {
  readonly groups: readonly Group[];
  readonly scale: Scale;
  readonly readme: boolean;
  readonly smoke: boolean;
  readonly file: string;
}

/** What was asked for, or what is wrong with it. */
function optionsOf(argv: readonly string[]): Options | string {
  const options = {
    json: { type: 'string', default: 'bench.json' },
    readme: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options });
    const unknown = positionals.find((name) => !GROUPS.some((group) => group.name === name));
    if (unknown !== undefined)
      return `no row is called ${unknown}; there are ${GROUPS.map(({ name }) => name).join(', ')}`;
    const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
    if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) return '--rounds takes a number from 1';
    if (values.readme && (values.smoke || positionals.length > 0)) return '--readme takes all rows at full size';
    const scale = values.smoke ? SMOKE : FULL;
    return {
      groups: GROUPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
      scale: rounds === undefined ? scale : { ...scale, rounds },
      readme: values.readme,
      smoke: values.smoke,
      file: resolve(values.json),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function run({ groups, scale, readme, smoke, file }: Options): Promise<boolean> {
  if (smoke) return await smokeTest(groups);
  const rows = await inOrder(groups, scale);
  if (rows === undefined) return false;
  const text = `${machineName()}\n\n${table(rows)}`;
  process.stdout.write(`\n${text}\n\n`);
  writeFileSync(file, `${json(rows, machineName())}\n`);
  process.stdout.write(`${file}\n`);
  if (readme) intoReadme(text);
  return rows.every((row) => !isMissing(row) || !row.failed);
}

function intoReadme(text: string): void {
  const path = join(projectRoot(), 'README.md');
  const document = withTable(readFileSync(path, 'utf8'), text);
  if (document === undefined) throw new Error(`${path} has no place for the table: <!-- bench --> and <!-- /bench -->`);
  writeFileSync(path, document);
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => {
    interrupted = true;
    void undoAll().then(() => process.exit(status));
  });
}
const options = optionsOf(process.argv.slice(2));
if (typeof options === 'string') {
  note(options);
  process.exitCode = 2;
} else if (!(await run(options)) && !interrupted) process.exitCode = 1;
