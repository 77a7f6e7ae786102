/** poll(2) and the readiness watches that adapters use in place of epoll (Linux: fs/select.c, fs/eventpoll.c). */
import type { Micros } from '../platform.ts';
import { SyscallError } from './errno.ts';
import type { Process } from './process.ts';
import { POLL, type WaitQueue, withNorm } from './sock.ts';
import { neverReturns, sleepOn } from './syscall-wait.ts';
import type { Fd, PollRequest } from './syscalls.ts';

/** Reported whether or not they were asked for. */
const ALWAYS = POLL.ERR | POLL.HUP | POLL.NVAL;

function scan(process: Process, requests: readonly PollRequest[]): number {
  let ready = 0;
  for (const request of requests) {
    const file = process.files[request.fd];
    const bits = file === undefined ? POLL.NVAL : file.poll();
    request.revents = withNorm(bits) & (request.events | ALWAYS);
    if (request.revents !== 0) ready++;
  }
  return ready;
}

/** Linux: do_sys_poll. */
export async function pollFiles(process: Process, requests: PollRequest[], timeout?: Micros): Promise<number> {
  const { clock } = process.host;
  const deadline = timeout === undefined ? undefined : clock.now() + timeout;
  for (;;) {
    if (!process.alive) return neverReturns();
    const ready = scan(process, requests);
    const left = deadline === undefined ? undefined : deadline - clock.now();
    if (ready > 0 || (left !== undefined && left <= 0)) return ready;
    const queues: WaitQueue[] = [];
    for (const request of requests) {
      const file = process.files[request.fd];
      if (file !== undefined) queues.push(file.wait);
    }
    const why = await sleepOn(process, queues, left);
    if (why === 'interrupted') throw new SyscallError('poll', 'EINTR');
    if (why === 'timeout') return scan(process, requests);
  }
}

/** Call `changed` when the file's readiness may have changed, never from inside the kernel's own work. */
export function watchFile(process: Process, fd: Fd, changed: () => void): () => void {
  const file = process.files[fd];
  if (file === undefined) throw new SyscallError('epoll_ctl', 'EBADF');
  const cancel = file.wait.add(() => process.queueChanged(changed));
  const watches = process.watches.get(fd) ?? new Set();
  watches.add(changed);
  process.watches.set(fd, watches);
  return () => {
    cancel();
    watches.delete(changed);
    process.forgetChanged(changed);
  };
}
