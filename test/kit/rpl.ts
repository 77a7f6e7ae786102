/**
 * Runs replay scenarios (rpl-parse.ts) against our resolver on a manual clock: the servers of the scenario answer from
 * its script at once, and time passes only when the scenario says so or when nothing else can happen.
 *
 * Left out: what needs DNSSEC, IPv6 upstream, macros in TIME_PASSES. CHECK_ANSWER compares sections as sets, letter
 * case and TTLs aside unless the entry says `ttl`.
 */

import { RESOLVER_CACHE } from '../../shared/dns/cache.ts';
import type { ExchangeOptions, ResolverIo } from '../../shared/dns/exchange.ts';
import { answerRecursively } from '../../shared/dns/recurse.ts';
import { Resolver, type ResolverOptions } from '../../shared/dns/resolver.ts';
import { encodeReply, receiveQuery } from '../../shared/dns/respond.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../shared/header/address.ts';
import { DNS, type DnsMessage, decodeDns, dnsQuery, encodeDns, type ResourceRecord } from '../../shared/header/dns.ts';
import { DNS_ROOT, dnsName, isAtOrBelow, sameName } from '../../shared/header/dns-name.ts';
import { formatRdata } from '../../shared/header/dns-text.ts';
import { formatRcode, formatType, parseRcode, RCODE } from '../../shared/header/dns-type.ts';
import { isMalformed } from '../../shared/header/malformed.ts';
import type { Timer } from '../../shared/platform.ts';
import { ManualClock } from './clock.ts';
import { parseRpl, type Rpl, type RplEntry, type RplStep } from './rpl-parse.ts';

export interface RplResult {
  readonly verdict: 'pass' | 'fail' | 'skip';
  readonly why: string;
  /** Questions that the script does not define. */
  readonly undefinedQueries: readonly string[];
  readonly upstream: number;
}

interface Pending {
  readonly server: Ipv4;
  readonly query: DnsMessage;
  readonly tcp: boolean;
  readonly accept: (bytes: Uint8Array) => boolean;
  readonly done: (outcome: Uint8Array | 'timeout' | 'unreachable') => void;
  readonly timeout: number;
}

const ROUNDS_MAX = 5_000;
const UPSTREAM_MAX = 200;
const SUPPORTED = new Set([
  'QUERY',
  'CHECK_ANSWER',
  'TIME_PASSES',
  'TRAFFIC',
  'NOTHING',
  'CHECK_OUT_QUERY',
  'REPLY',
  'TIMEOUT',
  'ERROR',
]);

export async function runRpl(text: string, style: 'unbound' | 'deckard'): Promise<RplResult> {
  let rpl: Rpl;
  try {
    rpl = parseRpl(text);
  } catch (error) {
    return { verdict: 'skip', why: `cannot read it: ${(error as Error).message}`, undefinedQueries: [], upstream: 0 };
  }
  const odd = rpl.steps.find((step) => !SUPPORTED.has(step.type) || step.args.includes('EVAL'));
  if (odd !== undefined)
    return { verdict: 'skip', why: `step ${odd.type} ${odd.args.join(' ')}`, undefinedQueries: [], upstream: 0 };
  return await new Scenario(rpl, style).run();
}

class Scenario {
  private readonly rpl: Rpl;
  private readonly style: 'unbound' | 'deckard';
  private readonly clock = new ManualClock(1_000_000_000);
  private readonly resolver: Resolver;
  private readonly minimal: boolean;
  private readonly pending: Pending[] = [];
  private readonly answers: DnsMessage[] = [];
  private lastAnswer: DnsMessage | undefined;
  private readonly undefinedQueries: string[] = [];
  private readonly usedReplies = new Set<RplStep>();
  private readonly timers = new Set<Timer>();
  private outstanding = 0;
  private upstream = 0;
  private index = 0;
  private lastQueryStep = 0;
  private seed = 12_345;

  constructor(rpl: Rpl, style: 'unbound' | 'deckard') {
    this.rpl = rpl;
    this.style = style;
    const setting = (key: string, fallback: string) => rpl.config.find((line) => line.key === key)?.value ?? fallback;
    this.minimal = style === 'deckard' || setting('minimal-responses', 'yes') === 'yes';
    this.resolver = new Resolver({
      ...zonesOf(rpl),
      now: () => this.clock.now(),
      minimiseNames: setting('qname-minimisation', style === 'unbound' ? 'yes' : 'no') === 'yes',
      nothingBelowNxdomain: false,
      cache: {
        ...RESOLVER_CACHE,
        ttlMax: Number(setting('cache-max-ttl', '86400')),
        ttlMin: Number(setting('cache-min-ttl', '0')),
        negativeTtlMax: Number(setting('cache-max-negative-ttl', '3600')),
        negativeTtlMin: Number(setting('cache-min-negative-ttl', '0')),
      },
      keepServersOfAnswers: setting('iter-scrub-promiscuous', style === 'unbound' ? 'yes' : 'no') === 'no',
      failureSeconds: 1,
    });
  }

