/** The tables of shared/net/README.md, the life of a frame. */
import { posix } from 'node:path';
import { textOf } from './sources.ts';

export const LIFE = 'shared/net/README.md';

export interface Step {
  /** The section it stands in: Sending, Receiving … */
  readonly title: string;
  readonly number: number;
  /** From the top of the repository. */
  readonly files: readonly string[];
  /** `name`, or `Class.name`. */
  readonly functions: readonly string[];
}

export const lifeLines = textOf(LIFE).split('\n');
export const cells = (line: string): string[] => line.split(/(?<!\\)\|/).map((cell) => cell.trim());
export const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');

/** Rows of the tables with the columns Step, What happens, File, Function, In Linux. */
export function allSteps(): Step[] {
  const steps: Step[] = [];
  let title = '';
  for (const line of lifeLines) {
    if (line.startsWith('## ')) title = line.slice(3);
    const [, step, , file = '', functions = ''] = cells(line);
    if (!/^\d+$/.test(step ?? '')) continue;
    const files = [...file.matchAll(/\]\(([^)]+)\)/g)].map((match) => posix.join(posix.dirname(LIFE), match[1] ?? ''));
    steps.push({ title, number: Number(step), files, functions: quoted(functions) });
  }
  return steps;
}

export const stepsOf = (title: string): Step[] => allSteps().filter((step) => step.title === title);
