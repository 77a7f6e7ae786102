/**
 * Network address translation (Linux: nf_nat_core.c): the first packet of a flow chooses the mapping, by the rules of
 * the nat table; every later one, either way, is rewritten by it. Large packets (TSO, GRO) pass whole: only headers
 * change, and the sums by their differences. Left out: persistent and fully random mappings.
 */
import { formatIpv4, IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { ICMP } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { type Conntrack, conntrackEnable, flowOf } from './conntrack.ts';
import { type FlowKey, invertKey, newKey } from './conntrack-tuple.ts';
import { isErrno } from './errno.ts';
import type { Host } from './host.ts';
import { translateIcmpError, translatePacket } from './nat-packet.ts';
import type { NetDevice } from './netdev.ts';
import { HOOK, HOOK_NAMES, type Hook, PRIORITY } from './netfilter.ts';
import { routeOutput } from './route.ts';
import type { SkBuff } from './skbuff.ts';

/** Which end of a flow is rewritten (enum nf_nat_manip_type). */
export type Manip = 'source' | 'target';

/** Addresses and ports that may be chosen; port 0 to 0 for any. (struct nf_nat_range2) */
export interface NatRange {
  readonly addressMin: Ipv4;
  readonly addressMax: Ipv4;
  readonly portMin: number;
  readonly portMax: number;
  /** --random. */
  readonly random: boolean;
}

/** Linux: ports tried one after another before giving up; then half as many from somewhere else, and so on. */
const PORT_ATTEMPTS = 128;
const PORT_ATTEMPTS_MIN = 16;

/** Asks the nat table about a flow's first packet: undefined when the packet was consumed. */
export type NatDecision = (
  host: Host,
  skb: SkBuff,
  hook: Hook,
  input: NetDevice | undefined,
  output: NetDevice | undefined,
) => SkBuff | undefined;

/** Switch translation on, with what the nat table's rules say. */
export function natEnable(host: Host, decide: NatDecision): void {
  conntrackEnable(host);
  for (const hook of [HOOK.PREROUTING, HOOK.INPUT, HOOK.OUTPUT, HOOK.POSTROUTING] as const) {
    const priority = manipOf(hook) === 'target' ? PRIORITY.NAT_TARGET : PRIORITY.NAT_SOURCE;
    host.netfilter.register(hook, priority, (h, skb, at, input, output) => natHook(h, skb, at, decide, input, output));
  }
  // What was masqueraded to a device's address ends with the device or the address (nf_nat_masquerade.c).
  host.devices.watch((event, dev) => {
    if (event === 'down') host.conntrack.flush((flow) => flow.masqueradeIfindex === dev.ifindex);
  });
  host.inet.watch((event, { address, dev }) => {
    if (event !== 'delete') return;
    host.conntrack.flush((flow) => flow.masqueradeIfindex === dev.ifindex && flow.reply.key.target === address);
  });
}

/** PREROUTING and OUTPUT change targets, POSTROUTING and INPUT sources. (HOOK2MANIP) */
function manipOf(hook: Hook): Manip {
  return hook === HOOK.PREROUTING || hook === HOOK.OUTPUT ? 'target' : 'source';
}

/** (Linux: nf_nat_inet_fn) */
function natHook(
  host: Host,
  skb: SkBuff,
  hook: Hook,
  decide: NatDecision,
  input: NetDevice | undefined,
  output: NetDevice | undefined,
): SkBuff | undefined {
  const info = flowOf(skb);
  if (info === undefined) return skb;
  const { flow } = info;
  const manip = manipOf(hook);
  const before = skb.view.getUint32(skb.networkHeader + IPV4.TARGET);
  if (info.state === 'related' && skb.view.getUint8(skb.networkHeader + IPV4.PROTOCOL) === PROTOCOL.ICMP) {
    if (rewrites(flow, manip, info.reply)) translateIcmpError(host, skb, flow, info.reply, manip);
    return afterTarget(host, skb, hook, before);
  }
  let current: SkBuff | undefined = skb;
  if (info.state === 'new' && !(manip === 'source' ? flow.sourceDone : flow.targetDone)) {
    current = decide(host, skb, hook, input, output);
    if (current === undefined) return undefined;
    // No rule spoke: keep it as it is, unless that would clash with another flow.
    if (!(manip === 'source' ? flow.sourceDone : flow.targetDone)) natSetup(host, flow, undefined, manip);
  }
  if (rewrites(flow, manip, info.reply)) {
    const trace = host.trace.on ? describe(current) : '';
    host.skbs.cow(current);
    translatePacket(current, info.reply ? flow.original.key : flow.reply.key, manip);
    if (host.trace.on) traceManip(host, current, trace, { hook, manip, reply: info.reply });
  }
  return afterTarget(host, current, hook, before);
}

/** Replies are rewritten the other way round at the other hooks. */
function rewrites(flow: Conntrack, manip: Manip, reply: boolean): boolean {
  return (manip === 'source') !== reply ? flow.sourceNat : flow.targetNat;
}

/** A packet of ours that now goes elsewhere is routed anew. (Linux: ip_route_me_harder) */
function afterTarget(host: Host, skb: SkBuff, hook: Hook, before: number): SkBuff | undefined {
  const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
  if (target === before) return skb;
  if (hook === HOOK.PREROUTING) skb.route = undefined;
  if (hook !== HOOK.OUTPUT) return skb;
  const route = routeOutput(host, { target });
  if (isErrno(route)) {
    host.skbs.drop(skb, 'ip_no_route', 'ip_route_me_harder');
    return undefined;
  }
  skb.route = route;
  return skb;
}

/**
 * Choose how a flow is rewritten: into `range`, or as it is when undefined. False when no tuple was free.
 * (Linux: nf_nat_setup_info, get_unique_tuple)
 */
export function natSetup(host: Host, flow: Conntrack, range: NatRange | undefined, manip: Manip): boolean {
  const current = newKey();
  if (!invertKey(flow.reply.key, current)) return false;
  const chosen = { ...current };
  const free = chooseTuple(host, flow, chosen, range, manip);
  const reply = newKey();
  if (free && invertKey(chosen, reply)) {
    const changed =
      chosen.source !== current.source ||
      chosen.target !== current.target ||
      chosen.sourcePort !== current.sourcePort ||
      chosen.targetPort !== current.targetPort;
    if (changed) {
      flow.reply.key = reply;
      if (manip === 'source') flow.sourceNat = true;
      else flow.targetNat = true;
    }
  }
  if (manip === 'source') flow.sourceDone = true;
  else flow.targetDone = true;
  return free;
}

function chooseTuple(host: Host, flow: Conntrack, key: FlowKey, range: NatRange | undefined, manip: Manip): boolean {
  if (range !== undefined && range.addressMin !== IPV4_ANY) {
    const own = manip === 'source' ? key.source : key.target;
    const address = own >= range.addressMin && own <= range.addressMax ? own : pickAddress(host, flow, range);
    if (manip === 'source') key.source = address;
    else key.target = address;
  }
  const ports = range !== undefined && range.portMin > 0;
  if (range?.random !== true) {
    const port = portOf(key, manip);
    const fits = !ports || (port >= range.portMin && port <= range.portMax);
    if (ports && range.portMin === range.portMax) {
      setPort(key, manip, range.portMin);
      return true;
    }
    if (fits && isFree(host, flow, key)) return true;
  }
  return searchPort(host, flow, key, range, manip);
}

/** One of several addresses, the same for the same pair of hosts. (Linux: find_best_ips_proto) */
function pickAddress(host: Host, flow: Conntrack, range: NatRange): Ipv4 {
  const size = range.addressMax - range.addressMin + 1;
  if (size <= 1) return range.addressMin;
  const { source, target } = flow.original.key;
  return (range.addressMin + (host.platform.hash([1, 2], source, target) % size)) as Ipv4;
}

/** ICMP's identifier is its source port; it has no target port to change. */
function portOf(key: FlowKey, manip: Manip): number {
  return manip === 'source' || key.protocol === PROTOCOL.ICMP ? key.sourcePort : key.targetPort;
}

function setPort(key: FlowKey, manip: Manip, port: number): void {
  if (manip === 'source' || key.protocol === PROTOCOL.ICMP) key.sourcePort = port;
  else key.targetPort = port;
}

const probe = newKey();

/** Whether the reply to this tuple would be ours alone. (Linux: nf_nat_used_tuple) */
function isFree(host: Host, flow: Conntrack, key: FlowKey): boolean {
  return invertKey(key, probe) && !host.conntrack.taken(probe, flow);
}

/** Another port of the same class, from a random place on. (Linux: nf_nat_l4proto_unique_tuple) */
function searchPort(host: Host, flow: Conntrack, key: FlowKey, range: NatRange | undefined, manip: Manip): boolean {
  const { protocol } = key;
  if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP && protocol !== PROTOCOL.ICMP)
    return isFree(host, flow, key);
  let [min, max] = [range?.portMin ?? 0, range?.portMax ?? 0];
  if (min === 0) {
    // A target's port is never changed unless it was asked for.
    if (manip === 'target' && protocol !== PROTOCOL.ICMP) return isFree(host, flow, key);
    [min, max] = protocol === PROTOCOL.ICMP ? [0, 65_535] : portClass(portOf(key, manip));
  }
  const size = max - min + 1;
  let attempts = Math.min(size, PORT_ATTEMPTS);
  for (;;) {
    const offset = host.random.below(0x1_0000);
    for (let i = 0; i < attempts; i++) {
      setPort(key, manip, min + ((offset + i) % size));
      if (isFree(host, flow, key)) return true;
    }
    if (attempts >= size || attempts < PORT_ATTEMPTS_MIN) return false;
    attempts = Math.floor(attempts / 2);
  }
}

