/** What named does with one question: its own zones first, then its resolver; every step marked for the journey. */
import { type Answer, type AnswerKind, answerFromZones, transferRecords } from '../dns/answer.ts';
import { chaosAnswer } from '../dns/chaos.ts';
import type { ResolverIo } from '../dns/exchange.ts';
import { answerRecursively } from '../dns/recurse.ts';
import type { Resolver } from '../dns/resolver.ts';
import { encodeReply, NOT_AUTHORITATIVE, type Reply, receiveQuery, replyMessage } from '../dns/respond.ts';
import type { Zones } from '../dns/zone.ts';
import { formatIpv4 } from '../header/address.ts';
import { DNS_PORT, type DnsMessage, encodeDns, type Question, type ResourceRecord } from '../header/dns.ts';
import { type DnsName, nameWithoutDot } from '../header/dns-name.ts';
import { formatRdata } from '../header/dns-text.ts';
import { formatRcode, formatType, RCODE, TYPE } from '../header/dns-type.ts';
import type { Syscalls } from '../net/syscalls.ts';
import type { TraceFields } from '../net/trace.ts';
import type { Asked } from './dns-server.ts';
import { at, exchangeTcp, exchangeUdp } from './dns-socket.ts';

/** Records that a mark names before it stops. */
const MARKED_RECORDS_MAX = 8;
/** Records in one message of a zone transfer. */
const TRANSFER_RECORDS = 100;

/** What `rndc stats` counts. */
export class NamedCounters {
  queries = 0;
  readonly rcodes: Map<string, number> = new Map();
  readonly types: Map<string, number> = new Map();
}

export class NameServerProgram {
  readonly counters = new NamedCounters();
  private readonly zones: Zones;
  private readonly resolver: Resolver | undefined;

  constructor(zones: Zones, resolver: Resolver | undefined) {
    this.zones = zones;
    this.resolver = resolver;
  }

  async handle(sys: Syscalls, asked: Asked): Promise<readonly Uint8Array[]> {
    const recursionAvailable = this.resolver !== undefined;
    const incoming = receiveQuery(asked.bytes, { recursionAvailable, tcp: asked.tcp });
    if (incoming.kind === 'ignore') return [];
    this.counters.queries++;
    if (incoming.kind === 'reply') {
      this.count(incoming.rcode);
      return [incoming.bytes];
    }
    const { query, question } = incoming;
    const type = formatType(question.type);
    this.counters.types.set(type, (this.counters.types.get(type) ?? 0) + 1);
    const asker = { name: nameWithoutDot(question.name), type };
    const from = formatIpv4(asked.from.address);
    sys.mark('named:query', { ...asker, from, recursive: query.recursionDesired && recursionAvailable });
    if (question.type === TYPE.AXFR) return this.transfer(query, question);
    const { reply, kind, zone } = await this.reply(sys, query, question);
    this.count(reply.rcode);
    sys.mark('named:answer', { ...asker, rcode: formatRcode(reply.rcode), kind, ...fieldsOf(reply, kind, zone) });
    return [encodeReply(query, reply, asked.tcp)];
  }

  private count(rcode: number): void {
    const name = formatRcode(rcode);
    this.counters.rcodes.set(name, (this.counters.rcodes.get(name) ?? 0) + 1);
  }

  /** Own zones first; what is not in them is for the resolver, or refused. */
  private async reply(
    sys: Syscalls,
    query: DnsMessage,
    question: Question,
  ): Promise<{ reply: Reply; kind: AnswerKind; zone: DnsName | undefined }> {
    const recursionAvailable = this.resolver !== undefined;
    const chaos = chaosAnswer(question, sys.gethostname());
    if (chaos !== undefined)
      return { reply: chaos, kind: chaos.rcode === RCODE.NOERROR ? 'answer' : 'refused', zone: undefined };
    const answer = answerFromZones(this.zones, question, query);
    const wantsMore = answer.kind === 'refused' || (answer.kind === 'referral' && query.recursionDesired);
    if (this.resolver === undefined || !wantsMore) return { reply: replyOf(answer, recursionAvailable), ...answer };
    const reply = await answerRecursively(this.resolver, query, question, resolverIo(sys));
    return { reply, kind: kindOf(reply), zone: undefined };
  }

  /** AXFR (RFC 5936): the whole zone, the SOA at both ends. */
  private transfer(query: DnsMessage, question: Question): readonly Uint8Array[] {
    const zone = this.zones.get(question.name);
    this.count(zone === undefined ? RCODE.NOTAUTH : RCODE.NOERROR);
    if (zone === undefined) return [encodeReply(query, { rcode: RCODE.NOTAUTH }, true)];
    const records = transferRecords(zone);
    const messages: Uint8Array[] = [];
    for (let start = 0; start < records.length; start += TRANSFER_RECORDS) {
      const answers = records.slice(start, start + TRANSFER_RECORDS);
      messages.push(encodeDns(replyMessage(query, { rcode: RCODE.NOERROR, authoritative: true, answers })));
    }
    return messages;
  }
}

function replyOf(answer: Answer, recursionAvailable: boolean): Reply {
  return { ...answer, recursionAvailable, ...(answer.kind === 'refused' ? { ede: NOT_AUTHORITATIVE } : {}) };
}

function kindOf(reply: Reply): AnswerKind {
  if (reply.rcode === RCODE.NXDOMAIN) return 'nxdomain';
  if (reply.rcode === RCODE.REFUSED) return 'refused';
  if (reply.rcode !== RCODE.NOERROR) return 'servfail';
  if ((reply.answers?.length ?? 0) > 0) return 'answer';
  return reply.authorities?.some((record) => record.type === TYPE.NS) ? 'referral' : 'nodata';
}

function fieldsOf(reply: Reply, kind: AnswerKind, zone: DnsName | undefined): TraceFields {
  const records =
    kind === 'referral' ? [...(reply.authorities ?? []), ...(reply.additionals ?? [])] : (reply.answers ?? []);
  return {
    ...(zone === undefined ? {} : { zone: nameWithoutDot(zone) }),
    ...(records.length === 0 ? {} : { records: records.slice(0, MARKED_RECORDS_MAX).map(markRecord) }),
  };
}

function markRecord(record: ResourceRecord): string {
  return `${record.name} ${record.ttl} ${formatType(record.type)} ${formatRdata(record.type, record.data)}`;
}

/** The resolver's way out: sockets of this thread, so that what it asks belongs to the question it asks for. */
export function resolverIo(sys: Syscalls): ResolverIo {
  const cause = sys.cause;
  return {
    now: () => sys.clockGettime(),
    random: () => sys.getrandom(),
    mark: (point, fields) => sys.mark(point, fields),
    exchange: async (server, bytes, options) => {
      const thread = sys.thread(cause);
      const target = at(server, DNS_PORT);
      const { timeout, accept } = options;
      return await (options.tcp
        ? exchangeTcp(thread, target, bytes, { timeout, accept })
        : exchangeUdp(thread, target, bytes, { timeout, accept }));
    },
  };
}
