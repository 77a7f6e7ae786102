/** Which server of a zone to ask next, and what to do when none has an address. */
import type { Ipv4 } from '../header/address.ts';
import { type DnsName, isAtOrBelow, nameKey } from '../header/dns-name.ts';
import { type Delegation, mayBeAsked, type NameServer } from './delegation.ts';
import type { ResolverIo } from './exchange.ts';
import type { Resolver } from './resolver.ts';

/** RFC 9520 §3.1: transmissions to one address for one question. */
const SENDS_PER_SERVER_MAX = 3;

/** The servers of one zone while one question is put to them. */
export class ServerPool {
  private readonly zone: Delegation;
  private readonly resolver: Resolver;
  private readonly io: ResolverIo;
  private readonly sends = new Map<Ipv4, number>();
  /** Servers without an address, in random order. */
  private readonly targets: NameServer[];
  /** Servers whose address the parent was asked for. */
  private readonly askedParent = new Set<string>();

  constructor(zone: Delegation, resolver: Resolver, io: ResolverIo) {
    this.zone = zone;
    this.resolver = resolver;
    this.io = io;
    this.targets = [];
    for (const server of zone.servers) {
      this.add(server.addresses);
      if (server.addresses.length === 0) this.targets.push(server);
    }
  }

  add(addresses: readonly Ipv4[]): void {
    for (const address of addresses) {
      if (mayBeAsked(address, this.resolver.options.allowLoopbackServers ?? false) && !this.sends.has(address)) {
        this.sends.set(address, 0);
      }
    }
  }

  /** A server that the parent was not asked about yet. */
  nextUnasked(parent: DnsName): DnsName | undefined {
    const found = this.zone.servers.find(
      ({ name }) => !this.askedParent.has(nameKey(name)) && isAtOrBelow(name, parent),
    );
    if (found !== undefined) this.askedParent.add(nameKey(found.name));
    return found?.name;
  }

  giveUp(server: Ipv4): void {
    this.sends.set(server, SENDS_PER_SERVER_MAX);
  }

  next(): Ipv4 | undefined {
    const { servers } = this.resolver;
    const candidates = [...this.sends].filter(([, sends]) => sends < SENDS_PER_SERVER_MAX).map(([server]) => server);
    const chosen = servers.choose(candidates, (limit) => this.io.random() % limit);
    if (chosen !== undefined) this.sends.set(chosen, (this.sends.get(chosen) ?? 0) + 1);
    return chosen;
  }

  nextTarget(): DnsName | undefined {
    while (this.targets.length > 0) {
      const [target] = this.targets.splice(this.io.random() % this.targets.length, 1);
      // A server inside the zone can only be found through the zone's servers: that is what we lack.
      if (target !== undefined && (this.sends.size > 0 || !isAtOrBelow(target.name, this.zone.zone)))
        return target.name;
    }
    return undefined;
  }
}
