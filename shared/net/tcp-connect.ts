/**
 * Active open and the choice of ports (Linux: tcp_v4_connect, __inet_hash_connect, inet_csk_get_port): ephemeral ports
 * for connect() are of the parity of the range's low end, those for bind(0) of the other, so that they do not compete.
 */

import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { type Errno, isErrno, type Result } from './errno.ts';
import { firstHopOf } from './ip-options-set.ts';
import { type PortRange, portRangeOf } from './local-ports.ts';
import { dstMtu, type Route, routeOutput } from './route.ts';
import { dstAdvmss } from './route-metrics.ts';
import type { SockAddress } from './sock.ts';
import { setState } from './tcp-close.ts';
import { routeCongestion } from './tcp-congestion.ts';
import { deferConnect } from './tcp-fastopen-client.ts';
import { md5OptionSize } from './tcp-md5.ts';
import { killTimeWait, mayReuse, TimeWaitSock } from './tcp-minisocks.ts';
import { reserveTimestamps, syncMss } from './tcp-mss.ts';
import { sendSyn } from './tcp-output.ts';
import { initializeRcvMss } from './tcp-rcvbuf.ts';
import { secureIsn, securePortOffset, secureTsOffset } from './tcp-secure.ts';
import { type TcpSock, TIMEOUT_INIT } from './tcp-sock.ts';
import { fullSpace, selectInitialWindow } from './tcp-window.ts';

/**
 * Whether two owners of a port may share it: SO_REUSEADDR unless one listens, SO_REUSEPORT, or other addresses. A port that
 * is found and not asked for is shared for neither option, unless `relax` (ip_autobind_reuse). (inet_bind_conflict)
 */
function conflicts(sk: TcpSock, other: TcpSock | TimeWaitSock, address: Ipv4, how: Sharing): boolean {
  if (other === sk) return false;
  if (sk.boundIfindex !== 0 && other.boundIfindex !== 0 && sk.boundIfindex !== other.boundIfindex) return false;
  const listening = other.state === 'LISTEN';
  if (how.address && sk.reuseAddress && other.reuseAddress && !listening) return false;
  if (how.port && sk.reusePort && other.reusePort) return false;
  return address === IPV4_ANY || other.localAddress === IPV4_ANY || address === other.localAddress;
}

interface Sharing {
  readonly address: boolean;
  readonly port: boolean;
}
const ASKED_FOR: Sharing = { address: true, port: true };

function portFree(sk: TcpSock, address: Ipv4, port: number, how: Sharing): boolean {
  const bucket = sk.tcp.binds.get(port);
  if (bucket === undefined) return true;
  for (const other of bucket.owners) if (conflicts(sk, other, address, how)) return false;
  return true;
}

/** bind(2): take a port, or find one when it is 0. The address has been checked. (Linux: inet_csk_get_port) */
export function bindPort(sk: TcpSock, address: Ipv4, port: number): Errno | undefined {
  const { tcp } = sk;
  if (port !== 0) {
    if (!portFree(sk, address, port, ASKED_FOR)) return 'EADDRINUSE';
  } else {
    const found = findBindPort(sk, address);
    if (found === undefined) return 'EADDRINUSE';
    port = found;
  }
  tcp.bindTo(sk, port);
  sk.localPort = port;
  return undefined;
}

/** What bind() took may not be listened on beside another listener (inet_csk_listen_start asks for the port again). */
export function mayListen(sk: TcpSock): boolean {
  return portFree(sk, sk.localAddress, sk.localPort, ASKED_FOR);
}

