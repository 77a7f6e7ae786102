/** Rules of the house that a reader of text can check: no loose ends, no holes in the types, no file that is two things. */
import { describe, expect, test } from 'vitest';
import { textOf, trackedFiles } from '../kit/sources.ts';

const LINES_MAX = 400;
/** Files that may be longer, and why. */
const LONG: Readonly<Record<string, string>> = {
  'shared/net/neighbour.ts': 'one state machine: splitting it would part states from their timers',
  'shared/net/skbuff.ts': 'one structure: its fields, its births and its deaths',
  'shared/net/fib.ts': 'one structure: the tables, and what changes them',
  'shared/net/tcp-sock.ts': 'one structure, a line and a sentence a field',
  'shared/net/tcp-listen.ts': 'a handshake from the SYN to the accept queue',
  'shared/net/tcp-timer.ts': 'one timer after another, each with when it gives up',
  'shared/net/iptables-match.ts': 'one match after another, each a few lines',
  'shared/wire/impair.ts': 'one cable: the knobs in the order in which a frame meets them',
  'shared/programs/curl.ts': 'the transfer, told from start to end',
  'test/kit/rpl.ts': 'one language: its replay needs every kind of step in sight',
  'test/kit/mutate.ts': 'one layer after another, each a few lines',
  'test/kit/tcp.ts': 'one peer: the notation, what it sends and what it expects go together',
  'test/unit/lab/bad-labs.ts': 'a table of bad lab files',
};
/** Spelt in pieces, so that this file does not find itself. */
const LOOSE_END = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`);
const TYPE_HOLE = new RegExp(`\\bas a${'ny'}\\b|: a${'ny'}\\b|@ts-(ignore|nocheck|expect-error)`);

const code = trackedFiles('.ts').filter((path) => !path.endsWith('.d.ts'));
const prose = ['.md', '.yaml', '.json', '.html', '.css', '.zone'].flatMap(trackedFiles);

/** `path:line: text` of every line that fits. */
function found(paths: readonly string[], fits: (line: string) => boolean): string[] {
  return paths.flatMap((path) =>
    textOf(path)
      .split('\n')
      .flatMap((line, i) => (fits(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  );
}

describe('the code', () => {
  test('has no loose ends marked in it', () => {
    expect(found(code, (line) => LOOSE_END.test(line))).toEqual([]);
  });

  test('has no holes in its types', () => {
    const isComment = (line: string): boolean => /^\s*(\/\/|\/?\*)/.test(line) && !line.includes('@ts-');
    expect(found(code, (line) => !isComment(line) && TYPE_HOLE.test(line.replace(/'[^']*'|`[^`]*`/g, '')))).toEqual([]);
  });

  test(`has no file of more than ${LINES_MAX} lines without a reason`, () => {
    const long = code.filter((path) => textOf(path).split('\n').length - 1 > LINES_MAX);
    expect(long.filter((path) => LONG[path] === undefined)).toEqual([]);
    expect(Object.keys(LONG).filter((path) => !code.includes(path))).toEqual([]);
  });

  test('exports names, never a default, and re-exports nothing', () => {
    const mayDefault = new Set(['vitest.config.ts']);
    const inCode = code.filter((path) => !mayDefault.has(path));
    expect(found(inCode, (line) => /^export (default\b|\* from)/.test(line))).toEqual([]);
  });
});

test('code and documents are in English', () => {
  expect(
    found([...code, ...prose], (line) => /\p{Script=Han}|\p{Script=Cyrillic}|\p{Script=Hiragana}/u.test(line)),
  ).toEqual([]);
});
