/** The bench's figures as people read them, a Markdown table, and as programs do. */
import {
  type Figure,
  isMet,
  isMissing,
  judged,
  type Row,
  ratios,
  type Spread,
  spread,
  type Target,
} from './harness.ts';

const digits = (n: number): string => {
  const size = Math.abs(n);
  return size >= 100 ? n.toFixed(0) : size >= 10 ? n.toFixed(1) : size >= 1 ? n.toFixed(2) : n.toFixed(3);
};

const range = ({ median, min, max }: Spread): string => `${digits(median)} (${digits(min)} to ${digits(max)})`;

function sayTarget({ of, bound, limit }: Target, unit: string): string {
  if (of === 'ratio') return `${bound} ${limit} x`;
  return `${bound} ${limit} ${unit}${of === 'difference' ? ' more' : ''}`;
}

function line(row: Row): string {
  if (isMissing(row)) return `| ${row.name} | | | | ${row.failed ? 'failed' : 'skipped'}: ${row.why} | | |`;
  const { name, unit, ours, against, theirs, target } = row;
  const met = isMet(row);
  const verdict = met === undefined ? '' : met ? 'yes' : '**no**';
  const wanted = target === undefined ? '' : sayTarget(target, unit);
  const ratio = range(spread(ratios(row)));
  return `| ${name}, ${unit} | ${range(spread(ours))} | ${against} | ${range(spread(theirs))} | ${ratio} | ${wanted} | ${verdict} |`;
}

/** Each cell is a median (minimum to maximum). */
export function table(rows: readonly Row[]): string {
  const head = '| | wirelab | beside | that | ratio | target | met |';
  return [head, '|---|---|---|---|---|---|---|', ...rows.map(line)].join('\n');
}

function figureJson(figure: Figure): object {
  const { name, unit, ours, against, theirs, target } = figure;
  return {
    name,
    unit,
    ours: { ...spread(ours), values: ours },
    against: { name: against, ...spread(theirs), values: theirs },
    ratio: { ...spread(ratios(figure)), values: ratios(figure) },
    ...(target === undefined ? {} : { target: { ...target, judged: judged(figure).median, met: isMet(figure) } }),
  };
}

export function json(rows: readonly Row[], machine: string): string {
  return JSON.stringify({ machine, figures: rows.map((row) => (isMissing(row) ? row : figureJson(row))) }, null, 2);
}

const MARKS = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/;

/** `document` with `text` between its marks; undefined when it has none. */
export function withTable(document: string, text: string): string | undefined {
  if (!MARKS.test(document)) return undefined;
  return document.replace(MARKS, (_, open: string, close: string) => `${open}${text}\n${close}`);
}
