/**
 * -j LOG: a line in the kernel's log, as nf_log_syslog writes it, and the trace point nf_log. Left out: the options' bytes
 * in --log-tcp-options, users (--log-uid shows the only one there is).
 */
import { formatIpv4, formatMac, type Ipv4, readMac } from '../header/address.ts';
import { ETHERNET } from '../header/ethernet.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { IPV4, IPV4_DF, IPV4_MF, IPV4_OFFSET_MASK, PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG } from '../header/tcp.ts';
import { UDP } from '../header/udp.ts';
import type { Host } from './host.ts';
import type { RulePacket } from './iptables-table.ts';
import { ANY_PLACE, plainTarget, type TargetModule } from './iptables-target.ts';
import { badUse, parseNumber } from './iptables-words.ts';
import { HOOK_NAMES } from './netfilter.ts';
import { KERN } from './printk.ts';
import type { SkBuff } from './skbuff.ts';

const LEVELS: Readonly<Record<string, number>> = {
  alert: 1,
  crit: 2,
  debug: 7,
  emerg: 0,
  error: 3,
  info: 6,
  notice: 5,
  panic: 0,
  warning: 4,
};
/** Bits of the flags, in the order in which they are saved. */
const FLAGS: readonly (readonly [string, number])[] = [
  ['--log-tcp-sequence', 1],
  ['--log-tcp-options', 2],
  ['--log-ip-options', 4],
  ['--log-uid', 8],
  ['--log-macdecode', 32],
];
const PREFIX_MAX = 29;

export function logTarget(): TargetModule {
  let prefix = '';
  let level: number = KERN.WARNING;
  let flags = 0;
  return {
    name: 'LOG',
    ...ANY_PLACE,
    option: (option, words) => {
      const flag = FLAGS.find(([name]) => name === option);
      if (flag !== undefined) flags |= flag[1];
      else if (option === '--log-prefix') prefix = words.value(option).slice(0, PREFIX_MAX);
      else if (option === '--log-level') {
        const text = words.value(option);
        level = LEVELS[text.toLowerCase()] ?? parseNumber(text, option);
        if (level > KERN.DEBUG) throw badUse(`log-level "${text}" unknown`);
      } else return false;
      return true;
    },
    finish: () => ({
      ...plainTarget('LOG', (host, packet) => {
        if (packet.skb !== undefined) write(host, packet, packet.skb, { prefix, level, flags });
        return 'continue';
      }),
      save: [
        prefix === '' ? '' : `--log-prefix ${/[\s"]/.test(prefix) ? JSON.stringify(prefix) : prefix}`,
        level === KERN.WARNING ? '' : `--log-level ${level}`,
        ...FLAGS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name),
      ]
        .filter((word) => word !== '')
        .join(' '),
      list: `LOG flags ${flags} level ${level}${prefix === '' ? '' : ` prefix "${prefix}"`}`,
    }),
  };
}

function write(
  host: Host,
  packet: RulePacket,
  skb: SkBuff,
  { prefix, level, flags }: { prefix: string; level: number; flags: number },
): void {
  const { input, output, protocol, sourcePort, targetPort, hook } = packet;
  if (host.trace.on) {
    host.trace.point('nf_log', skb, {
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
  const words = [`${prefix}IN=${input?.name ?? ''} OUT=${output?.name ?? ''}`];
  if (input !== undefined && skb.macHeader + ETHERNET.SIZE === skb.networkHeader) words.push(`MAC=${macText(skb)}`);
  words.push(...ipWords(skb, packet), ...transportWords(skb, packet, flags));
  if (skb.mark !== 0) words.push(`MARK=0x${skb.mark.toString(16)}`);
  host.log.print(level, `${words.join(' ')} `);
}

/** Target, source and type in one. */
function macText({ view, macHeader }: SkBuff): string {
  const type = view
    .getUint16(macHeader + ETHERNET.TYPE)
    .toString(16)
    .padStart(4, '0');
  const [to, from] = [readMac(view, macHeader + ETHERNET.TARGET), readMac(view, macHeader + ETHERNET.SOURCE)];
  return `${formatMac(to)}:${formatMac(from)}:${type.slice(0, 2)}:${type.slice(2)}`;
}

const hex2 = (value: number): string => `0x${value.toString(16).toUpperCase().padStart(2, '0')}`;
const PROTOCOLS = new Map<number, string>([
  [PROTOCOL.TCP, 'TCP'],
  [PROTOCOL.UDP, 'UDP'],
  [PROTOCOL.ICMP, 'ICMP'],
]);

/** (Linux: dump_ipv4_packet) */
function ipWords({ view, networkHeader: ip }: SkBuff, packet: RulePacket): string[] {
  const tos = view.getUint8(ip + IPV4.TOS);
  const fragment = view.getUint16(ip + IPV4.FRAGMENT);
  const words = [
    `SRC=${formatIpv4(packet.source as Ipv4)} DST=${formatIpv4(packet.target as Ipv4)}`,
    `LEN=${view.getUint16(ip + IPV4.TOTAL_LENGTH)} TOS=${hex2(tos & 0x1e)} PREC=${hex2(tos & 0xe0)}`,
    `TTL=${view.getUint8(ip + IPV4.TTL)} ID=${view.getUint16(ip + IPV4.ID)}`,
  ];
  if ((fragment & IPV4_DF) !== 0) words.push('DF');
  if ((fragment & IPV4_MF) !== 0) words.push('MF');
  if ((fragment & IPV4_OFFSET_MASK) !== 0) words.push(`FRAG:${fragment & IPV4_OFFSET_MASK}`);
  words.push(`PROTO=${PROTOCOLS.get(packet.protocol) ?? packet.protocol}`);
  return words;
}

const FLAG_NAMES = ['CWR', 'ECE', 'URG', 'ACK', 'PSH', 'RST', 'SYN', 'FIN'] as const;

function transportWords(skb: SkBuff, packet: RulePacket, flags: number): string[] {
  const { view, transportHeader: at } = skb;
  if (!packet.ports) return [];
  if (packet.protocol === PROTOCOL.UDP && at + UDP.SIZE <= skb.tail)
    return [`SPT=${packet.sourcePort} DPT=${packet.targetPort} LEN=${view.getUint16(at + UDP.LENGTH)}`];
  if (packet.protocol === PROTOCOL.ICMP && at + ICMP.SIZE <= skb.tail) {
    const echo = packet.icmpType === ICMP_TYPE.ECHO_REQUEST || packet.icmpType === ICMP_TYPE.ECHO_REPLY;
    const rest = echo ? [`ID=${view.getUint16(at + ICMP.ID)} SEQ=${view.getUint16(at + ICMP.ID + 2)}`] : [];
    return [`TYPE=${packet.icmpType} CODE=${packet.icmpCode}`, ...rest];
  }
  if (packet.protocol !== PROTOCOL.TCP || at + TCP.SIZE > skb.tail) return [];
  const words = [`SPT=${packet.sourcePort} DPT=${packet.targetPort}`];
  if ((flags & 1) !== 0)
    words.push(`SEQ=${view.getUint32(at + TCP.SEQUENCE)} ACK=${view.getUint32(at + TCP.ACKNOWLEDGEMENT)}`);
  words.push(`WINDOW=${view.getUint16(at + TCP.WINDOW)} RES=0x00`);
  words.push(...FLAG_NAMES.filter((name) => (packet.tcpFlags & TCP_FLAG[name]) !== 0));
  words.push(`URGP=${view.getUint16(at + TCP.URGENT)}`);
  return words;
}
