/**
 * A scripted TCP peer: packets in and out as lines in packetdrill's notation, system calls as method calls between them.
 *
 *   const t = tcpScript();
 *   const listener = t.listen(8080);
 *   t.inbound('S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>');
 *   t.outbound('S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>');
 *
 * Numbers are relative to the initial sequence numbers of the two ends, and timestamps of ours to the first that we sent;
 * outbound packets of one stream are joined until they have the length that the script says. What is not written is not
 * checked: window without `win`, options without `<…>`. The payload is zeros.
 */

import { type Ipv4, type Mac, writeMac } from '../../shared/header/address.ts';
import { finish, pseudoHeaderSum, sumBytes } from '../../shared/header/checksum.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { emitIpv4, IPV4, IPV4_DF, ipv4HeaderLength } from '../../shared/header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../../shared/header/tcp.ts';
import { type Errno, isErrno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { type DeviceOps, type NetDevice, netifCarrier, netifReceive } from '../../shared/net/netdev.ts';
import { makeNetDevice } from '../../shared/net/netdev-registry.ts';
import { HEADROOM, type SkBuff } from '../../shared/net/skbuff.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { tcpInfo } from '../../shared/net/tcp-info.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import { assert, type Micros } from '../../shared/platform.ts';
import { frameSkb, ip } from './cable.ts';
import { cardHost } from './cards.ts';
import { ManualClock } from './clock.ts';
import { ethernetFrame } from './frames.ts';
import { stopsMidFlight } from './mid-flight.ts';
import { auditHost } from './tcp-audit.ts';

const LOCAL = ip('192.168.0.1');
const REMOTE = ip('192.0.2.1');
const GATEWAY = ip('192.168.0.254');
const MAC_PEER = 0x0200_0000_0999 as Mac;
const MAC_OURS = 0x0200_0000_0998 as Mac;
/** What a line may be late by: packetdrill's own default. */
const TOLERANCE: Micros = 4_000;

const LETTERS: Readonly<Record<string, number>> = {
  F: TCP_FLAG.FIN,
  S: TCP_FLAG.SYN,
  R: TCP_FLAG.RST,
  P: TCP_FLAG.PSH,
  '.': TCP_FLAG.ACK,
  U: TCP_FLAG.URG,
  E: TCP_FLAG.ECE,
  W: TCP_FLAG.CWR,
};

interface Line {
  flags: number;
  start: number;
  end: number;
  ack: number | undefined;
  window: number | undefined;
  urgent: number;
  options: string[] | undefined;
}

/** `FP. 1:101(100) ack 1 win 257 urg 5 <nop,nop,TS val 100 ecr 200>` */
export function parseLine(text: string): Line {
  const match = /^([FSRP.UEW]+|-) (\d+):(\d+)\((\d+)\)(?: ack (\d+))?(?: win (\d+))?(?: urg (\d+))?(?: <(.*)>)?$/.exec(
    text.trim().replace(/\s+/g, ' '),
  );
  assert(match !== null, `a packet line: ${text}`);
  const [, letters = '', start, end, length, ack, window, urgent, options] = match;
  assert(Number(end) - Number(start) === Number(length), `length of ${text}`);
  let flags = 0;
  for (const letter of letters) flags |= LETTERS[letter] ?? 0;
  return {
    flags,
    start: Number(start),
    end: Number(end),
    ack: ack === undefined ? undefined : Number(ack),
    window: window === undefined ? undefined : Number(window),
    urgent: Number(urgent ?? 0),
    options: options?.split(',').map((option) => option.trim()),
  };
}

export interface Sent {
  readonly at: Micros;
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly length: number;
  readonly options: DataView;
  readonly text: string;
  readonly targetPort: number;
  readonly sourcePort: number;
  /** Of the IP header. */
  readonly id: number;
}

export interface ScriptOptions {
  /** The peer's first sequence number. */
  readonly peerIsn?: number;
  readonly mtu?: number;
  /** gso_size of what comes in (packetdrill's --mss). */
  readonly mss?: number;
  /** Large packets are cut before we see them (ethtool -K tun0 tso off). */
  readonly tso?: boolean;
  readonly sysctls?: Readonly<Record<string, string>>;
}

export class TcpScript {
  readonly clock = new ManualClock(1_000_000);
  readonly host: Host;
  readonly dev: NetDevice;
  private readonly out: Sent[] = [];
  private ourIsn = 0;
  private theirIsn: number;
  private ourPort = 8_080;
  private peerPort = 51_000;
  private tsBase: number | undefined;
  private tsScript = 0;
  private readonly mss: number;
  /** Lab time at which the script began. */
  readonly began: Micros;
  /** Every frame that leaves, as the device gets it: for what the notation cannot say. */
  onFrame: (frame: Uint8Array) => void = () => {};

  constructor(options: ScriptOptions) {
    this.host = cardHost('dut', this.clock);
    stopsMidFlight(this.host, this.clock);
    this.mss = options.mss ?? 0;
    this.theirIsn = options.peerIsn ?? 0x1234_5678;
    for (const [name, value] of Object.entries(options.sysctls ?? {})) {
      assert(this.host.sysctl.set(name, value) === undefined, `sysctl ${name}`);
    }
    const ops: DeviceOps = {
      startXmit: (skb) => {
        this.take(skb);
        return 'ok';
      },
      open: () => {},
      stop: () => {},
      statistics: () => new Map(),
      describe: () => ({ driver: 'script', speedMbit: 0, rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 }),
    };
    this.dev = makeNetDevice(this.host, {
      name: 'tun0',
      ops,
      mac: MAC_OURS,
      mtu: options.mtu ?? 1_500,
      features: { tso: options.tso ?? true, gso: true, txChecksum: true },
    });
    this.host.devices.register(this.dev);
    this.host.devices.setUp(this.dev, true);
    netifCarrier(this.host, this.dev, true);
    this.host.inet.addAddress(this.dev, LOCAL, { prefix: 24 });
    const netlink = this.host.netlink;
    netlink.ask({ type: 'RTM_NEWNEIGH', address: GATEWAY, dev: 'tun0', mac: MAC_PEER, state: 'PERMANENT' });
    netlink.ask({ type: 'RTM_NEWROUTE', target: ip('0.0.0.0'), prefix: 0, gateway: GATEWAY, dev: 'tun0' });
    this.began = this.clock.now();
  }

  // System calls.

  socket(): TcpSock {
    return tcpProto.create!(this.host, 'stream', 6) as TcpSock;
  }
  listen(port = 8_080, backlog = 1): TcpSock {
    const sk = this.socket();
    sk.reuseAddress = true;
    assert(tcpProto.bind(sk, { address: ip('0.0.0.0'), port }) === undefined, 'bind');
    assert(tcpProto.listen!(sk, backlog) === undefined, 'listen');
    this.ourPort = port;
    return sk;
  }
  accept(listener: TcpSock): TcpSock {
    const child = tcpProto.accept!(listener);
    assert(!isErrno(child), `accept: ${String(child)}`);
    return child as TcpSock;
  }
  /** connect() to the peer; non-blocking. */
  connect(sk: TcpSock = this.socket()): TcpSock {
    const answer = tcpProto.connect(sk, { address: REMOTE, port: this.peerPort });
    assert(answer === 'EINPROGRESS', `connect: ${answer}`);
    this.ourPort = sk.localPort;
    return sk;
  }
  write(sk: TcpSock, length: number, flags = 0): number | Errno {
    return tcpProto.sendmsg(sk, new Uint8Array(length), { flags });
  }
  read(sk: TcpSock, length: number, flags = 0): number | Errno {
    const answer = tcpProto.recvmsg(sk, new Uint8Array(length), flags);
    return isErrno(answer) ? answer : answer.length;
  }
  close(sk: TcpSock): void {
    tcpProto.close(sk);
  }
  shutdown(sk: TcpSock, how: 'read' | 'write' | 'both'): Errno | undefined {
    return tcpProto.shutdown(sk, how);
  }
  /** setsockopt(2) of level TCP. */
  set(sk: TcpSock, name: string, value: number): void {
    assert(tcpProto.setsockopt!(sk, 'SOL_TCP', name, value) === undefined, name);
  }
  info(sk: TcpSock): Record<string, number | string | boolean> {
    return tcpInfo(sk);
  }

  /** A connection that the peer opened, established and accepted. */
  established(options: { syn?: string; synAck?: string; ack?: string; rtt?: number; backlog?: number } = {}): TcpSock {
    const listener = this.listen(8_080, options.backlog ?? 1);
    this.inbound(options.syn ?? 'S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>');
    this.outbound(options.synAck ?? 'S. 0:0(0) ack 1');
    this.wait(options.rtt ?? 0.1);
    this.inbound(options.ack ?? '. 1:1(0) ack 1 win 320');
    const child = this.accept(listener);
    this.close(listener);
    return child;
  }

  // Time.

  /** `+.1` of a script: let seconds pass, then do what follows. */
  wait(seconds: number): void {
    this.clock.advance(Math.round(seconds * 1_000_000));
  }

  // Packets.

  /** A packet from the peer now. */
  inbound(text: string): void {
    this.inboundRaw(text);
  }

  /** The same, with something changed at the last moment, checksum and all; `at` is where the TCP header stands. */
  inboundRaw(text: string, spoil: (view: DataView, at: number) => void = () => {}): void {
    const line = parseLine(text);
    const seq = (this.theirIsn + line.start) >>> 0;
    const ack = (line.flags & TCP_FLAG.ACK) === 0 ? 0 : (this.ourIsn + (line.ack ?? 0)) >>> 0;
    const options = this.emitOptions(line.options ?? []);
    const payload = line.end - line.start;
    const skb = this.packet(TCP.SIZE + options.length + payload);
    const at = skb.data + ETHERNET.SIZE + IPV4.SIZE;
    const { view } = skb;
    view.setUint16(at + TCP.SOURCE_PORT, this.peerPort);
    view.setUint16(at + TCP.TARGET_PORT, this.ourPort);
    view.setUint32(at + TCP.SEQUENCE, seq);
    view.setUint32(at + TCP.ACKNOWLEDGEMENT, ack);
    view.setUint16(at + TCP.OFFSET, (((TCP.SIZE + options.length) / 4) << 12) | line.flags);
    view.setUint16(at + TCP.WINDOW, line.window ?? 0);
    view.setUint16(at + TCP.URGENT, line.urgent);
    skb.bytes.set(options, at + TCP.SIZE);
    const sum = sumBytes(skb.bytes, at, skb.tail) + pseudoHeaderSum(REMOTE, LOCAL, 6, skb.tail - at);
    view.setUint16(at + TCP.CHECKSUM, finish(sum));
    spoil(view, at);
    if (this.mss > 0 && payload > this.mss) {
      skb.gsoSize = this.mss;
      skb.gsoSegments = Math.ceil(payload / this.mss);
    }
    netifReceive(this.host, this.dev, skb);
    this.clock.run(this.clock.now());
    this.audit();
  }

  /** A packet made by hand, from its IPv4 header on. `ends()` tells the numbers that it needs. */
  inboundPacket(packet: Uint8Array, targetMac: Mac = MAC_OURS): void {
    netifReceive(this.host, this.dev, frameSkb(this.host, ethernetFrame(targetMac, MAC_PEER, ETHERTYPE.IPV4, packet)));
    this.clock.run(this.clock.now());
    this.audit();
  }

  /** Addresses, ports and initial sequence numbers, source and target as the peer sees them. */
  ends(): { source: Ipv4; target: Ipv4; sourcePort: number; targetPort: number; theirIsn: number; ourIsn: number } {
    const { peerPort: sourcePort, ourPort: targetPort, theirIsn, ourIsn } = this;
    return { source: REMOTE, target: LOCAL, sourcePort, targetPort, theirIsn, ourIsn };
  }

  /** What comes and goes from here on is another connection's, from the peer's next port. */
  nextPeer(): void {
    this.peerPort++;
    this.theirIsn = (this.theirIsn + 0x100_0000) >>> 0;
    this.tsBase = undefined;
  }

  /** sk_buffs that live. */
  live(): number {
    return this.host.skbs.counters.live;
  }

  /** An ICMP error from the path about a segment of ours that began at `start`. */
  icmp(type: number, code: number, mtu: number, start = 1): void {
    const skb = this.packet(8 + IPV4.SIZE + 8, 1);
    const at = skb.data + ETHERNET.SIZE + IPV4.SIZE;
    skb.view.setUint16(at, (type << 8) | code);
    skb.view.setUint16(at + 6, mtu);
    emitIpv4(skb.bytes, skb.view, at + 8, {
      tos: 0,
      totalLength: 1_500,
      id: 0,
      fragment: IPV4_DF,
      ttl: 64,
      protocol: 6,
      source: LOCAL,
      target: REMOTE,
    });
    skb.view.setUint16(at + 28, this.ourPort);
    skb.view.setUint16(at + 30, this.peerPort);
    skb.view.setUint32(at + 32, (this.ourIsn + start) >>> 0);
    skb.view.setUint16(at + 2, finish(sumBytes(skb.bytes, at, skb.tail)));
    netifReceive(this.host, this.dev, skb);
    this.clock.run(this.clock.now());
    this.audit();
  }

  /** The next packet that we send: now, or `after` seconds from now. */
  outbound(text: string, after = 0): void {
    const due = this.clock.now() + Math.round(after * 1_000_000);
    this.outboundAt(text, due);
  }

  private match(text: string, first: Sent | undefined): void {
    this.audit();
    const want = parseLine(text);
    assert(first !== undefined, `nothing was sent; expected > ${text}`);
    if ((first.flags & TCP_FLAG.SYN) !== 0) this.ourIsn = first.seq;
    const stamp = want.options?.map((option) => /^TS val (\d+)/.exec(option)?.[1]).find((val) => val !== undefined);
    // Our clock in the script counts from the first timestamp that it shows.
    if (this.tsBase === undefined && stamp !== undefined) this.tsScript = Number(stamp);
    const sent = this.join(first, want.end - want.start);
    const got = this.textOf(sent, want);
    const wanted = this.wantedText(want);
    assert(got === wanted, `\n  sent     ${got}\n  expected ${wanted}`);
  }

  /** The next packet, whenever it was sent. */
  outboundAny(text: string): void {
    this.match(text, this.out.shift());
  }

  /** The next packet, between two moments of lab time, give or take. */
  outboundAt(text: string, from: Micros, to: Micros = from): void {
    const slack = Math.max(TOLERANCE, (from - this.clock.now()) / 8);
    this.clock.run(from);
    for (let at = from; this.out.length === 0 && at < to + slack; ) this.clock.run((at += 500));
    const first = this.out.shift();
    const late = first === undefined ? 0 : first.at - from;
    assert(late >= -slack, `sent ${-late} us too early: ${first?.text}; expected > ${text}`);
    this.match(text, first);
  }

  /** Nothing is sent for so many seconds. */
  silence(seconds: number): void {
    this.wait(seconds);
    assert(this.out.length === 0, `nothing should be sent, but: ${this.out.map((sent) => sent.text).join('; ')}`);
  }

  /** What was sent and no line has asked for yet. */
  get sent(): readonly Sent[] {
    return this.out;
  }

  /** Forget what was sent (packetdrill ignores what no line asks for at the end). */
  drain(): void {
    this.out.length = 0;
  }

  private audit(): void {
    const wrong = auditHost(this.host);
    assert(wrong.length === 0, wrong.join('; '));
  }

  private packet(ipPayload: number, protocol = 6): SkBuff {
    const size = ETHERNET.SIZE + IPV4.SIZE + ipPayload;
    const skb = this.host.skbs.alloc(HEADROOM + size);
    skb.reserve(HEADROOM);
    skb.put(size);
    skb.bytes.fill(0, skb.data, skb.tail);
    const at = skb.data;
    writeMac(skb.view, at + ETHERNET.TARGET, MAC_OURS);
    writeMac(skb.view, at + ETHERNET.SOURCE, MAC_PEER);
    skb.view.setUint16(at + ETHERNET.TYPE, ETHERTYPE.IPV4);
    emitIpv4(skb.bytes, skb.view, at + ETHERNET.SIZE, {
      tos: 0,
      totalLength: IPV4.SIZE + ipPayload,
      id: 0,
      fragment: IPV4_DF,
      ttl: 64,
      protocol,
      source: protocol === 6 ? REMOTE : GATEWAY,
      target: LOCAL,
    });
    return skb;
  }

  private take(skb: SkBuff): void {
    const bytes = new Uint8Array(skb.length);
    skb.copyBits(0, skb.length, bytes, 0);
    const view = new DataView(bytes.buffer);
    this.host.skbs.consume(skb);
    this.onFrame(bytes);
    const at = ETHERNET.SIZE;
    if (view.getUint16(ETHERNET.TYPE) !== ETHERTYPE.IPV4 || view.getUint8(at + IPV4.PROTOCOL) !== 6) return;
    const th = at + ipv4HeaderLength(view, at);
    const header = tcpHeaderLength(view, th);
    const flags = view.getUint8(th + TCP.FLAGS);
    const length = bytes.length - th - header;
    const seq = view.getUint32(th + TCP.SEQUENCE);
    this.out.push({
      at: this.clock.now(),
      flags,
      seq,
      ack: view.getUint32(th + TCP.ACKNOWLEDGEMENT),
      window: view.getUint16(th + TCP.WINDOW),
      length,
      options: new DataView(bytes.buffer, th + TCP.SIZE, header - TCP.SIZE),
      text: `flags ${flags} seq ${(seq - this.ourIsn) | 0} length ${length}`,
      sourcePort: view.getUint16(th + TCP.SOURCE_PORT),
      targetPort: view.getUint16(th + TCP.TARGET_PORT),
      id: view.getUint16(at + IPV4.ID),
    });
  }

  /** Join what follows in sequence until it has the length that the script says. */
  private join(first: Sent, length: number): Sent {
    let joined = first;
    while (joined.length < length) {
      const next = this.out[0];
      if (next === undefined || next.seq !== (joined.seq + joined.length) >>> 0 || next.length === 0) break;
      this.out.shift();
      joined = { ...next, seq: joined.seq, length: joined.length + next.length, at: joined.at };
    }
    return joined;
  }

  private textOf(sent: Sent, want: Line): string {
    const syn = (sent.flags & TCP_FLAG.SYN) !== 0;
    const start = syn ? 0 : (sent.seq - this.ourIsn) | 0;
    const ack = (sent.flags & TCP_FLAG.ACK) !== 0 ? ` ack ${(sent.ack - this.theirIsn) | 0}` : '';
    const window = want.window === undefined ? '' : ` win ${sent.window}`;
    const options =
      want.options === undefined || anyOptions(want) ? '' : ` <${this.readOptions(sent.options).join(',')}>`;
    return `${letters(sent.flags)} ${start}:${start + sent.length}(${sent.length})${ack}${window}${options}`;
  }

  private wantedText(want: Line): string {
    const ack = (want.flags & TCP_FLAG.ACK) !== 0 ? ` ack ${want.ack ?? 0}` : '';
    const window = want.window === undefined ? '' : ` win ${want.window}`;
    const options = want.options === undefined || anyOptions(want) ? '' : ` <${want.options.map(squeeze).join(',')}>`;
    return `${letters(want.flags)} ${want.start}:${want.end}(${want.end - want.start})${ack}${window}${options}`;
  }

  private readOptions(view: DataView): string[] {
    const options: string[] = [];
    for (let at = 0; at < view.byteLength; ) {
      const kind = view.getUint8(at);
      if (kind === 1) {
        options.push('nop');
        at++;
        continue;
      }
      if (kind === 0) {
        options.push('eol');
        at++;
        continue;
      }
      const length = view.getUint8(at + 1);
      if (kind === 2) options.push(`mss ${view.getUint16(at + 2)}`);
      else if (kind === 3) options.push(`wscale ${view.getUint8(at + 2)}`);
      else if (kind === 4) options.push('sackOK');
      else if (kind === 5) {
        const blocks: string[] = [];
        for (let b = at + 2; b < at + length; b += 8) {
          const start = (view.getUint32(b) - this.theirIsn) | 0;
          blocks.push(`${start}:${(view.getUint32(b + 4) - this.theirIsn) | 0}`);
        }
        options.push(`sack ${blocks.join(' ')}`);
      } else if (kind === 8) {
        this.tsBase ??= view.getUint32(at + 2);
        options.push(
          `TS val ${(view.getUint32(at + 2) - this.tsBase + this.tsScript) | 0} ecr ${view.getUint32(at + 6)}`,
        );
      } else options.push(`kind ${kind}`);
      at += length;
    }
    return options;
  }

  private emitOptions(options: readonly string[]): Uint8Array {
    const bytes: number[] = [];
    const put32 = (n: number): void => {
      bytes.push((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
    };
    for (const option of options) {
      const words = option.split(/\s+/);
      const n = Number(words[1]);
      if (words[0] === 'nop') bytes.push(1);
      else if (words[0] === 'eol') bytes.push(0);
      else if (words[0] === 'mss') bytes.push(2, 4, n >> 8, n & 255);
      // A digest that is right for nothing.
      else if (words[0] === 'md5') bytes.push(19, 18, ...new Uint8Array(16));
      else if (words[0] === 'wscale') bytes.push(3, 3, n);
      else if (words[0] === 'sackOK') bytes.push(4, 2);
      else if (words[0] === 'TS') {
        bytes.push(8, 10);
        put32(Number(words[2]));
        const ecr = Number(words[4]);
        put32(ecr === 0 || this.tsBase === undefined ? 0 : ecr - this.tsScript + this.tsBase);
      } else if (words[0] === 'sack') {
        bytes.push(5, 2 + (words.length - 1) * 8);
        for (const block of words.slice(1)) {
          const [start, end] = block.split(':').map(Number);
          put32(this.ourIsn + (start ?? 0));
          put32(this.ourIsn + (end ?? 0));
        }
      } else throw new Error(`an option of a script: ${option}`);
    }
    while (bytes.length % 4 !== 0) bytes.push(1);
    return Uint8Array.from(bytes);
  }
}

/** `<...>`: whatever they are. */
function anyOptions(line: Line): boolean {
  return line.options?.[0] === '...';
}

function squeeze(option: string): string {
  return option.replace(/\s+/g, ' ');
}

function letters(flags: number): string {
  const text = Object.entries(LETTERS)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([letter]) => letter)
    .join('');
  return text === '' ? '-' : text;
}

/** A host with one device, as packetdrill sees it: 192.168.0.1, the peer 192.0.2.1 behind a gateway. */
export function tcpScript(options: ScriptOptions = {}): TcpScript {
  return new TcpScript(options);
}

/** The sysctls that packetdrill's defaults.sh sets and that differ from ours. */
export const SCRIPT_DEFAULTS: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_rmem': '4096 540000 15728640',
  'net.ipv4.tcp_wmem': '4096 262144 4194304',
  'net.ipv4.tcp_syn_retries': '5',
  'net.ipv4.tcp_early_retrans': '4',
  'net.ipv4.tcp_slow_start_after_idle': '0',
  'net.ipv4.tcp_ecn': '0',
};
