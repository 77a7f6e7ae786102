/** One packet in tcpdump's words (4.99): link header with -e, ARP, IP, ICMP, UDP; TCP and DNS have files of their own. */
import { formatIpv4, formatMac, type Ipv4, readMac } from '../header/address.ts';
import { ARP_REPLY, ARP_REQUEST, parseArp } from '../header/arp.ts';
import { finish, pseudoHeaderSum, sumBytes } from '../header/checksum.ts';
import { ETHERNET, ETHERTYPE } from '../header/ethernet.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { IPV4, type Ipv4Header, PROTOCOL, readIpv4Header } from '../header/ipv4.ts';
import { isMalformed } from '../header/malformed.ts';
import { UDP } from '../header/udp.ts';
import { type HostNames, protocolName, type Services } from './names.ts';
import { dnsText } from './tcpdump-dns.ts';
import { type TcpFlows, tcpText } from './tcpdump-tcp.ts';

export interface PrintOptions {
  readonly numeric: boolean;
  readonly link: boolean;
  readonly verbose: number;
  readonly quick: boolean;
  /** -S: sequence numbers as they are. */
  readonly absolute: boolean;
  readonly services: Services;
  readonly names: HostNames;
  readonly flows: TcpFlows;
}

/** bytes[at, end) and what is around it. */
export interface Span {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
}

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [ETHERTYPE.IPV4, 'IPv4'],
  [ETHERTYPE.ARP, 'ARP'],
  [ETHERTYPE.IPV6, 'IPv6'],
]);

/** A frame of `size` octets without its time. */
export function frameText(bytes: Uint8Array, size: number, options: PrintOptions): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size < ETHERNET.SIZE) return '[|ether]';
  const type = view.getUint16(ETHERNET.TYPE);
  const span: Span = { bytes, view, at: ETHERNET.SIZE, end: size };
  const name = TYPE_NAMES.get(type) ?? 'Unknown';
  const hex = type.toString(16).padStart(4, '0');
  const target = readMac(view, ETHERNET.TARGET);
  const to = !options.numeric && target === 0xffff_ffff_ffff ? 'Broadcast' : formatMac(target);
  const link = `${formatMac(readMac(view, ETHERNET.SOURCE))} > ${to}, ethertype ${name} (0x${hex}), length ${size}: `;
  if (type === ETHERTYPE.ARP) return `${options.link ? link : 'ARP, '}${arpText(span, options)}`;
  if (type === ETHERTYPE.IPV4) return `${options.link ? link : 'IP '}${ipText(span, options)}`;
  return options.link ? link.slice(0, -2) : `${link.slice(0, -2)}: `;
}

function arpText({ view, at, end }: Span, options: PrintOptions): string {
  const arp = parseArp(view, at, end);
  if (isMalformed(arp)) return '[|arp]';
  const head = options.verbose > 0 ? 'Ethernet (len 6), IPv4 (len 4), ' : '';
  const show = (address: Ipv4) => hostText(address, options);
  const length = end - at;
  if (arp.operation === ARP_REQUEST) {
    const asked = arp.targetMac === 0 ? '' : ` (${formatMac(arp.targetMac)})`;
    return `${head}Request who-has ${show(arp.targetIp)}${asked} tell ${show(arp.senderIp)}, length ${length}`;
  }
  if (arp.operation === ARP_REPLY) {
    return `${head}Reply ${show(arp.senderIp)} is-at ${formatMac(arp.senderMac)}, length ${length}`;
  }
  return `${head}unknown (${arp.operation}), length ${length}`;
}

export function hostText(address: Ipv4, { numeric, names }: PrintOptions): string {
  return numeric ? formatIpv4(address) : names.show(address);
}

export function portText(port: number, protocol: 'tcp' | 'udp', { numeric, services }: PrintOptions): string {
  return numeric ? String(port) : (services.name(port, protocol) ?? String(port));
}

