/** Where a resolver may ask for names of a zone: its name servers and those of their addresses that are known. */
import { formatIpv4, type Ipv4, isLoopbackIpv4 } from '../header/address.ts';
import { DNS_ROOT, type DnsName, isAtOrBelow, nameKey, parentName, sameName } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { TYPE } from '../header/dns-type.ts';
import type { DnsCache } from './cache.ts';
import type { RRset } from './rrset.ts';
import { targetNames } from './zone.ts';
import type { ZoneFile } from './zone-file.ts';

/** Servers of one zone that are looked at; more is an attack or a mistake (unbound: MAX_DP_TARGET_COUNT 16). */
const SERVERS_PER_ZONE_MAX = 16;

export interface NameServer {
  readonly name: DnsName;
  readonly addresses: readonly Ipv4[];
}

export interface Delegation {
  readonly zone: DnsName;
  readonly servers: readonly NameServer[];
  /** `hints` must be confirmed by a priming query before use; `configured` is the operator's word. */
  readonly from: 'cache' | 'referral' | 'hints' | 'configured';
  /** Ask it to do the recursion (a forwarder). */
  readonly forward?: boolean;
  /** The zone that referred to this one. */
  readonly parent?: Delegation;
}

export interface RootHints {
  readonly servers: readonly NameServer[];
}

/** A hints file (named.root): NS records of the root and addresses. */
export function readHints(file: ZoneFile): RootHints {
  const names = file.records
    .filter(({ record }) => record.type === TYPE.NS && record.name === DNS_ROOT)
    .map(({ record }) => rdataName(record.data))
    .filter((name) => name !== undefined);
  const addressesOf = (name: DnsName) =>
    file.records
      .filter(({ record }) => record.type === TYPE.A && sameName(record.name, name))
      .map(({ record }) => addressOf(record.data));
  return { servers: names.map((name) => ({ name, addresses: addressesOf(name) })) };
}

export function addressOf(data: Uint8Array): Ipv4 {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0) as Ipv4;
}

export function addressesIn(set: RRset | undefined): Ipv4[] {
  return set === undefined || set.type !== TYPE.A ? [] : set.records.map((record) => addressOf(record.data));
}

/** Addresses no server can have from afar: 0/8, broadcast, and 127/8 unless it is allowed. */
export function mayBeAsked(address: Ipv4, allowLoopback: boolean): boolean {
  return address >>> 24 !== 0 && address !== 0xffff_ffff && (allowLoopback || !isLoopbackIpv4(address));
}

/** The servers that a set of NS records names, with what is known of their addresses. */
export function delegationOf(ns: RRset, glue: readonly RRset[], cache: DnsCache, from: Delegation['from']): Delegation {
  const servers = targetNames(ns)
    .slice(0, SERVERS_PER_ZONE_MAX)
    .map((name) => {
      const given = glue.find((set) => set.type === TYPE.A && sameName(set.name, name));
      const cached = cache.peek(name, TYPE.A);
      const set = cached?.kind === 'positive' ? cached.set : given;
      return { name, addresses: addressesIn(set) };
    });
  return { zone: ns.name, servers, from };
}

/** The deepest zone at or above `name` whose servers are in the cache. */
export function closestInCache(name: DnsName, cache: DnsCache): Delegation | undefined {
  for (let at = nameKey(name); ; at = parentName(at)) {
    const entry = cache.peek(at, TYPE.NS);
    if (entry?.kind === 'positive' && entry.set !== undefined) {
      const delegation = delegationOf(entry.set, [], cache, 'cache');
      if (delegation.servers.some((server) => isUsable(server, at))) return delegation;
    }
    if (at === '.') return undefined;
  }
}

/** A server below the cut without an address cannot be found without its own zone's servers. */
function isUsable(server: NameServer, zone: DnsName): boolean {
  return server.addresses.length > 0 || !isAtOrBelow(server.name, zone);
}

export function formatServers(servers: readonly NameServer[]): string {
  return servers.map(({ name, addresses }) => `${name} ${addresses.map(formatIpv4).join(' ')}`).join(', ');
}
