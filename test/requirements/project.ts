/** The lists and ticks of this repository. */
import { readFileSync } from 'node:fs';
import { sharedData } from '../kit/shared-data.ts';
import { textOf, trackedFiles } from '../kit/sources.ts';
import { judge, parseList, type RequirementList, ticksIn, type Verdict } from './lists.ts';

/** Projects that `npm test` runs: a tick elsewhere proves nothing to who runs only that. */
const RUN_BY_NPM_TEST = /^test\/(?:unit|sim|conformance|fuzz|e2e)\//;

export function requirementLists(): RequirementList[] {
  return trackedFiles('.txt')
    .filter((path) => path.startsWith('test/requirements/'))
    .map((path) => parseList(path, textOf(path)));
}

export function judgeProject(): { verdicts: Verdict[]; problems: string[] } {
  const scanned = trackedFiles('.test.ts')
    .filter((path) => RUN_BY_NPM_TEST.test(path))
    .map((path) => ticksIn(path, textOf(path)));
  const { verdicts, problems } = judge(
    requirementLists(),
    scanned.flatMap((file) => file.ticks),
    (name) => {
      const path = sharedData(name);
      return path === undefined ? undefined : readFileSync(path, 'utf8');
    },
  );
  return { verdicts, problems: [...scanned.flatMap((file) => file.problems), ...problems] };
}

/** A row a list: how many ids of each level are ticked, and how many of them Linux does otherwise. */
export function requirementTable(verdicts: readonly Verdict[]): string {
  const testsOf = (some: readonly Verdict[]): string => {
    const ticks = some.flatMap(({ ticked }) => [...ticked.values()].flat());
    return String(new Set(ticks.map((tick) => `${tick.file}:${tick.line}`)).size);
  };
  const rowOf = (name: string, some: readonly Verdict[]): string[] => {
    const ticked = some.flatMap(({ list, ticked: by }) => list.requirements.filter((one) => by.get(one.id)?.length));
    const count = (...levels: readonly string[]): string =>
      String(ticked.filter((one) => levels.includes(one.level)).length);
    const linux = String(ticked.filter((one) => one.linux !== undefined).length);
    return [name, count('must'), count('should', 'may'), count('behaviour'), linux, testsOf(some)];
  };
  const rows = verdicts.map((verdict) => rowOf(verdict.list.about, [verdict]));
  const sum = rowOf('all together', verdicts);
  const head = ['what asks', 'MUST', 'SHOULD, MAY', 'behaviours', 'of these Linux does otherwise', 'tests'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(['---', '---:', '---:', '---:', '---:', '---:']), ...[...rows, sum].map(line)].join('\n');
}
