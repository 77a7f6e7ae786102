/**
 * One kernel: the parts of a host's stack, made in stack order. A router is the same with forwarding on; a DNS server is
 * a host that runs a server program. Parts find each other here, so that no part makes another.
 */
import { PROTOCOL } from '../header/ipv4.ts';
import type { Clock, Micros, Platform, Random, Timer, TimerMark } from '../platform.ts';
import { ConntrackTable } from './conntrack.ts';
import { CoreSysctl } from './core-sysctl.ts';
import { etcInit } from './etc-files.ts';
import { ethtoolInit } from './ethtool.ts';
import { Fib } from './fib.ts';
import { Filesystem } from './filesystem.ts';
import { IcmpLimits } from './icmp.ts';
import { icmpProtocol } from './icmp-input.ts';
import { Inet } from './inet-address.ts';
import { Fragments } from './ip-defrag.ts';
import type { IcmpInfo, ProtocolHandler } from './ip-input.ts';
import { IpIds } from './ip-output.ts';
import { Tables } from './iptables-table.ts';
import { Jiffies } from './jiffies.ts';
import { loopbackInit } from './loopback.ts';
import { Neighbours } from './neighbour.ts';
import type { PacketTap } from './netdev.ts';
import { NetDevices } from './netdev-registry.ts';
import { Netfilter } from './netfilter.ts';
import { NetlinkHandlers } from './netlink-table.ts';
import { nfnetlinkInit } from './nfnetlink.ts';
import { packetInit } from './packet.ts';
import { pingInit } from './ping.ts';
import { KernelLog } from './printk.ts';
import { procInit } from './proc-files.ts';
import { procNetInit } from './proc-net.ts';
import { Processes } from './process.ts';
import { Procfs } from './procfs.ts';
import { qdiscInit } from './qdisc-table.ts';
import { rawInit } from './raw.ts';
import { rtnetlinkInit } from './rtnetlink.ts';
import { type SkBuff, SkBuffs } from './skbuff.ts';
import { Snmp } from './snmp.ts';
import { SockDiag, sockDiagInit } from './sock-diag.ts';
import { SocketSwitch } from './socket.ts';
import { Sysctl, type SysctlNumber } from './sysctl.ts';
import { sysfsInit } from './sysfs.ts';
import { tcpInit } from './tcp.ts';
import { Trace } from './trace.ts';
import { udpInit } from './udp.ts';

/** RFC 1700, Linux: IPDEFTTL. */
const TTL_DEFAULT = 64;

export interface HostOptions {
  readonly name: string;
  /** The device's number in the lab: the high half of its trace identities. */
  readonly index: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
}

/** Packets polled and lost for want of room, rounds that ran out of budget, times that ksoftirqd took over. */
export interface SoftnetCounters {
  processed: number;
  dropped: number;
  timeSqueeze: number;
  ksoftirqd: number;
}

/** The softirqs that a network has work for, by Linux's names. */
export type Softirq = 'TIMER' | 'NET_TX' | 'NET_RX' | 'TASKLET';

