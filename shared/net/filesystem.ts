/**
 * The files of one host, in one name space:
 * - in memory and writable: /etc, /tmp, and whatever a program writes elsewhere;
 * - made when read: /proc and /sys (procfs.ts);
 * - /dev/null, which takes all and gives nothing;
 * - the lab's folder, seen as /lab, the working directory of every program. It is the lower layer of an overlay: what a
 *   program writes there stands in memory above it, and the folder itself never changes.
 * Paths are normalised before anything is looked up, so `..` never leads out of the lab's folder into the machine.
 * Left out: owners and modes, links, times, deletion of what the lab's folder holds.
 */
import type { Platform } from '../platform.ts';
import type { Errno, Result } from './errno.ts';
import type { Procfs } from './procfs.ts';

/** The working directory. */
export const LAB_FOLDER = '/lab';
/** PATH_MAX. */
const PATH_LENGTH_MAX = 4_096;
/** What a lab needs is a few files of a few lines, and a download or two. */
const FILES_MAX = 1_024;
const FILE_BYTES_MAX = 64 * 1_048_576;
const TOTAL_BYTES_MAX = 128 * 1_048_576;

const DEV_NULL = '/dev/null';
const NOTHING = new Uint8Array(0);
const FOLDERS = ['/', '/dev', '/etc', '/proc', '/sys', '/tmp', LAB_FOLDER] as const;
const FOLDERS_MAX = 256;

const encoder = new TextEncoder();

export interface FileStatus {
  readonly kind: 'file' | 'directory';
  readonly size: number;
}

/** Absolute, without `.`, `..`, doubled or trailing slashes. */
export function normalisePath(path: string, folder: string = LAB_FOLDER): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${folder}/${path}`).split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

export class Filesystem {
  private readonly platform: Platform;
  private readonly procfs: Procfs;
  private readonly files: Map<string, Uint8Array> = new Map();
  private readonly folders: Set<string> = new Set(FOLDERS);
  private bytes = 0;

  constructor(platform: Platform, procfs: Procfs) {
    this.platform = platform;
    this.procfs = procfs;
  }

  readFile(path: string): Uint8Array | Errno {
    const at = this.resolve(path);
    if (at === undefined) return 'ENAMETOOLONG';
    const bytes = this.lookup(at);
    if (bytes !== undefined) return bytes;
    return this.readDirectory(at) === undefined ? 'ENOENT' : 'EISDIR';
  }

  /** Replace or make a file; the bytes are copied. */
  writeFile(path: string, bytes: Uint8Array): Errno | undefined {
    const at = this.resolve(path);
    if (at === undefined) return 'ENAMETOOLONG';
    if (at === DEV_NULL) return undefined;
    const made = this.procfs.lookup(at);
    if (made !== undefined) return made.write === undefined ? 'EACCES' : made.write(new TextDecoder().decode(bytes));
    if (isGenerated(at)) return 'EACCES';
    if (this.lookup(at) === undefined && this.readDirectory(at) !== undefined) return 'EISDIR';
    if (this.readDirectory(parentOf(at)) === undefined) return 'ENOENT';
    const before = this.files.get(at);
    const total = this.bytes + bytes.length - (before?.length ?? 0);
    if (bytes.length > FILE_BYTES_MAX || total > TOTAL_BYTES_MAX) return 'ENOSPC';
    if (before === undefined && this.files.size >= FILES_MAX) return 'ENOSPC';
    this.files.set(at, bytes.slice());
    this.bytes = total;
    return undefined;
  }

  /** An empty folder in memory; there already is fine. */
  makeDirectory(path: string): Errno | undefined {
    const at = this.resolve(path);
    if (at === undefined) return 'ENAMETOOLONG';
    if (isGenerated(at)) return 'EACCES';
    if (this.readDirectory(at) !== undefined) return undefined;
    if (this.readDirectory(parentOf(at)) === undefined) return 'ENOENT';
    if (this.folders.size >= FOLDERS_MAX) return 'ENOSPC';
    this.folders.add(at);
    return undefined;
  }

  /** Take a file away that stands in memory; what the lab's folder holds stays. */
  unlink(path: string): Errno | undefined {
    const at = this.resolve(path);
    if (at === undefined) return 'ENAMETOOLONG';
    const file = this.files.get(at);
    if (file !== undefined) {
      this.files.delete(at);
      this.bytes -= file.length;
      return undefined;
    }
    if (this.lookup(at) !== undefined) return 'EACCES';
    return this.readDirectory(at) === undefined ? 'ENOENT' : 'EISDIR';
  }

  /** For those that fill /etc at boot. */
  writeText(path: string, text: string): void {
    this.writeFile(path, encoder.encode(text));
  }

  readDirectory(path: string): readonly string[] | undefined {
    const at = this.resolve(path);
    if (at === undefined) return undefined;
    const names = new Set<string>(this.procfs.readDirectory(at) ?? []);
    let found = names.size > 0 || this.folders.has(at);
    const below = inLab(at);
    const lower = below === undefined ? undefined : this.platform.readDirectory(below);
    if (lower !== undefined) {
      found = true;
      for (const name of lower) names.add(name);
    }
    const prefix = at === '/' ? '/' : `${at}/`;
    for (const file of [...this.files.keys(), ...this.folders]) {
      if (file.length > prefix.length && file.startsWith(prefix)) {
        found = true;
        names.add(file.slice(prefix.length).split('/')[0] ?? '');
      }
    }
    return found ? [...names].sort() : undefined;
  }

  stat(path: string): FileStatus | undefined {
    const at = this.resolve(path);
    if (at === undefined) return undefined;
    // As on Linux, a file of /proc has no size before it is read.
    if (this.procfs.lookup(at) !== undefined) return { kind: 'file', size: 0 };
    const bytes = this.lookup(at);
    if (bytes !== undefined) return { kind: 'file', size: bytes.length };
    return this.readDirectory(at) === undefined ? undefined : { kind: 'directory', size: 4_096 };
  }

  private resolve(path: string): string | undefined {
    if (path.length > PATH_LENGTH_MAX || path.includes('\0')) return undefined;
    return normalisePath(path);
  }

  private lookup(at: string): Uint8Array | undefined {
    if (at === DEV_NULL) return NOTHING;
    const made = this.procfs.lookup(at);
    if (made !== undefined) return encoder.encode(made.read());
    const file = this.files.get(at);
    if (file !== undefined) return file;
    const below = inLab(at);
    return below === undefined || below === '' ? undefined : this.platform.readFile(below);
  }
}

/** The path inside the lab's folder, or undefined for a path elsewhere. */
function inLab(at: string): string | undefined {
  if (at === LAB_FOLDER) return '';
  return at.startsWith(`${LAB_FOLDER}/`) ? at.slice(LAB_FOLDER.length + 1) : undefined;
}

function isGenerated(at: string): boolean {
  return at.startsWith('/proc/') || at.startsWith('/sys/');
}

function parentOf(at: string): string {
  return at.slice(0, at.lastIndexOf('/')) || '/';
}

/** What is read as a value or an errno; text, for the many readers that want lines. */
export function readText(files: Filesystem, path: string): Result<{ text: string }> {
  const bytes = files.readFile(path);
  return typeof bytes === 'string' ? bytes : { text: new TextDecoder().decode(bytes) };
}
