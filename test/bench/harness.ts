/** What every bench does alike: alternate what is compared, so that the machine's moods hit both, and print figures. */

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly against: string;
  readonly theirs: readonly number[];
  /** The ratio is the median of each pair's, not that of the medians: for differences smaller than the machine's moods. */
  readonly paired?: boolean;
}

function ratioOf({ ours, theirs, paired }: Figure): number {
  if (paired !== true) return spread(ours).median / spread(theirs).median;
  const ratios = ours.map((one, i) => one / (theirs[i] ?? Number.NaN)).sort((a, b) => a - b);
  const middle = ratios.length / 2;
  return ((ratios[Math.ceil(middle) - 1] ?? Number.NaN) + (ratios[Math.floor(middle)] ?? Number.NaN)) / 2;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (i: number): number => sorted[Math.max(0, Math.min(sorted.length - 1, i))] ?? Number.NaN;
  return { median: at(Math.floor((sorted.length - 1) / 2)), min: at(0), max: at(sorted.length - 1) };
}

/** Run one and the other in turn. */
export async function pairs(
  rounds: number,
  one: () => Promise<number>,
  other: () => Promise<number>,
): Promise<{ ours: number[]; theirs: number[] }> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await one());
    theirs.push(await other());
  }
  return { ours, theirs };
}

const digits = (n: number): string => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));

/** Markdown, as it stands in the README. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, unit, ours, against, theirs, paired } = figure;
    const a = spread(ours);
    const b = spread(theirs);
    const range = ({ median, min, max }: Spread): string => `${digits(median)} (${digits(min)} to ${digits(max)})`;
    return `| ${name}, ${unit} | ${range(a)} | ${against} | ${range(b)} | ${paired === true ? ratioOf(figure).toFixed(3) : digits(ratioOf(figure))} |`;
  });
  const head = '| | wirelab: median (min to max) | compared with | median (min to max) | ratio |';
  return [head, '|---|---|---|---|---|', ...rows].join('\n');
}

export function json(figures: readonly Figure[], machine: string): string {
  const rows = figures.map((figure) => ({
    name: figure.name,
    unit: figure.unit,
    ours: { ...spread(figure.ours), values: figure.ours },
    against: { name: figure.against, ...spread(figure.theirs), values: figure.theirs },
    ratio: ratioOf(figure),
  }));
  return JSON.stringify({ machine, figures: rows }, null, 2);
}
