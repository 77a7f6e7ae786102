/**
 * What a recursive server says to a client's question: recursion when it is asked for, otherwise what is known here —
 * a cached answer, or the nearest servers that could be asked (as BIND does for `dig +norecurse`).
 */
import type { DnsMessage, Question, ResourceRecord } from '../header/dns.ts';
import { type DnsName, dnsName, isAtOrBelow, nameKey, parentName } from '../header/dns-name.ts';
import { CLASS, EDE, RCODE, TYPE } from '../header/dns-type.ts';
import type { ResolverIo } from './exchange.ts';
import { type Resolution, type Resolver, recordsOf } from './resolver.ts';
import type { Reply } from './respond.ts';
import { targetNames } from './zone.ts';

const LOCALHOST = dnsName('localhost.');
const INVALID = dnsName('invalid.');

export interface RecurseOptions {
  /** Leave servers of the answer's zone out (BIND's minimal-responses, unbound's default). */
  readonly minimal: boolean;
}

export async function answerRecursively(
  resolver: Resolver,
  query: DnsMessage,
  question: Question,
  io: ResolverIo,
  options: RecurseOptions = { minimal: true },
): Promise<Reply> {
  if (question.class !== CLASS.IN) return { rcode: RCODE.REFUSED, recursionAvailable: true };
  const special = specialName(question);
  if (special !== undefined) return special;
  if (question.type >= TYPE.IXFR && question.type <= TYPE.MAILA)
    return { rcode: RCODE.NOTIMP, recursionAvailable: true };
  if (!query.recursionDesired) return fromCacheOnly(resolver, question);
  const resolution = await resolver.resolve(question, io);
  return replyOf(resolver, question, resolution, options);
}

function replyOf(resolver: Resolver, question: Question, resolution: Resolution, options: RecurseOptions): Reply {
  const answers = recordsOf(resolution.answers);
  const reply: Reply = {
    rcode: resolution.rcode,
    recursionAvailable: true,
    answers,
    authorities: recordsOf(resolution.authorities),
    ...(resolution.ede === undefined ? {} : { ede: resolution.ede }),
  };
  if (options.minimal || resolution.kind !== 'answer') return reply;
  const last = answers.at(-1);
  return { ...reply, ...serversOf(resolver, last?.name ?? question.name, answers) };
}

/** RFC 6761 §6.3 and §6.4: these never leave the house. */
function specialName(question: Question): Reply | undefined {
  const { name, type } = question;
  if (isAtOrBelow(name, INVALID)) return { rcode: RCODE.NXDOMAIN, recursionAvailable: true };
  if (!isAtOrBelow(name, LOCALHOST)) return undefined;
  const data = Uint8Array.of(127, 0, 0, 1);
  const answers: ResourceRecord[] = type === TYPE.A ? [{ name, type, class: CLASS.IN, ttl: 86_400, data }] : [];
  return { rcode: RCODE.NOERROR, recursionAvailable: true, answers };
}

function fromCacheOnly(resolver: Resolver, question: Question): Reply {
  const step = resolver.fromCache(question.name, question.type);
  const recursionAvailable = true;
  if (step === undefined) {
    const servers = serversOf(resolver, question.name, []);
    return { rcode: RCODE.NOERROR, recursionAvailable, ...servers };
  }
  if (step.kind === 'servfail') return { rcode: RCODE.SERVFAIL, recursionAvailable, ede: { code: EDE.CACHED_ERROR } };
  if (step.kind === 'answer')
    return { rcode: RCODE.NOERROR, recursionAvailable, answers: recordsOf([...step.chain, ...step.sets]) };
  if (step.kind === 'cname') return { rcode: RCODE.NOERROR, recursionAvailable, answers: recordsOf(step.chain) };
  const rcode = step.kind === 'nxdomain' ? RCODE.NXDOMAIN : RCODE.NOERROR;
  return { rcode, recursionAvailable, authorities: step.soa === undefined ? [] : [...step.soa.records] };
}

/** The deepest NS set that is known at or above a name, and addresses of its servers. */
function serversOf(resolver: Resolver, name: DnsName, without: readonly ResourceRecord[]) {
  const { cache } = resolver;
  const has = (set: { records: readonly ResourceRecord[] }) =>
    without.some((record) =>
      set.records.some((other) => other.type === record.type && nameKey(other.name) === nameKey(record.name)),
    );
  for (let at = nameKey(name); ; at = parentName(at)) {
    const ns = cache.peek(at, TYPE.NS);
    if (ns?.kind === 'positive' && ns.set !== undefined) {
      const addresses = targetNames(ns.set).flatMap((target) =>
        [TYPE.A, TYPE.AAAA]
          .map((type) => cache.peek(target, type)?.set)
          .filter((set) => set !== undefined && set.type !== TYPE.SOA),
      );
      const known = addresses.filter((set) => set !== undefined).filter((set) => !has(set));
      return { authorities: has(ns.set) ? [] : [...ns.set.records], additionals: recordsOf(known) };
    }
    if (at === '.') return { authorities: [], additionals: [] };
  }
}
