/** The targets of iptables rules (iptables-extensions(8)). */
import { IPV4_LOOPBACK, type Ipv4, parseIpv4 } from '../header/address.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import { flowOf } from './conntrack.ts';
import { isErrno } from './errno.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import { ipSendSkb } from './ip-output.ts';
import type { RulePacket, TableName, Target, Verdict } from './iptables-table.ts';
import { logTarget } from './iptables-target-log.ts';
import {
  connmarkTarget,
  dscpTarget,
  markTarget,
  netmapTarget,
  notrackTarget,
  tcpmssTarget,
  tosTarget,
  ttlTarget,
} from './iptables-target-more.ts';
import { badParameter, badUse, parsePort, type Words } from './iptables-words.ts';
import { type Manip, type NatRange, natMasquerade, natSetup } from './nat.ts';
import { HOOK, type HookName } from './netfilter.ts';
import { routeOutput } from './route.ts';
import { HEADROOM } from './skbuff.ts';

/** A target in the making: takes options until the rule ends. */
export interface TargetModule {
  readonly name: string;
  /** Tables and chains in which it may stand; empty for any. */
  readonly tables: readonly TableName[];
  readonly hooks: readonly HookName[];
  option(option: string, words: Words): boolean;
  /** More that the kernel asks of its place. */
  misplaced?(): boolean;
  finish(host: Host): Target;
}

export const ANY_PLACE: Pick<TargetModule, 'tables' | 'hooks'> = { tables: [], hooks: [] };
const noOption = (): boolean => false;
export const plainTarget = (name: string, run: Target['run']): Target => ({
  name,
  save: '',
  list: '',
  chain: undefined,
  goto: false,
  run,
});

function verdictModule(name: string, verdict: Verdict): TargetModule {
  return { name, ...ANY_PLACE, option: noOption, finish: () => plainTarget(name, () => verdict) };
}

const REJECTIONS = new Map<string, number>([
  ['icmp-net-unreachable', UNREACHABLE.NET],
  ['icmp-host-unreachable', UNREACHABLE.HOST],
  ['icmp-port-unreachable', UNREACHABLE.PORT],
  ['icmp-proto-unreachable', UNREACHABLE.PROTOCOL],
  ['icmp-net-prohibited', UNREACHABLE.NET_PROHIBITED],
  ['icmp-host-prohibited', UNREACHABLE.HOST_PROHIBITED],
  ['icmp-admin-prohibited', UNREACHABLE.FILTERED],
]);

function rejectModule(protocol: number | undefined): TargetModule {
  let how = 'icmp-port-unreachable';
  return {
    name: 'REJECT',
    tables: ['filter'],
    hooks: ['INPUT', 'FORWARD', 'OUTPUT'],
    option: (option, words) => {
      if (option !== '--reject-with') return false;
      const given = words.value(option);
      how = given.startsWith('icmp-') || given.startsWith('tcp-') ? given : `icmp-${given}`;
      if (how === 'tcp-reset' && protocol !== PROTOCOL.TCP)
        throw badParameter('REJECT: can only be used with "-p tcp" for "--reject-with tcp-reset"');
      if (how !== 'tcp-reset' && !REJECTIONS.has(how)) throw badUse(`unknown reject type "${given}"`);
      return true;
    },
    finish: () => ({
      ...plainTarget('REJECT', (host, packet) => {
        if (packet.skb !== undefined) {
          if (how === 'tcp-reset') sendReset(host, packet);
          else icmpSend(host, packet.skb, ICMP_TYPE.UNREACHABLE, REJECTIONS.get(how) ?? UNREACHABLE.PORT, 0);
        }
        return 'drop';
      }),
      save: `--reject-with ${how}`,
      list: `reject-with ${how}`,
    }),
  };
}

