/**
 * MSG_ZEROCOPY (Documentation/networking/msg_zerocopy.rst; Linux: msg_zerocopy_realloc, skb_zerocopy_iter_stream,
 * __msg_zerocopy_callback, skb_copy_ubufs): the octets stay where the program has them until the last packet that refers to
 * them is gone; then the error queue says so, by the numbers of the calls.
 *
 * Whoever hands a packet to somebody who may keep it (loopback, a packet socket) copies first (pages.ts: `orphanFrags`), and
 * the notice says COPIED. Left out: the limit on locked pages (RLIMIT_MEMLOCK).
 */
import type { Ipv4 } from '../header/address.ts';
import { Pages, type UserBuffer } from './pages.ts';
import { CODE_ZEROCOPY_COPIED, ERROR_ORIGIN, type Sock } from './sock.ts';

/** What a notice costs the socket (SKB_TRUESIZE(0)). */
const NOTICE_BYTES = 768;
/** Calls of one notice hold no more than this (msg_zerocopy_realloc). */
const CALL_BYTES_MAX = 2 ** 19 - 1;
const CALLS_MAX = 65_534;
const NOTHING = new Uint8Array(0);

/** Calls whose octets end together (struct ubuf_info_msgzc). */
export class ZerocopyCalls implements UserBuffer, PageSource {
  readonly alone = true;
  private readonly sk: Sock;
  private readonly id: number;
  private calls = 1;
  private bytes: number;
  private references = 1;
  private copied = false;

  constructor(sk: Sock, bytes: number) {
    this.sk = sk;
    this.id = sk.zerocopyKey;
    this.bytes = bytes;
    sk.zerocopyKey = (sk.zerocopyKey + 1) >>> 0;
    sk.optionMemory += NOTICE_BYTES;
  }

  /** Part of what a program wrote, held by these calls until the pages are free. */
  pages(bytes: Uint8Array): Pages {
    this.references++;
    return new Pages(bytes, this);
  }

  markCopied(): void {
    this.copied = true;
  }

  /** One reference less; with the last one the program hears of it (net_zcopy_put). */
  release(): void {
    if (--this.references > 0) return;
    const { sk } = this;
    if (this.calls === 0 || sk.dead) {
      sk.optionMemory -= NOTICE_BYTES;
      return;
    }
    const last = (this.id + this.calls - 1) >>> 0;
    if (this.extendsNewest()) sk.optionMemory -= NOTICE_BYTES;
    else {
      const code = this.copied ? CODE_ZEROCOPY_COPIED : 0;
      const notice = { errno: undefined, origin: ERROR_ORIGIN.ZEROCOPY, type: 0, code, offender: 0 as Ipv4 };
      sk.errorQueue.push({
        extended: { ...notice, info: this.id, data: last },
        to: undefined,
        payload: NOTHING,
        timestamp: 0,
        cause: sk.cause,
        optionBytes: NOTICE_BYTES,
      });
    }
    sk.reportError();
  }

  /** The call failed: its number is free again (net_zcopy_put_abort). */
  abort(): void {
    this.sk.zerocopyKey = (this.sk.zerocopyKey - 1) >>> 0;
    this.calls--;
    this.release();
  }

  /** Take another call in, when it follows directly; the caller has a reference more then. */
  extend(bytes: number): boolean {
    if (this.calls >= CALLS_MAX || this.bytes + bytes > CALL_BYTES_MAX) return false;
    if ((this.id + this.calls) >>> 0 !== this.sk.zerocopyKey) return false;
    this.calls++;
    this.bytes += bytes;
    this.sk.zerocopyKey = (this.sk.zerocopyKey + 1) >>> 0;
    this.references++;
    return true;
  }

  /** Put on to the newest notice when that ends where this begins (skb_zerocopy_notify_extend). */
  private extendsNewest(): boolean {
    const queue = this.sk.errorQueue;
    const newest = queue[queue.length - 1];
    if (newest === undefined || newest.extended.origin !== ERROR_ORIGIN.ZEROCOPY) return false;
    const { info, data } = newest.extended;
    if (this.id !== (data + 1) >>> 0) return false;
    if (((data - info) >>> 0) + 1 + this.calls >= 2 ** 32) return false;
    queue[queue.length - 1] = { ...newest, extended: { ...newest.extended, data: (data + this.calls) >>> 0 } };
    return true;
  }
}

/** Where octets of a call stay while packets refer to them. */
export interface PageSource {
  pages(bytes: Uint8Array): Pages;
  /** A packet with pages of this one holds nothing else. */
  readonly alone: boolean;
}

/** Pages of a file, or that a pipe holds: nobody waits for them (MSG_SPLICE_PAGES). */
const SPLICED: UserBuffer = { release() {}, markCopied() {} };
export const splicedPages: PageSource = { pages: (bytes) => new Pages(bytes, SPLICED), alone: false };

/** A call begins: with those before it when they are in `newest`, else on its own; undefined without memory (ENOBUFS). */
export function beginZerocopy(sk: Sock, bytes: number, newest: UserBuffer | undefined): ZerocopyCalls | undefined {
  if (newest instanceof ZerocopyCalls && newest.extend(bytes)) return newest;
  if (sk.optionMemory + NOTICE_BYTES > sk.host.core.optmemMax.value) return undefined;
  return new ZerocopyCalls(sk, bytes);
}
