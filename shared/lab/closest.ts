/**
 * The closest known word to a misspelt one, for "did you mean". Distance is Damerau-Levenshtein's in the optimal string
 * alignment form: a letter put in, left out, changed, or two neighbours swapped, each cost one.
 */

/** More slips of the finger than this make another word. */
const DISTANCE_MAX = 2;
/** A start this long and shared is a proposal even when the rest is missing: `auth` for `authoritative`. */
const PREFIX_LETTERS_MIN = 2;
/** Longer words are compared by their start alone. */
const WORD_LETTERS_MAX = 64;

/** How many slips apart two words are. */
export function distance(one: string, other: string): number {
  const a = one.slice(0, WORD_LETTERS_MAX);
  const b = other.slice(0, WORD_LETTERS_MAX);
  let before: number[] = [];
  let last: number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row: number[] = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The candidate that `word` most likely was meant to be, or undefined. Letter case does not count. A word of up to
 * three letters may be one slip off; words that share no more than their length in slips are not alike at all.
 */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted === '') return undefined;
  let best: string | undefined;
  let bestDistance = (wanted.length <= 3 ? 1 : DISTANCE_MAX) + 1;
  let byPrefix: string | undefined;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    const slips = distance(wanted, known);
    if (slips < bestDistance && slips < Math.max(wanted.length, known.length)) {
      best = candidate;
      bestDistance = slips;
    }
    const shared = Math.min(wanted.length, known.length);
    if (shared >= PREFIX_LETTERS_MIN && wanted.slice(0, shared) === known.slice(0, shared)) byPrefix ??= candidate;
  }
  return best ?? byPrefix;
}
