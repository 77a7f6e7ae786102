/**
 * What configuration programs ask of the kernel: rtnetlink, sock_diag and nf_tables as typed questions instead of
 * bytes. One name a question, as in Linux; the answers are plain records, numbers and address types, no text.
 */
import type { Ipv4, Mac } from '../header/address.ts';
import type { Micros } from '../platform.ts';
import type { DropReason } from './drop.ts';
import type { Errno } from './errno.ts';
import type { CardControls, DeviceKind, LinkCounters } from './netdev.ts';
import type { QdiscOptions } from './qdisc.ts';
import type { QdiscAnswer } from './qdisc-table.ts';
import type { RouteMetrics } from './route-metrics.ts';

export interface LinkRecord {
  ifindex: number;
  name: string;
  kind: DeviceKind;
  mac: Mac;
  mtu: number;
  mtuMax: number;
  up: boolean;
  carrier: boolean;
  /** IFF_PROMISC as a user set it; a bridge's port hears everything without showing it. */
  promiscuous: boolean;
  qdisc: string;
  queueLength: number;
  master: string | undefined;
  counters: LinkCounters;
}

export interface AddressRecord {
  ifindex: number;
  dev: string;
  address: Ipv4;
  prefix: number;
  broadcast: Ipv4 | undefined;
  scope: 'global' | 'link' | 'host';
  /** IFA_F_SECONDARY: not the first of its subnet on the device. */
  secondary: boolean;
}

export type RouteType = 'unicast' | 'local' | 'broadcast' | 'multicast' | 'unreachable' | 'blackhole' | 'prohibit';

export interface RouteRecord {
  type: RouteType;
  target: Ipv4;
  prefix: number;
  gateway: Ipv4 | undefined;
  dev: string;
  source: Ipv4 | undefined;
  metric: number;
  scope: 'global' | 'link' | 'host';
  protocol: 'kernel' | 'boot' | 'static' | 'redirect';
  table: 'main' | 'local';
  /** mtu, advmss, initcwnd … */
  metrics?: RouteMetrics | undefined;
  /** Link down: `linkdown`. */
  linkdown: boolean;
  /** Only in the answer to getroute for one address. */
  cacheExpires?: Micros | undefined;
}

export type NudState =
  | 'NONE'
  | 'INCOMPLETE'
  | 'REACHABLE'
  | 'STALE'
  | 'DELAY'
  | 'PROBE'
  | 'FAILED'
  | 'PERMANENT'
  | 'NOARP';

export interface NeighbourRecord {
  address: Ipv4;
  dev: string;
  mac: Mac | undefined;
  state: NudState;
  /** Microseconds since it was used, confirmed, updated. */
  used: Micros;
  confirmed: Micros;
  updated: Micros;
  probes: number;
  /** Besides the table's own (ndm_refcnt): its timer. */
  references: number;
}

export interface SocketRecord {
  protocol: 'tcp' | 'udp' | 'raw' | 'packet';
  state: string;
  localAddress: Ipv4;
  localPort: number;
  remoteAddress: Ipv4;
  remotePort: number;
  receiveQueue: number;
  sendQueue: number;
  inode: number;
  pid: number;
  processName: string;
  fd: number;
  /** `timer:(on,200ms,0)` of ss -o; undefined when none is armed. */
  timer: { name: string; expires: Micros; retransmits: number } | undefined;
  /** struct tcp_info, by field name without `tcpi_`. */
  info: Readonly<Record<string, number | string | boolean>> | undefined;
  memory: Readonly<Record<string, number>>;
}

export interface FdbRecord {
  mac: Mac;
  port: string;
  /** Microseconds since last seen. */
  age: Micros;
  permanent: boolean;
}

export interface RuleRecord {
  table: string;
  chain: string;
  /** As iptables-save writes it, without -A CHAIN: `-s 192.168.1.0/24 -o eth0 -j MASQUERADE`. */
  specification: string;
  target: string;
  protocol: string;
  source: string;
  destination: string;
  in: string;
  out: string;
  /** What follows the columns: `tcp dpt:80`, `ctstate RELATED,ESTABLISHED`. */
  extra: string;
  packets: number;
  bytes: number;
}

