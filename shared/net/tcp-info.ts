/** What ss and TCP_INFO show of connections (Linux: tcp_get_info, inet_diag_msg_common_fill). */
import { formatIpv4 } from '../header/address.ts';
import type { SocketRecord } from './netlink.ts';
import { CE, ECN, ECT_0, ECT_1 } from './tcp-accecn-state.ts';
import type { Tcp } from './tcp-host.ts';
import type { RequestSock } from './tcp-listen.ts';
import type { TimeWaitSock } from './tcp-minisocks.ts';
import { deliveryRate, jiffiesSince } from './tcp-rate.ts';
import type { TcpSock, TcpState } from './tcp-sock.ts';

/** Numbers of the states in tcp_info and /proc/net/tcp. */
export const TCP_STATE_NUMBER: Readonly<Record<TcpState, number>> = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
  NEW_SYN_RECV: 12,
};
const CA_STATE_NUMBER = { Open: 0, Disorder: 1, CWR: 2, Recovery: 3, Loss: 4 } as const;

type Chrono = TcpSock['chrono'];
const CHRONO_RANK: Readonly<Record<Chrono, number>> = { none: 0, busy: 1, rwnd: 2, sndbuf: 3 };

function chronoSet(sk: TcpSock, chrono: Chrono): void {
  const now = sk.host.clock.now();
  const past = jiffiesSince(sk, sk.chronoAt);
  if (sk.chrono === 'busy') sk.busyTime += past;
  else if (sk.chrono === 'rwnd') sk.rwndLimitedTime += past;
  else if (sk.chrono === 'sndbuf') sk.sndbufLimitedTime += past;
  sk.chrono = chrono;
  sk.chronoAt = now;
}

/** What holds the sender up from now on: the worst of several (tcp_chrono_start). */
export function chronoStart(sk: TcpSock, chrono: Chrono): void {
  if (CHRONO_RANK[chrono] > CHRONO_RANK[sk.chrono]) chronoSet(sk, chrono);
}

export function chronoStop(sk: TcpSock, chrono: Chrono): void {
  if (sk.rtxQueue.head === undefined && sk.writeQueue.head === undefined) {
    if (sk.chrono !== 'none') chronoSet(sk, 'none');
  } else if (chrono === sk.chrono && chrono !== 'busy') chronoSet(sk, 'busy');
}

