import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkLab } from '../../../shared/lab/check.ts';
import { composeYaml } from '../../../shared/lab/compose.ts';
import { planLab } from '../../../shared/lab/plan.ts';
import { formatProblems } from '../../../shared/lab/problem.ts';
import { GOOD_LAB } from '../../unit/lab/bad-labs.ts';

/** Fixed, so that a failure of today is a failure of tomorrow; fast-check prints the path to the case. */
const SEED = 20_261_122;

/** Whatever the text: an answer, with every problem on a line and column that the text has. */
function check(text: string): void {
  const { lab, problems } = checkLab(text, { file: 'lab.yaml', programs: ['httpd'], fileAt: () => undefined });
  expect(lab === undefined).toBe(problems.length > 0);
  const lines = text.replace(/^\ufeff/, '').split('\n');
  for (const problem of problems) {
    expect(problem.line).toBeGreaterThanOrEqual(1);
    expect(problem.line).toBeLessThanOrEqual(lines.length);
    expect(problem.column).toBeGreaterThanOrEqual(1);
    expect(problem.column).toBeLessThanOrEqual((lines[problem.line - 1]?.length ?? 0) + 1);
    expect(problem.message).not.toBe('');
    expect(problem.expected).not.toBe('');
  }
  expect(formatProblems(problems)).not.toMatch(/undefined|\[object/);
  if (lab !== undefined) {
    const compose = composeYaml(planLab(lab, { folder: '/x' }), { lab: 'x', root: '.', labFolder: '.', file: 'c' });
    expect(compose).not.toMatch(/undefined|\[object/);
  }
}

const SNIPPETS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ': ',
    '- ',
    '\n',
    '\t',
    '"',
    "'",
    '#',
    '&a ',
    '*a ',
    '!',
    '|\n',
    '>\n',
    '%',
    '@',
    '?',
    ',',
    '\0',
  ],
  ...[
    'eth0',
    'eth1: ',
    'kind: ',
    'host',
    'switch',
    'router',
    'dns',
    'lan: [eth0]',
    'nat: eth9',
    'null',
    '~',
    '--',
    '->',
    '$&',
  ],
  ...[
    '10.0.0.0/24',
    '10.0.0.1',
    '/33',
    '5ms',
    '1%',
    '__proto__: 1',
    'constructor: { kind: host }',
    'é',
    '\ud800',
    '1e9',
    '\r\n',
  ],
];

const mutation = fc.record({
  at: fc.nat(GOOD_LAB.length),
  cut: fc.nat(12),
  put: fc.oneof(fc.constantFrom(...SNIPPETS), fc.string({ maxLength: 6 }), fc.constant('')),
});

test(`a good lab, mutated (seed ${SEED}), is checked without an exception, and every problem has its place`, () => {
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      let text = GOOD_LAB;
      for (const { at, cut, put } of mutations) text = text.slice(0, at) + put + text.slice(at + cut);
      check(text);
    }),
    { seed: SEED, numRuns: 3_000 },
  );
});

test(`words of a lab file in any order (seed ${SEED}) are checked without an exception`, () => {
  const words = GOOD_LAB.split(/(\s+|[{}[\],])/).filter((word) => word !== '');
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words, ...SNIPPETS), { maxLength: 60 }), (picked) => {
      check(picked.join(''));
      check(`name: x\ndevices:\n  a: { kind: router, ${picked.join(' ')} }\nwires: [ ${picked.join('')} ]\n`);
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

test(`any text (seed ${SEED}) is checked without an exception`, () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 300 })), check),
    { seed: SEED, numRuns: 3_000 },
  );
});
