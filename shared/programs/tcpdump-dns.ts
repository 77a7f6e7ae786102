/** DNS in tcpdump's words: `4660+ A? www.server.com. (32)`, `4660* 1/0/0 A 192.0.2.1 (48)`. */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import type { Span } from './tcpdump-print.ts';

const TYPES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  41: 'OPT',
  255: 'ANY',
};
const RCODES = ['', ' FormErr', ' ServFail', ' NXDomain', ' NotImp', ' Refused'] as const;
const HEADER = 12;
/** Compression pointers that are followed before bytes are called hostile. */
const JUMPS_MAX = 64;

/** undefined when it is too short to be DNS. */
export function dnsText({ view, at, end }: Span, length: number): string | undefined {
  if (end - at < HEADER) return undefined;
  const id = view.getUint16(at);
  const flags = view.getUint16(at + 2);
  const counts = [4, 6, 8, 10].map((offset) => view.getUint16(at + offset)) as [number, number, number, number];
  const reader = new NameReader(view, at, end);
  const response = (flags & 0x8000) !== 0;
  const question = counts[0] > 0 ? reader.question() : undefined;
  if (!response) {
    const recursive = (flags & 0x0100) !== 0 ? '+' : '';
    const additional = counts[3] > 0 ? ` [${counts[3]}au]` : '';
    return `${id}${recursive}${additional} ${question ?? ''} (${length})`;
  }
  const marks = `${RCODES[flags & 15] ?? ` Resp${flags & 15}`}${(flags & 0x0400) !== 0 ? '*' : ''}${(flags & 0x0080) !== 0 ? '' : '-'}${(flags & 0x0200) !== 0 ? '|' : ''}`;
  const answers: string[] = [];
  for (let i = 0; i < counts[1]; i++) {
    const answer = reader.record();
    if (answer === undefined) break;
    answers.push(answer);
  }
  const list = answers.length === 0 ? '' : ` ${answers.join(', ')}`;
  return `${id}${marks} ${counts[1]}/${counts[2]}/${counts[3]}${list} (${length})`;
}

class NameReader {
  private readonly view: DataView;
  private readonly start: number;
  private readonly end: number;
  private at: number;

  constructor(view: DataView, start: number, end: number) {
    this.view = view;
    this.start = start;
    this.end = end;
    this.at = start + HEADER;
  }

  question(): string | undefined {
    const name = this.name();
    if (name === undefined || this.at + 4 > this.end) return undefined;
    const type = this.view.getUint16(this.at);
    this.at += 4;
    return `${TYPES[type] ?? `Type${type}`}? ${name}`;
  }

  record(): string | undefined {
    if (this.name() === undefined || this.at + 10 > this.end) return undefined;
    const type = this.view.getUint16(this.at);
    const size = this.view.getUint16(this.at + 8);
    this.at += 10;
    const data = this.at;
    if (data + size > this.end) return undefined;
    let text = TYPES[type] ?? `Type${type}`;
    if (type === 1 && size === 4) text += ` ${formatIpv4(this.view.getUint32(data) as Ipv4)}`;
    else if (type === 2 || type === 5 || type === 12) text += ` ${this.name() ?? '?'}`;
    this.at = data + size;
    return text;
  }

  /** With a dot at the end; leaves the position behind it. */
  private name(): string | undefined {
    let text = '';
    let at = this.at;
    let after: number | undefined;
    for (let jumps = 0; jumps < JUMPS_MAX && at < this.end; ) {
      const size = this.view.getUint8(at);
      if (size === 0) {
        this.at = after ?? at + 1;
        return text === '' ? '.' : text;
      }
      if (size >= 0xc0) {
        if (at + 2 > this.end) return undefined;
        after ??= at + 2;
        at = this.start + (this.view.getUint16(at) & 0x3fff);
        jumps++;
        continue;
      }
      if (at + 1 + size > this.end) return undefined;
      for (let i = 0; i < size; i++) text += String.fromCharCode(this.view.getUint8(at + 1 + i));
      text += '.';
      at += 1 + size;
    }
    return undefined;
  }
}
