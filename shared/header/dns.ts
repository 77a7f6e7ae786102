/**
 * Messages of the domain name system: bytes to records and back (RFC 1035 §4, EDNS of RFC 6891).
 *
 * The OPT record is not among the additional records but in `edns`, and its upper rcode bits are in `rcode`. Decoding
 * keeps what it does not know (types, classes, options). Encoding compresses names and, when a message does not fit,
 * drops additional records first and then answers with TC and the question alone, as NSD and Knot do.
 */
import { type DnsName, readName } from './dns-name.ts';
import { readRdata, writeRdata } from './dns-rdata.ts';
import { CLASS, RCODE, TYPE } from './dns-type.ts';
import { DnsWriter, MESSAGE_OCTETS_MAX } from './dns-writer.ts';
import { isMalformed, type Malformed, malformed } from './malformed.ts';

export const DNS_PORT = 53;
export const DNS = { ID: 0, FLAGS: 2, QUESTIONS: 4, ANSWERS: 6, AUTHORITIES: 8, ADDITIONALS: 10, SIZE: 12 } as const;
/** Without EDNS a UDP message has at most so many octets (RFC 1035 §2.3.4). */
export const UDP_OCTETS_PLAIN = 512;
/** What fits through almost every path without fragments (DNS flag day 2020, RFC 9715). */
export const UDP_OCTETS_EDNS = 1_232;

const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, Z: 0x0040, AD: 0x0020, CD: 0x0010 } as const;
const DNSSEC_OK = 0x8000;

export interface Question {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
}

