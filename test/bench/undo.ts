/**
 * What a run has made and must not leave behind: whoever starts a process or makes a folder says here how it ends. A row
 * undoes its own when it is over; Ctrl-C, and the time limit of a row, undo whatever there is.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type End = () => void | Promise<void>;

const ends = new Set<End>();

/** Remember how something ends. Returns what ends it now; the second time does nothing. */
export function toUndo(end: End): () => Promise<void> {
  const once = async (): Promise<void> => {
    if (ends.delete(once)) await end();
  };
  ends.add(once);
  return once;
}

/** End all, the youngest first; one that cannot be ended holds up none of the others. */
export async function undoAll(): Promise<void> {
  await Promise.allSettled([...ends].reverse().map((end) => end()));
}

/** A folder of the bench's own. */
export function scratch(): { readonly path: string; remove(): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), 'wirelab-bench-'));
  return { path, remove: toUndo(() => rmSync(path, { recursive: true, force: true })) };
}