/** Answer a segment with RST in the target's name; never a RST. (Linux: nf_send_reset) */
function sendReset(host: Host, { skb, source, target, fragment }: RulePacket): void {
  if (skb === undefined || fragment || skb.packetType !== 'host') return;
  const { view } = skb;
  const at = skb.transportHeader;
  if (at + TCP.SIZE > skb.tail) return;
  const flags = view.getUint8(at + TCP.FLAGS);
  if ((flags & TCP_FLAG.RST) !== 0) return;
  const route = routeOutput(host, { target: source as Ipv4 });
  if (isErrno(route)) return;
  const reset = host.skbs.alloc(HEADROOM + TCP.SIZE);
  reset.reserve(HEADROOM);
  const to = reset.put(TCP.SIZE);
  const out = reset.view;
  reset.bytes.fill(0, to, to + TCP.SIZE);
  out.setUint16(to + TCP.SOURCE_PORT, view.getUint16(at + TCP.TARGET_PORT));
  out.setUint16(to + TCP.TARGET_PORT, view.getUint16(at + TCP.SOURCE_PORT));
  out.setUint8(to + TCP.OFFSET, 5 << 4);
  if ((flags & TCP_FLAG.ACK) !== 0) {
    out.setUint32(to + TCP.SEQUENCE, view.getUint32(at + TCP.ACKNOWLEDGEMENT));
    out.setUint8(to + TCP.FLAGS, TCP_FLAG.RST);
  } else {
    const length = skb.tail - at + skb.fragBytes - tcpHeaderLength(view, at);
    const extra = ((flags & TCP_FLAG.SYN) !== 0 ? 1 : 0) + ((flags & TCP_FLAG.FIN) !== 0 ? 1 : 0);
    out.setUint32(to + TCP.ACKNOWLEDGEMENT, (view.getUint32(at + TCP.SEQUENCE) + length + extra) >>> 0);
    out.setUint8(to + TCP.FLAGS, TCP_FLAG.RST | TCP_FLAG.ACK);
  }
  reset.checksum = 'partial';
  reset.cause = skb.cause;
  ipSendSkb(host, reset, {
    source: target as Ipv4,
    target: source as Ipv4,
    protocol: PROTOCOL.TCP,
    dontFragment: true,
    route,
  });
}

/** `1.2.3.4`, `1.2.3.4-1.2.3.9`, `1.2.3.4:80-90`, `:80`. */
function parseRange(text: string, random: boolean): NatRange {
  const [addresses = '', ports] = text.split(':');
  const [low = '', high] = addresses.split('-');
  const addressMin = addresses === '' ? (0 as Ipv4) : parseIpv4(low);
  const addressMax = high === undefined ? addressMin : parseIpv4(high);
  if (addressMin === undefined || addressMax === undefined || addressMax < addressMin)
    throw badParameter(`Bad IP address "${addresses}"`);
  const [portMin, portMax] = ports === undefined ? [0, 0] : parsePortRange(ports);
  return { addressMin, addressMax, portMin, portMax, random };
}

function parsePortRange(text: string): [number, number] {
  const [low = '', high] = text.split('-');
  const min = parsePort(low);
  const max = high === undefined ? min : parsePort(high);
  if (min === 0 || max < min) throw badParameter(`Port \`${text}' not valid`);
  return [min, max];
}

/** SNAT and DNAT: to an address, ports, or a range of either. */
function natModule(name: 'SNAT' | 'DNAT', protocol: number | undefined): TargetModule {
  const option = name === 'SNAT' ? '--to-source' : '--to-destination';
  const manip: Manip = name === 'SNAT' ? 'source' : 'target';
  let to: string | undefined;
  let random = false;
  return {
    name,
    tables: ['nat'],
    hooks: name === 'SNAT' ? ['POSTROUTING', 'INPUT'] : ['PREROUTING', 'OUTPUT'],
    option: (word, words) => {
      if (word === '--random') random = true;
      else if (word === option) to = words.value(word);
      else return false;
      if (to?.includes(':') === true && protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP)
        throw badUse('Need TCP, UDP, SCTP or DCCP with port specification');
      return true;
    },
    finish: () => {
      if (to === undefined) throw badUse(`${name}: option "${option}" must be specified`);
      const range = parseRange(to, random);
      return {
        ...plainTarget(name, (host, { skb }) => {
          const info = skb === undefined ? undefined : flowOf(skb);
          if (info !== undefined && !natSetup(host, info.flow, range, manip)) return 'drop';
          return 'accept';
        }),
        save: `${option} ${to}${random ? ' --random' : ''}`,
        list: `to:${to}${random ? ' random' : ''}`,
      };
    },
  };
}

