/**
 * epoll (Linux: fs/eventpoll.c): a file that watches other files and keeps a list of those that may be ready. Level- and
 * edge-triggered, one-shot, exclusive. A wake-up says what it is about, so that room to write does not wake a reader.
 * Left out: the limit on nested epolls (an epoll may watch others, but not itself), EPOLLWAKEUP's wake lock, busy polling.
 */
import type { Micros } from '../platform.ts';
import type { Errno } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Process } from './process.ts';
import { POLL, WAKE_ANY, WaitQueue, withNorm } from './sock.ts';

/** Bits of an interest beside POLL's; EPOLLET is the sign bit. */
export const EPOLL = { EXCLUSIVE: 0x1000_0000, WAKEUP: 0x2000_0000, ONESHOT: 0x4000_0000, ET: 0x8000_0000 } as const;
export type EpollOperation = 'add' | 'mod' | 'del';

export interface EpollEvent {
  /** EPOLL bits: asked for, or found. */
  readonly events: number;
  /** Given back as it was (epoll_data). */
  readonly data: number;
}

const ALWAYS = POLL.ERR | POLL.HUP;
const PRIVATE = EPOLL.WAKEUP | EPOLL.ONESHOT | EPOLL.ET | EPOLL.EXCLUSIVE;
/** EPOLLINOUT_BITS: IN, OUT, RDNORM, RDBAND, WRNORM, WRBAND. */
const IN_OUT = POLL.IN | POLL.OUT | 0x3c0;
const EXCLUSIVE_OK = IN_OUT | ALWAYS | EPOLL.WAKEUP | EPOLL.ET | EPOLL.EXCLUSIVE;
/** EP_MAX_EVENTS. */
export const EPOLL_EVENTS_MAX = Math.floor(0x7fff_ffff / 12);
/** RLIMIT_NOFILE bounds descriptors; a file may have several. */
const ITEMS_MAX = 4_096;

/** One interest (struct epitem). */
interface Item {
  readonly file: OpenFile;
  readonly fd: number;
  events: number;
  data: number;
  /** On the list of those that may be ready. */
  ready: boolean;
  stop: () => void;
}

/** Who has to forget a file when its last descriptor is gone (eventpoll_release). */
const watchers = new WeakMap<OpenFile, Set<() => void>>();

/** The last descriptor of `file` is gone. */
export function eventpollRelease(file: OpenFile): void {
  for (const forget of [...(watchers.get(file) ?? [])]) forget();
}

export class EpollFile implements OpenFile {
  readonly sk: undefined = undefined;
  nonblock = false;
  references = 1;
  readonly wait: WaitQueue = new WaitQueue();
  private readonly items: Item[] = [];
  private ready: Item[] = [];

  poll(): number {
    return this.ready.some((item) => found(item) !== 0) ? POLL.IN : 0;
  }
  read(): Errno {
    return 'EINVAL';
  }
  write(): Errno {
    return 'EINVAL';
  }
  release(): void {
    for (const item of [...this.items]) this.forget(item);
  }

  /** Linux: do_epoll_ctl. */
  control(operation: EpollOperation, fd: number, file: OpenFile, event: EpollEvent | undefined): Errno | undefined {
    const item = this.items.find((it) => it.fd === fd && it.file === file);
    const events = (event?.events ?? 0) >>> 0;
    if (file === this) return 'EINVAL';
    if ((events & EPOLL.EXCLUSIVE) !== 0 && operation !== 'del') {
      if (operation === 'mod' || file instanceof EpollFile || (events & ~EXCLUSIVE_OK) !== 0) return 'EINVAL';
    }
    switch (operation) {
      case 'add':
        if (item !== undefined) return 'EEXIST';
        if (this.items.length >= ITEMS_MAX) return 'ENOSPC';
        this.insert({
          file,
          fd,
          events: (events | ALWAYS) >>> 0,
          data: event?.data ?? 0,
          ready: false,
          stop: () => {},
        });
        return undefined;
      case 'mod':
        if (item === undefined) return 'ENOENT';
        if ((item.events & EPOLL.EXCLUSIVE) !== 0) return 'EINVAL';
        item.events = (events | ALWAYS) >>> 0;
        item.data = event?.data ?? 0;
        if (found(item) !== 0) this.markReady(item);
        return undefined;
      default:
        if (item === undefined) return 'ENOENT';
        this.forget(item);
        return undefined;
    }
  }