/** Odd offsets first, then what connect() prefers; with SO_REUSEADDR in the lower half first (inet_csk_find_open_port). */
function findBindPort(sk: TcpSock, address: Ipv4): number | undefined {
  const { low, high } = range(sk);
  const halves: (readonly [number, number])[] = [[low, high]];
  if (sk.reuseAddress && high + 1 - low >= 4) {
    const middle = low + (((high + 1 - low) >> 2) << 1);
    halves.splice(0, 1, [low, middle - 1], [middle, high]);
  }
  const ways: Sharing[] = [{ address: false, port: false }];
  if (sk.tcp.sysctl.autobindReuse.value !== 0) ways.push({ address: true, port: false });
  for (const how of ways) {
    for (const [first, last] of halves) {
      const found = findInRange(sk, address, { low: first, count: last - first + 1 }, how);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function findInRange(
  sk: TcpSock,
  address: Ipv4,
  ports: { low: number; count: number },
  how: Sharing,
): number | undefined {
  const { low, count } = ports;
  const reserved = sk.tcp.sysctl.reservedPorts;
  const start = sk.host.random.below(count);
  for (const parity of [1, 0]) {
    for (let i = 0; i < count; i += 2) {
      const offset = (((start & ~1) + i) % Math.max(count - (count & 1), 1)) | parity;
      if (offset >= count || reserved.has(low + offset)) continue;
      if (portFree(sk, address, low + offset, how)) return low + offset;
    }
  }
  return undefined;
}

function range(sk: TcpSock): PortRange {
  const [low = 32_768, high = 60_999] = sk.tcp.sysctl.localPortRange.values;
  return portRangeOf(sk, low, high);
}

/** Nobody has these four numbers, or only a TIME-WAIT that may give way (__inet_check_established). */
function tupleFree(sk: TcpSock, port: number, bound: boolean): boolean {
  const entry = sk.tcp.lookup(sk.localAddress, port, sk.remoteAddress, sk.remotePort);
  if (entry === undefined) return true;
  if (!(entry instanceof TimeWaitSock) || !mayReuse(entry, bound)) return false;
  reuse(sk, entry);
  return true;
}

/** Follow on from a TIME-WAIT: beyond its numbers, with its timestamps (tcp_twsk_unique). */
function reuse(sk: TcpSock, tw: TimeWaitSock): void {
  sk.writeSeq = (tw.sndNxt + 65_537) >>> 0 || 1;
  sk.tsRecent = tw.tsRecent;
  sk.tsRecentStamp = tw.tsRecentStamp;
  killTimeWait(tw);
  sk.host.snmp.TcpExtTWRecycled++;
}

/**
 * A local port for connect(): even offsets from a secret start, that another destination moves on from. A range of the
 * socket's own is taken as it comes. (Linux: __inet_hash_connect; left out: its grain of chance in the step)
 */
function connectPort(sk: TcpSock): number | undefined {
  const { tcp } = sk;
  const { low, high, own } = range(sk);
  const step = own ? 1 : 2;
  const count = high - low + 1;
  const even = own || count === 1 ? count : count & ~1;
  const port = securePortOffset(tcp, sk);
  const slot = port & (tcp.portPerturb.length - 1);
  const start = ((tcp.portPerturb[slot]! + port) >>> 0) % even;
  for (const parity of own ? [0] : [0, 1]) {
    for (let i = 0; i < even; i += step) {
      const offset = own ? (start + i) % even : (((start & ~1) + i) % even) | parity;
      const candidate = low + offset;
      if (offset >= count || tcp.sysctl.reservedPorts.has(candidate) || !connectPortFree(sk, candidate)) continue;
      tcp.portPerturb[slot] = (tcp.portPerturb[slot]! + i + step) >>> 0;
      return candidate;
    }
  }
  return undefined;
}

/** Ports that a program bound are left alone; those of other connect()s may be shared with another peer. */
function connectPortFree(sk: TcpSock, port: number): boolean {
  const bucket = sk.tcp.binds.get(port);
  return (bucket === undefined || bucket.connectOnly) && tupleFree(sk, port, false);
}

/** Where to, by the routes of now; broadcasts are not connected to. */
export function routeTo(sk: TcpSock, address: SockAddress): Result<Route> {
  const route = routeOutput(sk.host, {
    target: firstHopOf(sk.ipOptions, address.address),
    source: sk.addressLocked ? sk.localAddress : IPV4_ANY,
    ifindex: sk.boundIfindex,
    mark: sk.mark,
  });
  if (isErrno(route)) return route;
  return route.type === 'broadcast' || route.type === 'multicast' ? 'ENETUNREACH' : route;
}

/** The state of a connection before its first segment (tcp_connect_init). */
function connectInit(sk: TcpSock, route: Route): void {
  const { tcp } = sk;
  const most = sk.userMss > 0 ? sk.userMss : 65_535;
  sk.tcpHeaderLength = 20 + md5OptionSize(sk);
  if (tcp.sysctl.timestamps.value !== 0) reserveTimestamps(sk);
  sk.mssClamp = most;
  sk.maxWindow = 0;
  sk.route = route;
  routeCongestion(sk);
  syncMss(sk, dstMtu(route));
  sk.advmss = Math.min(dstAdvmss(sk.host, route), most);
  const mss = sk.advmss - (sk.tsRecentStamp !== 0 ? sk.tcpHeaderLength - 20 : 0);
  const initial = selectInitialWindow(sk, route, fullSpace(sk), mss, tcp.sysctl.windowScaling.value !== 0);
  sk.rcvWnd = initial.window;
  sk.windowClamp = initial.clamp;
  sk.rcvWscale = initial.scale;
  sk.rcvSsthresh = sk.rcvWnd;
  sk.tcpHeaderLength = 20 + md5OptionSize(sk);
  sk.error = undefined;
  sk.sndWnd = 0;
  sk.sndWl1 = 0;
  sk.sndUna = sk.sndSml = sk.sndUp = sk.sndNxt = sk.iss = sk.writeSeq;
  sk.rcvNxt = sk.rcvWup = sk.copiedSeq = 0;
  sk.rcvMwndSeq = sk.rcvWnd;
  sk.rto = TIMEOUT_INIT;
  sk.retransmits = sk.totalRto = 0;
  sk.rcvTstamp = sk.host.clock.now();
  initializeRcvMss(sk);
}

/**
 * connect(2): a route, an address, a port, a SYN. EINPROGRESS when the SYN is out, undefined when it waits for the first
 * write (TCP_FASTOPEN_CONNECT). (Linux: tcp_v4_connect)
 */
export function tcpConnect(sk: TcpSock, address: SockAddress): Errno | undefined {
  const { tcp } = sk;
  const target = address.address === IPV4_ANY ? sk.localAddress : address.address;
  const route = routeTo(sk, { address: target, port: address.port });
  if (isErrno(route)) {
    if (route === 'ENETUNREACH') sk.host.snmp.IpOutNoRoutes++;
    return route;
  }
  sk.route = undefined;
  if (sk.localAddress === IPV4_ANY) sk.localAddress = route.source;
  sk.remoteAddress = target === IPV4_ANY ? route.source : target;
  sk.remotePort = address.port;
  sk.writeSeq = 0;
  const port = choosePort(sk);
  if (isErrno(port)) {
    if (!sk.addressLocked) sk.localAddress = IPV4_ANY;
    sk.remoteAddress = IPV4_ANY;
    sk.remotePort = 0;
    return port;
  }
  setState(sk, 'SYN_SENT');
  tcp.insert(sk);
  if (sk.writeSeq === 0) sk.writeSeq = secureIsn(tcp, sk);
  sk.tsOffset = secureTsOffset(tcp, sk);
  sk.route = route;
  return deferConnect(sk) ? undefined : startConnect(sk, route);
}

/** The SYN of a connection whose ends are settled. EINPROGRESS when it is out. (Linux: tcp_connect) */
export function startConnect(sk: TcpSock, route: Route): Errno {
  connectInit(sk, route);
  sendSyn(sk);
  return 'EINPROGRESS';
}

function choosePort(sk: TcpSock): Result<number> {
  // After a connection that ended localPort still tells of it; what counts is whether the port is ours (inet_num).
  if (sk.bucket !== undefined) return tupleFree(sk, sk.localPort, true) ? sk.localPort : 'EADDRNOTAVAIL';
  const port = connectPort(sk);
  if (port === undefined) return 'EADDRNOTAVAIL';
  sk.localPort = port;
  sk.tcp.bindTo(sk, port, true);
  return port;
}