  async run(): Promise<RplResult> {
    let why = '';
    for (let round = 0; ; round++) {
      await settled();
      if (round > ROUNDS_MAX) why = 'does not come to rest';
      else if (this.upstream > UPSTREAM_MAX * this.rpl.steps.length) why = 'too many questions upstream';
      else if (this.deliver()) continue;
      else {
        const step = this.rpl.steps[this.index];
        if (step === undefined) break;
        why = await this.execute(step);
      }
      if (why !== '') break;
    }
    const undefinedQueries = this.undefinedQueries;
    if (why !== '') return { verdict: 'fail', why, undefinedQueries, upstream: this.upstream };
    return { verdict: 'pass', why, undefinedQueries, upstream: this.upstream };
  }

  /** Testbound's order: a question that the script waits for, then canned answers. True when something happened. */
  private deliver(): boolean {
    const step = this.rpl.steps[this.index];
    if (step?.type === 'CHECK_OUT_QUERY') {
      const found = this.pending.find((p) => step.entry !== undefined && matches(step.entry, p.query, p.tcp));
      if (found !== undefined) {
        if (step.entry?.adjust.has('copy_id')) this.finish(found, replyBytes(step.entry, found.query, this.style));
        this.index++;
        return true;
      }
    }
    for (const pending of this.pending) {
      const entry = this.canned(pending);
      if (entry === undefined) continue;
      this.finish(pending, replyBytes(entry, pending.query, this.style));
      return true;
    }
    return false;
  }

  private canned(pending: Pending): RplEntry | undefined {
    const address = formatIpv4(pending.server);
    const number =
      this.style === 'deckard' ? this.lastQueryStep : (this.rpl.steps[this.index]?.number ?? Number.POSITIVE_INFINITY);
    const known = this.rpl.ranges.some((range) => range.addresses.includes(address));
    const eligible = this.rpl.ranges.filter(
      (range) =>
        range.from <= number &&
        number <= range.to &&
        (range.addresses.length === 0 || range.addresses.includes(address) || (this.style === 'deckard' && !known)),
    );
    const ranges = this.style === 'deckard' ? eligible.slice(0, 1) : eligible;
    for (const range of ranges) {
      const entry = range.entries.find((candidate) => matches(candidate, pending.query, pending.tcp));
      if (entry !== undefined) return entry.adjust.has('do_not_answer') ? undefined : entry;
    }
    if (this.style === 'deckard') {
      const step = this.rpl.steps.find(
        (s) =>
          s.type === 'REPLY' &&
          s.number >= this.lastQueryStep &&
          !this.usedReplies.has(s) &&
          s.entry !== undefined &&
          matches(s.entry, pending.query, pending.tcp),
      );
      if (step !== undefined) {
        this.usedReplies.add(step);
        return step.entry;
      }
    }
    const [question] = pending.query.questions;
    const text = `${address} ${question?.name} ${formatType(question?.type ?? 0)}`;
    if (!this.undefinedQueries.includes(text)) this.undefinedQueries.push(text);
    return undefined;
  }

  private finish(pending: Pending, bytes: Uint8Array): void {
    if (pending.accept(bytes)) this.end(pending, bytes);
    else this.drop(pending);
  }

  /** Not ours: it goes on waiting for a better one, which never comes. */
  private drop(pending: Pending): void {
    this.pending.splice(this.pending.indexOf(pending), 1);
  }

  private end(pending: Pending, outcome: Uint8Array | 'timeout' | 'unreachable'): void {
    const at = this.pending.indexOf(pending);
    if (at >= 0) this.pending.splice(at, 1);
    pending.done(outcome);
  }