export interface ChainRecord {
  table: string;
  name: string;
  /** Built-in chains have a policy; own chains a count of references. */
  policy: string | undefined;
  references: number;
  packets: number;
  bytes: number;
  rules: readonly RuleRecord[];
}

/** A line of what iptables-save wrote: a chain with its policy, or a command; counters where they are wanted. */
export type RestoreStep =
  | { chain: string; policy: string; packets?: number; bytes?: number }
  | { argv: readonly string[]; packets?: number; bytes?: number };

export interface ConntrackTuple {
  source: Ipv4;
  target: Ipv4;
  sourcePort: number;
  targetPort: number;
  /** ICMP instead of ports. */
  icmp?: { type: number; code: number; id: number };
  packets: number;
  bytes: number;
}

export interface ConntrackRecord {
  protocol: number;
  state: string | undefined;
  timeout: Micros;
  original: ConntrackTuple;
  reply: ConntrackTuple;
  assured: boolean;
  unreplied: boolean;
  mark?: number;
}

/** The queueing discipline of a device, as `tc -s qdisc` shows it. */
export interface QdiscRecord {
  dev: string;
  ifindex: number;
  kind: string;
  /** Major number; 0 for a default that nobody asked for. */
  handle: number;
  options: QdiscOptions;
  /** Its own counters. */
  statistics: Readonly<Record<string, number>>;
  sentBytes: number;
  sentPackets: number;
  drops: number;
  overlimits: number;
  requeues: number;
  backlogBytes: number;
  backlogPackets: number;
}

/** What TCP remembers of a destination (TCP_METRICS_ATTR_*). Times are ages in lab microseconds. */
export interface TcpMetricsRecord {
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly age: Micros;
  /** Microseconds, segments; 0: not known. */
  readonly rtt: Micros;
  readonly rttvar: Micros;
  readonly ssthresh: number;
  readonly cwnd: number;
  readonly reordering: number;
  readonly fastopenMss: number;
  readonly synDrops: number;
  readonly synDropAge: Micros;
  /** Hex digits. */
  readonly cookie: string;
}