function masqueradeModule(protocol: number | undefined): TargetModule {
  let ports: [number, number] = [0, 0];
  return {
    name: 'MASQUERADE',
    tables: ['nat'],
    hooks: ['POSTROUTING'],
    option: (option, words) => {
      if (option !== '--to-ports') return false;
      if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP)
        throw badUse('Need TCP, UDP, SCTP or DCCP with port specification');
      ports = parsePortRange(words.value(option));
      return true;
    },
    finish: () => {
      const text = ports[0] === 0 ? '' : ports[0] === ports[1] ? `${ports[0]}` : `${ports[0]}-${ports[1]}`;
      return {
        ...plainTarget('MASQUERADE', (host, { skb, output }) => {
          if (skb === undefined || output === undefined) return 'drop';
          return natMasquerade(host, skb, output, ports) ? 'accept' : 'drop';
        }),
        save: text === '' ? '' : `--to-ports ${text}`,
        list: text === '' ? '' : `masq ports: ${text}`,
      };
    },
  };
}

/** To this host itself: the device's first address, or lo's for what we send. (Linux: nf_nat_redirect_ipv4) */
function redirectModule(protocol: number | undefined): TargetModule {
  let ports: [number, number] = [0, 0];
  return {
    name: 'REDIRECT',
    tables: ['nat'],
    hooks: ['PREROUTING', 'OUTPUT'],
    option: (option, words) => {
      if (option !== '--to-ports') return false;
      if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP)
        throw badUse('Need TCP, UDP, SCTP or DCCP with port specification');
      ports = parsePortRange(words.value(option));
      return true;
    },
    finish: () => {
      const text = ports[0] === ports[1] ? `${ports[0]}` : `${ports[0]}-${ports[1]}`;
      return {
        ...plainTarget('REDIRECT', (host, { skb, hook, input }) => {
          const info = skb === undefined ? undefined : flowOf(skb);
          if (info === undefined) return 'accept';
          const own = host.inet.device(input?.ifindex ?? 0)?.addresses[0]?.address;
          const address = hook === HOOK.OUTPUT ? IPV4_LOOPBACK : own;
          if (address === undefined) return 'drop';
          const range = {
            addressMin: address,
            addressMax: address,
            portMin: ports[0],
            portMax: ports[1],
            random: false,
          };
          return natSetup(host, info.flow, range, 'target') ? 'accept' : 'drop';
        }),
        save: ports[0] === 0 ? '' : `--to-ports ${text}`,
        list: ports[0] === 0 ? '' : `redir ports ${text}`,
      };
    },
  };
}

/** A target by name; undefined when there is none (it may be a chain). `protocol`: what -p said. */
export function targetModule(name: string, protocol: number | undefined): TargetModule | undefined {
  switch (name) {
    case 'ACCEPT':
      return verdictModule(name, 'accept');
    case 'DROP':
      return verdictModule(name, 'drop');
    case 'RETURN':
      return verdictModule(name, 'return');
    case 'REJECT':
      return rejectModule(protocol);
    case 'MASQUERADE':
      return masqueradeModule(protocol);
    case 'SNAT':
    case 'DNAT':
      return natModule(name, protocol);
    case 'REDIRECT':
      return redirectModule(protocol);
    case 'TCPMSS':
      return tcpmssTarget(protocol);
    case 'CT':
    case 'NOTRACK':
      return notrackTarget(name);
    default:
      return MORE.get(name)?.();
  }
}

/** Targets in a file of their own. */
const MORE: ReadonlyMap<string, () => TargetModule> = new Map([
  ['CONNMARK', connmarkTarget],
  ['DSCP', dscpTarget],
  ['LOG', logTarget],
  ['MARK', markTarget],
  ['NETMAP', netmapTarget],
  ['TOS', tosTarget],
  ['TTL', ttlTarget],
]);