function ipText({ bytes, view, at, end }: Span, options: PrintOptions): string {
  if (end - at < IPV4.SIZE || view.getUint8(at) >>> 4 !== 4) return '[|ip]';
  const ip = readIpv4Header(view, at);
  if (ip.headerLength < IPV4.SIZE || at + ip.headerLength > end) return `bad-hlen ${ip.headerLength}`;
  const payload: Span = { bytes, view, at: at + ip.headerLength, end: Math.min(end, at + ip.totalLength) };
  const header = options.verbose > 0 ? `${ipHeaderText(ip, bytes, at)}\n    ` : '';
  const hosts = `${hostText(ip.source, options)} > ${hostText(ip.target, options)}: `;
  // Only the first fragment has the transport's header.
  if (ip.fragmentOffset > 0) return `${header}${hosts}${protocolFallback(ip.protocol)}`;
  switch (ip.protocol) {
    case PROTOCOL.TCP:
      return header + tcpText(ip, payload, options);
    case PROTOCOL.UDP:
      return header + udpText(ip, payload, options);
    case PROTOCOL.ICMP:
      return `${header}${hosts}${icmpLine(payload, options)}`;
    default:
      return `${header}${hosts}${protocolFallback(ip.protocol)} ${payload.end - payload.at}`;
  }
}

function protocolFallback(protocol: number): string {
  return `ip-proto-${protocol}`;
}

function ipHeaderText(ip: Ipv4Header, bytes: Uint8Array, at: number): string {
  const flags = `${ip.moreFragments ? '+' : ''}${ip.dontFragment ? `${ip.moreFragments ? ', ' : ''}DF` : ''}` || 'none';
  const name = (protocolName(ip.protocol) ?? 'unknown').toUpperCase();
  const sum = finish(sumBytes(bytes, at, at + ip.headerLength));
  const bad = sum === 0 ? '' : `, bad cksum ${ip.checksum.toString(16)} (->${rightSum(ip, bytes, at)})!`;
  const tos = ip.tos.toString(16);
  return `(tos 0x${tos}, ttl ${ip.ttl}, id ${ip.id}, offset ${ip.fragmentOffset}, flags [${flags}], proto ${name} (${ip.protocol}), length ${ip.totalLength}${bad})`;
}

function rightSum(ip: Ipv4Header, bytes: Uint8Array, at: number): string {
  const before = sumBytes(bytes, at, at + IPV4.CHECKSUM);
  return finish(sumBytes(bytes, at + IPV4.SOURCE, at + ip.headerLength, before)).toString(16);
}

/** What a transport checksum over [at, end) should have been made with; 0: it is right. */
export function transportSum(ip: Ipv4Header, { bytes, at, end }: Span): number {
  return finish(sumBytes(bytes, at, end, pseudoHeaderSum(ip.source, ip.target, ip.protocol, end - at)));
}

function udpText(ip: Ipv4Header, span: Span, options: PrintOptions): string {
  const { view, at, end } = span;
  if (end - at < UDP.SIZE) return `${hostText(ip.source, options)} > ${hostText(ip.target, options)}: [|udp]`;
  const source = view.getUint16(at + UDP.SOURCE_PORT);
  const target = view.getUint16(at + UDP.TARGET_PORT);
  const ends = `${hostText(ip.source, options)}.${portText(source, 'udp', options)} > ${hostText(ip.target, options)}.${portText(target, 'udp', options)}: `;
  const length = view.getUint16(at + UDP.LENGTH) - UDP.SIZE;
  if (options.quick) return `${ends}UDP, length ${length}`;
  const whole = !ip.moreFragments && end - at >= length + UDP.SIZE;
  const sum = options.verbose > 0 && whole ? udpSumText(ip, span) : '';
  const dns = source === 53 || target === 53 ? dnsText({ ...span, at: at + UDP.SIZE }, length) : undefined;
  return `${ends}${sum}${dns ?? `UDP, length ${length}`}`;
}

function udpSumText(ip: Ipv4Header, span: Span): string {
  const given = span.view.getUint16(span.at + UDP.CHECKSUM);
  if (given === 0) return '[no cksum] ';
  if (transportSum(ip, span) === 0) return '[udp sum ok] ';
  const head = sumBytes(
    span.bytes,
    span.at,
    span.at + UDP.CHECKSUM,
    pseudoHeaderSum(ip.source, ip.target, ip.protocol, span.end - span.at),
  );
  const should = finish(sumBytes(span.bytes, span.at + UDP.SIZE, span.end, head));
  const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;
  return `[bad udp cksum ${hex(given)} -> ${hex(should)}!] `;
}

