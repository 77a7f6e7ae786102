/**
 * The socket that ping speaks through: ICMP datagram (net.ipv4.ping_group_range lets everybody), raw where the kernel has
 * no such socket. Errors come from the socket's error queue (IP_RECVERR), as with iputils.
 */
import type { Ipv4 } from '../header/address.ts';
import { finish, sumBytes } from '../header/checksum.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import type { Errno } from '../net/errno.ts';
import { SyscallError } from '../net/errno.ts';
import { ERROR_ORIGIN, MSG, type ReceivedMessage } from '../net/sock.ts';
import type { Fd, Syscalls } from '../net/syscalls.ts';
import { errnoOf } from './failure.ts';
import { type PingOptions, STAMP_SIZE } from './ping-options.ts';

/** The longest packet and a little. */
const BUFFER_SIZE = 65_600;
/** A flood must not keep the program in the kernel for ever. */
const EVENTS_PER_WAKE_MAX = 1_000;
/** IP_PMTUDISC_ values. */
const PMTU_MODES = { dont: 0, want: 1, do: 2 } as const;

export type PingEvent =
  | {
      readonly kind: 'reply';
      readonly sequence: number;
      readonly from: Ipv4;
      readonly ttl: number;
      /** ICMP header and data. */
      readonly size: number;
      /** Lab time at which it was sent, as its data say; undefined when there is no room for it. */
      readonly sentAt: number | undefined;
      readonly receivedAt: number;
      readonly corrupted: boolean;
    }
  | {
      readonly kind: 'error';
      readonly sequence: number;
      readonly from: Ipv4;
      readonly type: number;
      readonly code: number;
      readonly info: number;
    }
  | { readonly kind: 'local'; readonly errno: Errno | undefined; readonly info: number };

export class PingSocket {
  readonly fd: Fd;
  readonly ident: number;
  private readonly sys: Syscalls;
  private readonly raw: boolean;
  private readonly target: Ipv4;
  private readonly packet: Uint8Array;
  private readonly view: DataView;
  private readonly buffer = new Uint8Array(BUFFER_SIZE);
  private readonly bufferView: DataView;