  /** Those that are ready, `max` at most; told once when edge-triggered or one-shot (Linux: ep_send_events). */
  take(max: number): EpollEvent[] {
    const out: EpollEvent[] = [];
    const list = this.ready;
    this.ready = [];
    for (const [i, item] of list.entries()) {
      if (out.length === max) {
        // Not looked at: still first in line.
        this.ready.unshift(...list.slice(i));
        break;
      }
      item.ready = false;
      const events = found(item);
      if (events === 0) continue;
      out.push({ events, data: item.data });
      if ((item.events & EPOLL.ONESHOT) !== 0) item.events = (item.events & PRIVATE) >>> 0;
      else if ((item.events & EPOLL.ET) === 0) this.markReady(item);
    }
    return out;
  }

  private insert(item: Item): void {
    this.items.push(item);
    const wake = (key: number): boolean => this.callback(item, key);
    const queue = item.file.wait;
    const stop = (item.events & EPOLL.EXCLUSIVE) !== 0 ? queue.addExclusive(wake) : queue.add(wake);
    const forget = (): void => this.forget(item);
    const set = watchers.get(item.file) ?? new Set();
    watchers.set(item.file, set);
    set.add(forget);
    item.stop = () => {
      stop();
      set.delete(forget);
    };
    if (found(item) !== 0) this.markReady(item);
  }

  private forget(item: Item): void {
    item.stop();
    const at = this.items.indexOf(item);
    if (at >= 0) this.items.splice(at, 1);
    const ready = this.ready.indexOf(item);
    if (ready >= 0) this.ready.splice(ready, 1);
  }

  private markReady(item: Item): void {
    if (item.ready) return;
    item.ready = true;
    this.ready.push(item);
    this.wait.wakeAll(POLL.IN);
  }

  /** A file was woken; whether an exclusive interest took it (Linux: ep_poll_callback). */
  private callback(item: Item, key: number): boolean {
    const { events } = item;
    const exclusive = (events & EPOLL.EXCLUSIVE) !== 0;
    // One-shot, and fired.
    if ((events & ~PRIVATE) === 0) return !exclusive;
    if (key !== WAKE_ANY && (withNorm(key) & events) === 0) return !exclusive;
    const waited = this.wait.size > 0;
    this.markReady(item);
    if (!exclusive || !waited) return !exclusive;
    const about = key === WAKE_ANY ? 0 : key & IN_OUT;
    return about === 0 || (about & events) !== 0;
  }
}

/** What an interest would be told now (ep_item_poll). */
function found(item: Item): number {
  return withNorm(item.file.poll()) & item.events & ~PRIVATE;
}

/** Wait for events; `timeout` in microseconds, undefined for ever. EINTR when a signal came. (Linux: do_epoll_wait) */
export async function epollWait(
  process: Process,
  epoll: EpollFile,
  max: number,
  sleep: (queue: WaitQueue, left: Micros | undefined) => Promise<'woken' | 'interrupted' | 'timeout'>,
  timeout: Micros | undefined,
): Promise<EpollEvent[] | Errno> {
  const { clock } = process.host;
  const deadline = timeout === undefined ? undefined : clock.now() + timeout;
  for (;;) {
    const events = epoll.take(max);
    const left = deadline === undefined ? undefined : deadline - clock.now();
    if (events.length > 0 || (left !== undefined && left <= 0)) return events;
    if ((await sleep(epoll.wait, left)) === 'interrupted') return 'EINTR';
  }
}