  private async execute(step: RplStep): Promise<string> {
    switch (step.type) {
      case 'QUERY':
        this.lastQueryStep = step.number;
        this.index++;
        this.query(step);
        return '';
      case 'CHECK_ANSWER': {
        // Deckard compares with the last answer, testbound with each in turn.
        if (this.style === 'deckard' && this.outstanding > 0) return this.wait(`step ${step.number}: no answer`);
        if (this.style === 'deckard') this.answers.splice(0, this.answers.length - 1);
        const answer = this.answers.shift() ?? (this.style === 'deckard' ? this.lastAnswer : undefined);
        if (answer === undefined) return this.wait(`step ${step.number}: no answer`);
        this.lastAnswer = answer;
        this.index++;
        const difference = step.entry === undefined ? '' : compareAnswer(step.entry, answer);
        return difference === '' ? '' : `step ${step.number}: ${difference}`;
      }
      case 'CHECK_OUT_QUERY':
        if (this.style === 'unbound') return this.wait(`step ${step.number}: the expected question was not asked`);
        break;
      case 'REPLY': {
        const latest = this.pending.at(-1);
        if (this.style === 'unbound' && latest === undefined) return this.wait(`step ${step.number}: nobody asked`);
        if (this.style === 'unbound' && latest !== undefined && step.entry !== undefined)
          this.finish(latest, replyBytes(step.entry, latest.query, this.style));
        break;
      }
      case 'TIMEOUT':
      case 'ERROR': {
        const latest = this.pending.at(-1);
        if (latest === undefined) return `step ${step.number}: nothing to time out`;
        if (step.type === 'TIMEOUT') this.clock.advance(latest.timeout);
        else this.end(latest, 'unreachable');
        break;
      }
      case 'TIME_PASSES':
        this.clock.advance(Math.round(Number(step.args[1]) * 1e6));
        break;
      default:
    }
    this.index++;
    return '';
  }

  /** Nothing can happen but time. */
  private wait(why: string): string {
    const deadlines = [...this.timers].filter((timer) => timer.armed).map((timer) => timer.deadline);
    if (this.outstanding === 0 || deadlines.length === 0) return why;
    this.clock.run(Math.min(...deadlines));
    return '';
  }

  private query(step: RplStep): void {
    const { entry } = step;
    if (entry === undefined) return;
    const bytes = entry.raw ?? encodeDns(queryOf(entry));
    const incoming = receiveQuery(bytes, { recursionAvailable: true, tcp: false });
    if (incoming.kind === 'ignore') return;
    if (incoming.kind === 'reply') return this.answered(incoming.bytes);
    this.outstanding++;
    const io = this.io();
    answerRecursively(this.resolver, incoming.query, incoming.question, io, { minimal: this.minimal })
      .then((reply) => this.answered(encodeReply(incoming.query, reply, true)))
      .finally(() => this.outstanding--);
  }

  private answered(bytes: Uint8Array): void {
    const message = decodeDns(bytes);
    if (!isMalformed(message)) this.answers.push(message);
  }

  private io(): ResolverIo {
    return {
      now: () => this.clock.now(),
      random: () => (this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0),
      mark: () => {},
      exchange: (server, bytes, options) => this.exchange(server, bytes, options),
    };
  }

  private exchange(
    server: Ipv4,
    bytes: Uint8Array,
    options: ExchangeOptions,
  ): Promise<Uint8Array | 'timeout' | 'unreachable'> {
    this.upstream++;
    if (process.env['WIRELAB_RPL_TRACE'] !== undefined) {
      const asked = decodeDns(bytes);
      const [question] = isMalformed(asked) ? [] : asked.questions;
      console.log(this.clock.now() / 1e6, formatIpv4(server), question?.name, formatType(question?.type ?? 0));
    }
    return new Promise((resolve) => {
      const query = decodeDns(bytes);
      if (isMalformed(query)) throw new Error('we sent a malformed query');
      const pending: Pending = {
        server,
        query,
        tcp: options.tcp,
        accept: options.accept,
        timeout: options.timeout,
        done: (outcome) => {
          timer.stop();
          this.timers.delete(timer);
          resolve(outcome);
        },
      };
      const timer = this.clock.after(options.timeout, () => this.end(pending, 'timeout'));
      this.timers.add(timer);
      this.pending.push(pending);
    });
  }
}