export interface ResourceRecord {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
  /** Wire format with names in full. */
  readonly data: Uint8Array;
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface Edns {
  /** The largest UDP message that the sender takes. */
  readonly udpSize: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** The other 15 flag bits, all reserved. */
  readonly reserved?: number;
  readonly options: readonly EdnsOption[];
}

export interface DnsHeader {
  readonly id: number;
  /** QR. */
  readonly response: boolean;
  readonly opcode: number;
  /** AA, TC, RD, RA, AD, CD. */
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** With the upper bits of EDNS. */
  readonly rcode: number;
}

export interface DnsMessage extends DnsHeader {
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns | undefined;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The header alone: what is needed to say FORMERR. */
export function decodeDnsHeader(bytes: Uint8Array): DnsHeader | Malformed {
  if (bytes.length < DNS.SIZE) return malformed('dns_too_short');
  const view = viewOf(bytes);
  const flags = view.getUint16(DNS.FLAGS);
  return {
    id: view.getUint16(DNS.ID),
    response: (flags & FLAG.QR) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & FLAG.AA) !== 0,
    truncated: (flags & FLAG.TC) !== 0,
    recursionDesired: (flags & FLAG.RD) !== 0,
    recursionAvailable: (flags & FLAG.RA) !== 0,
    authenticData: (flags & FLAG.AD) !== 0,
    checkingDisabled: (flags & FLAG.CD) !== 0,
    rcode: flags & 15,
  };
}

/** A whole message. Octets after its last record are ignored (BIND and NSD do, Knot does not). */
export function decodeDns(bytes: Uint8Array): DnsMessage | Malformed {
  const header = decodeDnsHeader(bytes);
  if (isMalformed(header)) return header;
  const view = viewOf(bytes);
  const questions: Question[] = [];
  let at: number = DNS.SIZE;
  for (let left = view.getUint16(DNS.QUESTIONS); left > 0; left--) {
    const read = readName(view, at, bytes.length);
    if (isMalformed(read)) return read;
    if (read.next + 4 > bytes.length) return malformed('dns_question_overruns');
    questions.push({ name: read.name, type: view.getUint16(read.next), class: view.getUint16(read.next + 2) });
    at = read.next + 4;
  }
  const sections: ResourceRecord[][] = [[], [], []];
  let opt: ResourceRecord | undefined;
  for (const [index, records] of sections.entries()) {
    for (let left = view.getUint16(DNS.ANSWERS + 2 * index); left > 0; left--) {
      const read = readRecord(view, at, bytes.length);
      if (isMalformed(read)) return read;
      at = read.next;
      if (read.record.type !== TYPE.OPT || index !== 2) records.push(read.record);
      else if (opt !== undefined || read.record.name !== '.') return malformed('dns_bad_opt');
      else opt = read.record;
    }
  }
  const [answers = [], authorities = [], additionals = []] = sections;
  const edns = opt === undefined ? undefined : readEdns(opt);
  if (edns !== undefined && isMalformed(edns)) return edns;
  // Written out: a spread costs more than all the rest of a small message.
  return {
    id: header.id,
    response: header.response,
    opcode: header.opcode,
    authoritative: header.authoritative,
    truncated: header.truncated,
    recursionDesired: header.recursionDesired,
    recursionAvailable: header.recursionAvailable,
    authenticData: header.authenticData,
    checkingDisabled: header.checkingDisabled,
    rcode: opt === undefined ? header.rcode : header.rcode | ((opt.ttl >>> 24) << 4),
    questions,
    answers,
    authorities,
    additionals,
    edns,
  };
}

function readRecord(view: DataView, at: number, end: number): { record: ResourceRecord; next: number } | Malformed {
  const read = readName(view, at, end);
  if (isMalformed(read)) return read;
  at = read.next;
  if (at + 10 > end) return malformed('dns_record_overruns');
  const type = view.getUint16(at);
  const dnsClass = view.getUint16(at + 2);
  const next = at + 10 + view.getUint16(at + 8);
  if (next > end) return malformed('dns_rdata_overruns');
  // UPDATE (RFC 2136 §2.4) has records of class ANY and NONE without data.
  const empty = next === at + 10 && (dnsClass === CLASS.ANY || dnsClass === CLASS.NONE);
  const data = empty ? new Uint8Array(0) : readRdata(view, at + 10, next, type);
  if (isMalformed(data)) return data;
  return { record: { name: read.name, type, class: dnsClass, ttl: view.getUint32(at + 4), data }, next };
}

function readEdns(opt: ResourceRecord): Edns | Malformed {
  const view = viewOf(opt.data);
  const options: EdnsOption[] = [];
  let at = 0;
  while (at < opt.data.length) {
    if (at + 4 > opt.data.length) return malformed('dns_option_overruns');
    const end = at + 4 + view.getUint16(at + 2);
    if (end > opt.data.length) return malformed('dns_option_overruns');
    options.push({ code: view.getUint16(at), data: opt.data.slice(at + 4, end) });
    at = end;
  }
  const flags = opt.ttl & 0xffff;
  return {
    udpSize: opt.class,
    version: (opt.ttl >>> 16) & 255,
    dnssecOk: (flags & DNSSEC_OK) !== 0,
    reserved: flags & ~DNSSEC_OK,
    options,
  };
}

/** All encoding goes through one buffer: it is copied out before anything else can run. */
const writer = new DnsWriter();

export interface EncodeOptions {
  /** Octets that the message may have. */
  readonly limit?: number;
  /** So many of the first additional records may not be left out without TC (in-domain glue, RFC 9471). */
  readonly requiredAdditionals?: number;
}

/** Bytes of a message; when it does not fit into `limit`, of one that says so with TC. */
export function encodeDns(message: DnsMessage, options: EncodeOptions = {}): Uint8Array {
  const edns = message.edns;
  const optOctets = edns === undefined ? 0 : edns.options.reduce((sum, option) => sum + 4 + option.data.length, 11);
  writer.reset((options.limit ?? MESSAGE_OCTETS_MAX) - optOctets);
  writeHeader(message);
  for (const question of message.questions) writeQuestion(question);
  const afterQuestions = writer.at;
  for (const record of message.answers) writeRecord(record);
  for (const record of message.authorities) writeRecord(record);
  let counts = [message.answers.length, message.authorities.length, 0];
  let truncated = message.truncated;
  if (writer.overflow) {
    writer.rewind(afterQuestions);
    truncated = true;
    counts = [0, 0, 0];
  } else {
    const written = writeAdditionals(message.additionals);
    counts[2] = written;
    if (written < Math.min(options.requiredAdditionals ?? 0, message.additionals.length)) truncated = true;
  }
  writer.limit += optOctets;
  if (edns !== undefined) {
    writeOpt(edns, message.rcode);
    counts[2] = (counts[2] ?? 0) + 1;
  }
  writer.view.setUint16(DNS.FLAGS, flagsOf(message, truncated));
  for (const [index, count] of counts.entries()) writer.view.setUint16(DNS.ANSWERS + 2 * index, count);
  return writer.take();
}

function flagsOf(message: DnsHeader, truncated: boolean): number {
  return (
    (message.response ? FLAG.QR : 0) |
    ((message.opcode & 15) << 11) |
    (message.authoritative ? FLAG.AA : 0) |
    (truncated ? FLAG.TC : 0) |
    (message.recursionDesired ? FLAG.RD : 0) |
    (message.recursionAvailable ? FLAG.RA : 0) |
    (message.authenticData ? FLAG.AD : 0) |
    (message.checkingDisabled ? FLAG.CD : 0) |
    (message.rcode & 15)
  );
}

function writeHeader(message: DnsMessage): void {
  writer.u16(message.id);
  writer.u16(0); // Flags come last, when it is known whether all fitted.
  writer.u16(message.questions.length);
  writer.u16(0);
  writer.u16(0);
  writer.u16(0);
}

function writeQuestion(question: Question): void {
  writer.name(question.name, true);
  writer.u16(question.type);
  writer.u16(question.class);
}

function writeRecord(record: ResourceRecord): void {
  writer.name(record.name, true);
  writer.u16(record.type);
  writer.u16(record.class);
  writer.u32(record.ttl);
  const lengthAt = writer.at;
  writer.u16(0);
  writeRdata(writer, record.type, record.data);
  if (!writer.overflow) writer.view.setUint16(lengthAt, writer.at - lengthAt - 2);
}

/** As many sets of additional records as fit, whole sets only (RFC 2181 §5). Returns the number of records. */
function writeAdditionals(records: readonly ResourceRecord[]): number {
  let written = 0;
  let mark = writer.at;
  for (const [index, record] of records.entries()) {
    writeRecord(record);
    if (writer.overflow) {
      writer.rewind(mark);
      return written;
    }
    const next = records[index + 1];
    if (next !== undefined && next.type === record.type && next.name === record.name) continue;
    mark = writer.at;
    written = index + 1;
  }
  return written;
}

function writeOpt(edns: Edns, rcode: number): void {
  writer.u8(0);
  writer.u16(TYPE.OPT);
  writer.u16(edns.udpSize);
  writer.u8(rcode >> 4);
  writer.u8(edns.version);
  writer.u16((edns.dnssecOk ? DNSSEC_OK : 0) | ((edns.reserved ?? 0) & ~DNSSEC_OK));
  writer.u16(edns.options.reduce((sum, option) => sum + 4 + option.data.length, 0));
  for (const option of edns.options) {
    writer.u16(option.code);
    writer.u16(option.data.length);
    writer.octets(option.data);
  }
}

/** A question as a client sends it. */
export function dnsQuery(
  question: Question,
  options: { id: number; recursionDesired: boolean; edns?: Edns },
): DnsMessage {
  return {
    id: options.id,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: options.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
    ...(options.edns === undefined ? {} : { edns: options.edns }),
  };
}
