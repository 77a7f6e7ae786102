/**
 * JSON as iproute2 writes it (lib/json_writer.c): compact on one line, or `-p` with its own way with spaces. Keys stand
 * in the order in which they were added, so the records that programs build are the format.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Octets of indentation per level of `-p`. */
const INDENT = 4;

/** Without a newline at the end. Keys whose value is undefined are left out. */
export function writeJson(value: Json, pretty: boolean): string {
  return pretty ? prettyJson(value, 0) : JSON.stringify(value);
}

function prettyJson(value: Json, depth: number): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) {
    if (value.length === 0) return '[ ]';
    return `[ ${value.map((item) => prettyJson(item, depth + 1)).join(',')} ]`;
  }
  const entries = Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined);
  if (entries.length === 0) return '{}';
  const inner = ' '.repeat((depth + 1) * INDENT);
  const lines = entries.map(([key, item]) => `\n${inner}${JSON.stringify(key)}: ${prettyJson(item, depth + 1)}`);
  return `{${lines.join(',')}\n${' '.repeat(depth * INDENT)}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
