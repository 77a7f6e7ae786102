/** One probe of traceroute, and how the three methods send it and know the answer to it again. */
import type { Ipv4 } from '../header/address.ts';
import { finish, pseudoHeaderSum, sumBytes } from '../header/checksum.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, TCP_OPTION } from '../header/tcp.ts';
import { ERROR_ORIGIN, MSG, type ReceivedMessage } from '../net/sock.ts';
import type { Fd, Syscalls } from '../net/syscalls.ts';
import type { Micros } from '../platform.ts';
import { errnoOf } from './failure.ts';
import type { TraceOptions } from './traceroute-options.ts';

const IP_HEADER = 20;
const UDP_HEADER = 8;
/** Where probes go by default: nobody listens there (LBL's traceroute). */
const UDP_PORT = 33_434;
const TCP_PORT = 80;
/** SYN with MSS, SACK permitted, timestamps and window scale fills the default packet of 60 octets. */
const TCP_HEADER = 40;
const BUFFER_SIZE = 65_600;
const MESSAGES_PER_WAKE_MAX = 64;
const PMTU_DO = 2;
const PMTU_DONT = 0;

export interface Probe {
  readonly index: number;
  readonly ttl: number;
  fd: Fd | undefined;
  sentAt: Micros | undefined;
  receivedAt: Micros | undefined;
  from: Ipv4 | undefined;
  /** `!H` and its like. */
  note: string;
  done: boolean;
  /** No hop after this one. */
  final: boolean;
}

export interface Route {
  readonly sys: Syscalls;
  readonly options: TraceOptions;
  readonly target: Ipv4;
  readonly source: Ipv4;
  readonly probes: readonly Probe[];
  readonly ifindex: number | undefined;
}

export interface Method {
  send(probe: Probe): Promise<void>;
  /** Descriptors to wait on: of what comes for a probe that is done nobody takes notice. */
  descriptors(): Fd[];
  /** Take what has come for any probe. */
  receive(): void;
  /** The probe has been given up or answered. */
  end(probe: Probe): void;
}

export function traceMethod(route: Route): Method {
  switch (route.options.method) {
    case 'default':
      return new UdpMethod(route);
    case 'icmp':
      return new IcmpMethod(route);
    case 'tcp':
      return new TcpMethod(route);
  }
}

function prepare(route: Route, fd: Fd): void {
  const { sys, options } = route;
  sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1);
  sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMP', 1);
  sys.setsockopt(fd, 'SOL_IP', 'IP_MTU_DISCOVER', options.dontFragment ? PMTU_DO : PMTU_DONT);
  if (options.tos !== 0) sys.setsockopt(fd, 'SOL_IP', 'IP_TOS', options.tos);
  if (route.ifindex !== undefined) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', route.ifindex);
}

/** parse_icmp_res(): what an ICMP error means for a trace. */
export function noteOf(type: number, code: number, info: number): { note: string; final: boolean } {
  if (type === ICMP_TYPE.TIME_EXCEEDED && code === 0) return { note: '', final: false };
  if (type !== ICMP_TYPE.UNREACHABLE) return { note: `!<${type}-${code}>`, final: true };
  switch (code) {
    case 0:
    case 6:
    case 8:
    case 11:
      return { note: '!N', final: true };
    case 1:
    case 7:
    case 12:
      return { note: '!H', final: true };
    case 9:
    case 10:
    case 13:
      return { note: '!X', final: true };
    case 3:
      return { note: '', final: true };
    case 2:
      return { note: '!P', final: true };
    case 4:
      return { note: `!F-${info}`, final: true };
    case 5:
      return { note: '!S', final: true };
    case 14:
      return { note: '!V', final: true };
    case 15:
      return { note: '!C', final: true };
    default:
      return { note: `!<${code}>`, final: true };
  }
}

abstract class Receiver {
  protected readonly route: Route;
  protected readonly buffer = new Uint8Array(BUFFER_SIZE);
  protected readonly view: DataView;

  constructor(route: Route) {
    this.route = route;
    this.view = new DataView(this.buffer.buffer);
  }

  abstract receive(): void;

  /**
   * Send by a socket that all probes share. It may first report what an earlier probe met: that is read, and it is tried
   * again (do_send() of traceroute leaves it to the error queue, too).
   */
  protected async transmit(probe: Probe, fd: Fd, bytes: Uint8Array): Promise<void> {
    const to = { address: this.route.target, port: 0 };
    try {
      await this.route.sys.send(fd, bytes, { to });
    } catch (error) {
      errnoOf(error);
      this.receive();
      if (!probe.done) await this.route.sys.send(fd, bytes, { to });
    }
  }

  protected next(fd: Fd, flags: number): ReceivedMessage | undefined {
    try {
      return this.route.sys.tryRecv(fd, this.buffer, flags);
    } catch (error) {
      errnoOf(error);
      return undefined;
    }
  }

