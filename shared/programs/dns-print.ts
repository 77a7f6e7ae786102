/** DNS messages on a terminal, in the columns of BIND's tools (lib/dns/masterdump.c, bin/dig). */
import type { DnsMessage, Edns, Question, ResourceRecord } from '../header/dns.ts';
import { formatHex } from '../header/dns-codes.ts';
import { readSoa } from '../header/dns-rdata.ts';
import { formatRdata, quote } from '../header/dns-text.ts';
import { EDNS_OPTION, formatClass, formatOpcode, formatRcode, formatType, TYPE } from '../header/dns-type.ts';

const TAB = 8;

export interface RecordStyle {
  readonly ttl: boolean;
  readonly class: boolean;
  readonly multiline: boolean;
  readonly ttlUnits: boolean;
}

export const PLAIN_RECORDS: RecordStyle = { ttl: true, class: true, multiline: false, ttlUnits: false };

interface Columns {
  readonly ttl: number;
  readonly class: number;
  readonly type: number;
  readonly data: number;
}

/** dig.c, printmessage: where each column starts. */
function columnsOf(style: RecordStyle): Columns {
  if (style.multiline || (!style.ttl && !style.class)) return { ttl: 24, class: 24, type: 24, data: 32 };
  if (!style.ttl || !style.class) return { ttl: 24, class: 24, type: 32, data: 40 };
  return { ttl: 24, class: 32, type: 40, data: 48 };
}

/** A line that is filled with tabs up to columns. */
class Line {
  text = '';
  private column = 0;

  /** masterdump.c, indent: at least one blank. */
  to(column: number): this {
    const target = Math.max(column, this.column + 1);
    const tabs = Math.floor(target / TAB) - Math.floor(this.column / TAB);
    const from = tabs > 0 ? Math.floor(target / TAB) * TAB : this.column;
    this.text += '\t'.repeat(tabs) + ' '.repeat(target - from);
    this.column = target;
    return this;
  }

  add(text: string): this {
    this.text += text;
    this.column += text.length;
    return this;
  }
}

export function formatRecordLine(record: ResourceRecord, style: RecordStyle = PLAIN_RECORDS): string {
  const columns = columnsOf(style);
  const line = new Line().add(record.name);
  if (style.ttl) line.to(columns.ttl).add(style.ttlUnits ? ttlInUnits(record.ttl) : String(record.ttl));
  if (style.class) line.to(columns.class).add(formatClass(record.class));
  line.to(columns.type).add(formatType(record.type)).to(columns.data);
  return line.add(style.multiline ? multilineData(record) : formatRdata(record.type, record.data)).text;
}

export function formatQuestionLine(question: Question, style: RecordStyle = PLAIN_RECORDS): string {
  const columns = columnsOf(style);
  const line = new Line().add(question.name).to(columns.class).add(formatClass(question.class));
  return `;${line.to(columns.type).add(formatType(question.type)).text}`;
}

const UNITS: readonly (readonly [string, number])[] = [
  ['w', 604_800],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

function ttlInUnits(seconds: number): string {
  let text = '';
  for (const [unit, size] of UNITS) {
    if (seconds >= size) text += `${Math.floor(seconds / size)}${unit}`;
    seconds %= size;
  }
  return text === '' ? '0s' : text;
}

const UNIT_WORDS: readonly (readonly [string, number])[] = [
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

function ttlInWords(seconds: number): string {
  const parts: string[] = [];
  for (const [word, size] of UNIT_WORDS) {
    const count = Math.floor(seconds / size);
    if (count > 0) parts.push(`${count} ${word}${count === 1 ? '' : 's'}`);
    seconds %= size;
  }
  return parts.length === 0 ? '0 seconds' : parts.join(' ');
}

function multilineData(record: ResourceRecord): string {
  const soa = record.type === TYPE.SOA ? readSoa(record.data) : undefined;
  if (soa === undefined) return formatRdata(record.type, record.data);
  const row = (value: number, comment: string) => `\t\t\t\t${String(value).padEnd(10)} ; ${comment}`;
  return [
    `${soa.primary} ${soa.mailbox} (`,
    row(soa.serial, 'serial'),
    row(soa.refresh, `refresh (${ttlInWords(soa.refresh)})`),
    row(soa.retry, `retry (${ttlInWords(soa.retry)})`),
    row(soa.expire, `expire (${ttlInWords(soa.expire)})`),
    row(soa.minimum, `minimum (${ttlInWords(soa.minimum)})`),
    '\t\t\t\t)',
  ].join('\n');
}

/** ` qr aa rd ra`, in the order of the header. */
export function flagsText(message: DnsMessage): string {
  const flags: [string, boolean][] = [
    ['qr', message.response],
    ['aa', message.authoritative],
    ['tc', message.truncated],
    ['rd', message.recursionDesired],
    ['ra', message.recursionAvailable],
    ['ad', message.authenticData],
    ['cd', message.checkingDisabled],
  ];
  return flags
    .filter(([, set]) => set)
    .map(([name]) => ` ${name}`)
    .join('');
}

/** The two header lines of dig and host. */
export function headerLines(message: DnsMessage): string[] {
  const additional = message.additionals.length + (message.edns === undefined ? 0 : 1);
  const counts = `QUERY: ${message.questions.length}, ANSWER: ${message.answers.length}, AUTHORITY: ${message.authorities.length}, ADDITIONAL: ${additional}`;
  return [
    `;; ->>HEADER<<- opcode: ${formatOpcode(message.opcode)}, status: ${formatRcode(message.rcode)}, id: ${message.id}`,
    `;; flags:${flagsText(message)}; ${counts}`,
  ];
}

export function ednsLines(edns: Edns): string[] {
  const reserved = edns.reserved ?? 0;
  const lines = [
    ';; OPT PSEUDOSECTION:',
    `; EDNS: version: ${edns.version}, flags:${edns.dnssecOk ? ' do' : ''};${reserved === 0 ? '' : ` MBZ: 0x${reserved.toString(16).padStart(4, '0')},`} udp: ${edns.udpSize}`,
  ];
  for (const { code, data } of edns.options) lines.push(`; ${optionText(code, data)}`);
  return lines;
}

const EDE_TEXT: ReadonlyMap<number, string> = new Map([
  [0, 'Other'],
  [3, 'Stale Answer'],
  [13, 'Cached Error'],
  [18, 'Prohibited'],
  [20, 'Not Authoritative'],
  [21, 'Not Supported'],
  [22, 'No Reachable Authority'],
  [23, 'Network Error'],
]);

function optionText(code: number, data: Uint8Array): string {
  if (code === EDNS_OPTION.EDE && data.length >= 2) {
    const number = new DataView(data.buffer, data.byteOffset).getUint16(0);
    const text = data.length > 2 ? `: (${quote(data.subarray(2)).slice(1, -1)})` : '';
    return `EDE: ${number} (${EDE_TEXT.get(number) ?? 'Unknown'})${text}`;
  }
  const hex = formatHex(data);
  if (code === EDNS_OPTION.COOKIE) return `COOKIE: ${hex}`;
  if (code === EDNS_OPTION.NSID) return `NSID: ${hex} (${quote(data)})`;
  return `OPT=${code}: ${hex}`;
}
