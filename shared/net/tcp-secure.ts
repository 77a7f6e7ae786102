/** Numbers that an outsider cannot guess: initial sequence numbers (RFC 6528), timestamp offsets (RFC 7323 §5.4), ports. */
import type { Ipv4 } from '../header/address.ts';
import type { Tcp } from './tcp-host.ts';
import type { FourTuple } from './tcp-sock.ts';

/** A hash of the four numbers, and a clock of 64 ns a step (secure_tcp_seq). */
export function secureIsn(tcp: Tcp, ends: FourTuple): number {
  const { platform, clock } = tcp.host;
  const ports = ((ends.localPort << 16) | ends.remotePort) >>> 0;
  const hash = platform.hash(tcp.isnKey, ends.localAddress, ends.remoteAddress, ports);
  // 1000 ns a microsecond over 64: 15.625 steps.
  return (hash + (Math.floor(clock.now() * 15.625) % 0x1_0000_0000)) >>> 0;
}

/**
 * What a connection's timestamps are off the clock by: per connection, so that a server's clock is not told; a port used
 * again between the same ends goes on where it was (RFC 6191). With `wirelab.ts_offset` = pair per pair of addresses, as
 * the kernels did that fingerprint databases know; with tcp_timestamps = 2 nothing. (Linux: secure_tcp_ts_off)
 */
export function secureTsOffset(tcp: Tcp, ends: FourTuple): number {
  const { timestamps, tsOffset } = tcp.sysctl;
  if (timestamps.value !== 1) return 0;
  const { localAddress, remoteAddress, localPort, remotePort } = ends;
  const ports = tsOffset.value === 'pair' ? 0 : ((localPort << 16) | remotePort) >>> 0;
  return tcp.host.platform.hash(tcp.tsKey, localAddress, remoteAddress, ports) >>> 0;
}

/** Where the search for an ephemeral port begins (secure_ipv4_port_ephemeral). */
export function securePortOffset(
  tcp: Tcp,
  ends: { localAddress: Ipv4; remoteAddress: Ipv4; remotePort: number },
): number {
  return tcp.host.platform.hash(tcp.portKey, ends.localAddress, ends.remoteAddress, ends.remotePort) >>> 0;
}
