/** IPv4 and ICMP for people (dissect.ts). */
import { formatIpv4, type Ipv4 } from './address.ts';
import { finish, fold, sumBytes } from './checksum.ts';
import { dissectTcp, dissectUdp } from './dissect-transport.ts';
import type { Dissector, Field } from './dissection.ts';
import { ICMP, ICMP_TYPE, TIME_EXCEEDED, UNREACHABLE } from './icmp.ts';
import { IPV4, PROTOCOL, readIpv4Header } from './ipv4.ts';

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.ICMP, 'ICMP'],
  [PROTOCOL.TCP, 'TCP'],
  [PROTOCOL.UDP, 'UDP'],
]);

/** ICMP messages that quote the packet they are about. */
const QUOTING: ReadonlySet<number> = new Set([
  ICMP_TYPE.UNREACHABLE,
  ICMP_TYPE.TIME_EXCEEDED,
  ICMP_TYPE.REDIRECT,
  ICMP_TYPE.PARAMETER_PROBLEM,
]);

export function dissectIpv4(d: Dissector, at: number, end: number): void {
  d.protocol = 'IPv4';
  if (end - at < IPV4.SIZE) return d.malformed('IPv4', 'shorter than its header', at, end);
  const ip = readIpv4Header(d.view, at);
  if (d.view.getUint8(at) >>> 4 !== 4 || ip.headerLength < IPV4.SIZE || at + ip.headerLength > end) {
    return d.malformed('IPv4', 'wrong version or header length', at, end);
  }
  const sum = fold(sumBytes(d.bytes, at, at + ip.headerLength));
  const flags = (ip.dontFragment ? 'DF ' : '') + (ip.moreFragments ? 'MF' : '');
  const name = PROTOCOL_NAMES.get(ip.protocol) ?? 'Unknown';
  d.source = formatIpv4(ip.source);
  d.target = formatIpv4(ip.target);
  d.info = `${name} (${ip.protocol}), ${ip.totalLength} bytes`;
  const fields: Field[] = [
    { name: 'ip.version', label: 'Version: 4', value: 4, at, size: 1 },
    { name: 'ip.hdr_len', label: `Header Length: ${ip.headerLength} bytes`, value: ip.headerLength, at, size: 1 },
    {
      name: 'ip.dsfield',
      label: `Differentiated Services Field: 0x${ip.tos.toString(16).padStart(2, '0')}`,
      value: ip.tos,
      at: at + IPV4.TOS,
      size: 1,
    },
    {
      name: 'ip.len',
      label: `Total Length: ${ip.totalLength}`,
      value: ip.totalLength,
      at: at + IPV4.TOTAL_LENGTH,
      size: 2,
    },
    {
      name: 'ip.id',
      label: `Identification: 0x${ip.id.toString(16).padStart(4, '0')} (${ip.id})`,
      value: ip.id,
      at: at + IPV4.ID,
      size: 2,
    },
    {
      name: 'ip.dsfield.dscp',
      label: `Differentiated Services Codepoint: ${ip.tos >>> 2}`,
      value: ip.tos >>> 2,
      at: at + IPV4.TOS,
      size: 1,
    },
    {
      name: 'ip.dsfield.ecn',
      label: `Explicit Congestion Notification: ${ip.tos & 3}`,
      value: ip.tos & 3,
      at: at + IPV4.TOS,
      size: 1,
    },
    {
      name: 'ip.flags',
      label: `Flags: ${flags || 'none'}`,
      value: d.view.getUint8(at + IPV4.FRAGMENT) >>> 5,
      at: at + IPV4.FRAGMENT,
      size: 1,
    },
    {
      name: 'ip.flags.df',
      label: `Don't fragment: ${ip.dontFragment ? 'Set' : 'Not set'}`,
      value: ip.dontFragment ? 1 : 0,
      at: at + IPV4.FRAGMENT,
      size: 1,
    },
    {
      name: 'ip.flags.mf',
      label: `More fragments: ${ip.moreFragments ? 'Set' : 'Not set'}`,
      value: ip.moreFragments ? 1 : 0,
      at: at + IPV4.FRAGMENT,
      size: 1,
    },
    {
      name: 'ip.frag_offset',
      label: `Fragment Offset: ${ip.fragmentOffset}`,
      // As on the wire: in units of eight octets.
      value: ip.fragmentOffset >>> 3,
      at: at + IPV4.FRAGMENT,
      size: 2,
    },
    { name: 'ip.ttl', label: `Time to Live: ${ip.ttl}`, value: ip.ttl, at: at + IPV4.TTL, size: 1 },
    {
      name: 'ip.proto',
      label: `Protocol: ${name} (${ip.protocol})`,
      value: ip.protocol,
      at: at + IPV4.PROTOCOL,
      size: 1,
    },
    {
      name: 'ip.checksum',
      label: `Header Checksum: 0x${ip.checksum.toString(16).padStart(4, '0')} [${sum === 0xffff ? 'correct' : 'wrong'}]`,
      value: ip.checksum,
      at: at + IPV4.CHECKSUM,
      size: 2,
    },
    addressField('ip.src', 'Source Address', ip.source, at + IPV4.SOURCE),
    addressField('ip.dst', 'Destination Address', ip.target, at + IPV4.TARGET),
  ];
  const title = `Internet Protocol Version 4, Src: ${formatIpv4(ip.source)}, Dst: ${formatIpv4(ip.target)}`;
  const payload = at + ip.headerLength;
  const packetEnd = Math.min(end, Math.max(payload, at + ip.totalLength));
  d.add({ protocol: 'ip', title, place: 'network', at, size: ip.headerLength, fields }, packetEnd);
  if (ip.fragmentOffset > 0 || ip.moreFragments) {
    d.info = `Fragmented IP protocol (proto=${name} ${ip.protocol}, off=${ip.fragmentOffset}, ID=${ip.id.toString(16).padStart(4, '0')})`;
    // Only the first fragment begins with a header, and its checksum is over what is not here.
    if (ip.fragmentOffset > 0) return d.data(payload, packetEnd);
  }
  if (ip.protocol === PROTOCOL.TCP) dissectTcp(d, payload, packetEnd, ip);
  else if (ip.protocol === PROTOCOL.UDP) dissectUdp(d, payload, packetEnd, ip);
  else if (ip.protocol === PROTOCOL.ICMP) dissectIcmp(d, payload, packetEnd, ip.moreFragments);
  else d.data(payload, packetEnd);
}

