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
  const rows = verdicts.map(({ list, ticked }) => {
    const count = (levels: readonly string[]): string =>
      String(list.requirements.filter((one) => levels.includes(one.level) && ticked.get(one.id)?.length !== 0).length);
    const linux = list.requirements.filter((one) => one.linux !== undefined).length;
    const tests = new Set([...ticked.values()].flat().map((tick) => `${tick.file}:${tick.line}`)).size;
    return [list.about, count(['must']), count(['should', 'may']), count(['behaviour']), String(linux), String(tests)];
  });
  const head = ['what asks', 'MUST', 'SHOULD, MAY', 'behaviours', 'of these Linux does otherwise', 'tests'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(['---', '---:', '---:', '---:', '---:', '---:']), ...rows.map(line)].join('\n');
}
