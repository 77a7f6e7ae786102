/** shared/net/README.md says where each step of a frame's life is; here its tables are held against the code. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DROP_REASONS } from '../../shared/net/drop.ts';
import { allSteps, cells, lifeLines as lines, quoted, type Step } from '../kit/life.ts';
import { ROOT, textOf, trackedFiles } from '../kit/sources.ts';

/** All code of the shared rooms but the list of reasons itself. */
const shared = trackedFiles('.ts')
  .filter((path) => path.startsWith('shared/') && path !== 'shared/net/drop.ts')
  .map(textOf)
  .join('\n');

/** `name` as a function of the file, or `Class.name` as a method of a class in it. */
function isDefined(code: string, name: string): boolean {
  const [owner, method] = name.split('.');
  if (method === undefined) return new RegExp(`^(export )?(async )?function ${name}\\b`, 'm').test(code);
  const body = new RegExp(`^(export )?(abstract )?class ${owner}\\b[\\s\\S]*?^}`, 'm').exec(code)?.[0] ?? '';
  return new RegExp(`^  (private |protected |override |static |async |get )*${method}\\(`, 'm').test(body);
}

const steps = allSteps();

describe('the life of a frame', () => {
  test('has its tables, numbered without a gap', () => {
    const tables = group(steps);
    expect([...tables.keys()]).toEqual(['Sending', 'Receiving', 'Through a switch']);
    for (const rows of tables.values()) expect(rows.map((row) => row.number)).toEqual(rows.map((_, i) => i + 1));
  });

  test.each(steps.map((step) => [`${step.title}, step ${step.number}`, step] as const))(
    '%s: its functions are in its files',
    (_, { files, functions }) => {
      expect(files.length).toBeGreaterThan(0);
      expect(functions.length).toBeGreaterThan(0);
      expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
      const sources = files.map(textOf);
      expect(functions.filter((name) => !sources.some((code) => isDefined(code, name)))).toEqual([]);
      // A file that no function of the row is in is named for nothing.
      expect(files.filter((_file, i) => !functions.some((name) => isDefined(sources[i] ?? '', name)))).toEqual([]);
    },
  );

  test('names nothing in its text that the code does not have', () => {
    const names = lines.filter((line) => !/^\| *\d|^\| `[a-z0-9_]+` \|.*\|.*\|$/.test(line)).flatMap(quoted);
    const ours = names.filter((name) => /^([a-z]+[A-Z]\w*|[A-Z]\w*\.[a-z]\w*|[A-Z]+_[A-Z_]+)$/.test(name));
    const missing = ours.filter((name) => !new RegExp(`\\b${name.split('.').at(-1)}\\b`).test(shared));
    expect(missing).toEqual([]);
  });
});

function group(all: readonly Step[]): Map<string, Step[]> {
  const map = new Map<string, Step[]>();
  for (const step of all) map.set(step.title, [...(map.get(step.title) ?? []), step]);
  return map;
}

describe('drop reasons', () => {
  test('stand in the document’s table, each with its sentence, in the order of drop.ts', () => {
    const start = lines.findIndex((line) => line.startsWith('| Reason |'));
    const table = lines.slice(start + 2).filter((line) => line.startsWith('| `'));
    const documented = table.map((line) => cells(line)).map(([, reason = '', words]) => [quoted(reason)[0], words]);
    expect(documented).toEqual(Object.entries(DROP_REASONS));
  });

  test.each(Object.keys(DROP_REASONS))('%s is a reason for which something is dropped', (reason) => {
    expect(shared.includes(`'${reason}'`)).toBe(true);
  });
});
