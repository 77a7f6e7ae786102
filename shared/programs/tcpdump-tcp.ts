/** TCP in tcpdump's words: flags, relative sequence numbers, options, the first line of HTTP. */

import { finish, pseudoHeaderSum, sumBytes } from '../header/checksum.ts';
import type { Ipv4Header } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, TCP_OPTION, tcpHeaderLength } from '../header/tcp.ts';
import { hostText, type PrintOptions, portText, type Span, transportSum } from './tcpdump-print.ts';

/** A conversation more forgets the oldest. */
const FLOWS_MAX = 4_096;
const HTTP_PORTS: ReadonlySet<number> = new Set([80, 8080, 3128]);

/** Where the sequence numbers of a conversation start, by its ends; seen from the end that sent first. */
export class TcpFlows {
  private readonly bases = new Map<string, { readonly from: string; seq: number; ack: number }>();

  /** Relative numbers; the first packet that acknowledges something is printed as it is. */
  relative(from: string, to: string, seq: number, ack: number, fresh: boolean): { seq: number; ack: number } {
    const key = from < to ? `${from} ${to}` : `${to} ${from}`;
    const base = this.bases.get(key);
    if (base === undefined || fresh) {
      if (this.bases.size >= FLOWS_MAX) this.bases.delete(this.bases.keys().next().value ?? '');
      this.bases.set(key, { from, seq, ack: (ack - 1) >>> 0 });
      return { seq, ack };
    }
    const same = base.from === from;
    return {
      seq: (seq - (same ? base.seq : base.ack)) >>> 0,
      ack: (ack - (same ? base.ack : base.seq)) >>> 0,
    };
  }
}

const FLAG_LETTERS = [
  [TCP_FLAG.FIN, 'F'],
  [TCP_FLAG.SYN, 'S'],
  [TCP_FLAG.RST, 'R'],
  [TCP_FLAG.PSH, 'P'],
  [TCP_FLAG.ACK, '.'],
  [TCP_FLAG.URG, 'U'],
  [TCP_FLAG.ECE, 'E'],
  [TCP_FLAG.CWR, 'W'],
] as const;

export function tcpText(ip: Ipv4Header, span: Span, options: PrintOptions): string {
  const { view, at, end } = span;
  const source = hostText(ip.source, options);
  const target = hostText(ip.target, options);
  if (end - at < TCP.SIZE) return `${source} > ${target}: [|tcp]`;
  const sourcePort = view.getUint16(at + TCP.SOURCE_PORT);
  const targetPort = view.getUint16(at + TCP.TARGET_PORT);
  const ends = `${source}.${portText(sourcePort, 'tcp', options)} > ${target}.${portText(targetPort, 'tcp', options)}: `;
  const headerLength = tcpHeaderLength(view, at);
  if (headerLength < TCP.SIZE || at + headerLength > end) return `${ends}[bad hdr length ${headerLength}]`;
  const length = end - at - headerLength;
  if (options.quick) return `${ends}tcp ${length}`;
  const flags = view.getUint8(at + TCP.FLAGS);
  const letters = FLAG_LETTERS.map(([bit, letter]) => ((flags & bit) !== 0 ? letter : '')).join('') || 'none';
  const numbers = numbersOf(ip, span, options, flags);
  const words = [`Flags [${letters}]`];
  if (options.verbose > 0) words.push(checksumText(ip, span));
  const shows = length > 0 || (flags & (TCP_FLAG.SYN | TCP_FLAG.FIN | TCP_FLAG.RST)) !== 0;
  if (shows || options.verbose > 1) {
    words.push(`seq ${numbers.seq}${length > 0 ? `:${(numbers.seq + length) >>> 0}` : ''}`);
  }
  if ((flags & TCP_FLAG.ACK) !== 0) words.push(`ack ${numbers.ack}`);
  words.push(`win ${view.getUint16(at + TCP.WINDOW)}`);
  if ((flags & TCP_FLAG.URG) !== 0) words.push(`urg ${view.getUint16(at + TCP.URGENT)}`);
  if (headerLength > TCP.SIZE)
    words.push(`options [${optionsText({ ...span, at: at + TCP.SIZE, end: at + headerLength })}]`);
  words.push(`length ${length}`);
  const http = HTTP_PORTS.has(sourcePort) || HTTP_PORTS.has(targetPort);
  const application = length > 0 && http ? httpText(span.bytes.subarray(at + headerLength, end)) : '';
  return `${ends}${words.join(', ')}${application}`;
}

