/** The targets of iptables rules (iptables-extensions(8)). */
import { formatIpv4, IPV4_LOOPBACK, type Ipv4, parseIpv4 } from '../header/address.ts';
import { updateChecksum } from '../header/checksum.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import { flowOf } from './conntrack.ts';
import { isErrno } from './errno.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import { ipSendSkb } from './ip-output.ts';
import type { RulePacket, TableName, Target, Verdict } from './iptables-table.ts';
import { badParameter, badUse, parseNumber, parsePort, type Words } from './iptables-words.ts';
import { type Manip, type NatRange, natMasquerade, natSetup } from './nat.ts';
import { HOOK, HOOK_NAMES, type HookName } from './netfilter.ts';
import { routeOutput } from './route.ts';
import { HEADROOM } from './skbuff.ts';

/** A target in the making: takes options until the rule ends. */
export interface TargetModule {
  readonly name: string;
  /** Tables and chains in which it may stand; empty for any. */
  readonly tables: readonly TableName[];
  readonly hooks: readonly HookName[];
  option(option: string, words: Words): boolean;
  finish(): Target;
}

const ANY: Pick<TargetModule, 'tables' | 'hooks'> = { tables: [], hooks: [] };
const noOption = (): boolean => false;
const plain = (name: string, run: Target['run']): Target => ({
  name,
  save: '',
  list: '',
  chain: undefined,
  goto: false,
  run,
});

function verdictModule(name: string, verdict: Verdict): TargetModule {
  return { name, ...ANY, option: noOption, finish: () => plain(name, () => verdict) };
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
      ...plain('REJECT', (host, packet) => {
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

/** Says what it sees at the trace point nf_log; there is no kernel log here. */
function logModule(): TargetModule {
  let prefix = '';
  let level = 4;
  return {
    name: 'LOG',
    ...ANY,
    option: (option, words) => {
      if (option === '--log-prefix') prefix = words.value(option).slice(0, 29);
      else if (option === '--log-level') level = parseNumber(words.value(option), option, 7);
      else return false;
      return true;
    },
    finish: () => ({
      ...plain('LOG', (host, packet) => {
        if (host.trace.on) {
          const { input, output, protocol, sourcePort, targetPort, hook } = packet;
          host.trace.point('nf_log', packet.skb, {
            prefix,
            hook: HOOK_NAMES[hook],
            in: input?.name ?? '',
            out: output?.name ?? '',
            source: formatIpv4(packet.source as Ipv4),
            target: formatIpv4(packet.target as Ipv4),
            protocol,
            sourcePort,
            targetPort,
          });
        }
        return 'continue';
      }),
      save: [prefix === '' ? '' : `--log-prefix "${prefix}"`, level === 4 ? '' : `--log-level ${level}`]
        .join(' ')
        .trim(),
      list: `LOG flags 0 level ${level}${prefix === '' ? '' : ` prefix "${prefix}"`}`,
    }),
  };
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
        ...plain(name, (host, { skb }) => {
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
        ...plain('MASQUERADE', (host, { skb, output }) => {
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
        ...plain('REDIRECT', (host, { skb, hook, input }) => {
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

function markModule(): TargetModule {
  let value: number | undefined;
  return {
    name: 'MARK',
    tables: ['mangle'],
    hooks: [],
    option: (option, words) => {
      if (option !== '--set-mark' && option !== '--set-xmark') return false;
      value = parseNumber(words.value(option).split('/')[0] ?? '', option);
      return true;
    },
    finish: () => {
      if (value === undefined) throw badUse('MARK: option "--set-mark" must be specified');
      const mark = value;
      return {
        ...plain('MARK', (_, { skb }) => {
          if (skb !== undefined) skb.mark = mark;
          return 'continue';
        }),
        save: `--set-xmark 0x${mark.toString(16)}/0xffffffff`,
        list: `MARK set 0x${mark.toString(16)}`,
      };
    },
  };
}

/** A TTL of one's own: mangle's. The header checksum is computed anew by its difference. */
function ttlModule(): TargetModule {
  let value: number | undefined;
  return {
    name: 'TTL',
    tables: ['mangle'],
    hooks: [],
    option: (option, words) => {
      if (option !== '--ttl-set') return false;
      value = parseNumber(words.value(option), option, 255);
      return true;
    },
    finish: () => {
      if (value === undefined) throw badUse('TTL: You must specify an action');
      const ttl = value;
      return {
        ...plain('TTL', (host, { skb }) => {
          if (skb === undefined) return 'continue';
          host.skbs.cow(skb);
          setTtl(skb.view, skb.networkHeader, ttl);
          return 'continue';
        }),
        save: `--ttl-set ${ttl}`,
        list: `TTL set to ${ttl}`,
      };
    },
  };
}

function setTtl(view: DataView, ip: number, ttl: number): void {
  const before = view.getUint16(ip + IPV4.TTL);
  const after = (ttl << 8) | (before & 255);
  view.setUint16(ip + IPV4.TTL, after);
  view.setUint16(ip + IPV4.CHECKSUM, updateChecksum(view.getUint16(ip + IPV4.CHECKSUM), before, after));
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
    case 'LOG':
      return logModule();
    case 'MASQUERADE':
      return masqueradeModule(protocol);
    case 'SNAT':
    case 'DNAT':
      return natModule(name, protocol);
    case 'REDIRECT':
      return redirectModule(protocol);
    case 'MARK':
      return markModule();
    case 'TTL':
      return ttlModule();
    default:
      return undefined;
  }
}
