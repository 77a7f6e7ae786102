/**
 * What any server, whatever its role, does with a message before and after it looks for an answer: RFC 8906 (say
 * something to everything), RFC 6891 (EDNS), RFC 9619 (one question), truncation.
 *
 * Left out: DNS cookies (ignored, as NSD and Knot do by default), TSIG, NOTIFY and UPDATE (NOTIMP).
 */
import {
  DNS,
  type DnsHeader,
  type DnsMessage,
  decodeDns,
  decodeDnsHeader,
  type Edns,
  type EdnsOption,
  encodeDns,
  type Question,
  type ResourceRecord,
  UDP_OCTETS_EDNS,
  UDP_OCTETS_PLAIN,
} from '../header/dns.ts';
import { CLASS, EDE, EDNS_OPTION, OPCODE, RCODE, TYPE } from '../header/dns-type.ts';
import { MESSAGE_OCTETS_MAX } from '../header/dns-writer.ts';
import { isMalformed } from '../header/malformed.ts';

export interface Reply {
  readonly rcode: number;
  readonly authoritative?: boolean;
  readonly recursionAvailable?: boolean;
  readonly answers?: readonly ResourceRecord[];
  readonly authorities?: readonly ResourceRecord[];
  readonly additionals?: readonly ResourceRecord[];
  readonly requiredAdditionals?: number;
  /** An extended error for the reader (RFC 8914). */
  readonly ede?: { readonly code: number; readonly text?: string };
}

/** What came in: a question to be answered, bytes to be sent back at once, or nothing at all. */
export type Incoming =
  | { readonly kind: 'query'; readonly query: DnsMessage; readonly question: Question }
  | { readonly kind: 'reply'; readonly bytes: Uint8Array; readonly rcode: number }
  | { readonly kind: 'ignore' };

/** The rules in their order; what is left is one question of opcode QUERY. */
export function receiveQuery(bytes: Uint8Array, options: { recursionAvailable: boolean; tcp: boolean }): Incoming {
  const header = decodeDnsHeader(bytes);
  // Answering an answer is how two servers talk for ever.
  if (isMalformed(header) || header.response) return { kind: 'ignore' };
  if (header.opcode !== OPCODE.QUERY) return headerOnly(header, RCODE.NOTIMP);
  const query = decodeDns(bytes);
  if (isMalformed(query)) return headerOnly(header, RCODE.FORMERR);
  const [question] = query.questions;
  if (question === undefined || query.questions.length > 1) return headerOnly(header, RCODE.FORMERR);
  const early = earlyRcode(query, question, options.tcp);
  if (early === undefined) return { kind: 'query', query, question };
  return { kind: 'reply', rcode: early, bytes: encodeReply(query, { rcode: early, ...raOf(options) }, options.tcp) };
}

const raOf = (options: { recursionAvailable: boolean }) => ({ recursionAvailable: options.recursionAvailable });

function earlyRcode(query: DnsMessage, question: Question, tcp: boolean): number | undefined {
  if (query.edns !== undefined && query.edns.version > 0) return RCODE.BADVERS;
  if (question.type === TYPE.OPT || question.type === TYPE.TSIG) return RCODE.FORMERR;
  if (question.type === TYPE.IXFR || (question.type === TYPE.AXFR && !tcp)) return RCODE.NOTIMP;
  if (question.class === CLASS.NONE) return RCODE.FORMERR;
  return undefined;
}

/** Twelve octets: what is left when the rest cannot be read. */
function headerOnly(header: DnsHeader, rcode: number): Incoming {
  const bytes = new Uint8Array(DNS.SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(DNS.ID, header.id);
  view.setUint16(DNS.FLAGS, 0x8000 | (header.opcode << 11) | (header.recursionDesired ? 0x0100 : 0) | rcode);
  return { kind: 'reply', bytes, rcode };
}

/** How large a UDP answer may be: the client's word, between 512 and what crosses the internet unfragmented. */
export function udpLimit(edns: Edns | undefined): number {
  if (edns === undefined) return UDP_OCTETS_PLAIN;
  return Math.min(Math.max(edns.udpSize, UDP_OCTETS_PLAIN), UDP_OCTETS_EDNS);
}

/** A reply as bytes: the question as it came, EDNS when the query had it, TC when it does not fit. */
export function encodeReply(query: DnsMessage, reply: Reply, tcp: boolean): Uint8Array {
  return encodeDns(replyMessage(query, reply), {
    limit: tcp ? MESSAGE_OCTETS_MAX : udpLimit(query.edns),
    requiredAdditionals: reply.requiredAdditionals ?? 0,
  });
}

export function replyMessage(query: DnsMessage, reply: Reply): DnsMessage {
  // Written out: a spread costs more than all the rest of a small message.
  return {
    id: query.id,
    response: true,
    opcode: query.opcode,
    authoritative: reply.authoritative ?? false,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: reply.recursionAvailable ?? false,
    authenticData: false,
    checkingDisabled: reply.recursionAvailable === true && query.checkingDisabled,
    rcode: reply.rcode,
    questions: query.questions,
    answers: reply.answers ?? [],
    authorities: reply.authorities ?? [],
    additionals: reply.additionals ?? [],
    edns: query.edns === undefined ? undefined : replyEdns(query.edns, reply),
  };
}

const NO_OPTIONS: readonly EdnsOption[] = [];

function replyEdns(asked: Edns, reply: Reply): Edns {
  const options = reply.ede === undefined ? NO_OPTIONS : [edeOption(reply.ede)];
  return { udpSize: UDP_OCTETS_EDNS, version: 0, dnssecOk: asked.dnssecOk, options };
}

function edeOption(ede: { readonly code: number; readonly text?: string }): EdnsOption {
  const text = new TextEncoder().encode(ede.text ?? '');
  return { code: EDNS_OPTION.EDE, data: Uint8Array.from([ede.code >> 8, ede.code & 255, ...text]) };
}

export const NOT_AUTHORITATIVE = { code: EDE.NOT_AUTHORITATIVE } as const;
