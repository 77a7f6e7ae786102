/**
 * Which UDP socket a port and an address belong to (Linux: struct udp_table, udp_lib_get_port, __udp4_lib_lookup).
 * By port, then the best match: the more of a socket's own addresses, ports and device a packet meets, the better.
 */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { DatagramSock } from './datagram.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import { portRangeOf, ReservedPorts } from './local-ports.ts';
import type { SockAddress } from './sock.ts';

/** net.ipv4.ip_local_port_range, when nobody has set it. */
const PORT_FIRST = 32_768;
const PORT_LAST = 60_999;
/** Sockets of one host, over all ports. */
const SOCKETS_MAX = 65_536;

export class UdpSock extends DatagramSock {
  /** UDP_CORK: what is sent waits until it is taken out. */
  corking = false;
  /** Where the datagram in the making goes: the first part says so. */
  corkedTo: SockAddress | undefined = undefined;
}

/** A packet as the table sees it. */
export interface UdpTuple {
  readonly source: Ipv4;
  readonly sourcePort: number;
  readonly target: Ipv4;
  readonly targetPort: number;
  readonly ifindex: number;
}

export class UdpTable {
  private readonly host: Host;
  private readonly ports: Map<number, UdpSock[]> = new Map();
  private count = 0;

  constructor(host: Host) {
    this.host = host;
  }

  /** Bind to `port`, or to a free one for 0. The sock's address is set already. */
  bind(sk: UdpSock, port: number): Errno | undefined {
    if (this.count >= SOCKETS_MAX) return 'EAGAIN';
    const chosen = port === 0 ? this.freePort(sk) : port;
    if (chosen === undefined) return 'EADDRINUSE';
    if (port !== 0 && this.inUse(sk, port)) return 'EADDRINUSE';
    sk.localPort = chosen;
    const socks = this.ports.get(chosen);
    // The latest is asked first, and of equals the first wins.
    if (socks === undefined) this.ports.set(chosen, [sk]);
    else socks.unshift(sk);
    this.count++;
    return undefined;
  }

  unbind(sk: UdpSock): void {
    const socks = this.ports.get(sk.localPort);
    const at = socks?.indexOf(sk) ?? -1;
    if (socks === undefined || at < 0) return;
    socks.splice(at, 1);
    this.count--;
    if (socks.length === 0) this.ports.delete(sk.localPort);
    sk.localPort = 0;
  }

  /** The socket that a packet is for. (Linux: udp4_lib_lookup2) */
  lookup(tuple: UdpTuple): UdpSock | undefined {
    const socks = this.ports.get(tuple.targetPort);
    if (socks === undefined) return undefined;
    let best: UdpSock | undefined;
    let bestScore = -1;
    let group = 0;
    for (const sk of socks) {
      const score = scoreOf(sk, tuple);
      if (score > bestScore) {
        best = sk;
        bestScore = score;
        group = 1;
      } else if (score === bestScore && score >= 0 && sk.reusePort && best?.reusePort) {
        group++;
      }
    }
    return group > 1 ? this.chooseOfGroup(socks, tuple, bestScore, group) : best;
  }

  /** Every socket that a broadcast or multicast packet is for. (Linux: __udp4_lib_mcast_deliver) */
  matching(tuple: UdpTuple): UdpSock[] {
    return (this.ports.get(tuple.targetPort) ?? []).filter((sk) => scoreOf(sk, tuple) >= 0);
  }

  list(): UdpSock[] {
    return [...this.ports.keys()].sort((a, b) => a - b).flatMap((port) => this.ports.get(port) ?? []);
  }

  /** SO_REUSEPORT: the same flow always meets the same socket (reuseport_select_sock). */
  private chooseOfGroup(socks: UdpSock[], tuple: UdpTuple, score: number, group: number): UdpSock | undefined {
    const { source, sourcePort, target, targetPort } = tuple;
    let skip = this.host.platform.hash([0, 0], source, sourcePort, target, targetPort) % group;
    return socks.find((sk) => sk.reusePort && scoreOf(sk, tuple) === score && skip-- === 0);
  }

  /** Linux: inet_rcv_saddr_equal and the reuse rules of udp_lib_lport_inuse. */
  private inUse(sk: UdpSock, port: number): boolean {
    for (const other of this.ports.get(port) ?? []) {
      if (other === sk) continue;
      if (other.boundIfindex !== 0 && sk.boundIfindex !== 0 && other.boundIfindex !== sk.boundIfindex) continue;
      const overlap =
        other.localAddress === sk.localAddress || other.localAddress === IPV4_ANY || sk.localAddress === IPV4_ANY;
      if (!overlap) continue;
      if (other.reuseAddress && sk.reuseAddress) continue;
      if (other.reusePort && sk.reusePort) continue;
      return true;
    }
    return false;
  }

  /** From a random place on, the first that is free. */
  private freePort(sk: UdpSock): number | undefined {
    const [lowest = PORT_FIRST, highest = PORT_LAST] = portRange(this.host);
    const { low: first, high: last } = portRangeOf(sk, lowest, highest);
    const reserved = new ReservedPorts();
    reserved.write(this.host.sysctl.getText('net.ipv4.ip_local_reserved_ports') ?? '');
    const size = last - first + 1;
    const start = this.host.random.below(size);
    for (let i = 0; i < size; i++) {
      const port = first + ((start + i) % size);
      if (!reserved.has(port) && !this.inUse(sk, port)) return port;
    }
    return undefined;
  }
}

function portRange(host: Host): number[] {
  const text = host.sysctl.getText('net.ipv4.ip_local_port_range');
  const range = (text ?? '').split(/\s+/).map(Number);
  return range.length === 2 && range.every((n) => n > 0 && n < 65_536) ? range : [];
}

/** How well a packet fits a socket; -1: not at all. (Linux: compute_score) */
function scoreOf(sk: UdpSock, tuple: UdpTuple): number {
  let score = 2;
  if (sk.localAddress !== IPV4_ANY) {
    if (sk.localAddress !== tuple.target) return -1;
    score += 4;
  }
  if (sk.connected) {
    if (sk.remoteAddress !== tuple.source || sk.remotePort !== tuple.sourcePort) return -1;
    score += 8;
  }
  if (sk.boundIfindex !== 0) {
    if (sk.boundIfindex !== tuple.ifindex) return -1;
    score += 4;
  }
  return score;
}
