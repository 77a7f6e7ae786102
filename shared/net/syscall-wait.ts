/**
 * Waiting in a system call: try, and when it would block, sleep on the file's queue and try again, until it works, time is
 * up, or a signal comes (Linux: wait_event_interruptible, schedule_timeout).
 *
 * A process that was killed never gets an answer: the promise stays pending, and with the process it is forgotten.
 */
import type { Micros } from '../platform.ts';
import { type Errno, isErrno, type Result, SyscallError } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Process, Sleeper } from './process.ts';
import type { Sock, WaitQueue } from './sock.ts';
import type { Fd } from './syscalls.ts';

export type Woken = 'woken' | 'interrupted' | 'timeout';

const NEVER: Promise<never> = new Promise(() => {});

/** What a call of a dead process waits for. */
export function neverReturns(): Promise<never> {
  return NEVER;
}

/** Sleep until one of the queues is woken, `timeout` microseconds have passed, or a signal was handled. */
export function sleepOn(process: Process, queues: readonly WaitQueue[], timeout?: Micros): Promise<Woken> {
  if (!process.alive) return NEVER;
  return new Promise((resolve) => {
    const cancels: (() => void)[] = [];
    const end = (why: Woken): void => {
      for (const cancel of cancels) cancel();
      process.sleepers.delete(sleeper);
      // Whoever was killed in its sleep does not wake up.
      if (process.alive) resolve(why);
    };
    const sleeper: Sleeper = { interrupt: () => end('interrupted') };
    process.sleepers.add(sleeper);
    for (const queue of queues) cancels.push(queue.add(() => end('woken')));
    if (timeout !== undefined) {
      const timer = process.host.clock.after(timeout, () => end('timeout'));
      cancels.push(() => timer.stop());
    }
  });
}

export interface BlockOptions {
  readonly syscall: string;
  readonly fd: Fd;
  readonly file: OpenFile;
  /** Do not wait, whatever the file says (MSG_DONTWAIT). */
  readonly dontWait?: boolean;
  /** Microseconds; 0 or absent: for ever. */
  readonly timeout?: Micros;
}

/** Run `attempt` until it answers something else than EAGAIN. Throws the errno that it answers. */
export async function blockOn<T>(process: Process, options: BlockOptions, attempt: () => Result<T>): Promise<T> {
  const { syscall, fd, file } = options;
  const clock = process.host.clock;
  const deadline = options.timeout ? clock.now() + options.timeout : undefined;
  for (;;) {
    if (!process.alive) return NEVER;
    if (process.files[fd] !== file) throw new SyscallError(syscall, 'EBADF');
    const result = attempt();
    if (!isErrno(result)) return result as T;
    if (result !== 'EAGAIN' || file.nonblock || options.dontWait) throw new SyscallError(syscall, result);
    const left = deadline === undefined ? undefined : deadline - clock.now();
    if (left !== undefined && left <= 0) throw new SyscallError(syscall, 'EAGAIN');
    const why = await sleepOn(process, [file.wait], left);
    if (why === 'interrupted') throw new SyscallError(syscall, 'EINTR');
  }
}

/** Sleep while a socket that was closed still has something to send, at most its linger (sk_stream_wait_close). */
export async function lingerOn(process: Process, sk: Sock): Promise<void> {
  const { clock } = process.host;
  const deadline = clock.now() + (sk.linger.on ? sk.linger.seconds * 1_000_000 : 0);
  while (sk.proto.lingers?.(sk) === true && clock.now() < deadline) {
    if ((await sleepOn(process, [sk.wait], deadline - clock.now())) === 'interrupted') return;
  }
}

/** Throw what a kernel function answered instead of a value. */
export function must<T>(syscall: string, result: Result<T> | undefined): T {
  if (isErrno(result)) throw new SyscallError(syscall, result as Errno);
  return result as T;
}
