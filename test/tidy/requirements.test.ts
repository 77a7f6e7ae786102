/** The lists of test/requirements: everything asked is ticked by a test that runs, and every tick is of something asked. */
import { describe, expect, test } from 'vitest';
import { judge, parseList, ticksIn } from '../requirements/lists.ts';
import { judgeProject } from '../requirements/project.ts';

test('every requirement is ticked by a test that runs, and every tick is of a requirement (npm run requirements)', () => {
  const { verdicts, problems } = judgeProject();
  expect(problems).toEqual([]);
  expect(verdicts.length).toBeGreaterThan(0);
});

describe('the judge', () => {
  const LIST = '# RFC 1\n# ids: ids.txt\nMUST-1\nMUST-2\n  linux: it does not\nSHLD-1\n';
  const IDS = '- [ ] MUST-1 MUST: 1\n- [ ] MUST-2 MUST NOT: 2\n- [ ] SHLD-1 SHOULD: 3\n- [ ] SHLD-2 SHOULD: 4\n';
  const ALL = ['MUST-1', 'MUST-2', 'SHLD-1'].map((id) => ({ id, file: 'a', line: 1, title: 'it is so' }));
  const list = (text = LIST) => [parseList('list.txt', text)];
  const test1 = (title: string, call = 'test') => ticksIn('a.test.ts', `${call}('${title}', () => {});\n`);
  const problems = (ticks = ALL, text = LIST, ids = IDS) => judge(list(text), ticks, () => ids).problems;

  test('is content when each id has its test', () => {
    expect(problems()).toEqual([]);
    expect(judge(list('1-2.3 must  Two words.\n'), [{ ...ALL[0]!, id: '1-2.3' }], () => undefined).problems).toEqual(
      [],
    );
    expect(list()[0]?.requirements[1]?.linux).toBe('it does not');
  });
  test('names an id that no test ticks', () => {
    expect(problems(ALL.slice(1))).toEqual(['list.txt: no test ticks MUST-1 (must)']);
  });
  test('names a tick of something that no list has', () => {
    const { ticks } = test1('[MUST-77] it is so');
    expect(problems([...ALL, ...ticks])).toEqual(['a.test.ts:1: [MUST-77] is in no list']);
  });
  test('names a MUST that our list lacks, and an id that the list beside the project does not know', () => {
    expect(problems(ALL, LIST, `${IDS}- [ ] MUST-3 MUST: five\n`)).toEqual(['list.txt: MUST-3 is missing']);
    expect(problems(ALL, LIST, IDS.replace('MUST-2', 'MUST-1'))).toEqual(['list.txt: MUST-2 is not in ids.txt']);
  });
  test('takes no tick from a comment, from a test that is skipped, nor from a title without a sentence', () => {
    expect(test1('[MUST-1] it is so', '// test').ticks).toEqual([]);
    expect(ticksIn('a.test.ts', "/*\ntest('[MUST-1] it is so', f);\n*/\n").ticks).toEqual([]);
    expect(test1('[MUST-1] it is so', `test.${'skip'}`).ticks).toEqual([]);
    expect(
      ticksIn('a', `describe.${'skip'}('x', () => {\n  test('[MUST-1] it is so', f);\n});\n`).problems,
    ).toHaveLength(1);
    expect(test1('[MUST-1]').problems).toEqual(['a.test.ts:1: [MUST-1] has no sentence']);
  });
  test('reads several ids of one title, and the line', () => {
    const { ticks } = ticksIn('a.test.ts', "\n  test('[MUST-1, 1-2.3] it is so', f);\n");
    expect(ticks.map(({ id, line, title }) => `${id} ${line} ${title}`)).toEqual([
      'MUST-1 2 it is so',
      '1-2.3 2 it is so',
    ]);
  });
  test('says what is wrong with a line of a list', () => {
    expect(list('what is this\n')[0]?.problems[0]).toMatch(/^list.txt:1: expected an id/);
    expect(list('MUST-1\nMUST-1\n')[0]?.problems).toEqual(['list.txt:2: MUST-1 is here twice']);
  });
});