/** Question -> what it carries and what comes back. Changes answer undefined, or the errno. */
export interface NetlinkTable {
  RTM_GETLINK: { query: object; answer: LinkRecord[] };
  RTM_SETLINK: {
    query: { dev: string; up?: boolean; mtu?: number; promiscuous?: boolean; mac?: Mac };
    answer: Errno | undefined;
  };
  RTM_GETADDR: { query: object; answer: AddressRecord[] };
  RTM_NEWADDR: { query: { dev: string; address: Ipv4; prefix: number; broadcast?: Ipv4 }; answer: Errno | undefined };
  RTM_DELADDR: { query: { dev: string; address: Ipv4; prefix: number }; answer: Errno | undefined };
  RTM_GETROUTE: { query: { table?: 'main' | 'local' | 'all' }; answer: RouteRecord[] };
  /** ip route get: one lookup, as output would do it. */
  RTM_LOOKUP: { query: { target: Ipv4; source?: Ipv4; dev?: string }; answer: RouteRecord | Errno };
  RTM_NEWROUTE: {
    query: {
      /** Not `type`: that is the question's own name. */
      routeType?: RouteType;
      protocol?: RouteRecord['protocol'];
      target: Ipv4;
      prefix: number;
      gateway?: Ipv4;
      dev?: string;
      source?: Ipv4;
      metric?: number;
      metrics?: RouteMetrics;
      replace?: boolean;
      /** Replace, but do not create. */
      change?: boolean;
    };
    answer: Errno | undefined;
  };
  RTM_DELROUTE: {
    query: { target: Ipv4; prefix: number; gateway?: Ipv4; dev?: string; metric?: number };
    answer: Errno | undefined;
  };
  RTM_GETNEIGH: { query: object; answer: NeighbourRecord[] };
  RTM_NEWNEIGH: {
    query: {
      address: Ipv4;
      dev: string;
      mac?: Mac | undefined;
      state?: NudState;
      /** NLM_F_CREATE with NLM_F_EXCL (the default) or NLM_F_REPLACE, or NLM_F_REPLACE alone. */
      how?: 'add' | 'replace' | 'change';
      /** NTF_PROXY: answer ARP for it. */
      proxy?: boolean;
    };
    answer: Errno | undefined;
  };
  RTM_DELNEIGH: { query: { address: Ipv4; dev: string; proxy?: boolean }; answer: Errno | undefined };
  /** ip neigh show proxy. */
  RTM_GETPNEIGH: { query: object; answer: { address: Ipv4; dev: string }[] };
  /** ip neigh flush: everything that is not PERMANENT. */
  RTM_FLUSHNEIGH: { query: { dev?: string }; answer: number };
  /** dmesg: the kernel's log. `clear` empties it after reading. */
  SYSLOG: { query: { clear?: boolean }; answer: readonly { at: Micros; level: number; text: string }[] };
  SOCK_DIAG: { query: { protocols?: readonly ('tcp' | 'udp' | 'raw' | 'packet')[] }; answer: SocketRecord[] };
  NFT_GETTABLE: { query: { table: string }; answer: ChainRecord[] | Errno };
  /**
   * One iptables command: the words after `iptables` (-t may be among them). The error is all that iptables would print,
   * the status what it would exit with.
   */
  NFT_COMMAND: { query: { table: string; argv: readonly string[] }; answer: { error?: string; status?: number } };
  /** iptables-restore: all steps or none. `step` is the one that was refused. */
  NFT_RESTORE: {
    query: { table: string; steps: readonly RestoreStep[]; flush: boolean; test: boolean };
    answer: { error?: string; status?: number; step?: number };
  };
  CT_GET: { query: object; answer: ConntrackRecord[] };
  CT_FLUSH: { query: object; answer: number };
  /** conntrack -S. */
  CT_STATS: {
    query: object;
    answer: {
      found: number;
      invalid: number;
      insert: number;
      insertFailed: number;
      drop: number;
      earlyDrop: number;
      error: number;
    };
  };
  /** Of the flows that were listed, by their original direction: how many were still there, and are gone. */
  CT_DELETE: { query: { flows: readonly ConntrackRecord[] }; answer: number };
  ETHTOOL: {
    query: { dev: string };
    answer:
      | {
          statistics: ReadonlyMap<string, number>;
          driver: string;
          speedMbit: number;
          rxRing: number;
          txRing: number;
          rxRingMax: number;
          txRingMax: number;
          carrier: boolean;
          features: Readonly<Record<string, boolean>>;
          permanentMac: Mac;
          /** Undefined when there is nothing to coalesce. */
          coalesce: CardControls['coalesce'] | undefined;
          flags: Readonly<Record<string, boolean>>;
        }
      | Errno;
  };
  ETHTOOL_SET: {
    query: {
      dev: string;
      features?: Readonly<Record<string, boolean>>;
      rxRing?: number;
      txRing?: number;
      coalesce?: Partial<CardControls['coalesce']>;
      flags?: Readonly<Record<string, boolean>>;
    };
    answer: Errno | undefined;
  };
  /** Drop monitor: drops since boot by reason and by the function that dropped them. */
  NET_DM: {
    query: object;
    answer: readonly { reason: DropReason; place: string; origin: 'hardware' | 'software'; count: number }[];
  };
  RTM_GETQDISC: { query: object; answer: QdiscRecord[] };
  RTM_NEWQDISC: {
    query: { dev: string; kind?: string; how: 'add' | 'replace' | 'change'; handle?: number; options?: QdiscOptions };
    answer: QdiscAnswer;
  };
  RTM_DELQDISC: { query: { dev: string; handle?: number }; answer: QdiscAnswer };
  FDB_GET: { query: object; answer: FdbRecord[] };
  FDB_FLUSH: { query: object; answer: number };
  TCP_METRICS_GET: { query: object; answer: readonly TcpMetricsRecord[] };
  TCP_METRICS_DEL: { query: { source: Ipv4; target: Ipv4 }; answer: Errno | undefined };
  /** Counters of nstat: `IpInReceives`, `TcpExtTCPLostRetransmit` … in Linux's order. */
  SNMP: { query: object; answer: ReadonlyMap<string, number> };
}

export type NetlinkName = keyof NetlinkTable;
export type NetlinkQuery = { [N in NetlinkName]: { readonly type: N } & NetlinkTable[N]['query'] }[NetlinkName];
export type NetlinkAnswer<Q extends NetlinkQuery> = NetlinkTable[Q['type']]['answer'];
