/**
 * /proc and /sys: files whose text is made when they are read. Each part of the kernel registers its own by path
 * (Linux: proc_create, fs/proc). Files that take writes (/proc/sys/…) say so.
 */
import type { Errno } from './errno.ts';

export interface ProcFile {
  readonly read: () => string;
  /** Takes what was written, or answers why not; a file without it cannot be written. */
  readonly write: ((text: string) => Errno | undefined) | undefined;
}

/** A part that has too many files to register one by one: /proc/sys, /proc/PID. */
export interface ProcFolder {
  /** `path` is what follows the folder's own path and slash. */
  lookup(path: string): ProcFile | undefined;
  /** Paths below the folder, relative to it. */
  list(): readonly string[];
}

export class Procfs {
  private readonly files: Map<string, ProcFile> = new Map();
  private readonly folders: Map<string, ProcFolder> = new Map();

  register(path: string, read: () => string, write?: (text: string) => Errno | undefined): void {
    this.files.set(path, { read, write });
  }

  registerFolder(path: string, folder: ProcFolder): void {
    this.folders.set(path, folder);
  }

  lookup(path: string): ProcFile | undefined {
    const file = this.files.get(path);
    if (file !== undefined) return file;
    for (const [at, folder] of this.folders) {
      if (path.startsWith(`${at}/`)) {
        const found = folder.lookup(path.slice(at.length + 1));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /** The names in a folder, sorted; undefined when there is no such folder. */
  readDirectory(path: string): readonly string[] | undefined {
    const prefix = path === '/' ? '/' : `${path}/`;
    const names = new Set<string>();
    for (const file of this.paths(prefix)) {
      if (file.startsWith(prefix)) names.add(file.slice(prefix.length).split('/')[0] ?? '');
    }
    return names.size === 0 ? undefined : [...names].sort();
  }

  /** All paths below a folder, relative to it, sorted. */
  below(path: string): readonly string[] {
    const prefix = `${path}/`;
    const found: string[] = [];
    for (const file of this.paths(prefix)) if (file.startsWith(prefix)) found.push(file.slice(prefix.length));
    return found.sort();
  }

  /** All that may begin with `prefix`: a part that lies elsewhere need not list its files. */
  private *paths(prefix: string): Generator<string> {
    yield* this.files.keys();
    for (const [at, folder] of this.folders) {
      const folderPrefix = `${at}/`;
      if (!folderPrefix.startsWith(prefix) && !prefix.startsWith(folderPrefix)) continue;
      for (const path of folder.list()) yield `${folderPrefix}${path}`;
    }
  }
}
