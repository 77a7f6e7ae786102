/**
 * The sysctl tree: Linux's names with dots, values as text at the door and numbers inside. Whoever owns a value
 * registers it and keeps the `SysctlNumber`, so that the packet path reads a field and never looks a name up.
 * Left out: namespaces, and names that nothing here obeys (they do not exist, so that setting them says so).
 */
import type { Errno } from './errno.ts';
import type { ProcFolder } from './procfs.ts';

export interface SysctlEntry {
  read(): string;
  /** EINVAL for text that is no such value, EPERM for what cannot be written. */
  write(text: string): Errno | undefined;
}

export interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
  /** Called after a write took effect. */
  readonly changed?: (value: number) => void;
}

const INT_MAX = 2_147_483_647;
const INT_MIN = -2_147_483_648;

/** Decimal, `0x…`, or octal behind a 0, as the kernel reads all three (proc_get_long). */
function numberOf(text: string): number | undefined {
  const parts = /^(-?)(?:(0[xX][0-9a-fA-F]{1,8})|(0[0-7]{1,11})|([0-9]{1,15}))$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, hex, octal, decimal] = parts;
  const value = hex !== undefined ? Number(hex) : octal !== undefined ? Number.parseInt(octal, 8) : Number(decimal);
  return sign === '-' ? -value : value;
}

/** One number of the tree (proc_dointvec_minmax). */
export class SysctlNumber implements SysctlEntry {
  value: number;
  private readonly limits: NumberLimits;

  constructor(value: number, limits: NumberLimits = {}) {
    this.value = value;
    this.limits = limits;
  }

  read(): string {
    return String(this.value);
  }

  write(text: string): Errno | undefined {
    const words = text.trim();
    const value = numberOf(words);
    if (value === undefined) return 'EINVAL';
    if (value < (this.limits.min ?? INT_MIN) || value > (this.limits.max ?? INT_MAX)) return 'EINVAL';
    this.value = value;
    this.limits.changed?.(value);
    return undefined;
  }
}

/** Several numbers under one name, as tcp_rmem's three; a write may give fewer, the rest stay (proc_dointvec). */
export class SysctlVector implements SysctlEntry {
  readonly values: number[];
  private readonly limits: NumberLimits;

  constructor(values: readonly number[], limits: NumberLimits = {}) {
    this.values = [...values];
    this.limits = limits;
  }

  read(): string {
    return this.values.join('\t');
  }

  write(text: string): Errno | undefined {
    const words = text.trim().split(/\s+/);
    if (words.length > this.values.length || words.some((word) => !/^-?[0-9]{1,15}$/.test(word))) return 'EINVAL';
    const numbers = words.map(Number);
    const { min = INT_MIN, max = INT_MAX } = this.limits;
    if (numbers.some((n) => n < min || n > max)) return 'EINVAL';
    for (const [i, n] of numbers.entries()) this.values[i] = n;
    this.limits.changed?.(numbers[0] ?? 0);
    return undefined;
  }
}

export class Sysctl {
  /** The same as files below /proc/sys. */
  readonly folder: ProcFolder = {
    lookup: (path) => {
      const entry = this.entries.get(normal(path));
      if (entry === undefined) return undefined;
      return { read: () => `${entry.read()}\n`, write: (text) => entry.write(text) };
    },
    list: () => this.names().map((name) => name.replaceAll('.', '/')),
  };
  private readonly entries = new Map<string, SysctlEntry>();

  register(name: string, entry: SysctlEntry): void {
    this.entries.set(name, entry);
  }

  /** Register a number and hand it back for its owner to keep. */
  number(name: string, initial: number, limits: NumberLimits = {}): SysctlNumber {
    const entry = new SysctlNumber(initial, limits);
    this.entries.set(name, entry);
    return entry;
  }

  vector(name: string, initial: readonly number[], limits: NumberLimits = {}): SysctlVector {
    const entry = new SysctlVector(initial, limits);
    this.entries.set(name, entry);
    return entry;
  }

  /** A word such as a congestion control's name; `check` answers whether it may be set. */
  text(name: string, initial: string, check: (text: string) => boolean = () => true): { readonly value: string } {
    const entry = {
      value: initial,
      read: () => entry.value,
      write: (text: string): Errno | undefined => {
        if (!check(text.trim())) return 'EINVAL';
        entry.value = text.trim();
        return undefined;
      },
    };
    this.entries.set(name, entry);
    return entry;
  }

  /** Writing anything does something; reading says 0 (proc_handler of net.ipv4.route.flush, mode 0200 in Linux). */
  trigger(name: string, act: () => void): void {
    this.entries.set(name, {
      read: () => '0',
      write: (text) => {
        if (!/^\s*-?[0-9]+\s*$/.test(text)) return 'EINVAL';
        act();
        return undefined;
      },
    });
  }

  /** What cannot be written: EPERM, as a file of mode 0444. */
  readOnly(name: string, read: () => string): void {
    this.entries.set(name, { read, write: () => 'EPERM' });
  }

  unregister(prefix: string): void {
    for (const name of [...this.entries.keys()]) if (name.startsWith(prefix)) this.entries.delete(name);
  }

  /** The first number of a value; 0 when there is no such name. For configuration, not for the packet path. */
  get(name: string): number {
    return Number.parseInt(this.entries.get(normal(name))?.read() ?? '0', 10);
  }

  getText(name: string): string | undefined {
    return this.entries.get(normal(name))?.read();
  }

  /** ENOENT for an unknown name, EINVAL for a value it may not take. */
  set(name: string, text: string): Errno | undefined {
    const entry = this.entries.get(normal(name));
    return entry === undefined ? 'ENOENT' : entry.write(text);
  }

  /** All names, sorted as `sysctl -a` lists them. */
  names(): string[] {
    return [...this.entries.keys()].sort();
  }
}

/** `net/ipv4/ip_forward` names the same as `net.ipv4.ip_forward` (sysctl(8)). */
function normal(name: string): string {
  return name.includes('/') ? name.replaceAll('/', '.') : name;
}
