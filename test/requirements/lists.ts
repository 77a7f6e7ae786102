/**
 * Lists of what outside judges ask of a host: the MUSTs of an RFC, the behaviours of another stack's tests. A list is a
 * text file of this folder, and a test ticks what it proves by naming it at the start of its title:
 *
 *   test('[MUST-13] TIME-WAIT lasts 60 seconds', …)         test('[MUST-35, MUST-36] …', …)
 *
 * A line of a list is an id and, where the id alone says nothing, its level and the sentence in our own words:
 *
 *   1122-3.2.1.1 must  A packet whose version is not 4 is thrown away without a word.
 *     linux: why Linux does otherwise                    the test proves what Linux does
 *
 * `# ids: FILE` at the top names a list beside the project that says which ids there are: ours may neither lack one of its
 * MUSTs nor have one that it does not know. Ids that begin with MUST are musts, SHLD shoulds, MAY and REC the rest.
 */

const LEVELS = ['must', 'should', 'may', 'behaviour'] as const;
export type Level = (typeof LEVELS)[number];

export interface Requirement {
  readonly id: string;
  readonly level: Level;
  readonly sentence: string;
  /** Why Linux does otherwise, where it does. */
  linux: string | undefined;
}

export interface RequirementList {
  readonly name: string;
  /** First comment line of the file. */
  readonly about: string;
  /** File beside the project that has all ids, as it was named. */
  readonly idsFrom: string | undefined;
  readonly requirements: readonly Requirement[];
  readonly problems: readonly string[];
}

const LINE = /^([A-Za-z0-9][\w./-]*)(?:\s+(must|should|may|behaviour)\s+(.+))?$/;

export function levelOf(id: string): Level | undefined {
  const word = /^(MUST|SHLD|MAY|REC)-\d+$/.exec(id)?.[1];
  if (word === undefined) return undefined;
  return word === 'MUST' ? 'must' : word === 'SHLD' ? 'should' : 'may';
}

export function parseList(name: string, text: string): RequirementList {
  const requirements: Requirement[] = [];
  const problems: string[] = [];
  let about = '';
  let idsFrom: string | undefined;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    const where = `${name}:${i + 1}`;
    if (line === '') continue;
    if (line.startsWith('#')) {
      const words = line.replace(/^#\s*/, '');
      if (words.startsWith('ids: ')) idsFrom = words.slice(5);
      else if (about === '') about = words;
      continue;
    }
    const reason = /^linux: (.+)$/.exec(line)?.[1];
    const last = requirements.at(-1);
    if (reason !== undefined && last !== undefined) {
      last.linux = reason;
      continue;
    }
    const match = LINE.exec(line);
    const id = match?.[1] ?? '';
    const level = (match?.[2] as Level | undefined) ?? levelOf(id);
    if (match === null || level === undefined) {
      problems.push(`${where}: expected an id, its level (${LEVELS.join(', ')}) and a sentence`);
      continue;
    }
    if (requirements.some((one) => one.id === id)) problems.push(`${where}: ${id} is here twice`);
    requirements.push({ id, level, sentence: match[3] ?? '', linux: undefined });
  }
  return { name, about, idsFrom, requirements, problems };
}

/** Ids of a list beside the project: `- [ ] MUST-60 MUST NOT: …`, a line a sentence, several sentences an id. */
export function idsOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^- \[.\] ((?:MUST|SHLD|MAY|REC)-\d+) /gm)].map((match) => match[1] ?? ''));
}

export interface Tick {
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly title: string;
}

/** What could leave a test of this file out, or make its failing a pass. */
const MAY_NOT_RUN = /\b(?:test|it|describe|suite)\s*\.\s*(?:skip|skipIf|runIf|todo|only|fails)\b|\bskip\(/;

/** The ticks in the text of a test file, and what is wrong with them. Only tests that stand there plainly count. */
export function ticksIn(file: string, source: string): { ticks: Tick[]; problems: string[] } {
  const text = source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  const ticks: Tick[] = [];
  for (const match of text.matchAll(/^[ \t]*test\(\s*(['"`])\[([^\]\n]*)\] ?((?:\\.|(?!\1).)*)\1/gm)) {
    const line = text.slice(0, match.index).split('\n').length;
    for (const id of (match[2] ?? '').split(',')) ticks.push({ id: id.trim(), file, line, title: match[3] ?? '' });
  }
  const problems: string[] = [];
  const idle = MAY_NOT_RUN.exec(text.replace(/^[ \t]*\/\/.*$/gm, ''))?.[0];
  if (ticks.length > 0 && idle !== undefined) {
    problems.push(`${file}: a file whose tests tick something must run whole, but it has "${idle}"`);
  }
  for (const tick of ticks) {
    if (tick.title.trim() === '') problems.push(`${file}:${tick.line}: [${tick.id}] has no sentence`);
  }
  return { ticks, problems };
}

export interface Verdict {
  readonly list: RequirementList;
  readonly ticked: ReadonlyMap<string, readonly Tick[]>;
}

/** `idsOfFile` answers the text of a list beside the project, or undefined where there is none. */
export function judge(
  lists: readonly RequirementList[],
  ticks: readonly Tick[],
  idsOfFile: (name: string) => string | undefined,
): { verdicts: Verdict[]; problems: string[] } {
  const problems = lists.flatMap((list) => list.problems);
  const known = new Map<string, RequirementList>();
  const byId = new Map<string, Tick[]>();
  for (const tick of ticks) byId.set(tick.id, [...(byId.get(tick.id) ?? []), tick]);
  for (const list of lists) {
    for (const { id, level } of list.requirements) {
      const other = known.get(id);
      if (other !== undefined && other !== list) problems.push(`${id} is in ${other.name} and in ${list.name}`);
      known.set(id, list);
      if (!byId.has(id)) problems.push(`${list.name}: no test ticks ${id} (${level})`);
    }
    const text = list.idsFrom === undefined ? undefined : idsOfFile(list.idsFrom);
    if (text === undefined) continue;
    const asked = idsOf(text);
    const ours = new Set(list.requirements.map((one) => one.id));
    for (const id of asked)
      if (levelOf(id) === 'must' && !ours.has(id)) problems.push(`${list.name}: ${id} is missing`);
    for (const id of ours) if (!asked.has(id)) problems.push(`${list.name}: ${id} is not in ${list.idsFrom}`);
  }
  for (const tick of ticks) {
    if (!known.has(tick.id)) problems.push(`${tick.file}:${tick.line}: [${tick.id}] is in no list`);
  }
  const verdicts = lists.map((list) => ({
    list,
    ticked: new Map(list.requirements.map(({ id }) => [id, byId.get(id) ?? []])),
  }));
  return { verdicts, problems };
}
