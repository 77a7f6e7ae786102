/** Test data that lies beside the project, not in it: corpora with licences and sizes of their own. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The absolute path of `path` in the folder beside the project, or undefined when it is not there. */
export function sharedData(path: string): string | undefined {
  const absolute = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  return existsSync(absolute) ? absolute : undefined;
}
