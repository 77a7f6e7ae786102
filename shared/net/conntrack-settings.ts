/** net.netfilter.nf_conntrack_*: timeouts by state, bounds, and how strict to be (nf_conntrack_standalone.c). */
import type { Host } from './host.ts';
import type { SysctlNumber } from './sysctl.ts';

/** Linux: nf_conntrack_max by memory; 65536 on a small machine. */
const FLOWS_MAX = 65_536;
/** Seconds. */
const TIMEOUTS = { generic: 600, udp: 30, udpStream: 120, icmp: 30 } as const;

export interface ConntrackSettings {
  readonly max: SysctlNumber;
  readonly generic: SysctlNumber;
  readonly udp: SysctlNumber;
  readonly udpStream: SysctlNumber;
  readonly icmp: SysctlNumber;
  /** By TCP state. */
  readonly tcp: ReadonlyMap<string, SysctlNumber>;
  readonly loose: SysctlNumber;
  readonly liberal: SysctlNumber;
  readonly maxRetrans: SysctlNumber;
  readonly ignoreInvalidReset: SysctlNumber;
  readonly checksum: SysctlNumber;
  readonly acct: SysctlNumber;
}

export function registerSettings(host: Host): ConntrackSettings {
  const n = (name: string, initial: number) =>
    host.sysctl.number(`net.netfilter.nf_conntrack_${name}`, initial, { min: 0 });
  const tcp = new Map<string, SysctlNumber>();
  for (const [state, seconds] of Object.entries(TCP_TIMEOUTS)) tcp.set(state, n(`tcp_timeout_${state}`, seconds));
  host.sysctl.readOnly('net.netfilter.nf_conntrack_count', () => String(host.conntrack.count));
  return {
    max: n('max', FLOWS_MAX),
    generic: n('generic_timeout', TIMEOUTS.generic),
    udp: n('udp_timeout', TIMEOUTS.udp),
    udpStream: n('udp_timeout_stream', TIMEOUTS.udpStream),
    icmp: n('icmp_timeout', TIMEOUTS.icmp),
    tcp,
    loose: n('tcp_loose', 1),
    liberal: n('tcp_be_liberal', 0),
    maxRetrans: n('tcp_max_retrans', 3),
    ignoreInvalidReset: n('tcp_ignore_invalid_rst', 0),
    checksum: n('checksum', 1),
    acct: n('acct', 0),
  };
}

/** Seconds, as nf_conntrack_tcp_timeout_*. */
const TCP_TIMEOUTS = {
  syn_sent: 120,
  syn_recv: 60,
  established: 432_000,
  fin_wait: 120,
  close_wait: 60,
  last_ack: 30,
  time_wait: 120,
  close: 10,
  syn_sent2: 120,
  max_retrans: 300,
  unacknowledged: 300,
} as const;
