/**
 * A zone in memory and the lookup of RFC 1034 §4.3.2: delegations, empty non-terminals, wildcards (RFC 4592), DNAME
 * (RFC 6672). A name is found with one Map lookup; what hides it (a cut or a DNAME above) was worked out at loading.
 *
 * Interface:
 * - `Zone.load(origin, file)` → the zone, or every reason why it cannot be served.
 * - `find(name, type)` → one step of an answer; chains are answer.ts's work.
 * - `glue(name)` → addresses at a name, also below cuts.
 */
import type { ResourceRecord } from '../header/dns.ts';
import { type DnsName, isAtOrBelow, labelCount, nameKey, parentName } from '../header/dns-name.ts';
import { rdataName, readSoa } from '../header/dns-rdata.ts';
import { formatType, TYPE } from '../header/dns-type.ts';
import { type RRset, sameOctets, withOwner, withTtl } from './rrset.ts';
import type { FileProblem, FileRecord, ZoneFile } from './zone-file.ts';

export interface ZoneNode {
  readonly name: DnsName;
  /** By type; empty for a name that exists only because of names below it. */
  readonly sets: Map<number, RRset>;
  /** The highest node from below the apex down to here at which authority ends (NS), or above here with a DNAME. */
  barrier: ZoneNode | undefined;
}

export type Found =
  | { readonly kind: 'answer'; readonly sets: readonly RRset[]; readonly wildcard: boolean }
  | { readonly kind: 'cname'; readonly set: RRset; readonly wildcard: boolean }
  | { readonly kind: 'dname'; readonly set: RRset }
  | { readonly kind: 'referral'; readonly cut: ZoneNode }
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' };

const NODATA: Found = { kind: 'nodata' };
const NXDOMAIN: Found = { kind: 'nxdomain' };

export class Zone {
  readonly origin: DnsName;
  readonly soa: RRset;
  /** For negative answers: its TTL is min(own, minimum) (RFC 2308 §3). */
  readonly negativeSoa: RRset;
  readonly ns: RRset | undefined;
  private readonly apex: ZoneNode;
  private readonly nodes: ReadonlyMap<string, ZoneNode>;

  private constructor(origin: DnsName, nodes: ReadonlyMap<string, ZoneNode>, apex: ZoneNode, soa: RRset) {
    this.origin = origin;
    this.nodes = nodes;
    this.apex = apex;
    this.soa = soa;
    this.ns = apex.sets.get(TYPE.NS);
    const minimum = readSoa(soa.records[0]?.data ?? new Uint8Array(0))?.minimum ?? 0;
    this.negativeSoa = withTtl(soa, Math.min(soa.ttl, minimum));
  }

  /** Problems of the file come first; a zone that has any is not served. */
  static load(origin: DnsName, file: ZoneFile): { zone: Zone } | { problems: readonly FileProblem[] } {
    const problems = [...file.problems];
    const nodes = new Map<string, ZoneNode>();
    const apex = nodeAt(nodes, origin, origin);
    for (const located of file.records) addRecord(nodes, origin, located, problems);
    checkNodes(nodes, origin, file, problems);
    const soa = apex.sets.get(TYPE.SOA);
    const [start] = file.records;
    if (soa === undefined) {
      const { file: name, line, column } = start ?? { file: '', line: 1, column: 1 };
      problems.push({ file: name, line, column, message: `no SOA record for ${origin}` });
    }
    if (soa === undefined || problems.length > 0) return { problems };
    setBarriers(nodes, apex);
    return { zone: new Zone(origin, nodes, apex, soa) };
  }

  /** All records, the SOA first. */
  *records(): Generator<ResourceRecord> {
    yield* this.soa.records;
    for (const node of this.nodes.values()) {
      for (const set of node.sets.values()) if (set !== this.soa) yield* set.records;
    }
  }

