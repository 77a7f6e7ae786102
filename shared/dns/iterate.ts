/**
 * Finding out what is not in the cache: start at the deepest zone whose servers are known, ask, follow referrals down
 * (RFC 1034 §5.3.3). Names of servers without addresses are resolved on the way. Every loop has a limit, and all work
 * for one client's question shares one budget, so that no zone can make us work for its pleasure (NXNSAttack).
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import type { DnsMessage } from '../header/dns.ts';
import {
  ancestorName,
  DNS_ROOT,
  type DnsName,
  isAtOrBelow,
  labelCount,
  nameKey,
  nameWithoutDot,
  parentName,
} from '../header/dns-name.ts';
import { CLASS, EDE, formatType, TYPE } from '../header/dns-type.ts';
import type { Micros } from '../platform.ts';
import { RANK } from './cache.ts';
import { classify, type Verdict } from './classify.ts';
import { addressesIn, closestInCache, type Delegation, delegationOf } from './delegation.ts';
import type { ResolverIo } from './exchange.ts';
import type { Resolver, Step } from './resolver.ts';
import { groupRRsets, type RRset } from './rrset.ts';
import { ServerPool } from './server-pool.ts';

/** unbound: MAX_REFERRAL_COUNT 130; names have at most 127 labels. */
const REFERRALS_MAX = 130;
/** Messages to the servers of one zone for one question. */
const SENDS_PER_ZONE_MAX = 16;
/** Messages for one client's question, all names of servers included (unbound: max-global-quota 200). */
const SENDS_PER_QUESTION_MAX = 200;
/** Names of servers that are resolved for one client's question (MAX_TARGET_COUNT), and that may fail (MAX_TARGET_NX). */
const TARGETS_MAX = 64;
const TARGET_FAILURES_MAX = 5;
/** Resolving a server's name may need another server's name … so deep. */
const DEPTH_MAX = 7;
/** Replies without anything in them that are taken for NODATA in the end (EMPTY_NODATA_RETRY). */
const EMPTY_RETRIES = 2;
/** RFC 9156 §2.3. */
const MINIMISE_COUNT_MAX = 10;
const MINIMISE_ONE_LABEL = 4;

/** What all the work for one client's question has left. */
export class Budget {
  sends = SENDS_PER_QUESTION_MAX;
  targets = TARGETS_MAX;
  targetFailures = TARGET_FAILURES_MAX;
  readonly deadline: Micros;
  /** Names and types being resolved above this point: resolving one of them again would wait for itself. */
  readonly active: string[] = [];

  constructor(deadline: Micros) {
    this.deadline = deadline;
  }
}

/** What asking one zone's servers came to. */
type Asked = { readonly verdict: Verdict; readonly reply: DnsMessage } | { readonly why: string; readonly ede: number };

export class Iteration {
  private readonly resolver: Resolver;
  private readonly io: ResolverIo;
  private readonly budget: Budget;

  constructor(resolver: Resolver, io: ResolverIo, budget: Budget) {
    this.resolver = resolver;
    this.io = io;
    this.budget = budget;
  }

  async run(name: DnsName, type: number): Promise<Step> {
    const key = `${type} ${nameKey(name)}`;
    const { active } = this.budget;
    if (active.includes(key) || active.length >= DEPTH_MAX) return servfail('name servers depend on each other');
    active.push(key);
    try {
      return await this.descend(name, type);
    } finally {
      active.splice(active.lastIndexOf(key), 1);
    }
  }

  private async descend(name: DnsName, type: number): Promise<Step> {
    let at = await this.start(name, type);
    let minimised = this.resolver.options.minimiseNames === true && at.forward !== true ? 0 : MINIMISE_COUNT_MAX;
    let known = labelCount(at.zone);
    for (let referrals = 0; referrals < REFERRALS_MAX; referrals++) {
      const labels = minimised < MINIMISE_COUNT_MAX ? nextLabels(known, labelCount(name), minimised) : labelCount(name);
      const full = labels >= labelCount(name);
      const asked = full
        ? await this.askZone(at, name, type)
        : await this.askZone(at, ancestorName(name, labels), TYPE.A);
      if ('why' in asked) {
        if (full) return servfail(asked.why, asked.ede);
        minimised = MINIMISE_COUNT_MAX; // Perhaps these servers do not like short names.
        continue;
      }
      const { verdict } = asked;
      if (verdict.kind === 'referral') {
        at = { ...this.takeReferral(verdict), parent: at };
        known = labelCount(at.zone);
        continue;
      }
      if (full) return this.keep(verdict, asked.reply, name, type);
      // RFC 8020 would stop at NXDOMAIN; too many servers say it of empty names, so the whole name is asked then.
      if (verdict.kind === 'nxdomain' || verdict.kind === 'cname') minimised = MINIMISE_COUNT_MAX;
      else minimised++;
      known = labels;
    }
    return servfail('too many referrals');
  }

