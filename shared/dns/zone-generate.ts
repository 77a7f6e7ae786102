/** BIND's $GENERATE: `$GENERATE 1-9/2 host$ 300 A 10.0.0.$` as the record lines it stands for. */
import { type Malformed, malformed } from '../header/malformed.ts';
import type { ZoneToken } from './zone-tokens.ts';

/** A zone file line that makes more records than this is a slip of the hand. */
const GENERATED_MAX = 65_536;

export function generateLines(first: ZoneToken, rest: readonly ZoneToken[]): ZoneToken[][] | Malformed {
  const [range, ...pattern] = rest;
  const match = /^([0-9]{1,9})-([0-9]{1,9})(?:\/([0-9]{1,9}))?$/.exec(range?.text ?? '');
  if (match === null || pattern.length < 3)
    return malformed('$GENERATE needs START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA');
  const [start, stop, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)];
  if (step < 1 || stop < start) return malformed('$GENERATE needs START not after STOP, and a STEP of at least 1');
  if ((stop - start) / step >= GENERATED_MAX) return malformed(`$GENERATE makes more than ${GENERATED_MAX} records`);
  const lines: ZoneToken[][] = [];
  for (let n = start; n <= stop; n += step) {
    const tokens = pattern.map((token) => ({ ...token, text: expand(token.text, n), line: first.line }));
    lines.push(tokens);
  }
  return lines;
}

/** `$` is the number, `${offset,width,base}` a changed one, `$$` and `\$` a dollar. */
function expand(text: string, n: number): string {
  return text.replace(
    /\\\$|\$\$|\$\{(-?[0-9]{1,9})(?:,([0-9]{1,2})(?:,([doxX]))?)?\}|\$/g,
    (found, offset: string | undefined, width: string | undefined, base: string | undefined) => {
      if (found === '\\$' || found === '$$') return '\\$';
      const value = n + Number(offset ?? 0);
      const digits = value.toString(base === 'o' ? 8 : base === 'x' || base === 'X' ? 16 : 10);
      return (base === 'X' ? digits.toUpperCase() : digits).padStart(Number(width ?? 0), '0');
    },
  );
}
