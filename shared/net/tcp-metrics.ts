/**
 * What is remembered of a destination after its connections are gone (Linux: tcp_metrics.c), shown and forgotten by
 * `ip tcp_metrics`: what connections learned of the way (tcp-metrics-save.ts), and what Fast Open keeps: the server's
 * cookie and MSS, and how it went (RFC 7413 §4.1.3).
 */
import type { Ipv4 } from '../header/address.ts';
import type { Micros } from '../platform.ts';
import type { Host } from './host.ts';
import { FastopenCookie } from './tcp-fastopen-cookie.ts';

/** Destinations remembered; the oldest goes first (Linux: 5 in each of a table's chains). */
const DESTINATIONS_MAX = 1_024;

/** One pair of addresses (struct tcp_metrics_block). */
export class TcpMetrics {
  readonly source: Ipv4;
  readonly target: Ipv4;
  /** When it was last written. */
  stamp: Micros = 0;
  /** Eightfold and fourfold microseconds, segments; 0: not known. */
  rtt = 0;
  rttvar = 0;
  ssthresh = 0;
  cwnd = 0;
  reordering = 0;
  fastopenMss = 0;
  synLoss = 0;
  lastSynLoss: Micros = 0;
  /** 1: ask by the experimental option next time; 2: that did not help either. */
  tryExp = 0;
  readonly cookie = new FastopenCookie();

  constructor(source: Ipv4, target: Ipv4) {
    this.source = source;
    this.target = target;
  }
}

export class TcpMetricsTable {
  private readonly blocks = new Map<string, TcpMetrics>();

  get(source: Ipv4, target: Ipv4): TcpMetrics | undefined {
    return this.blocks.get(`${source} ${target}`);
  }

  /** The same, made when it is not there (tcp_get_metrics with create). */
  touch(source: Ipv4, target: Ipv4, now: Micros): TcpMetrics {
    const key = `${source} ${target}`;
    let block = this.blocks.get(key);
    if (block === undefined) {
      const [oldest] = this.blocks.keys();
      if (this.blocks.size >= DESTINATIONS_MAX && oldest !== undefined) this.blocks.delete(oldest);
      block = new TcpMetrics(source, target);
      this.blocks.set(key, block);
    }
    block.stamp = now;
    return block;
  }

  list(): TcpMetrics[] {
    return [...this.blocks.values()];
  }

  /** False: it was not there. */
  forget(source: Ipv4, target: Ipv4): boolean {
    return this.blocks.delete(`${source} ${target}`);
  }
}

/** `ip tcp_metrics` asks and deletes by generic netlink. */
export function tcpMetricsInit(host: Host, table: TcpMetricsTable): void {
  host.netlink.register('TCP_METRICS_GET', () =>
    table.list().map((block) => {
      const now = host.clock.now();
      const { value, length } = block.cookie;
      const octets = [...value.subarray(0, Math.max(length, 0))];
      return {
        source: block.source,
        target: block.target,
        age: now - block.stamp,
        rtt: block.rtt >> 3,
        rttvar: block.rttvar >> 2,
        ssthresh: block.ssthresh,
        cwnd: block.cwnd,
        reordering: block.reordering,
        fastopenMss: block.fastopenMss,
        synDrops: block.synLoss,
        synDropAge: now - block.lastSynLoss,
        cookie: octets.map((octet) => octet.toString(16).padStart(2, '0')).join(''),
      };
    }),
  );
  host.netlink.register('TCP_METRICS_DEL', ({ source, target }) =>
    table.forget(source, target) ? undefined : 'ESRCH',
  );
}

export interface FastopenOutcome {
  /** 0: not told. */
  readonly mss: number;
  readonly cookie: FastopenCookie | undefined;
  readonly synLost: boolean;
  readonly tryExp: number;
}

/** What an attempt showed (tcp_fastopen_cache_set). */
export function noteFastopen(block: TcpMetrics, outcome: FastopenOutcome, now: Micros): void {
  const { mss, cookie, synLost, tryExp } = outcome;
  if (mss > 0) block.fastopenMss = mss;
  if (cookie !== undefined && cookie.length > 0) block.cookie.set(cookie);
  else if (tryExp > block.tryExp && block.cookie.length <= 0 && !block.cookie.exp) block.tryExp = tryExp;
  if (synLost) {
    block.synLoss++;
    block.lastSynLoss = now;
  } else block.synLoss = 0;
}