/** Everything that promises can do without time passing has been done. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function zonesOf(rpl: Rpl): Pick<ResolverOptions, 'hints' | 'zones'> {
  const roots: Ipv4[] = [];
  const zones: { zone: string; addresses: Ipv4[]; forward: boolean }[] = [];
  let name: string | undefined;
  for (const { key, value } of rpl.config) {
    if (key === 'stub-zone' || key === 'forward-zone' || key === 'server') name = undefined;
    if (key === 'name') name = value;
    const address =
      key === 'stub-addr' || key === 'forward-addr' ? parseIpv4(value.split(/[@\s]/)[0] ?? '') : undefined;
    if (address === undefined) continue;
    if (key === 'stub-addr' && (name === undefined || name === '.')) roots.push(address);
    else {
      const old = zones.find((zone) => zone.zone === name);
      if (old !== undefined) old.addresses.push(address);
      else zones.push({ zone: name ?? '.', addresses: [address], forward: key === 'forward-addr' });
    }
  }
  return {
    hints: { servers: roots.length === 0 ? [] : [{ name: dnsName('k.root-servers.net.'), addresses: roots }] },
    zones: zones.map(({ zone, addresses, forward }) => ({
      zone: dnsName(zone),
      servers: [{ name: DNS_ROOT, addresses }],
      forward,
    })),
  };
}

function flagged(entry: RplEntry, id: number): DnsMessage {
  const has = (flag: string) => entry.reply.has(flag);
  const [question] = entry.questions;
  const rcode = [...entry.reply].map(parseRcode).find((found) => found !== undefined) ?? RCODE.NOERROR;
  const base = dnsQuery(question ?? { name: DNS_ROOT, type: 0, class: 1 }, { id, recursionDesired: has('RD') });
  return {
    ...base,
    questions: entry.questions,
    response: has('QR'),
    opcode: has('NOTIFY') ? 4 : has('UPDATE') ? 5 : 0,
    authoritative: has('AA'),
    truncated: has('TC'),
    recursionAvailable: has('RA'),
    checkingDisabled: has('CD'),
    authenticData: has('AD'),
    rcode,
  };
}

function queryOf(entry: RplEntry): DnsMessage {
  const message = { ...flagged(entry, 4711), response: false };
  if (!entry.reply.has('DO')) return message;
  return { ...message, edns: { udpSize: 4096, version: 0, dnssecOk: true, options: [] } };
}

/** Testbound replaces the layer that looks at IDs, so its scenarios do not always copy them. */
function replyBytes(entry: RplEntry, query: DnsMessage, style: 'unbound' | 'deckard'): Uint8Array {
  const copyId = style === 'unbound' || entry.adjust.has('copy_id');
  if (entry.raw !== undefined) {
    const bytes = Uint8Array.from(entry.raw);
    if (bytes.length >= DNS.SIZE && copyId) new DataView(bytes.buffer).setUint16(DNS.ID, query.id);
    return bytes;
  }
  const message: DnsMessage = {
    ...flagged(entry, copyId ? query.id : 0),
    questions: entry.adjust.has('copy_query') ? query.questions : entry.questions,
    answers: entry.answer,
    authorities: entry.authority,
    additionals: entry.additional,
  };
  return encodeDns(message);
}

function matches(entry: RplEntry, query: DnsMessage, tcp: boolean): boolean {
  const [ours] = query.questions;
  const [theirs] = entry.questions;
  for (const word of entry.match) {
    const ok =
      word === 'opcode' || word === 'rcode' || word === 'flags'
        ? true
        : word === 'qtype'
          ? ours?.type === theirs?.type
          : word === 'qname' || word === 'qcase'
            ? ours !== undefined && theirs !== undefined && sameName(ours.name, theirs.name)
            : word === 'subdomain'
              ? ours !== undefined && theirs !== undefined && isAtOrBelow(ours.name, theirs.name)
              : word === 'question' || word === 'all'
                ? ours !== undefined &&
                  theirs !== undefined &&
                  sameName(ours.name, theirs.name) &&
                  ours.type === theirs.type
                : word === 'udp'
                  ? !tcp
                  : word === 'tcp'
                    ? tcp
                    : word === 'do'
                      ? query.edns?.dnssecOk === true
                      : word === 'noedns'
                        ? query.edns === undefined
                        : true;
    if (!ok) return false;
  }
  return true;
}

const canonical = (records: readonly ResourceRecord[], withTtl: boolean) =>
  [
    ...new Set(
      records.map((r) =>
        `${r.name} ${withTtl ? r.ttl : ''} ${formatType(r.type)} ${formatRdata(r.type, r.data)}`.toLowerCase(),
      ),
    ),
  ]
    .sort()
    .join('\n');

function compareAnswer(entry: RplEntry, answer: DnsMessage): string {
  const expected = flagged(entry, 0);
  const all = entry.match.has('all') || entry.match.has('all_noedns');
  const wants = (word: string) => all || entry.match.has(word);
  const ttl = entry.match.has('ttl');
  if (wants('rcode') && answer.rcode !== expected.rcode)
    return `rcode ${formatRcode(answer.rcode)}, not ${formatRcode(expected.rcode)}`;
  if (wants('flags')) {
    for (const flag of [
      'authoritative',
      'truncated',
      'recursionDesired',
      'recursionAvailable',
      'checkingDisabled',
      'authenticData',
    ] as const) {
      if (answer[flag] !== expected[flag]) return `${flag} ${answer[flag]}`;
    }
  }
  const sections = [
    ['answer', entry.answer, answer.answers],
    ['authority', entry.authority, answer.authorities],
    ['additional', entry.additional, answer.additionals],
  ] as const;
  for (const [name, theirs, ours] of sections) {
    if (wants(name) && canonical(theirs, ttl) !== canonical(ours, ttl)) {
      return `${name} section\n--- expected\n${canonical(theirs, ttl)}\n--- got\n${canonical(ours, ttl)}`;
    }
  }
  return '';
}
