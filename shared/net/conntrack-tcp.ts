/**
 * TCP as a router sees it pass (Linux: nf_conntrack_proto_tcp.c): the state table, timeouts, connections that begin anew
 * on the same ports. Left out: window tracking; that is, this behaves as nf_conntrack_tcp_be_liberal = 1.
 */
import { ipv4HeaderLength } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import type { ConntrackSettings, CtInfo } from './conntrack.ts';
import type { Host } from './host.ts';
import type { SkBuff } from './skbuff.ts';

export type TcpCtState =
  | 'NONE'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'ESTABLISHED'
  | 'FIN_WAIT'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'SYN_SENT2';

export interface TcpFlow {
  state: TcpCtState;
  /** Who sent the last RST or FIN that mattered, and the last segment seen again (retransmissions). */
  closedBy: 'original' | 'reply' | undefined;
  lastSequence: number;
  lastEnd: number;
  lastReply: boolean;
  retransmissions: number;
}

/** Linux: nf_ct_tcp_max_retrans. */
const RETRANS_MAX = 3;

const STATES: readonly TcpCtState[] = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
];
/** Rows by what a segment is, columns by the state it meets; `iv` invalid, `ig` ignored (tcp_conntracks). */
const ROWS = { syn: 0, synack: 1, fin: 2, ack: 3, rst: 4 } as const;
const ORIGINAL = [
  'ss ss ig ig ig ig ig ss ss s2',
  'iv iv sr iv iv iv iv iv iv sr',
  'iv iv fw fw la la la tw cl iv',
  'es iv es es cw cw tw tw cl iv',
  'iv cl cl cl cl cl cl cl cl cl',
].map((row) => row.split(' '));
const REPLY = [
  'iv s2 ig ig ig ig ig ss iv s2',
  'iv sr ig ig ig ig ig ig ig sr',
  'iv iv fw fw la la la tw cl iv',
  'iv ig sr es cw cw tw tw cl ig',
  'iv cl cl cl cl cl cl cl cl cl',
].map((row) => row.split(' '));
const CODES: Readonly<Record<string, TcpCtState>> = {
  ss: 'SYN_SENT',
  sr: 'SYN_RECV',
  es: 'ESTABLISHED',
  fw: 'FIN_WAIT',
  cw: 'CLOSE_WAIT',
  la: 'LAST_ACK',
  tw: 'TIME_WAIT',
  cl: 'CLOSE',
  s2: 'SYN_SENT2',
};

/** Which row a segment is; undefined for no flags that mean anything. (Linux: get_conntrack_index) */
function rowOf(flags: number): number | undefined {
  if ((flags & TCP_FLAG.RST) !== 0) return ROWS.rst;
  if ((flags & TCP_FLAG.SYN) !== 0) return (flags & TCP_FLAG.ACK) !== 0 ? ROWS.synack : ROWS.syn;
  if ((flags & TCP_FLAG.FIN) !== 0) return ROWS.fin;
  return (flags & TCP_FLAG.ACK) !== 0 ? ROWS.ack : undefined;
}

/** Combinations that exist; ECE, CWR and PSH aside. (Linux: tcp_valid_flags) */
function validFlags(flags: number): boolean {
  const f = flags & ~(TCP_FLAG.ECE | TCP_FLAG.CWR | TCP_FLAG.PSH);
  const { FIN, SYN, RST, ACK, URG } = TCP_FLAG;
  const valid = [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG];
  return valid.includes(f);
}

/** One segment against its flow: 'again' when the flow was over and this begins another. (nf_conntrack_tcp_packet) */
export function trackTcp(
  host: Host,
  skb: SkBuff,
  info: CtInfo,
  settings: ConntrackSettings,
): 'ok' | 'invalid' | 'again' {
  const { view } = skb;
  const { flow, reply } = info;
  const at = skb.networkHeader + ipv4HeaderLength(view, skb.networkHeader);
  if (skb.tail - at < TCP.SIZE) return 'invalid';
  const headerLength = tcpHeaderLength(view, at);
  if (headerLength < TCP.SIZE || skb.tail - at < headerLength) return 'invalid';
  const flags = view.getUint8(at + TCP.FLAGS);
  const row = validFlags(flags) ? rowOf(flags) : undefined;
  if (row === undefined) return 'invalid';

  let { tcp } = flow;
  if (tcp === undefined) {
    const begin = ORIGINAL[row]?.[0];
    // A connection that was there before us may be picked up in the middle (tcp_loose).
    if (reply || begin === 'iv' || (begin !== 'ss' && settings.loose.value === 0)) return 'invalid';
    tcp = flow.tcp = {
      state: 'NONE',
      closedBy: undefined,
      lastSequence: -1,
      lastEnd: -1,
      lastReply: false,
      retransmissions: 0,
    };
  }
  const old = tcp.state;
  const code = (reply ? REPLY : ORIGINAL)[row]?.[STATES.indexOf(old)] ?? 'iv';
  if (code === 'iv') return 'invalid';
  if (code === 'ig') return 'ok';
  const state = CODES[code] ?? 'NONE';
  if (state === 'SYN_SENT' && (old === 'TIME_WAIT' || old === 'CLOSE')) {
    host.conntrack.remove(flow);
    return 'again';
  }
  if (flow.confirmed && !flow.seenReply && !reply && row === ROWS.rst) {
    // Its sender takes it back before anybody answered.
    host.conntrack.remove(flow);
    return 'ok';
  }
  countRetransmissions(skb, tcp, reply, at + headerLength);
  tcp.state = state;
  if (flow.seenReply && !flow.assured && (old === 'SYN_RECV' || old === 'ESTABLISHED') && state === 'ESTABLISHED')
    flow.assured = true;
  host.conntrack.refresh(flow, timeoutOf(tcp, settings));
  return 'ok';
}

function countRetransmissions(skb: SkBuff, tcp: TcpFlow, reply: boolean, payload: number): void {
  const at = skb.networkHeader + ipv4HeaderLength(skb.view, skb.networkHeader);
  const sequence = skb.view.getUint32(at + TCP.SEQUENCE);
  const end = sequence + (skb.tail - payload) + skb.fragBytes;
  const same = tcp.lastSequence === sequence && tcp.lastEnd === end && tcp.lastReply === reply;
  tcp.retransmissions = same ? tcp.retransmissions + 1 : 0;
  tcp.lastSequence = sequence;
  tcp.lastEnd = end;
  tcp.lastReply = reply;
}

function timeoutOf(tcp: TcpFlow, settings: ConntrackSettings): number {
  const seconds = settings.tcp.get(tcp.state.toLowerCase())?.value ?? settings.generic.value;
  const retrans = settings.tcp.get('max_retrans')?.value ?? seconds;
  return tcp.retransmissions >= RETRANS_MAX && seconds > retrans ? retrans : seconds;
}
