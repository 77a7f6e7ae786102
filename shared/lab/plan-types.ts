/**
 * What the lab file becomes: who dials whom, addresses, MACs, and the slice each process gets. Plain JSON throughout:
 * a slice travels in WIRELAB_DEVICE and is validated at the door (device/config.ts). Addresses are text here; devices
 * parse them once.
 */

export type DeviceKind = 'host' | 'switch' | 'router' | 'dns';
export type DnsRole = 'root' | 'tld' | 'authoritative' | 'local';

/**
 * Share of frames that are lost, or losses in bursts after Gilbert and Elliott: netem's `loss gemodel p r 1-h 1-k`. `p`
 * and `r` are the chances to turn bad and good again, `bad` (1-h) and `good` (1-k) the share lost meanwhile.
 */
export type Loss = number | { readonly p: number; readonly r: number; readonly bad: number; readonly good: number };

/**
 * Share of frames with a bit turned over. The FCS finds it; with `layer` the FCS is made good again and the bit lies in
 * the IP header or behind it, so that the header's checksum, or TCP's, has to.
 */
export type Corrupt = number | { readonly ratio: number; readonly layer: 'ip' | 'tcp' };

/** Trouble for the frames that a display filter names: "lose the second SYN-ACK". */
export interface MatchRule {
  /** A display filter in Wireshark's words (header/display-filter.ts). */
  readonly frames: string;
  /** The first of the matching frames that it acts on, counted from 1 since the rule was set. */
  readonly nth?: number;
  /** Of these only every so many; without `nth` the first is that one. */
  readonly every?: number;
  /** How many it acts on: one when `nth` stands alone, otherwise all. */
  readonly count?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  readonly corrupt?: Corrupt;
  /** On top of the wire's own; the frames behind it do not wait. */
  readonly delay?: number;
}

/** What a wire does to the frames of one direction, netem's words. Times in microseconds, ratios from 0 to 1. */
export interface Impairment {
  readonly delay?: number;
  readonly jitter?: number;
  readonly distribution?: 'uniform' | 'normal' | 'pareto' | 'paretonormal';
  /** Whether frames keep their order though the delay varies; netem's jitter does not keep it. */
  readonly order?: 'kept' | 'free';
  readonly loss?: Loss;
  readonly duplicate?: number;
  readonly reorder?: number;
  /** So many frames less one keep their place before the next may be reordered (netem's gap). */
  readonly gap?: number;
  readonly corrupt?: Corrupt;
  /** Bits per second, and frames that may wait. */
  readonly rate?: number;
  readonly limit?: number;
  /** Frames whose network-layer packet is longer are lost. */
  readonly mtu?: number;
  readonly match?: readonly MatchRule[];
}

/** Knobs to turn: those that are not named stay as they are, null takes one away. */
export type ImpairmentChange = { readonly [K in keyof Impairment]: Impairment[K] | null };

export interface WirePlan {
  /** `alice:eth0--sw:p1`. */
  readonly name: string;
  /** First-named end: it listens. */
  readonly a: { readonly device: string; readonly port: string };
  /** The other end: it dials. */
  readonly b: { readonly device: string; readonly port: string };
  /** a to b, and b to a. */
  readonly forward: Impairment;
  readonly backward: Impairment;
}

export interface PortPlan {
  readonly name: string;
  /** `02:…`, from lab, device and port; switches' ports have none. */
  readonly mac: string | null;
  /** `10.0.0.1/24`, any number. */
  readonly addresses: readonly string[];
  readonly mtu: number;
  /** The wire that is plugged in, or null. */
  readonly wire: null | {
    readonly name: string;
    readonly listens: boolean;
    /** The far end, `sw:p1`. */
    readonly peer: string;
    /** For the end that dials: `ws://HOST:PORT/wires/NAME`, filled in by the engine. */
    readonly url: string | null;
    /** What this end does to the frames it sends. */
    readonly egress: Impairment;
  };
}

export interface RoutePlan {
  /** `203.0.113.0/24` or `default`. */
  readonly to: string;
  readonly via: string | null;
  readonly dev: string | null;
  readonly metric: number;
}

/** One device's slice: all it needs to know, and nothing of the others. */
export interface DevicePlan {
  readonly lab: string;
  readonly name: string;
  /** Position in the lab file from 1: the high half of trace identities. */
  readonly index: number;
  readonly kind: DeviceKind;
  readonly role: DnsRole | null;
  readonly seed: number;
  readonly ports: readonly PortPlan[];
  readonly routes: readonly RoutePlan[];
  /** Name servers for resolv.conf. */
  readonly dns: readonly string[];
  readonly search: readonly string[];
  /** Lines of /etc/hosts. */
  readonly hosts: readonly { readonly address: string; readonly names: readonly string[] }[];
  /** Port that masquerades what leaves by it, or null. */
  readonly nat: { readonly outside: string } | null;
  /** Ports bridged into one LAN (a home router's), with their address on the first. */
  readonly lan: readonly string[];
  readonly sysctl: Readonly<Record<string, string>>;
  /** Programs to start, as command lines split into words. */
  readonly run: readonly (readonly string[])[];
  /** Microseconds of lab time; a model. */
  readonly cpu: { readonly irq: number; readonly poll: number; readonly packet: number };
  /** Zone files (authoritative roles) and hints file (local), relative to the lab's folder. */
  readonly zones: readonly { readonly origin: string; readonly file: string }[];
  readonly hints: string | null;
}

export interface LabPlan {
  readonly name: string;
  /** Absolute path of the lab's folder. */
  readonly folder: string;
  readonly seed: number;
  readonly devices: readonly DevicePlan[];
  readonly wires: readonly WirePlan[];
}
