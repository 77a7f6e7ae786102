/**
 * What a server's reply means to a resolver, and which parts of it may be believed: bailiwick rules (RFC 2181 §5.4.1,
 * RFC 5452 §6), CNAME and DNAME chains, negative answers (RFC 2308), referrals, lame servers. Judged by content: many
 * servers forget AA, some set it on referrals.
 */
import type { DnsMessage, ResourceRecord } from '../header/dns.ts';
import { type DnsName, isAtOrBelow, isBelow, nameKey, sameName, substituteSuffix } from '../header/dns-name.ts';
import { nameWire, rdataName, readSoa } from '../header/dns-rdata.ts';
import { CLASS, RCODE, TYPE } from '../header/dns-type.ts';
import { groupRRsets, type RRset, withTtl } from './rrset.ts';

/** Links of a chain inside one reply. */
const LINKS_MAX = 16;

export type Verdict =
  /** `sets` answer the question asked of the name at the end of the chain. */
  | { readonly kind: 'answer'; readonly chain: readonly RRset[]; readonly sets: readonly RRset[] }
  /** The chain goes on at `target`, which this server cannot or did not answer for. */
  | { readonly kind: 'cname'; readonly chain: readonly RRset[]; readonly target: DnsName }
  | {
      readonly kind: 'nodata' | 'nxdomain';
      readonly chain: readonly RRset[];
      readonly name: DnsName;
      readonly soa: RRset | undefined;
    }
  | { readonly kind: 'referral'; readonly ns: RRset; readonly glue: readonly RRset[] }
  /** No answer, no SOA, no way on: another server may know better. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'lame'; readonly recursive: boolean }
  | { readonly kind: 'error'; readonly rcode: number };

/** A reply to `name`/`type` by a server of `zone`. */
export function classify(reply: DnsMessage, name: DnsName, type: number, zone: DnsName): Verdict {
  const { rcode } = reply;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN && rcode !== RCODE.YXDOMAIN) return { kind: 'error', rcode };
  const inClass = (records: readonly ResourceRecord[]) => records.filter((record) => record.class === CLASS.IN);
  const walked = walkChain(groupRRsets(inClass(reply.answers)), name, type, zone);
  if (walked.sets.length > 0) return { kind: 'answer', chain: walked.chain, sets: walked.sets };
  if (walked.tooLong) return { kind: 'error', rcode: RCODE.YXDOMAIN };
  const end = walked.end;
  const authority = groupRRsets(inClass(reply.authorities));
  const soa = negativeSoa(authority, end, zone);
  const followed = walked.chain.length > 0;
  // Out of this server's zone, or without proof: what it says of the target counts for nothing.
  if (followed && (!isAtOrBelow(end, zone) || (soa === undefined && rcode !== RCODE.NXDOMAIN))) {
    return { kind: 'cname', chain: walked.chain, target: end };
  }
  if (rcode === RCODE.NXDOMAIN) return { kind: 'nxdomain', chain: walked.chain, name: end, soa };
  if (soa !== undefined) return { kind: 'nodata', chain: walked.chain, name: end, soa };
  return withoutAnswer(reply, authority, { name, type, zone });
}

interface Walked {
  readonly chain: RRset[];
  readonly sets: RRset[];
  readonly end: DnsName;
  readonly tooLong: boolean;
}

/** Follow the chain from `name` through the answer section, no further than the server's own zone. */
function walkChain(answers: readonly RRset[], name: DnsName, type: number, zone: DnsName): Walked {
  const chain: RRset[] = [];
  const seen = new Set<string>();
  let at = name;
  for (let links = 0; links < LINKS_MAX; links++) {
    if (!isAtOrBelow(at, zone) || seen.has(nameKey(at))) break;
    seen.add(nameKey(at));
    const here = answers.filter((set) => sameName(set.name, at));
    const sets = here.filter((set) => set.type === type || type === TYPE.ANY);
    if (sets.length > 0) return { chain, sets, end: at, tooLong: false };
    const dname = answers.find(
      (set) => set.type === TYPE.DNAME && isBelow(at, set.name) && isAtOrBelow(set.name, zone),
    );
    if (dname !== undefined) {
      const target = rdataName(dname.records[0]?.data ?? new Uint8Array(0));
      const next = target === undefined ? undefined : substituteSuffix(at, dname.name, target);
      if (next === undefined) return { chain, sets: [], end: at, tooLong: true };
      // The CNAME is made here; the server's own is not needed and need not be believed (RFC 6672 §3.1).
      chain.push(dname, synthesised(at, next, dname.ttl));
      at = next;
      continue;
    }
    const cname = here.find((set) => set.type === TYPE.CNAME);
    const target = cname === undefined ? undefined : rdataName(cname.records[0]?.data ?? new Uint8Array(0));
    if (cname === undefined || target === undefined) break;
    chain.push(cname.records.length === 1 ? cname : { ...cname, records: cname.records.slice(0, 1) });
    at = target;
  }
  return { chain, sets: [], end: at, tooLong: false };
}

function synthesised(name: DnsName, target: DnsName, ttl: number): RRset {
  const record = { name, type: TYPE.CNAME, class: CLASS.IN, ttl, data: nameWire(target) };
  return { name, type: TYPE.CNAME, ttl, records: [record] };
}

/** The SOA that says how long `name` may be thought not to be there, its TTL made min(TTL, minimum). */
function negativeSoa(authority: readonly RRset[], name: DnsName, zone: DnsName): RRset | undefined {
  const soa = authority.find(
    (set) => set.type === TYPE.SOA && isAtOrBelow(name, set.name) && isAtOrBelow(set.name, zone),
  );
  if (soa === undefined) return undefined;
  const minimum = readSoa(soa.records[0]?.data ?? new Uint8Array(0))?.minimum ?? 0;
  return withTtl(soa, Math.min(soa.ttl, minimum));
}

function withoutAnswer(
  reply: DnsMessage,
  authority: readonly RRset[],
  asked: { name: DnsName; type: number; zone: DnsName },
): Verdict {
  const { name, type, zone } = asked;
  const nothing: Verdict = { kind: 'nodata', chain: [], name, soa: undefined };
  const below = authority.find((set) => set.type === TYPE.NS && isBelow(set.name, zone) && isAtOrBelow(name, set.name));
  if (below !== undefined) {
    // A question for DS belongs to this side of the cut: a referral there means there is none.
    if (type === TYPE.DS && sameName(below.name, name)) return nothing;
    return { kind: 'referral', ns: below, glue: glueFor(reply.additionals, below, zone) };
  }
  if (reply.authoritative && !authority.some((set) => set.type === TYPE.NS && isBelow(zone, set.name))) {
    return authority.some((set) => set.type === TYPE.NS) ? nothing : { kind: 'empty' };
  }
  if (reply.recursionAvailable && !reply.authoritative) return { kind: 'lame', recursive: true };
  return authority.some((set) => set.type === TYPE.NS) ? { kind: 'lame', recursive: false } : { kind: 'empty' };
}

/** Addresses of the servers in a referral, where this server's zone has a say in them. */
function glueFor(additionals: readonly ResourceRecord[], ns: RRset, zone: DnsName): RRset[] {
  const targets = new Set(ns.records.map((record) => rdataName(record.data)?.toLowerCase()));
  const glue = additionals.filter(
    (record) =>
      record.class === CLASS.IN &&
      (record.type === TYPE.A || record.type === TYPE.AAAA) &&
      isAtOrBelow(record.name, zone) &&
      targets.has(record.name.toLowerCase()),
  );
  return groupRRsets(glue);
}
