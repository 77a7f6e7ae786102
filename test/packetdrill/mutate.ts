/** Copies of a script with one thing changed in one line that is sent: each must fail in that line. */
export interface Mutant {
  readonly what: string;
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
}

/** A sent packet on one line: time, flags, range, the rest. */
const SENT = /^(\s*\+?[\d.]+)(\s*>\s*)([FSRP.EW]+)(\s+)(\d+):(\d+)\((\d+)\)(.*)$/;

type Change = (parts: RegExpExecArray) => string | undefined;

const CHANGES: ReadonlyMap<string, Change> = new Map([
  [
    'a sequence number is one more',
    ([, time, arrow, flags = '', gap, start, end, length, rest]: RegExpExecArray) =>
      flags.includes('S')
        ? undefined
        : `${time}${arrow}${flags}${gap}${Number(start) + 1}:${Number(end) + 1}(${length})${rest}`,
  ],
  [
    'the acknowledgement is one more',
    ([whole]: RegExpExecArray) =>
      / ack \d+/.test(whole) ? whole.replace(/ ack (\d+)/, (_, n) => ` ack ${Number(n) + 1}`) : undefined,
  ],
  [
    'a flag is changed',
    ([, time, arrow, flags = '', gap, start, end, length, rest]: RegExpExecArray) =>
      `${time}${arrow}${flags.includes('P') ? flags.replace('P', '') : `P${flags}`}${gap}${start}:${end}(${length})${rest}`,
  ],
  [
    'the time is a second later',
    ([whole, time = '']: RegExpExecArray) => {
      const plus = time.includes('+');
      if (!plus) return undefined;
      return whole.replace(time, ` +${(Number(time.trim().slice(1)) + 1).toFixed(3)}`);
    },
  ],
  [
    'the window is one more',
    ([whole]: RegExpExecArray) =>
      / win \d+/.test(whole)
        ? whole.replace(/ win (\d+)/, (_, n) => ` win ${Number(n) + 1}`)
        : `${whole.replace(/(\(\d+\)(?: ack \d+)?)/, '$1 win 7')}`,
  ],
  [
    'the options are in another order',
    ([whole]: RegExpExecArray) => {
      const options = /<([^<>]*,[^<>]*)>\s*$/.exec(whole.replace(/\/\/.*$/, ''));
      if (options === null) return undefined;
      const words = options[1]!.split(',').map((word) => word.trim());
      const turned = [...words].reverse();
      return turned.join() === words.join()
        ? undefined
        : `${whole.slice(0, whole.lastIndexOf('<'))}<${turned.join(',')}>`;
    },
  ],
]);

/** One of each change, in the last line that it can be made in. */
export function mutantsOf(text: string): Mutant[] {
  const lines = text.split('\n');
  const mutants: Mutant[] = [];
  for (const [what, change] of CHANGES) {
    for (let i = lines.length - 1; i >= 0; i--) {
      const parts = SENT.exec(lines[i]!);
      const changed = parts === null ? undefined : change(parts);
      if (changed === undefined) continue;
      mutants.push({ what, line: i + 1, text: [...lines.slice(0, i), changed, ...lines.slice(i + 1)].join('\n') });
      break;
    }
  }
  return mutants;
}
