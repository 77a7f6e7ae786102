/**
 * What every row of the bench does alike: what is compared is measured in turn, so that the machine's moods hit both, and
 * the figure is the median of the pairs' ratios, never the ratio of two runs at different times.
 */

/** What a row promises. ratio and difference are ours to theirs, of each pair; value is ours alone. */
export interface Target {
  readonly of: 'ratio' | 'difference' | 'value';
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly against: string;
  /** Measured in the same rounds as ours. */
  readonly theirs: readonly number[];
  /** None: a figure for the reader. */
  readonly target?: Target;
}

/** A row that could not be measured here, or whose measurement failed. */
export interface Missing {
  readonly name: string;
  readonly why: string;
  readonly failed: boolean;
}

export type Row = Figure | Missing;

export const isMissing = (row: Row): row is Missing => 'why' in row;

export const atLeast = (limit: number, of: Target['of'] = 'ratio'): Target => ({ of, bound: 'at least', limit });
export const atMost = (limit: number, of: Target['of'] = 'ratio'): Target => ({ of, bound: 'at most', limit });

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The share `p` of the values lies at or below it (nearest rank). */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/** The median of an even number of values is the mean of the middle two. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (i: number): number => sorted[i] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** Of each pair. */
export function ratios({ ours, theirs }: Pick<Figure, 'ours' | 'theirs'>): number[] {
  return ours.map((one, i) => one / (theirs[i] ?? Number.NaN));
}

/** What the target is held to. */
export function judged(figure: Figure): Spread {
  const { ours, theirs, target } = figure;
  if (target?.of === 'value') return spread(ours);
  if (target?.of === 'difference') return spread(ours.map((one, i) => one - (theirs[i] ?? Number.NaN)));
  return spread(ratios(figure));
}

/** Whether the median keeps the target; undefined without one. What was not measured keeps nothing. */
export function isMet(figure: Figure): boolean | undefined {
  const { target } = figure;
  if (target === undefined) return undefined;
  const { median } = judged(figure);
  return target.bound === 'at least' ? median >= target.limit : median <= target.limit;
}

/**
 * Measure each of several things once a round: forwards in one round, backwards in the next, so that none is always
 * first. Calls `onRound` before each.
 */
export async function alternate<K extends string>(
  rounds: number,
  measures: Readonly<Record<K, () => Promise<number>>>,
  onRound: (round: number) => void = () => {},
): Promise<Record<K, number[]>> {
  const names = Object.keys(measures) as K[];
  const measured = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = 0; round < rounds; round++) {
    onRound(round);
    for (const name of round % 2 === 0 ? names : [...names].reverse()) measured[name].push(await measures[name]());
  }
  return measured;
}
