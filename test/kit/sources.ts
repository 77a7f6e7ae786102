/** The files that git tracks (or is about to: new ones that it does not ignore), for tests of the house's rules. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Paths from the top of the repository, sorted. Made by a generator is not written: gen/ and schemas are left out. */
export function trackedFiles(ending: string): string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1_048_576,
  });
  return [...new Set(list.split('\0'))].filter((path) => path.endsWith(ending) && !path.includes('/gen/')).sort();
}

export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