function numbersOf(ip: Ipv4Header, { view, at }: Span, { absolute, flows }: PrintOptions, flags: number) {
  const seq = view.getUint32(at + TCP.SEQUENCE);
  const ack = view.getUint32(at + TCP.ACKNOWLEDGEMENT);
  if (absolute || (flags & TCP_FLAG.ACK) === 0) return { seq, ack };
  const from = `${ip.source}.${view.getUint16(at + TCP.SOURCE_PORT)}`;
  const to = `${ip.target}.${view.getUint16(at + TCP.TARGET_PORT)}`;
  return flows.relative(from, to, seq, ack, (flags & TCP_FLAG.SYN) !== 0);
}

function checksumText(ip: Ipv4Header, span: Span): string {
  const given = span.view.getUint16(span.at + TCP.CHECKSUM);
  const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;
  if (transportSum(ip, span) === 0) return `cksum ${hex(given)} (correct)`;
  const { bytes, at, end } = span;
  const head = sumBytes(bytes, at, at + TCP.CHECKSUM, pseudoHeaderSum(ip.source, ip.target, ip.protocol, end - at));
  return `cksum ${hex(given)} (incorrect -> ${hex(finish(sumBytes(bytes, at + TCP.URGENT, end, head)))})`;
}

function optionsText({ view, at, end }: Span): string {
  const words: string[] = [];
  for (let i = at; i < end; ) {
    const kind = view.getUint8(i);
    if (kind === TCP_OPTION.EOL || kind === TCP_OPTION.NOP) {
      words.push(kind === TCP_OPTION.NOP ? 'nop' : 'eol');
      i++;
      if (kind === TCP_OPTION.EOL) break;
      continue;
    }
    const size = i + 1 < end ? view.getUint8(i + 1) : 0;
    if (size < 2 || i + size > end) {
      words.push('[|tcp]');
      break;
    }
    words.push(optionText(view, i, kind, size));
    i += size;
  }
  return words.join(',');
}

function optionText(view: DataView, at: number, kind: number, size: number): string {
  if (kind === TCP_OPTION.MSS && size === 4) return `mss ${view.getUint16(at + 2)}`;
  if (kind === TCP_OPTION.WINDOW_SCALE && size === 3) return `wscale ${view.getUint8(at + 2)}`;
  if (kind === TCP_OPTION.SACK_PERMITTED) return 'sackOK';
  if (kind === TCP_OPTION.TIMESTAMPS && size === 10) {
    return `TS val ${view.getUint32(at + 2)} ecr ${view.getUint32(at + 6)}`;
  }
  if (kind === TCP_OPTION.SACK) {
    const blocks: string[] = [];
    for (let i = at + 2; i + 8 <= at + size; i += 8) blocks.push(`{${view.getUint32(i)}:${view.getUint32(i + 4)}}`);
    return `sack ${blocks.length} ${blocks.join('')}`;
  }
  let data = '';
  for (let i = at + 2; i < at + size; i++) data += view.getUint8(i).toString(16).padStart(2, '0');
  return `unknown-${kind}${data === '' ? '' : ` 0x${data}`}`;
}

/** A request or status line, when the segment starts with one. */
function httpText(bytes: Uint8Array): string {
  const end = bytes.indexOf(13);
  const line = String.fromCharCode(...bytes.subarray(0, end < 0 ? 0 : Math.min(end, 512)));
  const known = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH) |^HTTP\//.test(line);
  return known ? `: HTTP: ${line}` : ': HTTP';
}
