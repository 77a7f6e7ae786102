/** What is wrong with a display filter, in words for people; undefined when it can be used. */
import { filterNames, parseFilter } from '../header/display-filter.ts';
import { closest } from './closest.ts';

/** Match rules at one end of a wire: each frame is held against all of them. */
export const MATCH_RULES_MAX = 16;

/** `column 1: no protocol or field is called "tcp.sny"; did you mean tcp.flags.syn?` */
export function filterProblem(text: string): string | undefined {
  const parsed = parseFilter(text);
  if (!('problem' in parsed)) return undefined;
  const { column, message, unknown, meant } = parsed.problem;
  // Of `tcp.syn` the last word may be what was meant: `tcp.flags.syn`.
  const near =
    unknown === undefined ? meant : (sameEnds(unknown) ?? closest(unknown, filterNames) ?? lastWord(unknown));
  return `column ${column}: ${message}${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/** `port`, as tcpdump has it: some protocol's field of that name. */
function lastWord(word: string): string | undefined {
  return filterNames.find((name) => name.endsWith(`.${word.toLowerCase()}`));
}

function sameEnds(word: string): string | undefined {
  const [first = '', ...rest] = word.split('.');
  const last = rest.at(-1);
  if (last === undefined) return undefined;
  return filterNames.find((name) => name.startsWith(`${first}.`) && name.endsWith(`.${last}`));
}