  /** The deepest zone we know servers of; for DS the parent's side of a cut. */
  private async start(name: DnsName, type: number): Promise<Delegation> {
    const from = type === TYPE.DS && name !== DNS_ROOT ? parentName(name) : name;
    const cached = closestInCache(from, this.resolver.cache);
    const configured = this.resolver.configured(from);
    if (configured !== undefined && (cached === undefined || labelCount(cached.zone) <= labelCount(configured.zone))) {
      return configured;
    }
    if (cached !== undefined) return cached;
    const hints = this.resolver.hints();
    const isPriming = name === DNS_ROOT && type === TYPE.NS;
    if (isPriming || this.resolver.options.prime === false) return hints;
    return await this.prime(hints);
  }

  /** RFC 9609: ask one of the hints who the root's servers are; the answer counts, the hints are only a way there. */
  private async prime(hints: Delegation): Promise<Delegation> {
    const asked = await this.askZone(hints, DNS_ROOT, TYPE.NS);
    if ('why' in asked || asked.verdict.kind !== 'answer') return hints;
    this.keep(asked.verdict, asked.reply, DNS_ROOT, TYPE.NS);
    this.keepAddresses(asked.reply, asked.verdict.sets);
    return closestInCache(DNS_ROOT, this.resolver.cache) ?? hints;
  }

  /** Addresses that came with the root's NS set: glue. */
  private keepAddresses(reply: DnsMessage, ns: readonly RRset[]): void {
    for (const set of ns) {
      const names = delegationOf(set, [], this.resolver.cache, 'cache').servers.map((server) => nameKey(server.name));
      for (const record of reply.additionals) {
        if (record.type !== TYPE.A || !names.includes(nameKey(record.name))) continue;
        const records = reply.additionals.filter(
          (other) => other.type === TYPE.A && nameKey(other.name) === nameKey(record.name),
        );
        this.resolver.cache.put({ name: record.name, type: TYPE.A, ttl: record.ttl, records }, RANK.glue);
      }
    }
  }

  private takeReferral(referral: Verdict & { kind: 'referral' }): Delegation {
    const { cache } = this.resolver;
    cache.put(referral.ns, RANK.referral);
    for (const set of referral.glue) cache.put(set, RANK.glue);
    return delegationOf(referral.ns, referral.glue, cache, 'referral');
  }

  /** Put a final reply into the cache, and hand it on. */
  private keep(verdict: Verdict, reply: DnsMessage, name: DnsName, type: number): Step {
    const { cache } = this.resolver;
    const rank = reply.authoritative ? RANK.authoritative : RANK.answer;
    const chain = 'chain' in verdict ? verdict.chain.map((set) => cache.clamped(set)) : [];
    switch (verdict.kind) {
      case 'answer': {
        const sets = verdict.sets.map((set) => cache.clamped(set));
        for (const set of [...chain, ...sets]) cache.put(set, rank);
        if (this.resolver.options.keepServersOfAnswers === true) this.keepServers(reply, sets);
        return { kind: 'answer', chain, sets };
      }
      case 'cname':
        for (const set of chain) cache.put(set, rank);
        return { kind: 'cname', chain, target: verdict.target };
      case 'nodata':
      case 'nxdomain':
        for (const set of chain) cache.put(set, rank);
        cache.putNegative(verdict.kind, verdict.name, type, verdict.soa);
        return {
          kind: verdict.kind,
          chain,
          soa: verdict.soa === undefined ? undefined : cache.clampedNegative(verdict.soa),
        };
      case 'empty':
        return { kind: 'nodata', chain: [], soa: undefined };
      default:
        return servfail(`${name} ${formatType(type)}: no usable reply`);
    }
  }

  /** The NS set of the zone that answered, as it says of itself, and the addresses that come along. */
  private keepServers(reply: DnsMessage, sets: readonly RRset[]): void {
    const [answer] = sets;
    for (const ns of groupRRsets(reply.authorities)) {
      if (ns.type !== TYPE.NS || answer === undefined || !isAtOrBelow(answer.name, ns.name)) continue;
      this.resolver.cache.put(ns, RANK.authority);
      this.keepAddresses(reply, [ns]);
    }
  }