  /** A local EMSGSIZE has no router behind it: the place of the address shows `*`. */
  protected failed(probe: Probe, message: ReceivedMessage): void {
    const error = message.extendedError;
    if (error === undefined || probe.done) return;
    const local = error.origin === ERROR_ORIGIN.LOCAL;
    const { note, final } = local
      ? { note: error.errno === 'EMSGSIZE' ? `!F-${error.info}` : '', final: true }
      : noteOf(error.type, error.code, error.info);
    probe.from = local ? undefined : error.offender;
    this.answered(probe, message, note, final);
  }

  protected answered(probe: Probe, message: ReceivedMessage | undefined, note: string, final: boolean): void {
    if (probe.done) return;
    probe.receivedAt = message?.timestamp ?? this.route.sys.clockGettime();
    probe.note = note;
    probe.final = final;
    probe.done = true;
  }
}

/** A socket for each probe, connected to a port of its own, so that the error queue says whose answer it is. */
class UdpMethod extends Receiver implements Method {
  private readonly data: Uint8Array;

  constructor(route: Route) {
    super(route);
    const size = Math.max(0, route.options.packetBytes - IP_HEADER - UDP_HEADER);
    this.data = Uint8Array.from({ length: size }, (_, at) => (0x40 + (at & 0x3f)) & 0xff);
  }

  async send(probe: Probe): Promise<void> {
    const { sys, options, target, source } = this.route;
    const fd = sys.socket('inet', 'dgram');
    probe.fd = fd;
    prepare(this.route, fd);
    sys.setsockopt(fd, 'SOL_IP', 'IP_TTL', probe.ttl);
    if (options.source !== undefined) sys.bind(fd, { address: source, port: 0 });
    await sys.connect(fd, { address: target, port: ((options.port ?? UDP_PORT) + probe.index) % 65_536 });
    probe.sentAt = sys.clockGettime();
    try {
      await sys.send(fd, this.data);
    } catch (error) {
      errnoOf(error);
      this.receiveFor(probe);
      if (!probe.done) throw error;
    }
  }

  descriptors(): Fd[] {
    return this.route.probes.flatMap(({ fd, done }) => (fd === undefined || done ? [] : [fd]));
  }

  receive(): void {
    for (const probe of this.route.probes) if (probe.fd !== undefined) this.receiveFor(probe);
  }

  private receiveFor(probe: Probe): void {
    const { fd } = probe;
    if (fd === undefined) return;
    const error = this.next(fd, MSG.ERRQUEUE);
    if (error !== undefined) this.failed(probe, error);
    const reply = probe.done ? undefined : this.next(fd, 0);
    if (reply === undefined) return;
    probe.from = reply.from?.address ?? this.route.target;
    this.answered(probe, reply, '', true);
  }

  end(probe: Probe): void {
    if (probe.fd === undefined) return;
    this.route.sys.close(probe.fd);
    probe.fd = undefined;
  }
}

/** Echo requests on one datagram socket; the sequence number says which probe. */
class IcmpMethod extends Receiver implements Method {
  private readonly fd: Fd;
  private readonly packet: Uint8Array;
  private readonly first: number;

  constructor(route: Route) {
    super(route);
    this.fd = route.sys.socket('inet', 'dgram', PROTOCOL.ICMP);
    prepare(route, this.fd);
    if (route.options.source !== undefined) route.sys.bind(this.fd, { address: route.source, port: 0 });
    this.packet = new Uint8Array(Math.max(ICMP.SIZE, route.options.packetBytes - IP_HEADER));
    for (let at = ICMP.SIZE; at < this.packet.length; at++) this.packet[at] = 0x40 + (at & 0x3f);
    this.first = route.options.port ?? 1;
  }

  async send(probe: Probe): Promise<void> {
    const { sys } = this.route;
    const view = new DataView(this.packet.buffer);
    view.setUint8(ICMP.TYPE, ICMP_TYPE.ECHO_REQUEST);
    view.setUint16(ICMP.SEQUENCE, (this.first + probe.index) & 0xffff);
    view.setUint16(ICMP.CHECKSUM, 0);
    view.setUint16(ICMP.CHECKSUM, finish(sumBytes(this.packet, 0, this.packet.length)));
    sys.setsockopt(this.fd, 'SOL_IP', 'IP_TTL', probe.ttl);
    probe.sentAt = sys.clockGettime();
    await this.transmit(probe, this.fd, this.packet);
  }

  descriptors(): Fd[] {
    return [this.fd];
  }

