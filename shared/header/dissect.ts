/**
 * A frame taken apart for people: a layer for each header, a field for each of its parts with the octets it stands in.
 * Names are Wireshark's (`ip.ttl`, `tcp.flags.syn`), so that filters and habits transfer. Works in the browser as well.
 *
 * Bytes are hostile: whatever they are, the answer is a list of layers, the last one `malformed` where they end too soon.
 */
import { formatIpv4, formatMac, type Ipv4, type Mac, readMac } from './address.ts';
import { ARP, parseArp } from './arp.ts';
import { dissectIpv4 } from './dissect-ip.ts';
import { type Dissection, Dissector, type Field } from './dissection.ts';
import { CABLE, ETHERNET, ETHERTYPE, FRAME_SIZE_MIN } from './ethernet.ts';
import { crc32 } from './fcs.ts';
import { isMalformed } from './malformed.ts';

/** Take a frame apart. `bytes` start at the target MAC; with `fcs` its last four octets are the frame check sequence. */
export function dissect(bytes: Uint8Array, options: { readonly fcs: boolean } = { fcs: true }): Dissection {
  const d = new Dissector(bytes);
  const end = options.fcs ? bytes.length - CABLE.FCS : bytes.length;
  if (end < ETHERNET.SIZE) d.malformed('Ethernet', 'shorter than its header', 0, bytes.length);
  else {
    dissectCable(d, end);
    dissectEthernet(d, end, options.fcs);
  }
  const { layers, source, target, protocol, info } = d;
  return { bytes, layers, source, target, protocol, info };
}

/** What stood around the frame on the cable: not captured, but the same for every frame. */
function dissectCable(d: Dissector, end: number): void {
  const bits = (CABLE.LEAD + Math.max(end, FRAME_SIZE_MIN) + CABLE.FCS) * 8;
  const fields: Field[] = [
    {
      name: 'cable.preamble',
      label: 'Preamble: 7 octets of 0x55 (10101010… on the cable)',
      value: '55555555555555',
      at: 0,
      size: 0,
    },
    {
      name: 'cable.sfd',
      label: 'Start frame delimiter: 0xd5 (…10101011: the frame begins)',
      value: 'd5',
      at: 0,
      size: 0,
    },
    { name: 'cable.bits', label: `Bits on the cable: ${bits}`, value: bits, at: 0, size: 0 },
  ];
  d.add({
    protocol: 'cable',
    title: `Physical: ${bits} bits with preamble, start frame delimiter and FCS`,
    place: 'physical',
    at: 0,
    size: 0,
    fields,
  });
}

function dissectEthernet(d: Dissector, end: number, fcs: boolean): void {
  const target = readMac(d.view, ETHERNET.TARGET);
  const source = readMac(d.view, ETHERNET.SOURCE);
  const type = d.view.getUint16(ETHERNET.TYPE);
  const fields: Field[] = [
    {
      name: 'eth.dst',
      label: `Destination: ${macText(target)}`,
      value: formatMac(target),
      at: ETHERNET.TARGET,
      size: 6,
    },
    { name: 'eth.src', label: `Source: ${macText(source)}`, value: formatMac(source), at: ETHERNET.SOURCE, size: 6 },
    { name: 'eth.type', label: `Type: ${typeText(type)} (0x${hex(type, 4)})`, value: type, at: ETHERNET.TYPE, size: 2 },
  ];
  if (fcs) {
    const carried = d.view.getUint32(end, true);
    const good = crc32(d.bytes, 0, end) === carried;
    fields.push({
      name: 'eth.fcs',
      label: `Frame check sequence: 0x${hex(carried, 8)} [${good ? 'correct' : 'wrong'}]`,
      value: carried,
      at: end,
      size: 4,
    });
    fields.push({
      name: 'eth.fcs.status',
      label: `[FCS status: ${good ? 'Good' : 'Bad'}]`,
      value: good ? 1 : 0,
      at: end,
      size: 0,
    });
  }
  d.source = formatMac(source);
  d.target = formatMac(target);
  d.protocol = `0x${hex(type, 4)}`;
  d.info = typeText(type);
  const title = `Ethernet II, Src: ${formatMac(source)}, Dst: ${macText(target)}`;
  d.add({ protocol: 'eth', title, place: 'link', at: 0, size: ETHERNET.SIZE, fields }, d.bytes.length);
  if (type === ETHERTYPE.ARP) dissectArp(d, ETHERNET.SIZE, end);
  else if (type === ETHERTYPE.IPV4) dissectIpv4(d, ETHERNET.SIZE, end);
  else d.data(ETHERNET.SIZE, end);
}

function dissectArp(d: Dissector, at: number, end: number): void {
  const arp = parseArp(d.view, at, end);
  d.protocol = 'ARP';
  if (isMalformed(arp)) return d.malformed('ARP', arp.malformed, at, end);
  const isRequest = arp.operation === 1;
  const word = isRequest ? 'request' : arp.operation === 2 ? 'reply' : 'unknown';
  const address = (name: string, label: string, ip: Ipv4, offset: number): Field => ({
    name,
    label: `${label}: ${formatIpv4(ip)}`,
    value: formatIpv4(ip),
    at: at + offset,
    size: 4,
  });
  const mac = (name: string, label: string, value: Mac, offset: number): Field => ({
    name,
    label: `${label}: ${macText(value)}`,
    value: formatMac(value),
    at: at + offset,
    size: 6,
  });
  d.info = isRequest
    ? `Who has ${formatIpv4(arp.targetIp)}? Tell ${formatIpv4(arp.senderIp)}`
    : `${formatIpv4(arp.senderIp)} is at ${formatMac(arp.senderMac)}`;
  const fields: Field[] = [
    {
      name: 'arp.opcode',
      label: `Opcode: ${word} (${arp.operation})`,
      value: arp.operation,
      at: at + ARP.OPERATION,
      size: 2,
    },
    mac('arp.src.hw_mac', 'Sender MAC address', arp.senderMac, ARP.SENDER_MAC),
    address('arp.src.proto_ipv4', 'Sender IP address', arp.senderIp, ARP.SENDER_IP),
    mac('arp.dst.hw_mac', 'Target MAC address', arp.targetMac, ARP.TARGET_MAC),
    address('arp.dst.proto_ipv4', 'Target IP address', arp.targetIp, ARP.TARGET_IP),
  ];
  d.add({ protocol: 'arp', title: `Address Resolution Protocol (${word})`, place: 'link', at, size: ARP.SIZE, fields });
}

export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function macText(mac: Mac): string {
  return mac === 0xffff_ffff_ffff ? 'Broadcast (ff:ff:ff:ff:ff:ff)' : formatMac(mac);
}

function typeText(type: number): string {
  switch (type) {
    case ETHERTYPE.IPV4:
      return 'IPv4';
    case ETHERTYPE.ARP:
      return 'ARP';
    case ETHERTYPE.IPV6:
      return 'IPv6';
    default:
      return 'Unknown';
  }
}