/** struct tcp_info, names without tcpi_; times as there: rtt and rto in microseconds, last_* in milliseconds. */
export function tcpInfo(sk: TcpSock): Record<string, number | string | boolean> {
  const since = (at: number): number => (at === 0 ? 0 : jiffiesSince(sk, at) / 1_000);
  const running = (chrono: Chrono): number => (sk.chrono === chrono ? jiffiesSince(sk, sk.chronoAt) : 0);
  const rwnd = sk.rwndLimitedTime + running('rwnd');
  const sndbuf = sk.sndbufLimitedTime + running('sndbuf');
  const options =
    (sk.tstampOk ? 1 : 0) |
    (sk.sackOk ? 2 : 0) |
    (sk.wscaleOk ? 4 : 0) |
    ((sk.ecnFlags & ECN.ANY) !== 0 ? 8 : 0) |
    ((sk.ecnFlags & ECN.SEEN) !== 0 ? 16 : 0) |
    (sk.synDataAcked ? 32 : 0) |
    (sk.fastopenChild ? 128 : 0);
  return {
    state: TCP_STATE_NUMBER[sk.state],
    ca_state: CA_STATE_NUMBER[sk.caState],
    ca_name: sk.ca.name,
    retransmits: sk.retransmits,
    probes: sk.probesOut,
    backoff: sk.backoff,
    options,
    snd_wscale: sk.sndWscale,
    rcv_wscale: sk.rcvWscale,
    rto: sk.rto,
    ato: Math.min(sk.ato, sk.delackMax),
    snd_mss: sk.mssCache,
    rcv_mss: sk.rcvMss,
    unacked: sk.state === 'LISTEN' ? (sk.accept?.ready.length ?? 0) : sk.packetsOut,
    sacked: sk.state === 'LISTEN' ? (sk.accept?.max ?? 0) : sk.sackedOut,
    lost: sk.lostOut,
    retrans: sk.retransOut,
    fackets: 0,
    last_data_sent: since(sk.lsndtime),
    last_ack_sent: 0,
    last_data_recv: since(sk.lrcvtime),
    last_ack_recv: since(sk.rcvTstamp),
    pmtu: sk.pmtuCookie,
    rcv_ssthresh: sk.rcvSsthresh,
    rtt: sk.srtt >> 3,
    rttvar: Math.floor(sk.mdev / 4),
    snd_ssthresh: sk.sndSsthresh,
    snd_cwnd: sk.sndCwnd,
    advmss: sk.advmss,
    reordering: sk.reordering,
    rcv_rtt: Math.floor(sk.rcvRtt / 8),
    rcv_space: sk.rcvqSpace,
    total_retrans: sk.totalRetrans,
    pacing_rate: sk.pacingRate,
    max_pacing_rate: sk.maxPacingRate,
    bytes_acked: sk.bytesAcked,
    bytes_received: sk.bytesReceived,
    segs_out: sk.segsOut,
    segs_in: sk.segsIn,
    notsent_bytes: Math.max(0, (sk.writeSeq - sk.sndNxt) | 0),
    min_rtt: sk.minRttValue[0] ?? 0,
    data_segs_in: sk.dataSegsIn,
    data_segs_out: sk.dataSegsOut,
    delivery_rate: deliveryRate(sk),
    delivery_rate_app_limited: Number(sk.rateAppLimited),
    busy_time: sk.busyTime + running('busy') + rwnd + sndbuf,
    rwnd_limited: rwnd,
    sndbuf_limited: sndbuf,
    delivered: sk.delivered,
    delivered_ce: sk.deliveredCe,
    bytes_sent: sk.bytesSent,
    bytes_retrans: sk.bytesRetrans,
    dsack_dups: sk.dsackDups,
    fastopen_client_fail: sk.fastopenClientFail,
    reord_seen: sk.reordSeen,
    rcv_ooopack: sk.rcvOooPack,
    snd_wnd: sk.sndWnd,
    rcv_wnd: sk.rcvWnd,
    total_rto: sk.totalRto,
    total_rto_recoveries: sk.totalRtoRecoveries,
    total_rto_time: Math.floor((sk.totalRtoTime + (sk.rtoStamp === 0 ? 0 : jiffiesSince(sk, sk.rtoStamp))) / 1_000),
    ...accecnInfo(sk),
  };
}

function ecnModeNumber(mode: number): number {
  if (mode === ECN.PENDING) return 3;
  return mode === ECN.ACCECN ? 2 : mode;
}

/** What tcp_info has of ECN: TCPI_ECN_MODE_*, and both directions' counters. */
function accecnInfo(sk: TcpSock): Record<string, number> {
  const { accecn } = sk;
  const { deliveredBytes: delivered, receivedBytes: received } = accecn;
  return {
    received_ce: accecn.receivedCe,
    delivered_e1_bytes: delivered[ECT_1 - 1] ?? 0,
    delivered_e0_bytes: delivered[ECT_0 - 1] ?? 0,
    delivered_ce_bytes: delivered[CE - 1] ?? 0,
    received_e1_bytes: received[ECT_1 - 1] ?? 0,
    received_e0_bytes: received[ECT_0 - 1] ?? 0,
    received_ce_bytes: received[CE - 1] ?? 0,
    ecn_mode: ecnModeNumber(sk.ecnFlags & ECN.ANY),
    accecn_opt_seen: accecn.sawOption,
    accecn_fail_mode: accecn.failMode,
  };
}

