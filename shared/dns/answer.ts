/**
 * Authoritative answers (RFC 1034 §4.3.2 over zones in memory): chains of CNAME and DNAME inside the zone, referrals with
 * their glue, negative answers with the SOA. As BIND does, the zone's NS set comes along unless the question wants
 * recursion. QTYPE ANY gets one set (RFC 8482).
 *
 * A chain that leaves its zone ends there, even when the target's zone is here too (as NSD).
 */
import type { DnsMessage, Question, ResourceRecord } from '../header/dns.ts';
import { type DnsName, isAtOrBelow, nameKey, substituteSuffix } from '../header/dns-name.ts';
import { nameWire, rdataName } from '../header/dns-rdata.ts';
import { CLASS, RCODE, TYPE } from '../header/dns-type.ts';
import type { RRset } from './rrset.ts';
import { isInDomain, targetNames, type Zone, type ZoneNode, type Zones } from './zone.ts';

/** CNAMEs followed for one question; a longer chain is answered as far as it goes. */
const CHAIN_MAX = 16;

export type AnswerKind = 'answer' | 'referral' | 'nxdomain' | 'nodata' | 'cname' | 'refused' | 'servfail';

export interface Answer {
  readonly kind: AnswerKind;
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: ResourceRecord[];
  readonly authorities: ResourceRecord[];
  readonly additionals: ResourceRecord[];
  /** So many of the additionals must fit, or the message is truncated. */
  readonly requiredAdditionals: number;
  /** The zone that answers; for a referral the one that it leads to. */
  readonly zone: DnsName | undefined;
}

const REFUSED: Answer = {
  kind: 'refused',
  rcode: RCODE.REFUSED,
  authoritative: false,
  answers: [],
  authorities: [],
  additionals: [],
  requiredAdditionals: 0,
  zone: undefined,
};

export function answerFromZones(zones: Zones, question: Question, query: Pick<DnsMessage, 'recursionDesired'>): Answer {
  if (question.class !== CLASS.IN && question.class !== CLASS.ANY) return REFUSED;
  const zone = zones.zoneOf(question.name, question.type);
  return zone === undefined ? REFUSED : new Answerer(zone, !query.recursionDesired).answer(question);
}

class Answerer {
  private readonly zone: Zone;
  /** Whether the zone's own NS set belongs into positive answers. */
  private readonly full: boolean;
  private readonly answers: ResourceRecord[] = [];
  private readonly authorities: ResourceRecord[] = [];
  private readonly additionals: ResourceRecord[] = [];
  private readonly addressesGiven = new Set<string>();

  constructor(zone: Zone, full: boolean) {
    this.zone = zone;
    this.full = full;
  }

  answer(question: Question): Answer {
    let name = question.name;
    const seen = new Set<string>();
    for (let links = 0; ; links++) {
      seen.add(nameKey(name));
      const found = this.zone.find(name, question.type);
      const authoritative = links > 0 || found.kind !== 'referral';
      switch (found.kind) {
        case 'answer':
          return this.positive(found.sets);
        case 'referral':
          return this.referral(found.cut, authoritative);
        case 'nodata':
          this.authorities.push(...this.zone.negativeSoa.records);
          return this.finish(links > 0 ? 'cname' : 'nodata', RCODE.NOERROR, true);
        case 'nxdomain':
          this.authorities.push(...this.zone.negativeSoa.records);
          return this.finish('nxdomain', RCODE.NXDOMAIN, true);
        case 'cname':
        case 'dname': {
          const next = found.kind === 'cname' ? this.cname(found.set) : this.dname(found.set, name);
          if (next === undefined) return this.finish('answer', RCODE.YXDOMAIN, true);
          if (question.type === TYPE.CNAME || question.type === TYPE.ANY)
            return this.finish('answer', RCODE.NOERROR, true);
          if (!isAtOrBelow(next, this.zone.origin) || seen.has(nameKey(next)) || links >= CHAIN_MAX) {
            return this.finish('cname', RCODE.NOERROR, true);
          }
          name = next;
        }
      }
    }
  }

  private cname(set: RRset): DnsName | undefined {
    this.answers.push(...set.records);
    return rdataName(set.records[0]?.data ?? new Uint8Array(0));
  }

  /** The DNAME and the CNAME that follows from it (RFC 6672 §3.1); undefined: the new name is too long. */
  private dname(set: RRset, name: DnsName): DnsName | undefined {
    if (!this.answers.some((record) => record === set.records[0])) this.answers.push(...set.records);
    const target = rdataName(set.records[0]?.data ?? new Uint8Array(0));
    const next = target === undefined ? undefined : substituteSuffix(name, set.name, target);
    if (next === undefined) return undefined;
    this.answers.push({ name, type: TYPE.CNAME, class: CLASS.IN, ttl: set.ttl, data: nameWire(next) });
    return next;
  }

  private positive(sets: readonly RRset[]): Answer {
    for (const set of sets) this.answers.push(...set.records);
    for (const set of sets) this.addAddresses(set);
    const { ns } = this.zone;
    if (this.full && ns !== undefined && !sets.includes(ns)) {
      this.authorities.push(...ns.records);
      this.addAddresses(ns);
    }
    return this.finish('answer', RCODE.NOERROR, true);
  }

  /** Glue of servers below the cut first: without it the referral is of no use. */
  private referral(cut: ZoneNode, authoritative: boolean): Answer {
    const ns = cut.sets.get(TYPE.NS);
    if (ns === undefined) return REFUSED;
    this.authorities.push(...ns.records);
    this.addAddresses(ns, (target) => isInDomain(target, cut.name));
    const required = this.additionals.length;
    this.addAddresses(ns);
    const answer = this.finish('referral', RCODE.NOERROR, authoritative && this.answers.length > 0, required);
    return { ...answer, zone: cut.name };
  }

  private addAddresses(set: RRset, wanted: (target: DnsName) => boolean = () => true): void {
    for (const target of targetNames(set)) {
      const key = nameKey(target);
      if (this.addressesGiven.has(key) || !isAtOrBelow(target, this.zone.origin) || !wanted(target)) continue;
      this.addressesGiven.add(key);
      for (const glue of this.zone.glue(target)) {
        if (!this.answers.includes(glue.records[0] as ResourceRecord)) this.additionals.push(...glue.records);
      }
    }
  }

  private finish(kind: AnswerKind, rcode: number, authoritative: boolean, requiredAdditionals = 0): Answer {
    const { answers, authorities, additionals } = this;
    const zone = this.zone.origin;
    return { kind, rcode, authoritative, answers, authorities, additionals, requiredAdditionals, zone };
  }
}

/** What a zone's records are when somebody transfers it (RFC 5936 §2.2): the SOA at both ends. */
export function transferRecords(zone: Zone): ResourceRecord[] {
  return [...zone.records(), ...zone.soa.records];
}