export class Host {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
  readonly trace: Trace;
  readonly skbs: SkBuffs;
  /** Who answers which netlink question. */
  readonly netlink: NetlinkHandlers = new NetlinkHandlers();
  /** Files of /proc and /sys; each part registers its own. */
  readonly procfs: Procfs = new Procfs();
  readonly filesystem: Filesystem;
  /** Which protocol serves which family and type of socket; protocols register at boot. */
  readonly sockets: SocketSwitch = new SocketSwitch();
  readonly processes: Processes;
  /** What lists the sockets of each protocol. */
  readonly sockDiag: SockDiag = new SockDiag();
  /** Lab time at which this device came up: uptime counts from here. */
  readonly bootedAt: Micros;
  readonly sysctl = new Sysctl();
  readonly snmp = new Snmp();
  /** What dmesg shows. */
  readonly log: KernelLog;
  readonly netfilter = new Netfilter();
  readonly tables = new Tables();
  readonly packetTaps = new Set<PacketTap>();
  /** Transport protocols by number: ICMP is there, tcpInit and udpInit add theirs. */
  readonly protocols = new Map<number, ProtocolHandler>([[PROTOCOL.ICMP, icmpProtocol]]);
  /** How often each ran: /proc/softirqs. */
  readonly softirqs: Record<Softirq, number> = { TIMER: 0, NET_TX: 0, NET_RX: 0, TASKLET: 0 };
  /** /proc/net/softnet_stat of the one CPU (struct softnet_data). */
  readonly softnet: SoftnetCounters = { processed: 0, dropped: 0, timeSqueeze: 0, ksoftirqd: 0 };
  readonly devices: NetDevices;
  readonly inet: Inet;
  readonly routes: Fib;
  readonly neighbours: Neighbours;
  readonly fragments: Fragments;
  readonly conntrack: ConntrackTable;
  readonly icmpLimits: IcmpLimits;
  readonly ipIds: IpIds;
  readonly defaultTtl: SysctlNumber;
  readonly core: CoreSysctl;
  readonly jiffies = new Jiffies();
  readonly forwardUsesPmtu: SysctlNumber;
  readonly nonlocalBind: SysctlNumber;
  /** Raw sockets: a copy of every packet for this host, skb.data at the IP header; whether anybody took one. */
  rawReceive: ((skb: SkBuff, protocol: number) => boolean) | undefined = undefined;
  rawError: ((skb: SkBuff, protocol: number, info: IcmpInfo) => void) | undefined = undefined;
  /** Ping sockets (ICMP datagram): an echo reply, skb.data at its ICMP header. Owns the skb when it answers true. */
  pingReceive: ((skb: SkBuff) => boolean) | undefined = undefined;
  pingError: ((skb: SkBuff, info: IcmpInfo) => void) | undefined = undefined;
  private readonly timerMarks = new Map<string, TimerMark>();
  private inodes = 10_000;

  constructor(options: HostOptions) {
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.platform = options.platform;
    this.trace = new Trace({ device: options.name, deviceIndex: options.index, now: () => options.clock.now() });
    this.skbs = new SkBuffs(this.trace, options.platform);
    this.bootedAt = options.clock.now();
    this.log = new KernelLog(this);
    this.filesystem = new Filesystem(options.platform, this.procfs);
    etcInit(this.filesystem);
    this.processes = new Processes(this);
    this.core = new CoreSysctl(this);
    this.sysctl.register('wirelab.hz', this.jiffies);
    this.defaultTtl = this.sysctl.number('net.ipv4.ip_default_ttl', TTL_DEFAULT, { min: 1, max: 255 });
    this.forwardUsesPmtu = this.sysctl.number('net.ipv4.ip_forward_use_pmtu', 0, { min: 0, max: 1 });
    this.nonlocalBind = this.sysctl.number('net.ipv4.ip_nonlocal_bind', 0, { min: 0, max: 1 });
    this.devices = new NetDevices(this);
    // The order in which these hear of devices: addresses, then routes, then neighbours.
    this.inet = new Inet(this);
    this.routes = new Fib(this);
    this.neighbours = new Neighbours(this);
    this.fragments = new Fragments(this);
    this.conntrack = new ConntrackTable(this);
    this.icmpLimits = new IcmpLimits(this);
    this.ipIds = new IpIds(this);
    loopbackInit(this);
    rtnetlinkInit(this);
    qdiscInit(this);
    nfnetlinkInit(this);
    ethtoolInit(this);
    procInit(this);
    sysfsInit(this);
    procNetInit(this);
    sockDiagInit(this);
    udpInit(this);
    tcpInit(this);
    pingInit(this);
    rawInit(this);
    packetInit(this);
    this.procfs.registerFolder('/proc/sys', this.sysctl.folder);
  }

  /**
   * A timer whose work is the kernel's own: it runs as a softirq, and is counted in /proc/softirqs as one. `name` is that of
   * Linux's function: /proc/timer_list shows it.
   */
  softTimer(name: string, fire: () => void, softirq: Softirq = 'TIMER'): Timer {
    const { trace, softirqs, timerMarks } = this;
    let mark = timerMarks.get(name);
    if (mark === undefined) timerMarks.set(name, (mark = { owner: this, name }));
    return this.clock.timer(() => {
      const { context } = trace;
      softirqs[softirq]++;
      trace.context = 'softirq';
      fire();
      trace.context = context;
    }, mark);
  }

  /** Sockets are numbered as in /proc/net/tcp's inode column. */
  nextInode(): number {
    return ++this.inodes;
  }
}
