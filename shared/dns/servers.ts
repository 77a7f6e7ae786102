/**
 * What a resolver knows of the servers it talks to: round trip time, timeouts in a row, EDNS or not. Numbers are unbound's (util/rtt.c, services/cache/infra.c).
 *
 * Left out: addresses of IPv6, which no device here has; a memory for lame servers (BIND gave its own up: lame-ttl 0).
 */
import type { Ipv4 } from '../header/address.ts';
import { MILLISECOND, type Micros, SECOND } from '../platform.ts';

/** Timeout for a server never heard of. */
const UNKNOWN_RTO: Micros = 376 * MILLISECOND;
const RTO_MIN: Micros = 50 * MILLISECOND;
/** unbound: 120 s. Here a cable that was plugged in again should be noticed. */
const RTO_MAX: Micros = 6 * SECOND;
/** Servers as good as the best within this are picked from at random (RTT_BAND). */
const BAND: Micros = 400 * MILLISECOND;
/** Timeouts in a row after which a server is left alone while others are there. */
const DEAD_TIMEOUTS = 3;
/** RFC 2308 §7.2: at most five minutes. */
const DEAD_SPAN: Micros = 120 * SECOND;
const SERVERS_MAX = 10_000;

interface Known {
  srtt: Micros;
  variation: Micros;
  rto: Micros;
  timeouts: number;
  lastTimeout: Micros;
  /** It answers FORMERR or NOTIMP to EDNS. */
  plain: boolean;
}

export class Servers {
  private readonly known = new Map<Ipv4, Known>();
  private readonly now: () => Micros;

  constructor(now: () => Micros) {
    this.now = now;
  }

  private at(server: Ipv4): Known {
    const found = this.known.get(server);
    if (found !== undefined) return found;
    if (this.known.size >= SERVERS_MAX) {
      const [oldest] = this.known.keys();
      if (oldest !== undefined) this.known.delete(oldest);
    }
    const known = {
      srtt: 0,
      variation: 0,
      rto: UNKNOWN_RTO,
      timeouts: 0,
      lastTimeout: 0,
      plain: false,
      lame: new Map(),
    };
    this.known.set(server, known);
    return known;
  }

  timeoutOf(server: Ipv4): Micros {
    return this.at(server).rto;
  }

  /** A reply came after `rtt` (Jacobson's estimate, as TCP's). */
  replied(server: Ipv4, rtt: Micros): void {
    const known = this.at(server);
    if (known.srtt === 0) {
      known.srtt = rtt;
      known.variation = rtt / 2;
    } else {
      known.variation += (Math.abs(rtt - known.srtt) - known.variation) / 4;
      known.srtt += (rtt - known.srtt) / 8;
    }
    known.rto = Math.min(Math.max(Math.round(known.srtt + 4 * known.variation), RTO_MIN), RTO_MAX);
    known.timeouts = 0;
  }

  /** None came: twice the patience next time. */
  timedOut(server: Ipv4): void {
    const known = this.at(server);
    known.timeouts++;
    known.lastTimeout = this.now();
    known.rto = Math.min(known.rto * 2, RTO_MAX);
  }

  speaksEdns(server: Ipv4): boolean {
    return !this.at(server).plain;
  }

  refusesEdns(server: Ipv4): void {
    this.at(server).plain = true;
  }

  private isDead(server: Ipv4): boolean {
    const known = this.known.get(server);
    return known !== undefined && known.timeouts >= DEAD_TIMEOUTS && this.now() - known.lastTimeout < DEAD_SPAN;
  }

  /** One of `candidates`: any of those nearly as quick as the quickest, the dead last. */
  choose(candidates: readonly Ipv4[], random: (limit: number) => number): Ipv4 | undefined {
    const living = candidates.filter((server) => !this.isDead(server));
    const from = living.length > 0 ? living : candidates;
    const best = from.reduce((least, server) => Math.min(least, this.timeoutOf(server)), Number.POSITIVE_INFINITY);
    const good = from.filter((server) => this.timeoutOf(server) <= best + BAND);
    return good[good.length > 1 ? random(good.length) : 0];
  }

  flush(): void {
    this.known.clear();
  }
}