/** Privileged stays privileged. */
function portClass(port: number): [number, number] {
  if (port < 512) return [1, 511];
  return port < 1_024 ? [600, 1_023] : [1_024, 65_535];
}

/** An address of its own for a flow that leaves by `output`: the device's. (Linux: nf_nat_masquerade_ipv4) */
export function natMasquerade(host: Host, skb: SkBuff, output: NetDevice, ports: [number, number]): boolean {
  const info = flowOf(skb);
  if (info === undefined) return true;
  const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
  const route = skb.route as { gateway: Ipv4 } | undefined;
  const towards = route !== undefined && route.gateway !== IPV4_ANY ? route.gateway : target;
  const address = host.inet.selectAddress(output, towards, 'global');
  if (address === IPV4_ANY) return false;
  info.flow.masqueradeIfindex = output.ifindex;
  const [portMin, portMax] = ports;
  return natSetup(
    host,
    info.flow,
    { addressMin: address, addressMax: address, portMin, portMax, random: false },
    'source',
  );
}

function describe(skb: SkBuff): string {
  const { view } = skb;
  const ip = skb.networkHeader;
  const at = ip + ipv4HeaderLength(view, ip);
  const icmp = view.getUint8(ip + IPV4.PROTOCOL) === PROTOCOL.ICMP;
  const port = (offset: number) => (at + ICMP.SIZE <= skb.tail ? view.getUint16(at + offset) : 0);
  const source = formatIpv4(view.getUint32(ip + IPV4.SOURCE) as Ipv4);
  const target = formatIpv4(view.getUint32(ip + IPV4.TARGET) as Ipv4);
  return icmp ? `${source} > ${target} id ${port(ICMP.ID)}` : `${source}:${port(0)} > ${target}:${port(2)}`;
}

function traceManip(
  host: Host,
  skb: SkBuff,
  from: string,
  { hook, manip, reply }: { hook: Hook; manip: Manip; reply: boolean },
): void {
  host.trace.point('nf_nat_manip_pkt', skb, {
    from,
    to: describe(skb),
    direction: reply ? 'reply' : 'original',
    manip: manip === 'source' ? 'SNAT' : 'DNAT',
    hook: HOOK_NAMES[hook],
  });
}