  constructor(sys: Syscalls, options: PingOptions, target: Ipv4) {
    this.sys = sys;
    this.target = target;
    const { fd, raw } = openIcmp(sys);
    this.fd = fd;
    this.raw = raw;
    this.ident = raw ? sys.getpid() & 0xffff : 0;
    this.packet = new Uint8Array(ICMP.SIZE + options.size);
    this.view = new DataView(this.packet.buffer);
    this.bufferView = new DataView(this.buffer.buffer);
    this.fillData(options);
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1);
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVTTL', 1);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMP', 1);
    if (options.ttl !== undefined) sys.setsockopt(fd, 'SOL_IP', 'IP_TTL', options.ttl);
    if (options.tos !== 0) sys.setsockopt(fd, 'SOL_IP', 'IP_TOS', options.tos);
    if (options.broadcast) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BROADCAST', 1);
    if (options.pathMtu !== undefined) sys.setsockopt(fd, 'SOL_IP', 'IP_MTU_DISCOVER', PMTU_MODES[options.pathMtu]);
  }

  /** -I: by interface or from an address. */
  bindTo(ifindex: number | undefined, source: Ipv4 | undefined): void {
    if (ifindex !== undefined) this.sys.setsockopt(this.fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', ifindex);
    if (source !== undefined) this.sys.bind(this.fd, { address: source, port: 0 });
  }

  private fillData(options: PingOptions): void {
    const { pattern } = options;
    for (let at = 0; at < options.size; at++) {
      this.packet[ICMP.SIZE + at] = pattern === undefined ? at & 255 : (pattern[at % pattern.length] ?? 0);
    }
  }

  /** Throws the errno. */
  async send(sequence: number): Promise<void> {
    const { view, packet } = this;
    view.setUint8(ICMP.TYPE, ICMP_TYPE.ECHO_REQUEST);
    view.setUint8(ICMP.CODE, 0);
    view.setUint16(ICMP.ID, this.ident);
    view.setUint16(ICMP.SEQUENCE, sequence);
    if (packet.length >= ICMP.SIZE + STAMP_SIZE) {
      const now = this.sys.clockGettime();
      view.setBigUint64(ICMP.SIZE, BigInt(Math.floor(now / 1_000_000)), true);
      view.setBigUint64(ICMP.SIZE + 8, BigInt(now % 1_000_000), true);
    }
    view.setUint16(ICMP.CHECKSUM, 0);
    view.setUint16(ICMP.CHECKSUM, finish(sumBytes(packet, 0, packet.length)));
    await this.sys.send(this.fd, packet, { to: { address: this.target, port: 0 } });
  }

  /** Everything that has come: errors first. */
  events(): PingEvent[] {
    const events: PingEvent[] = [];
    while (events.length < EVENTS_PER_WAKE_MAX) {
      const before = events.length;
      this.takeErrors(events);
      this.takeReplies(events);
      if (events.length === before) break;
    }
    return events;
  }

  takeErrors(events: PingEvent[]): void {
    while (events.length < EVENTS_PER_WAKE_MAX) {
      const message = this.tryReceive(MSG.ERRQUEUE);
      if (message === undefined) return;
      const error = message.extendedError;
      if (error === undefined) continue;
      if (error.origin === ERROR_ORIGIN.LOCAL) {
        events.push({ kind: 'local', errno: error.errno, info: error.info });
        continue;
      }
      const { type, code, info, offender } = error;
      if (message.length < ICMP.SIZE || !this.isOurs(0, ICMP_TYPE.ECHO_REQUEST)) continue;
      events.push({
        kind: 'error',
        sequence: this.bufferView.getUint16(ICMP.SEQUENCE),
        from: offender,
        type,
        code,
        info,
      });
    }
  }

  private takeReplies(events: PingEvent[]): void {
    while (events.length < EVENTS_PER_WAKE_MAX) {
      const message = this.tryReceive(0);
      if (message === undefined) return;
      const reply = this.parseReply(message);
      if (reply !== undefined) events.push(reply);
    }
  }

  private parseReply(message: ReceivedMessage): PingEvent | undefined {
    const at = this.raw ? ipv4HeaderLength(this.bufferView, 0) : 0;
    const size = message.length - at;
    if (size < ICMP.SIZE || !this.isOurs(at, ICMP_TYPE.ECHO_REPLY)) return undefined;
    const hasTime = this.packet.length >= ICMP.SIZE + STAMP_SIZE && size >= ICMP.SIZE + STAMP_SIZE;
    const data = at + ICMP.SIZE;
    const sentAt = hasTime
      ? Number(this.bufferView.getBigUint64(data, true)) * 1_000_000 +
        Number(this.bufferView.getBigUint64(data + 8, true))
      : undefined;
    return {
      kind: 'reply',
      sequence: this.bufferView.getUint16(at + ICMP.SEQUENCE),
      from: message.from?.address ?? this.target,
      ttl: message.ttl ?? (this.raw ? this.bufferView.getUint8(8) : 0),
      size,
      sentAt,
      receivedAt: message.timestamp ?? this.sys.clockGettime(),
      corrupted: this.raw && finish(sumBytes(this.buffer, at, message.length)) !== 0,
    };
  }

  /** A datagram socket is only ever given its own; a raw one sees every echo of the host. */
  private isOurs(at: number, type: number): boolean {
    if (this.bufferView.getUint8(at + ICMP.TYPE) !== type) return false;
    return !this.raw || this.bufferView.getUint16(at + ICMP.ID) === this.ident;
  }

  /** A pending error is not for here: it stands in the error queue as well. */
  private tryReceive(flags: number): ReceivedMessage | undefined {
    try {
      return this.sys.tryRecv(this.fd, this.buffer, flags);
    } catch (error) {
      errnoOf(error);
      return undefined;
    }
  }
}

function openIcmp(sys: Syscalls): { fd: Fd; raw: boolean } {
  try {
    return { fd: sys.socket('inet', 'dgram', PROTOCOL.ICMP), raw: false };
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return { fd: sys.socket('inet', 'raw', PROTOCOL.ICMP), raw: true };
  }
}
