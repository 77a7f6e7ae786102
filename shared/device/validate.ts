/**
 * Validators for JSON that comes in at the door: an environment variable, a message on a socket. A checker adds every
 * problem it finds, each with its path, so that one round shows them all. No dependency, because a device's process
 * pays for each one at start-up.
 */

/** Adds what is wrong with `value` to `problems`; `path` says where it stands (`ports[0].mac`). */
export type Checker = (value: unknown, path: string, problems: string[]) => void;

/** Enough to see what is wrong everywhere, not enough to flood a terminal. */
const PROBLEMS_MAX = 50;

function say(problems: string[], path: string, expected: string, value: unknown): void {
  if (problems.length >= PROBLEMS_MAX) return;
  const shown = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
  problems.push(`${path === '' ? 'the value' : path}: expected ${expected}, found ${shown.slice(0, 60)}`);
}

export const text =
  (expected = 'text', pattern?: RegExp): Checker =>
  (value, path, problems) => {
    if (typeof value !== 'string' || (pattern !== undefined && !pattern.test(value))) {
      say(problems, path, expected, value);
    }
  };

export const integer =
  (least: number, most: number): Checker =>
  (value, path, problems) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      say(problems, path, `a whole number from ${least} to ${most}`, value);
    }
  };

export const number =
  (least: number, most: number): Checker =>
  (value, path, problems) => {
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      say(problems, path, `a number from ${least} to ${most}`, value);
    }
  };

export const boolean: Checker = (value, path, problems) => {
  if (typeof value !== 'boolean') say(problems, path, 'true or false', value);
};

export const oneOf =
  (...words: readonly string[]): Checker =>
  (value, path, problems) => {
    if (typeof value !== 'string' || !words.includes(value)) say(problems, path, `one of ${words.join(', ')}`, value);
  };

export const nullable =
  (inner: Checker): Checker =>
  (value, path, problems) => {
    if (value !== null) inner(value, path, problems);
  };

export const optional =
  (inner: Checker): Checker =>
  (value, path, problems) => {
    if (value !== undefined) inner(value, path, problems);
  };

export const list =
  (inner: Checker, most = 4_096): Checker =>
  (value, path, problems) => {
    if (!Array.isArray(value) || value.length > most) return say(problems, path, `a list of at most ${most}`, value);
    for (const [i, item] of value.entries()) inner(item, `${path}[${i}]`, problems);
  };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const dictionary =
  (inner: Checker): Checker =>
  (value, path, problems) => {
    if (!isRecord(value)) return say(problems, path, 'an object', value);
    for (const [key, item] of Object.entries(value)) inner(item, `${path}.${key}`, problems);
  };

/** An object with these keys and no others: an unknown key is a misspelt one. */
export const object =
  (fields: Readonly<Record<string, Checker>>): Checker =>
  (value, path, problems) => {
    if (!isRecord(value)) return say(problems, path, 'an object', value);
    const below = (key: string): string => (path === '' ? key : `${path}.${key}`);
    for (const [key, inner] of Object.entries(fields)) inner(value[key], below(key), problems);
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key))
        say(problems, below(key), `no such key (known: ${Object.keys(fields).join(', ')})`, value[key]);
    }
  };

/** All problems of `value`, none when it is as it should be. */
export function problemsOf(checker: Checker, value: unknown): string[] {
  const problems: string[] = [];
  checker(value, '', problems);
  return problems;
}

/** The same value with everything in it frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}
