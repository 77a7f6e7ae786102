/**
 * net.ipv4.neigh.{default,DEV}.*: how sure to be of a neighbour, and for how long (Linux: struct neigh_parms). A device
 * begins with what `default` holds. Left out: anycast_delay and interval_probe_time_ms, which nothing of IPv4 asks for,
 * and the deprecated names in other units.
 */
import { MILLISECOND, type Micros, SECOND } from '../platform.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import type { NudState } from './netlink.ts';
import { SysctlNumber } from './sysctl.ts';

/** Linux: HZ/100, the least that a retransmission waits. */
const RETRANS_MIN = 10 * MILLISECOND;
/** Linux: neigh_rand_reach_time is drawn anew every 300 s. */
const REACHABLE_REDRAW = 300 * SECOND;
/** USER_HZ: locktime and proxy_delay are in hundredths of a second. */
const USER_TICK: Micros = SECOND / 100;
/** SKB_TRUESIZE(ETH_FRAME_LEN): what unres_qlen counts in. */
const FRAME_TRUESIZE = 2_090;

/** Names and arp_tbl's defaults, in Linux's units. */
const DEFAULTS = {
  app_solicit: 0,
  base_reachable_time_ms: 30_000,
  delay_first_probe_time: 5,
  gc_stale_time: 60,
  locktime: 100,
  mcast_resolicit: 0,
  mcast_solicit: 3,
  proxy_delay: 80,
  proxy_qlen: 64,
  retrans_time_ms: 1_000,
  ucast_solicit: 3,
  unres_qlen_bytes: 212_992,
} as const;

type Name = keyof typeof DEFAULTS;
const NAMES = Object.keys(DEFAULTS) as Name[];

export class NeighbourParms {
  readonly values: Readonly<Record<Name, SysctlNumber>>;
  readonly appSolicit: SysctlNumber;
  readonly gcStale: SysctlNumber;
  readonly mcastSolicit: SysctlNumber;
  readonly proxyQueueMax: SysctlNumber;
  readonly queueBytes: SysctlNumber;
  readonly ucastSolicit: SysctlNumber;
  private readonly host: Host;
  private readonly prefix: string;
  private readonly explicit = new Set<Name>();
  private reachableTime: Micros = 0;
  private reachableDrawn: Micros = Number.NEGATIVE_INFINITY;

  /** `changed` hears of every write; `from` is what a device begins with. */
  constructor(host: Host, name: string, from: NeighbourParms | undefined, changed: () => void = () => {}) {
    this.host = host;
    this.prefix = `net.ipv4.neigh.${name}.`;
    const one = (word: Name): SysctlNumber =>
      host.sysctl.number(`${this.prefix}${word}`, from?.values[word].value ?? DEFAULTS[word], {
        min: 0,
        changed: () => {
          this.explicit.add(word);
          if (word === 'base_reachable_time_ms') this.redraw();
          changed();
        },
      });
    this.values = Object.fromEntries(NAMES.map((word) => [word, one(word)])) as Record<Name, SysctlNumber>;
    this.appSolicit = this.values.app_solicit;
    this.gcStale = this.values.gc_stale_time;
    this.mcastSolicit = this.values.mcast_solicit;
    this.proxyQueueMax = this.values.proxy_qlen;
    this.queueBytes = this.values.unres_qlen_bytes;
    this.ucastSolicit = this.values.ucast_solicit;
    host.sysctl.register(`${this.prefix}unres_qlen`, {
      read: () => String(Math.floor(this.queueBytes.value / FRAME_TRUESIZE)),
      write: (text) => this.writeFrames(text),
    });
  }

  /** unres_qlen is unres_qlen_bytes in full frames. (Linux: proc_unres_qlen) */
  private writeFrames(text: string): Errno | undefined {
    const frames = new SysctlNumber(0, { min: 0, max: Math.floor(2_147_483_647 / FRAME_TRUESIZE) });
    return frames.write(text) ?? this.queueBytes.write(String(frames.value * FRAME_TRUESIZE));
  }

  unregister(): void {
    this.host.sysctl.unregister(this.prefix);
  }

  /** Take what `from` holds wherever nobody set a value here. */
  follow(from: NeighbourParms): void {
    for (const word of NAMES) if (!this.explicit.has(word)) this.values[word].value = from.values[word].value;
    this.redraw();
  }

  private redraw(): void {
    this.reachableDrawn = Number.NEGATIVE_INFINITY;
  }

  get baseReachable(): Micros {
    return this.values.base_reachable_time_ms.value * MILLISECOND;
  }

  get delayProbe(): Micros {
    return this.values.delay_first_probe_time.value * SECOND;
  }

  get lockTime(): Micros {
    return this.values.locktime.value * USER_TICK;
  }

  get proxyDelay(): Micros {
    return this.values.proxy_delay.value * USER_TICK;
  }

  get retransTime(): Micros {
    return Math.max(RETRANS_MIN, this.values.retrans_time_ms.value * MILLISECOND);
  }

  /** How often to ask before giving up. (Linux: neigh_max_probes) */
  probesMax(state: NudState): number {
    const last = state === 'PROBE' ? this.values.mcast_resolicit : this.mcastSolicit;
    return this.ucastSolicit.value + this.appSolicit.value + last.value;
  }

  /** How long a confirmation lasts: between half and one and a half of the base, redrawn every 300 s. */
  reachable(): Micros {
    const now = this.host.clock.now();
    if (now - this.reachableDrawn >= REACHABLE_REDRAW) {
      this.reachableDrawn = now;
      const base = Math.max(1, this.baseReachable);
      this.reachableTime = this.host.random.below(base) + Math.floor(base / 2);
    }
    return this.reachableTime;
  }
}

/** Of the whole table: net.ipv4.neigh.default.gc_thresh1 to 3. */
export interface NeighbourThresholds {
  readonly gcThresh1: SysctlNumber;
  readonly gcThresh2: SysctlNumber;
  readonly gcThresh3: SysctlNumber;
}

export function registerThresholds(host: Host): NeighbourThresholds {
  const n = (name: string, initial: number) =>
    host.sysctl.number(`net.ipv4.neigh.default.${name}`, initial, { min: 0 });
  return { gcThresh1: n('gc_thresh1', 128), gcThresh2: n('gc_thresh2', 512), gcThresh3: n('gc_thresh3', 1_024) };
}