  receive(): void {
    for (let i = 0; i < MESSAGES_PER_WAKE_MAX; i++) {
      const error = this.next(this.fd, MSG.ERRQUEUE);
      const message = error ?? this.next(this.fd, 0);
      if (message === undefined) return;
      const probe = message.length < ICMP.SIZE ? undefined : this.probeOf(this.view.getUint16(ICMP.SEQUENCE));
      if (probe === undefined) continue;
      if (error !== undefined) this.failed(probe, error);
      else if (this.view.getUint8(ICMP.TYPE) === ICMP_TYPE.ECHO_REPLY && !probe.done) {
        probe.from = message.from?.address ?? this.route.target;
        this.answered(probe, message, '', true);
      }
    }
  }

  private probeOf(sequence: number): Probe | undefined {
    return this.route.probes[(sequence - this.first) & 0xffff];
  }

  end(): void {}
}

/** Half-open: a SYN made by hand on a raw socket; whatever TCP answers shows that the target is reached. */
class TcpMethod extends Receiver implements Method {
  private readonly fd: Fd;
  private readonly port: number;
  private readonly sourcePort: number;
  private readonly firstSequence: number;

  constructor(route: Route) {
    super(route);
    const { sys } = route;
    this.fd = sys.socket('inet', 'raw', PROTOCOL.TCP);
    prepare(route, this.fd);
    if (route.options.source !== undefined) sys.bind(this.fd, { address: route.source, port: 0 });
    this.port = route.options.port ?? TCP_PORT;
    this.sourcePort = 32_768 + (sys.getrandom() % 28_232);
    this.firstSequence = sys.getrandom() >>> 0;
  }

  async send(probe: Probe): Promise<void> {
    const { sys } = this.route;
    sys.setsockopt(this.fd, 'SOL_IP', 'IP_TTL', probe.ttl);
    probe.sentAt = sys.clockGettime();
    await this.transmit(probe, this.fd, this.segment(probe));
  }

  private sequenceOf(probe: Probe): number {
    return (this.firstSequence + probe.index) >>> 0;
  }

  private segment(probe: Probe): Uint8Array {
    const bytes = new Uint8Array(TCP_HEADER);
    const view = new DataView(bytes.buffer);
    view.setUint16(TCP.SOURCE_PORT, this.sourcePort);
    view.setUint16(TCP.TARGET_PORT, this.port);
    view.setUint32(TCP.SEQUENCE, this.sequenceOf(probe));
    view.setUint8(TCP.OFFSET, (TCP_HEADER / 4) << 4);
    view.setUint8(TCP.FLAGS, TCP_FLAG.SYN);
    view.setUint16(TCP.WINDOW, 5_840);
    const stamp = Math.floor(this.route.sys.clockGettime() / 1_000) >>> 0;
    bytes.set([TCP_OPTION.MSS, 4, 0x05, 0xb4, TCP_OPTION.SACK_PERMITTED, 2, TCP_OPTION.TIMESTAMPS, 10], TCP.SIZE);
    view.setUint32(TCP.SIZE + 8, stamp);
    bytes.set([TCP_OPTION.NOP, TCP_OPTION.WINDOW_SCALE, 3, 2], TCP.SIZE + 16);
    const pseudo = pseudoHeaderSum(this.route.source, this.route.target, PROTOCOL.TCP, TCP_HEADER);
    view.setUint16(TCP.CHECKSUM, finish(sumBytes(bytes, 0, TCP_HEADER, pseudo)));
    return bytes;
  }

  descriptors(): Fd[] {
    return [this.fd];
  }

  receive(): void {
    for (let i = 0; i < MESSAGES_PER_WAKE_MAX; i++) {
      const error = this.next(this.fd, MSG.ERRQUEUE);
      const message = error ?? this.next(this.fd, 0);
      if (message === undefined) return;
      if (error !== undefined) this.takeError(error);
      else this.takeReply(message);
    }
  }

  /** The quoted octets start at the TCP header: ports and sequence number are in the eight that RFC 792 grants. */
  private takeError(message: ReceivedMessage): void {
    if (message.length < 8 || this.view.getUint16(TCP.SOURCE_PORT) !== this.sourcePort) return;
    const probe = this.probeOf(this.view.getUint32(TCP.SEQUENCE));
    if (probe !== undefined) this.failed(probe, message);
  }

  private takeReply(message: ReceivedMessage): void {
    const at = ipv4HeaderLength(this.view, 0);
    if (message.length < at + TCP.SIZE) return;
    const ports =
      this.view.getUint16(at + TCP.SOURCE_PORT) === this.port &&
      this.view.getUint16(at + TCP.TARGET_PORT) === this.sourcePort;
    const probe = ports ? this.probeOf((this.view.getUint32(at + TCP.ACKNOWLEDGEMENT) - 1) >>> 0) : undefined;
    if (probe === undefined || probe.done || message.from?.address !== this.route.target) return;
    probe.from = message.from.address;
    this.answered(probe, message, '', true);
  }

  private probeOf(sequence: number): Probe | undefined {
    return this.route.probes[(sequence - this.firstSequence) >>> 0];
  }

  end(): void {}
}
