/**
 * Which local ports are handed out: the host's range, a socket's own part of it (IP_LOCAL_PORT_RANGE), and those that are
 * kept back for programs that ask for them by number (net.ipv4.ip_local_reserved_ports; Linux: proc_do_large_bitmap).
 */
import type { Errno } from './errno.ts';
import type { Sock } from './sock.ts';
import type { SysctlEntry } from './sysctl.ts';

const PORT_MAX = 65_535;

/** `8080,9000-9010` as pairs; undefined for text that is none. */
function parseRanges(text: string): (readonly [number, number])[] | undefined {
  const ranges: (readonly [number, number])[] = [];
  for (const part of text.split(/[,\s]+/).filter((word) => word !== '')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first || last > PORT_MAX) return undefined;
    ranges.push([first, last]);
  }
  return ranges;
}

/** Ports that nobody gets by chance. */
export class ReservedPorts implements SysctlEntry {
  private ranges: readonly (readonly [number, number])[] = [];

  has(port: number): boolean {
    for (const [first, last] of this.ranges) if (port >= first && port <= last) return true;
    return false;
  }

  read(): string {
    return this.ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
  }

  write(text: string): Errno | undefined {
    const ranges = parseRanges(text);
    if (ranges === undefined) return 'EINVAL';
    this.ranges = ranges.sort(([a], [b]) => a - b);
    return undefined;
  }
}

export interface PortRange {
  readonly low: number;
  readonly high: number;
  /** The socket has narrowed it: then parity does not matter. */
  readonly own: boolean;
}

/** The host's range, and what the socket says where that lies inside (inet_sk_get_local_port_range). */
export function portRangeOf(sk: Sock, low: number, high: number): PortRange {
  const own = sk.localPortRange;
  if (own === 0) return { low, high, own: false };
  const [first, last] = [own & 0xffff, own >>> 16];
  const inside = (port: number): boolean => port !== 0 && port >= low && port <= high;
  return { low: inside(first) ? first : low, high: inside(last) ? last : high, own: true };
}
