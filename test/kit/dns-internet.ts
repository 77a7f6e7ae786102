/** Name servers in memory: zones by server address, answered as named would, for resolvers under test. */
import { answerFromZones } from '../../shared/dns/answer.ts';
import type { ResolverIo } from '../../shared/dns/exchange.ts';
import { encodeReply, type Incoming, receiveQuery } from '../../shared/dns/respond.ts';
import { Zone, Zones } from '../../shared/dns/zone.ts';
import { parseZoneFile } from '../../shared/dns/zone-file.ts';
import { formatIpv4 } from '../../shared/header/address.ts';
import { decodeDns } from '../../shared/header/dns.ts';
import { dnsName } from '../../shared/header/dns-name.ts';
import { formatType } from '../../shared/header/dns-type.ts';
import { isMalformed } from '../../shared/header/malformed.ts';
import type { Micros } from '../../shared/platform.ts';
import type { ManualClock } from './clock.ts';

export interface Seen {
  readonly server: string;
  readonly name: string;
  readonly type: string;
  readonly tcp: boolean;
  readonly edns: boolean;
  readonly id: number;
}

type Bend = (incoming: Incoming & { kind: 'query' }, tcp: boolean, bytes: Uint8Array) => Uint8Array | undefined;

export class DnsInternet {
  readonly seen: Seen[] = [];
  private readonly zones = new Map<string, Zones>();
  private readonly bends = new Map<string, Bend>();
  private readonly silent = new Set<string>();
  private readonly clock: ManualClock;
  private readonly latency: Micros;
  private seed = 1;

  constructor(clock: ManualClock, latency: Micros = 10_000) {
    this.clock = clock;
    this.latency = latency;
  }

  serve(address: string, origin: string, text: string): void {
    const file = parseZoneFile(text, { file: origin, origin: dnsName(origin) });
    const loaded = Zone.load(dnsName(origin), file);
    if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
    const zones = this.zones.get(address) ?? new Zones();
    zones.add(loaded.zone);
    this.zones.set(address, zones);
  }

  silence(address: string): void {
    this.silent.add(address);
  }

  /** Answer in a way of the test's own; undefined means as usual. */
  bend(address: string, bend: Bend): void {
    this.bends.set(address, bend);
  }

  io(): ResolverIo {
    return {
      now: () => this.clock.now(),
      random: () => (this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0),
      mark: () => {},
      exchange: (server, bytes, { tcp, timeout, accept }) =>
        new Promise((resolve) => {
          const address = formatIpv4(server);
          const reply = this.reply(address, bytes, tcp);
          if (reply === undefined) this.clock.after(timeout, () => resolve('timeout'));
          else if (reply === 'unreachable') this.clock.after(this.latency, () => resolve('unreachable'));
          else
            this.clock.after(accept(reply) ? this.latency : timeout, () => resolve(accept(reply) ? reply : 'timeout'));
        }),
    };
  }

  private reply(address: string, bytes: Uint8Array, tcp: boolean): Uint8Array | 'unreachable' | undefined {
    const query = decodeDns(bytes);
    if (isMalformed(query)) throw new Error(query.malformed);
    const [question] = query.questions;
    const { id } = query;
    const edns = query.edns !== undefined;
    this.seen.push({
      server: address,
      name: question?.name ?? '',
      type: formatType(question?.type ?? 0),
      tcp,
      edns,
      id,
    });
    if (this.silent.has(address)) return undefined;
    const zones = this.zones.get(address);
    const incoming = receiveQuery(bytes, { recursionAvailable: false, tcp });
    if (incoming.kind !== 'query') return incoming.kind === 'reply' ? incoming.bytes : undefined;
    const bent = this.bends.get(address)?.(incoming, tcp, bytes);
    if (bent !== undefined) return bent;
    if (zones === undefined) return 'unreachable';
    return encodeReply(incoming.query, answerFromZones(zones, incoming.question, incoming.query), tcp);
  }
}
