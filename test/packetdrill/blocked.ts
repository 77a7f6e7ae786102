/** A system call of a script under way: what became of it, and when. */
import type { Syscalls } from '../../shared/net/syscalls.ts';
import type { Micros } from '../../shared/platform.ts';
import { type CallEvent, Mismatch, type ScriptEvent } from './script.ts';
import type { Tun } from './tun.ts';
import { numberOf } from './values.ts';

export interface Blocked {
  readonly event: ScriptEvent;
  readonly call: CallEvent;
  readonly due: Micros;
  readonly slack: Micros;
  outcome: number | string | undefined;
  error: unknown;
  doneAt: Micros | undefined;
}

/** Names of one errno. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['EWOULDBLOCK', 'EAGAIN'],
  ['ENOTSUP', 'EOPNOTSUPP'],
]);

export function timing(what: string, off: Micros): string {
  return `${what} ${Math.abs(off)} us too ${off < 0 ? 'early' : 'late'}`;
}

export function checkOutcome(state: Blocked): void {
  if (state.error !== undefined) throw state.error;
  if (state.doneAt === undefined) throw new Mismatch('the call blocks');
  const { result, errno } = state.call;
  const { outcome } = state;
  if (result === undefined || result.kind === 'ellipsis') return;
  const expected = errno === undefined ? numberOf(result) : (ALIASES.get(errno) ?? errno);
  if (expected === -1 && typeof outcome === 'string') return;
  if (expected !== outcome) throw new Mismatch(`expected ${expected}, got ${outcome}`);
}

/** The process that makes the script's calls; it lives as long as the host. */
export function processOf(tun: Tun): Syscalls {
  let sys: Syscalls | undefined;
  tun.host.processes.spawn(
    (context) => {
      sys = context.sys;
      return new Promise(() => {});
    },
    ['packetdrill'],
  );
  if (sys === undefined) throw new Error('a program runs up to its first wait when it is started');
  return sys;
}