function dissectIcmp(d: Dissector, at: number, end: number, isFragment: boolean): void {
  d.protocol = 'ICMP';
  if (end - at < ICMP.SIZE) return d.malformed('ICMP', 'shorter than its header', at, end);
  const type = d.view.getUint8(at + ICMP.TYPE);
  const code = d.view.getUint8(at + ICMP.CODE);
  const checksum = d.view.getUint16(at + ICMP.CHECKSUM);
  const sum = finish(sumBytes(d.bytes, at, end));
  const verdict = isFragment ? 'unverified' : sum === 0 ? 'correct' : 'wrong';
  const isEcho = type === ICMP_TYPE.ECHO_REQUEST || type === ICMP_TYPE.ECHO_REPLY;
  const fields: Field[] = [
    { name: 'icmp.type', label: `Type: ${type} (${typeName(type)})`, value: type, at, size: 1 },
    { name: 'icmp.code', label: `Code: ${code}${codeName(type, code)}`, value: code, at: at + 1, size: 1 },
    {
      name: 'icmp.checksum',
      label: `Checksum: 0x${checksum.toString(16).padStart(4, '0')} [${verdict}]`,
      value: checksum,
      at: at + 2,
      size: 2,
    },
  ];
  d.info = `${typeName(type)}${codeName(type, code)}`;
  if (isEcho) {
    const id = d.view.getUint16(at + ICMP.ID);
    const sequence = d.view.getUint16(at + ICMP.SEQUENCE);
    fields.push({ name: 'icmp.ident', label: `Identifier: ${id}`, value: id, at: at + ICMP.ID, size: 2 });
    fields.push({
      name: 'icmp.seq',
      label: `Sequence Number: ${sequence}`,
      value: sequence,
      at: at + ICMP.SEQUENCE,
      size: 2,
    });
    d.info = `${typeName(type)} id=0x${id.toString(16).padStart(4, '0')}, seq=${sequence}`;
  } else if (type === ICMP_TYPE.UNREACHABLE && code === UNREACHABLE.FRAGMENTATION_NEEDED) {
    const mtu = d.view.getUint16(at + ICMP.MTU);
    fields.push({ name: 'icmp.mtu', label: `MTU of next hop: ${mtu}`, value: mtu, at: at + ICMP.MTU, size: 2 });
  } else if (type === ICMP_TYPE.REDIRECT) {
    fields.push(
      addressField('icmp.redir_gw', 'Gateway Address', d.view.getUint32(at + ICMP.GATEWAY) as Ipv4, at + ICMP.GATEWAY),
    );
  }
  d.add(
    {
      protocol: 'icmp',
      title: `Internet Control Message Protocol, ${typeName(type)}`,
      place: 'network',
      at,
      size: ICMP.SIZE,
      fields,
    },
    end,
  );
  if (QUOTING.has(type) && !d.quoted) dissectQuoted(d, at + ICMP.SIZE, end);
  else d.data(at + ICMP.SIZE, end);
}

/** The packet that an error is about: layers of its own, while the columns speak of the error. */
function dissectQuoted(d: Dissector, at: number, end: number): void {
  const { protocol, info, source, target } = d;
  d.quoted = true;
  dissectIpv4(d, at, end);
  Object.assign(d, { quoted: false, protocol, info, source, target });
}

function addressField(name: string, label: string, address: Ipv4, at: number): Field {
  return { name, label: `${label}: ${formatIpv4(address)}`, value: formatIpv4(address), at, size: 4 };
}

function typeName(type: number): string {
  switch (type) {
    case ICMP_TYPE.ECHO_REPLY:
      return 'Echo (ping) reply';
    case ICMP_TYPE.ECHO_REQUEST:
      return 'Echo (ping) request';
    case ICMP_TYPE.UNREACHABLE:
      return 'Destination unreachable';
    case ICMP_TYPE.TIME_EXCEEDED:
      return 'Time-to-live exceeded';
    case ICMP_TYPE.REDIRECT:
      return 'Redirect';
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return 'Parameter problem';
    default:
      return `Type ${type}`;
  }
}

function codeName(type: number, code: number): string {
  if (type === ICMP_TYPE.TIME_EXCEEDED) return code === TIME_EXCEEDED.TTL ? ' (in transit)' : ' (fragment reassembly)';
  if (type !== ICMP_TYPE.UNREACHABLE) return '';
  const names: Readonly<Record<number, string>> = {
    [UNREACHABLE.NET]: 'Network unreachable',
    [UNREACHABLE.HOST]: 'Host unreachable',
    [UNREACHABLE.PROTOCOL]: 'Protocol unreachable',
    [UNREACHABLE.PORT]: 'Port unreachable',
    [UNREACHABLE.FRAGMENTATION_NEEDED]: 'Fragmentation needed',
    [UNREACHABLE.FILTERED]: 'Communication administratively filtered',
  };
  return ` (${names[code] ?? `code ${code}`})`;
}
