/** epoll over the stack's readiness watches: level- and edge-triggered, one-shot (Linux: fs/eventpoll.c). */
import type { Fd, Syscalls } from '../../shared/net/syscalls.ts';
import { settlePromises } from '../kit/clock.ts';

export const EPOLLET = 2 ** 31;
export const EPOLLONESHOT = 2 ** 30;
const ALWAYS = 8 | 16;

interface Item {
  readonly fd: Fd;
  events: number;
  /** A wake-up came that nobody has been told of. */
  pending: boolean;
  stop: () => void;
}

export class Epoll {
  private readonly sys: Syscalls;
  private readonly items = new Map<Fd, Item>();
  private changed: () => void = () => {};

  constructor(sys: Syscalls) {
    this.sys = sys;
  }

  add(fd: Fd, events: number): boolean {
    if (this.items.has(fd)) return false;
    const item: Item = { fd, events, pending: true, stop: () => {} };
    item.stop = this.sys.watch(fd, () => {
      item.pending = true;
      this.changed();
    });
    this.items.set(fd, item);
    return true;
  }

  modify(fd: Fd, events: number): boolean {
    const item = this.items.get(fd);
    if (item === undefined) return false;
    item.events = events;
    item.pending = true;
    return true;
  }

  remove(fd: Fd): boolean {
    this.items.get(fd)?.stop();
    return this.items.delete(fd);
  }

  /** What is ready now, told once for edges. */
  private ready(max: number): { fd: Fd; events: number }[] {
    const found: { fd: Fd; events: number }[] = [];
    for (const item of this.items.values()) {
      if (found.length >= max) break;
      const edge = Math.floor(item.events / EPOLLET) % 2 === 1;
      if (edge && !item.pending) continue;
      const asked = item.events % EPOLLONESHOT;
      if (asked === 0) continue;
      const events = this.sys.readiness(item.fd) & (asked | ALWAYS);
      item.pending = false;
      if (events === 0) continue;
      found.push({ fd: item.fd, events });
      if (Math.floor(item.events / EPOLLONESHOT) % 2 === 1) item.events = 0;
    }
    return found;
  }

  /** `timeout` in milliseconds; negative waits for ever. */
  async wait(max: number, timeout: number): Promise<{ fd: Fd; events: number }[]> {
    await settlePromises();
    const deadline = timeout < 0 ? Number.POSITIVE_INFINITY : this.sys.clockGettime() + timeout * 1_000;
    for (;;) {
      const found = this.ready(max);
      const left = deadline - this.sys.clockGettime();
      if (found.length > 0 || left <= 0) return found;
      const woken = new Promise<void>((resolve) => {
        this.changed = resolve;
      });
      await (Number.isFinite(left) ? Promise.race([woken, this.sys.nanosleep(left)]) : woken);
    }
  }
}
