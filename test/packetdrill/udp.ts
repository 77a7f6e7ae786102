/** `> udp (1000)` and `< udp (1000)`: datagrams of the socket under test, with payloads of zeros. Checksums are checked. */
import { finish, fold, pseudoHeaderSum, sumBytes } from '../../shared/header/checksum.ts';
import { emitIpv4, IPV4, IPV4_DF, ipv4HeaderLength, PROTOCOL } from '../../shared/header/ipv4.ts';
import { UDP } from '../../shared/header/udp.ts';
import type { Fd, Syscalls } from '../../shared/net/syscalls.ts';
import type { Micros } from '../../shared/platform.ts';
import type { Ends } from './calls.ts';
import { Flow } from './flow.ts';
import { Mismatch, ParseError, type UdpLine } from './script.ts';
import { ipFieldsOf } from './tcp-packet.ts';
import type { SentPacket } from './tun.ts';

const TTL = 64;

export interface Datagram {
  readonly at: Micros;
  readonly tos: number;
  readonly ttl: number;
  readonly length: number;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly fault: string | undefined;
}

/** Undefined for what is not UDP. */
export function readDatagram({ at, bytes }: SentPacket): Datagram | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint8(IPV4.PROTOCOL) !== PROTOCOL.UDP) return undefined;
  const th = ipv4HeaderLength(view, 0);
  return {
    at,
    tos: view.getUint8(IPV4.TOS),
    ttl: view.getUint8(IPV4.TTL),
    length: bytes.length - th - UDP.SIZE,
    sourcePort: view.getUint16(th + UDP.SOURCE_PORT),
    targetPort: view.getUint16(th + UDP.TARGET_PORT),
    fault: faultOf(bytes, view, th),
  };
}

function faultOf(bytes: Uint8Array, view: DataView, th: number): string | undefined {
  if (view.getUint16(IPV4.TOTAL_LENGTH) !== bytes.length) return `total length ${bytes.length}`;
  if (fold(sumBytes(bytes, 0, th)) !== 0xffff) return 'a sound IP checksum';
  if (view.getUint16(th + UDP.LENGTH) !== bytes.length - th) return `UDP length ${bytes.length - th}`;
  const pseudo = pseudoHeaderSum(view.getUint32(IPV4.SOURCE), view.getUint32(IPV4.TARGET), 17, bytes.length - th);
  if (fold(sumBytes(bytes, th, bytes.length) + pseudo) !== 0xffff) return 'a sound UDP checksum';
  return bytes.subarray(th + UDP.SIZE).some((octet) => octet !== 0) ? 'a payload of zeros' : undefined;
}

/** Throws Mismatch naming the first field that differs. */
export function compareDatagram(sent: Datagram, want: UdpLine, flow: Flow): void {
  const differ = (field: string, expected: unknown, got: unknown): void => {
    if (expected === got) return;
    throw new Mismatch(`${field}: expected ${String(expected)}, got ${String(got)}; sent udp (${sent.length})`);
  };
  if (sent.fault !== undefined) throw new Mismatch(`expected ${sent.fault}; sent udp (${sent.length})`);
  differ('payload length', want.length, sent.length);
  differ('target port', flow.remotePort, sent.targetPort);
  const { ecn, tos, ttl } = ipFieldsOf(want.ip);
  if (typeof ecn === 'number') differ('ECN field', ecn, sent.tos & 3);
  if (tos !== undefined) differ('TOS', tos, sent.tos);
  if (ttl !== undefined) differ('TTL', ttl, sent.ttl);
}

/** A datagram of the peer's. */
export function buildDatagram(line: UdpLine, flow: Flow): Uint8Array {
  const size = UDP.SIZE + line.length;
  const bytes = new Uint8Array(IPV4.SIZE + size);
  const view = new DataView(bytes.buffer);
  const { ecn, tos, ttl } = ipFieldsOf(line.ip);
  emitIpv4(bytes, view, 0, {
    tos: tos ?? (typeof ecn === 'number' ? ecn : 0),
    totalLength: bytes.length,
    id: 0,
    fragment: IPV4_DF,
    ttl: ttl ?? TTL,
    protocol: PROTOCOL.UDP,
    source: flow.remoteAddress,
    target: flow.localAddress,
  });
  const at = IPV4.SIZE;
  view.setUint16(at + UDP.SOURCE_PORT, flow.remotePort);
  view.setUint16(at + UDP.TARGET_PORT, flow.localPort);
  view.setUint16(at + UDP.LENGTH, size);
  const sum = finish(
    sumBytes(bytes, at, bytes.length) + pseudoHeaderSum(flow.remoteAddress, flow.localAddress, 17, size),
  );
  view.setUint16(at + UDP.CHECKSUM, sum === 0 ? 0xffff : sum);
  return bytes;
}

/** The datagrams of the socket under test. */
export class Datagrams {
  /** The newest socket for datagrams. */
  fd: Fd | undefined = undefined;
  private readonly sys: Syscalls;
  private readonly sent: SentPacket[];
  private readonly ends: Ends;

  constructor(sys: Syscalls, sent: SentPacket[], ends: Ends) {
    this.sys = sys;
    this.sent = sent;
    this.ends = ends;
  }

  /** Its port as it is now, and the peer's. */
  flow(): Flow {
    if (this.fd === undefined) throw new ParseError('a datagram before there is a socket for it');
    const { local: localAddress, remote: remoteAddress } = this.ends;
    return new Flow({
      localAddress,
      localPort: this.sys.getsockname(this.fd).port,
      remoteAddress,
      remotePort: this.ends.connectPort,
    });
  }

  /** The next that it sent; what others sent is passed over. */
  next(): Datagram | undefined {
    const { localPort } = this.flow();
    for (let packet = this.sent[0]; packet !== undefined; packet = this.sent[0]) {
      const datagram = readDatagram(packet);
      if (datagram?.sourcePort === localPort) return datagram;
      this.sent.shift();
    }
    return undefined;
  }

  take(): Datagram | undefined {
    const datagram = this.next();
    if (datagram !== undefined) this.sent.shift();
    return datagram;
  }
}
