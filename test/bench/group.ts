/** A group of rows: what belongs together because it is measured in one go. */
import type { Missing, Row } from './harness.ts';
import type { Scale } from './scale.ts';

export interface Bench {
  readonly scale: Scale;
  /** Say how far it is, on standard error. */
  note(text: string): void;
}

export interface Group {
  /** What `npm run bench -- NAME` calls it. */
  readonly name: string;
  /** What it takes on two cores, about; it is given up after several times as long. */
  readonly seconds: number;
  run(bench: Bench): Promise<readonly Row[]>;
}

export const inTurn =
  ({ note, scale }: Bench, what: string) =>
  (round: number): void =>
    note(`${what}: round ${round + 1} of ${scale.rounds}`);

export const skipped = (name: string, why: string): Missing => ({ name, why, failed: false });