  /** Ask the servers of a zone, one after the other, until one says something of use. */
  private async askZone(zone: Delegation, name: DnsName, type: number, mayAskParent = true): Promise<Asked> {
    const pool = new ServerPool(zone, this.resolver, this.io);
    let empties = 0;
    let last: Asked = { why: `no reachable server for ${zone.zone}`, ede: EDE.NO_REACHABLE_AUTHORITY };
    for (let sends = 0; sends < SENDS_PER_ZONE_MAX; sends++) {
      const server =
        pool.next() ??
        (await this.moreAddresses(pool)) ??
        (mayAskParent ? await this.fromParent(pool, zone) : undefined);
      if (server === undefined) return last;
      if (this.budget.sends-- <= 0) return { why: 'too much work for one question', ede: EDE.OTHER };
      const outcome = await this.askServer(server, zone, name, type);
      if (outcome === 'timeout' || outcome === 'unreachable') {
        last = { why: `${formatIpv4(server)} for ${zone.zone}: ${outcome}`, ede: EDE.NO_REACHABLE_AUTHORITY };
        if (this.io.now() >= this.budget.deadline) return last;
        if (outcome === 'unreachable') pool.giveUp(server);
        continue;
      }
      const verdict = classify(outcome, name, type, zone.forward === true ? DNS_ROOT : zone.zone);
      if (verdict.kind === 'empty' && ++empties > EMPTY_RETRIES) return { verdict, reply: outcome };
      if (verdict.kind !== 'empty' && verdict.kind !== 'lame' && verdict.kind !== 'error')
        return { verdict, reply: outcome };
      pool.giveUp(server);
      if (verdict.kind === 'empty') {
        last = { verdict, reply: outcome };
      } else if ('why' in last) {
        last = { why: `${formatIpv4(server)} is of no use for ${zone.zone}`, ede: EDE.NO_REACHABLE_AUTHORITY };
      }
    }
    return last;
  }

  private async askServer(server: Ipv4, zone: Delegation, name: DnsName, type: number) {
    const { exchanger, servers, options } = this.resolver;
    const names = { zone: nameWithoutDot(zone.zone), name: nameWithoutDot(name) };
    const fields = { server: formatIpv4(server), ...names, type: formatType(type) };
    this.io.mark('named:iterate', fields);
    const left = Math.max(this.budget.deadline - this.io.now(), 1);
    return await exchanger.ask(
      this.io,
      server,
      { name, type, class: CLASS.IN },
      {
        timeout: Math.min(servers.timeoutOf(server), left),
        recursionDesired: zone.forward ?? false,
        mixCase: options.mixCase ?? false,
      },
    );
  }

  /** The address of a server of this zone that had none so far, found by resolving its name. */
  private async moreAddresses(pool: ServerPool): Promise<Ipv4 | undefined> {
    for (let target = pool.nextTarget(); target !== undefined; target = pool.nextTarget()) {
      if (this.budget.targets-- <= 0 || this.budget.targetFailures <= 0) return undefined;
      if (this.io.now() >= this.budget.deadline) return undefined;
      const found = await this.resolver.follow(target, TYPE.A, this.io, this.budget);
      const addresses = found.answers.flatMap((set) => addressesIn(set));
      if (addresses.length === 0) this.budget.targetFailures--;
      pool.add(addresses);
      const server = pool.next();
      if (server !== undefined) return server;
    }
    return undefined;
  }

  /** Glue that was missing, has run out, or is wrong by now: the zone above may still say where a server is. */
  private async fromParent(pool: ServerPool, zone: Delegation): Promise<Ipv4 | undefined> {
    const parent = zone.parent ?? (zone.from === 'cache' ? this.above(zone.zone) : undefined);
    if (parent === undefined) return undefined;
    for (let target = pool.nextUnasked(parent.zone); target !== undefined; target = pool.nextUnasked(parent.zone)) {
      if (this.budget.targets-- <= 0 || this.io.now() >= this.budget.deadline) return undefined;
      const asked = await this.askZone(parent, target, TYPE.A, false);
      const glue = 'verdict' in asked ? addressesOf(asked.verdict, target) : undefined;
      if (glue === undefined) continue;
      this.resolver.cache.put(glue, RANK.glue);
      pool.add(addressesIn(glue));
      const server = pool.next();
      if (server !== undefined) return server;
    }
    return undefined;
  }

  private above(zone: DnsName): Delegation | undefined {
    if (zone === DNS_ROOT) return undefined;
    return closestInCache(parentName(zone), this.resolver.cache) ?? this.resolver.hints();
  }
}

/** The address set of `name` in a verdict, as an answer or as glue. */
function addressesOf(verdict: Verdict, name: DnsName): RRset | undefined {
  const sets = verdict.kind === 'answer' ? verdict.sets : verdict.kind === 'referral' ? verdict.glue : [];
  return sets.find((set) => set.type === TYPE.A && nameKey(set.name) === nameKey(name));
}

/** RFC 9156 §2.3: one label more for the first few, then in steps that get there in ten. */
function nextLabels(known: number, total: number, step: number): number {
  if (step < MINIMISE_ONE_LABEL) return known + 1;
  return known + Math.max(Math.ceil((total - known) / (MINIMISE_COUNT_MAX - step)), 1);
}

function servfail(why: string, ede: number = EDE.OTHER): Step {
  return { kind: 'servfail', why, ede };
}
