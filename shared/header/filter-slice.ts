/**
 * Slices of a display filter: `[offset:length]`, `[from-to]`, `[offset]`, `[:length]`, `[offset:]`, several with commas
 * between; an offset below 0 counts from the end.
 */
import { Wrong } from './filter-tokens.ts';

const SLICES_MAX = 20;

/** Takes the octets that the slices name; undefined when one reaches beyond the end. `column`: where the text begins. */
export function slicesOf(text: string, column: number): (octets: Uint8Array) => Uint8Array | undefined {
  const parts = text.split(',');
  if (parts.length > SLICES_MAX) throw new Wrong(column, `more than ${SLICES_MAX} slices`);
  const slices = parts.map((part) => sliceOf(part, column));
  return (octets) => {
    const taken: number[] = [];
    for (const [offset, end] of slices) {
      const from = offset < 0 ? octets.length + offset : offset;
      const to = end(from, octets.length);
      if (from < 0 || from >= to || to > octets.length) return undefined;
      taken.push(...octets.subarray(from, to));
    }
    return Uint8Array.from(taken);
  };
}

type End = (from: number, size: number) => number;

function sliceOf(text: string, column: number): readonly [offset: number, end: End] {
  const match = /^\s*(-?[0-9]{1,5})?\s*(?:(:)\s*([0-9]{1,5})?|(-)\s*([0-9]{1,5}))?\s*$/.exec(text);
  const [, offset, colon, length, dash, last] = match ?? [];
  if (match === null || (offset === undefined && length === undefined)) {
    throw new Wrong(column, 'a slice is [offset], [offset:length], [from-to], [:length] or [offset:]');
  }
  const from = Number(offset ?? 0);
  if (dash !== undefined) return [from, () => Number(last) + 1];
  if (colon === undefined) return [from, (start) => start + 1];
  return [from, (start, size) => (length === undefined ? size : start + Number(length))];
}