/** struct inet_diag_meminfo and SK_MEMINFO: what ss -m shows. */
function memoryOf(sk: TcpSock): Record<string, number> {
  return {
    rmem_alloc: sk.receiveMemory,
    rcvbuf: sk.rcvbuf,
    wmem_alloc: sk.sendMemory,
    sndbuf: sk.sndbuf,
    fwd_alloc: sk.forwardAlloc,
    wmem_queued: sk.wmemQueued,
    optmem: 0,
    backlog: 0,
    drops: sk.drops,
  };
}

/** The timer that ss -o shows: on, keepalive, timewait, persist. */
function timerOf(sk: TcpSock): SocketRecord['timer'] {
  const now = sk.host.clock.now();
  if (sk.retransmitTimer.armed && sk.pending !== 'none') {
    const name = sk.pending === 'probe0' ? 'persist' : 'on';
    const retransmits = sk.pending === 'probe0' ? sk.probesOut : sk.retransmits;
    return { name, expires: Math.max(0, sk.retransmitTimer.deadline - now), retransmits };
  }
  if (!sk.keepaliveTimer.armed) return undefined;
  return { name: 'keepalive', expires: Math.max(0, sk.keepaliveTimer.deadline - now), retransmits: sk.probesOut };
}

function sockRecord(sk: TcpSock): SocketRecord {
  const listening = sk.state === 'LISTEN';
  return {
    protocol: 'tcp',
    state: sk.state,
    localAddress: sk.localAddress,
    localPort: sk.localPort,
    remoteAddress: sk.remoteAddress,
    remotePort: sk.remotePort,
    receiveQueue: listening ? (sk.accept?.ready.length ?? 0) : Math.max(0, (sk.rcvNxt - sk.copiedSeq) | 0),
    sendQueue: listening ? (sk.accept?.max ?? 0) : Math.max(0, (sk.writeSeq - sk.sndUna) | 0),
    inode: sk.dead ? 0 : sk.inode,
    pid: sk.pid,
    processName: sk.processName,
    fd: -1,
    timer: timerOf(sk),
    info: tcpInfo(sk),
    memory: memoryOf(sk),
  };
}

function smallRecord(entry: TimeWaitSock | RequestSock): SocketRecord {
  const now = entry.tcp.host.clock.now();
  const request = entry.state === 'NEW_SYN_RECV';
  return {
    protocol: 'tcp',
    state: request ? 'SYN_RECV' : entry.substate,
    localAddress: entry.localAddress,
    localPort: entry.localPort,
    remoteAddress: entry.remoteAddress,
    remotePort: entry.remotePort,
    receiveQueue: 0,
    sendQueue: 0,
    inode: 0,
    pid: 0,
    processName: '',
    fd: -1,
    timer: {
      name: request ? 'on' : 'timewait',
      expires: Math.max(0, entry.timer.deadline - now),
      retransmits: request ? entry.timeouts : 0,
    },
    info: undefined,
    memory: {},
  };
}

/** Every TCP socket of a host, listeners first, as ss lists them; of handshakes and TIME-WAITs there is no whole one. */
export function recordsOf(tcp: Tcp): { readonly sk?: TcpSock; readonly record: SocketRecord }[] {
  const socks = [...tcp.socks].filter((sk) => sk.state !== 'CLOSE' || sk.localPort !== 0);
  const listeners = socks.filter((sk) => sk.state === 'LISTEN');
  const others = socks.filter((sk) => sk.state !== 'LISTEN');
  return [
    ...[...listeners, ...others].map((sk) => ({ sk, record: sockRecord(sk) })),
    ...[...tcp.requests, ...tcp.timeWaits].map((entry) => ({ record: smallRecord(entry) })),
  ];
}

export function listTcp(tcp: Tcp): SocketRecord[] {
  return recordsOf(tcp).map(({ record }) => record);
}

/** For messages: `10.0.0.1:80`. */
export function endText(address: number, port: number): string {
  return `${formatIpv4(address as TcpSock['localAddress'])}:${port}`;
}