  find(name: DnsName, type: number): Found {
    const exact = this.nodes.get(nameKey(name));
    if (exact !== undefined) {
      if (exact.barrier !== undefined) {
        // DS belongs to the parent side of a cut (RFC 4035 §3.1.4.1).
        if (exact.barrier !== exact || type !== TYPE.DS) return atBarrier(exact.barrier);
      }
      return atNode(exact, type, name, false);
    }
    const encloser = this.closestEncloser(name);
    if (encloser.barrier !== undefined) return atBarrier(encloser.barrier);
    const dname = encloser.sets.get(TYPE.DNAME);
    if (dname !== undefined) return { kind: 'dname', set: dname };
    const wildcard = this.nodes.get(encloser.name === '.' ? '*.' : `*.${nameKey(encloser.name)}`);
    return wildcard === undefined ? NXDOMAIN : atNode(wildcard, type, name, true);
  }

  /** RFC 4592 §3.3.1: the longest ancestor that exists. */
  private closestEncloser(name: DnsName): ZoneNode {
    let ancestor = parentName(nameKey(name));
    while (ancestor !== '.') {
      const node = this.nodes.get(ancestor);
      if (node !== undefined) return node;
      ancestor = parentName(ancestor);
    }
    return this.apex;
  }

  /** A and AAAA sets at a name, below a cut too: for additional sections. */
  glue(name: DnsName): RRset[] {
    const node = this.nodes.get(nameKey(name));
    if (node === undefined) return [];
    return [node.sets.get(TYPE.A), node.sets.get(TYPE.AAAA)].filter((set) => set !== undefined);
  }
}

function atBarrier(barrier: ZoneNode): Found {
  const dname = barrier.sets.get(TYPE.DNAME);
  if (dname !== undefined && !barrier.sets.has(TYPE.NS)) return { kind: 'dname', set: dname };
  return { kind: 'referral', cut: barrier };
}

function atNode(node: ZoneNode, type: number, name: DnsName, wildcard: boolean): Found {
  const own = (set: RRset) => (wildcard ? withOwner(set, name) : set);
  if (type === TYPE.ANY) {
    // RFC 8482 §4.1: one set is answer enough.
    const [first] = node.sets.values();
    return first === undefined ? NODATA : { kind: 'answer', sets: [own(first)], wildcard };
  }
  const set = node.sets.get(type);
  if (set !== undefined) return { kind: 'answer', sets: [own(set)], wildcard };
  const cname = node.sets.get(TYPE.CNAME);
  return cname === undefined ? NODATA : { kind: 'cname', set: own(cname), wildcard };
}

/** The node of a name, and the nodes of all names between it and the apex: they exist with it. */
function nodeAt(nodes: Map<string, ZoneNode>, name: DnsName, origin: DnsName): ZoneNode {
  const key = nameKey(name);
  const found = nodes.get(key);
  if (found !== undefined) return found;
  const node: ZoneNode = { name, sets: new Map(), barrier: undefined };
  if (labelCount(name) > labelCount(origin)) nodeAt(nodes, parentName(name), origin);
  nodes.set(key, node);
  return node;
}

function addRecord(nodes: Map<string, ZoneNode>, origin: DnsName, located: FileRecord, problems: FileProblem[]): void {
  const { record, file, line, column } = located;
  const problem = (message: string) => problems.push({ file, line, column, message });
  if (!isAtOrBelow(record.name, origin)) {
    problem(`${record.name} is not in the zone ${origin}`);
    return;
  }
  if (record.type === TYPE.SOA && nameKey(record.name) !== nameKey(origin)) {
    problem(`a SOA record belongs at ${origin}, not at ${record.name}`);
    return;
  }
  const node = nodeAt(nodes, record.name, origin);
  const set = node.sets.get(record.type);
  if (set === undefined) {
    node.sets.set(record.type, { name: record.name, type: record.type, ttl: record.ttl, records: [record] });
    return;
  }
  if (set.records.some((other) => sameOctets(other.data, record.data))) return;
  if (SINGLETONS.has(record.type)) {
    problem(`${record.name} has two ${formatType(record.type)} records`);
    return;
  }
  // All of a set have one TTL (RFC 2181 §5.2): as BIND, the first one's.
  node.sets.set(record.type, { ...set, records: [...set.records, { ...record, name: set.name, ttl: set.ttl }] });
}