function icmpLine(span: Span, options: PrintOptions): string {
  const { view, at, end } = span;
  const length = end - at;
  if (length < ICMP.SIZE) return `[|icmp]`;
  const type = view.getUint8(at + ICMP.TYPE);
  const code = view.getUint8(at + ICMP.CODE);
  const what =
    type === ICMP_TYPE.ECHO_REQUEST || type === ICMP_TYPE.ECHO_REPLY
      ? `echo ${type === ICMP_TYPE.ECHO_REQUEST ? 'request' : 'reply'}, id ${view.getUint16(at + ICMP.ID)}, seq ${view.getUint16(at + ICMP.SEQUENCE)}`
      : icmpErrorText(span, type, code, options);
  return `ICMP ${what}, length ${length}`;
}

function icmpErrorText({ view, at, end }: Span, type: number, code: number, options: PrintOptions): string {
  const inner = at + ICMP.SIZE;
  const quoted = end - inner >= IPV4.SIZE ? readIpv4Header(view, inner) : undefined;
  const target = quoted === undefined ? '[|ip]' : hostText(quoted.target, options);
  switch (type) {
    case ICMP_TYPE.UNREACHABLE:
      return unreachableText(view, at, code, target, quoted, end);
    case ICMP_TYPE.TIME_EXCEEDED:
      return code === 0 ? 'time exceeded in-transit' : 'ip reassembly time exceeded';
    case ICMP_TYPE.REDIRECT:
      return `redirect ${target} to ${code === 1 ? 'host' : 'net'} ${hostText(view.getUint32(at + ICMP.GATEWAY) as Ipv4, options)}`;
    case ICMP_TYPE.SOURCE_QUENCH:
      return 'source quench';
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return `parameter problem - octet ${view.getUint8(at + ICMP.REST)}`;
    case ICMP_TYPE.TIMESTAMP:
      return `time stamp query id ${view.getUint16(at + ICMP.ID)} seq ${view.getUint16(at + ICMP.SEQUENCE)}`;
    default:
      return `type-#${type}`;
  }
}

function unreachableText(
  view: DataView,
  at: number,
  code: number,
  target: string,
  quoted: Ipv4Header | undefined,
  end: number,
): string {
  switch (code) {
    case 0:
      return `net ${target} unreachable`;
    case 1:
      return `host ${target} unreachable`;
    case 2:
      return `${target} protocol ${quoted?.protocol ?? 0} unreachable`;
    case 3: {
      const ports = at + ICMP.SIZE + (quoted?.headerLength ?? 0);
      if (quoted === undefined || ports + 4 > end) return `${target} port unreachable`;
      const name = protocolName(quoted.protocol) ?? 'protocol';
      return `${target} ${name} port ${view.getUint16(ports + 2)} unreachable`;
    }
    case 4:
      return `${target} unreachable - need to frag (mtu ${view.getUint16(at + ICMP.MTU)})`;
    case 5:
      return `${target} unreachable - source route failed`;
    case 9:
      return `net ${target} unreachable - admin prohibited`;
    case 10:
      return `host ${target} unreachable - admin prohibited`;
    case 13:
      return `host ${target} unreachable - admin prohibited filter`;
    default:
      return `${target} unreachable - #${code}`;
  }
}

/** -x, -X: sixteen octets a line, from `at`. */
export function hexText(bytes: Uint8Array, at: number, end: number, ascii: boolean): string {
  let text = '';
  for (let row = at; row < end; row += 16) {
    const part = bytes.subarray(row, Math.min(end, row + 16));
    let hex = '';
    part.forEach((byte, i) => {
      hex += `${i % 2 === 0 ? ' ' : ''}${byte.toString(16).padStart(2, '0')}`;
    });
    const offset = (row - at).toString(16).padStart(4, '0');
    const chars = [...part].map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    text += `\n\t0x${offset}: ${ascii ? `${hex.padEnd(41)} ${chars}` : hex}`;
  }
  return text;
}