const SINGLETONS: ReadonlySet<number> = new Set([TYPE.SOA, TYPE.CNAME, TYPE.DNAME]);
/** What may stand beside a CNAME (RFC 4034 §2.5). */
const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);

function checkNodes(
  nodes: ReadonlyMap<string, ZoneNode>,
  origin: DnsName,
  file: ZoneFile,
  problems: FileProblem[],
): void {
  const at = (node: ZoneNode, type: number, message: string): void => {
    const found = file.records.find((r) => r.record.type === type && nameKey(r.record.name) === nameKey(node.name));
    const { file: name, line, column } = found ?? { file: '', line: 1, column: 1 };
    problems.push({ file: name, line, column, message });
  };
  for (const node of nodes.values()) {
    if (node.sets.has(TYPE.CNAME) && [...node.sets.keys()].some((type) => !BESIDE_CNAME.has(type))) {
      at(node, TYPE.CNAME, `${node.name} has a CNAME and other data`);
    }
  }
  const apex = nodes.get(nameKey(origin));
  if (apex?.sets.has(TYPE.SOA) && !apex.sets.has(TYPE.NS)) at(apex, TYPE.SOA, `no NS record for ${origin}`);
}

function setBarriers(nodes: ReadonlyMap<string, ZoneNode>, apex: ZoneNode): void {
  // Parents are made before their children, so one pass from the top is enough.
  const ordered = [...nodes.values()].sort((a, b) => labelCount(a.name) - labelCount(b.name));
  for (const node of ordered) {
    if (node === apex) continue;
    const parent = nodes.get(nameKey(parentName(node.name)));
    if (parent?.barrier !== undefined) node.barrier = parent.barrier;
    else if (parent?.sets.has(TYPE.DNAME)) node.barrier = parent;
    else if (node.sets.has(TYPE.NS)) node.barrier = node;
  }
}

/** The zones of a server: the deepest one that a name is in answers. */
export class Zones {
  private readonly zones = new Map<string, Zone>();

  add(zone: Zone): void {
    this.zones.set(nameKey(zone.origin), zone);
  }

  get size(): number {
    return this.zones.size;
  }

  all(): Iterable<Zone> {
    return this.zones.values();
  }

  get(origin: DnsName): Zone | undefined {
    return this.zones.get(nameKey(origin));
  }

  /** For DS the zone above: the parent side of the cut answers it (RFC 4035 §3.1.4.1). */
  zoneOf(name: DnsName, type: number): Zone | undefined {
    const own = this.deepest(nameKey(name));
    if (own === undefined || type !== TYPE.DS || name === '.' || nameKey(own.origin) !== nameKey(name)) return own;
    return this.deepest(parentName(nameKey(name))) ?? own;
  }

  private deepest(key: DnsName): Zone | undefined {
    for (let at = key; ; at = parentName(at)) {
      const zone = this.zones.get(at);
      if (zone !== undefined || at === '.') return zone;
    }
  }
}

/** The names that NS, MX and SRV records of a set point to. */
export function targetNames(set: RRset): DnsName[] {
  const offset = TARGET_OFFSET.get(set.type);
  if (offset === undefined) return [];
  return set.records.map((record) => rdataName(record.data, offset)).filter((name) => name !== undefined);
}

const TARGET_OFFSET: ReadonlyMap<number, number> = new Map([
  [TYPE.NS, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
]);

/** Whether glue for this target must come along for the referral to be of use (RFC 9471 §2.1). */
export function isInDomain(target: DnsName, cut: DnsName): boolean {
  return isAtOrBelow(target, cut);
}
