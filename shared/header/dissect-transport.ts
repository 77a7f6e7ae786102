/** TCP and UDP for people (dissect.ts). */

import { fold, pseudoHeaderSum, sumBytes } from './checksum.ts';
import { dissectHttp } from './dissect-application.ts';
import { dissectDns } from './dissect-dns.ts';
import type { Dissector, Field } from './dissection.ts';
import { DNS_PORT } from './dns.ts';
import type { Ipv4Header } from './ipv4.ts';
import { ACE_MASK, ACE_SHIFT, TCP, TCP_FLAG, TCP_OPTION, tcpFlags, tcpHeaderLength } from './tcp.ts';
import { UDP } from './udp.ts';

const FLAG_NAMES: readonly (readonly [name: string, short: string, bit: number])[] = [
  ['ae', 'AE', TCP_FLAG.AE],
  ['cwr', 'CWR', TCP_FLAG.CWR],
  ['ece', 'ECE', TCP_FLAG.ECE],
  ['urg', 'URG', TCP_FLAG.URG],
  ['ack', 'ACK', TCP_FLAG.ACK],
  ['push', 'PSH', TCP_FLAG.PSH],
  ['reset', 'RST', TCP_FLAG.RST],
  ['syn', 'SYN', TCP_FLAG.SYN],
  ['fin', 'FIN', TCP_FLAG.FIN],
];

/** What the counters of an AccECN option count. */
const ACCECN_OF: Readonly<Record<string, string>> = { ee0b: 'ECT(0)', eceb: 'CE', ee1b: 'ECT(1)' };

const HTTP_PORTS: ReadonlySet<number> = new Set([80, 8080]);

/** `SYN, ACK`, in Wireshark's order. */
export function flagsText(flags: number): string {
  const names = FLAG_NAMES.filter(([, , bit]) => (flags & bit) !== 0).map(([, short]) => short);
  return names.reverse().join(', ') || 'none';
}

export function dissectTcp(d: Dissector, at: number, end: number, ip: Ipv4Header): void {
  d.protocol = 'TCP';
  if (d.quoted && end - at < TCP.SIZE) return dissectPorts(d, 'tcp', at, end);
  if (end - at < TCP.SIZE) return d.malformed('TCP', 'shorter than its header', at, end);
  const headerLength = tcpHeaderLength(d.view, at);
  if (headerLength < TCP.SIZE || at + headerLength > end) return d.malformed('TCP', 'wrong header length', at, end);
  const source = d.view.getUint16(at + TCP.SOURCE_PORT);
  const target = d.view.getUint16(at + TCP.TARGET_PORT);
  const seq = d.view.getUint32(at + TCP.SEQUENCE);
  const ack = d.view.getUint32(at + TCP.ACKNOWLEDGEMENT);
  const flags = tcpFlags(d.view, at);
  const window = d.view.getUint16(at + TCP.WINDOW);
  const length = end - at - headerLength;
  const fields: Field[] = [
    { name: 'tcp.srcport', label: `Source Port: ${source}`, value: source, at, size: 2 },
    { name: 'tcp.dstport', label: `Destination Port: ${target}`, value: target, at: at + 2, size: 2 },
    { name: 'tcp.len', label: `[TCP Segment Len: ${length}]`, value: length, at: at + TCP.OFFSET, size: 0 },
    { name: 'tcp.seq_raw', label: `Sequence Number: ${seq}`, value: seq, at: at + TCP.SEQUENCE, size: 4 },
    { name: 'tcp.ack_raw', label: `Acknowledgment Number: ${ack}`, value: ack, at: at + TCP.ACKNOWLEDGEMENT, size: 4 },
    {
      name: 'tcp.hdr_len',
      label: `Header Length: ${headerLength} bytes`,
      value: headerLength,
      at: at + TCP.OFFSET,
      size: 1,
    },
    {
      name: 'tcp.flags',
      label: `Flags: 0x${flags.toString(16).padStart(3, '0')} (${flagsText(flags)})`,
      value: flags,
      at: at + TCP.OFFSET,
      size: 2,
    },
    ...FLAG_NAMES.map(([name, short, bit]): Field => {
      const value = (flags & bit) === 0 ? 0 : 1;
      return {
        name: `tcp.flags.${name}`,
        label: `${short}: ${value === 1 ? 'Set' : 'Not set'}`,
        value,
        at: at + (bit > 0xff ? TCP.OFFSET : TCP.FLAGS),
        size: 1,
      };
    }),
    ...aceField(flags, at),
    { name: 'tcp.window_size_value', label: `Window: ${window}`, value: window, at: at + TCP.WINDOW, size: 2 },
    checksumField(d, 'tcp', at, end, TCP.CHECKSUM, ip),
    urgentField(d, at),
    ...optionFields(d, at + TCP.SIZE, at + headerLength),
  ];
  d.info = `${source} → ${target} [${flagsText(flags)}] Seq=${seq}${flags & TCP_FLAG.ACK ? ` Ack=${ack}` : ''} Win=${window} Len=${length}${optionsInfo(fields)}`;
  const title = `Transmission Control Protocol, Src Port: ${source}, Dst Port: ${target}, Seq: ${seq}, Ack: ${ack}, Len: ${length}`;
  const payload = at + headerLength;
  if (payload < end) fields.push(payloadField('tcp', payload, end));
  d.add({ protocol: 'tcp', title, place: 'transport', at, size: headerLength, fields }, end);
  if (payload >= end || d.quoted) return;
  if (source === DNS_PORT || target === DNS_PORT) dissectDns(d, payload, end, true);
  else if (HTTP_PORTS.has(source) || HTTP_PORTS.has(target)) dissectHttp(d, payload, end);
  else d.data(payload, end);
}

/** After the handshake AE, CWR and ECE are a number where accurate ECN was agreed (RFC 9768 §3.2.2). */
function aceField(flags: number, at: number): Field[] {
  if ((flags & TCP_FLAG.SYN) !== 0) return [];
  const value = (flags & ACE_MASK) >> ACE_SHIFT;
  return [{ name: 'tcp.flags.ace', label: `ACE: ${value}`, value, at: at + TCP.OFFSET, size: 2 }];
}

export function dissectUdp(d: Dissector, at: number, end: number, ip: Ipv4Header): void {
  d.protocol = 'UDP';
  if (end - at < UDP.SIZE) return d.malformed('UDP', 'shorter than its header', at, end);
  const source = d.view.getUint16(at + UDP.SOURCE_PORT);
  const target = d.view.getUint16(at + UDP.TARGET_PORT);
  const length = d.view.getUint16(at + UDP.LENGTH);
  const fields: Field[] = [
    { name: 'udp.srcport', label: `Source Port: ${source}`, value: source, at, size: 2 },
    { name: 'udp.dstport', label: `Destination Port: ${target}`, value: target, at: at + 2, size: 2 },
    { name: 'udp.length', label: `Length: ${length}`, value: length, at: at + UDP.LENGTH, size: 2 },
    checksumField(d, 'udp', at, end, UDP.CHECKSUM, ip),
  ];
  if (at + UDP.SIZE < end) fields.push(payloadField('udp', at + UDP.SIZE, end));
  d.info = `${source} → ${target} Len=${Math.max(0, length - UDP.SIZE)}`;
  d.add(
    {
      protocol: 'udp',
      title: `User Datagram Protocol, Src Port: ${source}, Dst Port: ${target}`,
      place: 'transport',
      at,
      size: UDP.SIZE,
      fields,
    },
    end,
  );
  if (source === DNS_PORT || target === DNS_PORT) dissectDns(d, at + UDP.SIZE, end, false);
  else d.data(at + UDP.SIZE, end);
}

function checksumField(
  d: Dissector,
  name: 'tcp' | 'udp',
  at: number,
  end: number,
  offset: number,
  ip: Ipv4Header,
): Field {
  const carried = d.view.getUint16(at + offset);
  const sum = fold(sumBytes(d.bytes, at, end, pseudoHeaderSum(ip.source, ip.target, ip.protocol, end - at)));
  const isPartial = d.quoted || ip.moreFragments || (name === 'udp' && carried === 0);
  const verdict = isPartial ? 'unverified' : sum === 0xffff ? 'correct' : 'wrong';
  return {
    name: `${name}.checksum`,
    label: `Checksum: 0x${carried.toString(16).padStart(4, '0')} [${verdict}]`,
    value: carried,
    at: at + offset,
    size: 2,
  };
}

function urgentField(d: Dissector, at: number): Field {
  const value = d.view.getUint16(at + TCP.URGENT);
  return { name: 'tcp.urgent_pointer', label: `Urgent Pointer: ${value}`, value, at: at + TCP.URGENT, size: 2 };
}

function payloadField(name: 'tcp' | 'udp', at: number, end: number): Field {
  const size = end - at;
  return { name: `${name}.payload`, label: `Payload: ${size} bytes`, value: size, at, size };
}

/** What an ICMP error quotes at least of a segment: its first eight octets (RFC 792). */
function dissectPorts(d: Dissector, protocol: 'tcp', at: number, end: number): void {
  const ports = ['srcport', 'dstport'].flatMap((name, i): Field[] => {
    if (at + 2 * i + 2 > end) return [];
    const value = d.view.getUint16(at + 2 * i);
    return [{ name: `${protocol}.${name}`, label: `Port: ${value}`, value, at: at + 2 * i, size: 2 }];
  });
  const size = end - at;
  d.add({
    protocol,
    title: `Transmission Control Protocol, ${size} bytes of it`,
    place: 'transport',
    at,
    size,
    fields: ports,
  });
}

/** Options up to the end of the header, stopping where one is cut short or has no length. */
function optionFields(d: Dissector, from: number, end: number): Field[] {
  const fields: Field[] = [];
  let at = from;
  while (at < end) {
    const kind = d.view.getUint8(at);
    if (kind === TCP_OPTION.EOL) break;
    if (kind === TCP_OPTION.NOP) {
      at++;
      continue;
    }
    const size = at + 1 < end ? d.view.getUint8(at + 1) : 0;
    if (size < 2 || at + size > end) break;
    if (kind === TCP_OPTION.ACCECN0 || kind === TCP_OPTION.ACCECN1)
      fields.push(...accecnFields(d.view, kind, at, size));
    else fields.push(...[optionField(d.view, kind, at, size)].flat());
    at += size;
  }
  return fields;
}

/** The counters of an AccECN option, as many as it has (RFC 9768 §3.2.3). */
function accecnFields(view: DataView, kind: number, at: number, size: number): Field[] {
  const names = kind === TCP_OPTION.ACCECN0 ? ['ee0b', 'eceb', 'ee1b'] : ['ee1b', 'eceb', 'ee0b'];
  const order = (kind - TCP_OPTION.ACCECN0) >> 1;
  const fields: Field[] = [
    { name: 'tcp.options.acc_ecn', label: `Accurate ECN (Order ${order})`, value: order, at, size },
  ];
  names.forEach((name, i) => {
    const from = at + 2 + 3 * i;
    if (from + 3 > at + size) return;
    const value = (view.getUint8(from) << 16) | view.getUint16(from + 1);
    const label = `Accurate ECN Echo ${ACCECN_OF[name]} Byte Counter: ${value}`;
    fields.push({ name: `tcp.options.acc_ecn.${name}`, label, value, at: from, size: 3 });
  });
  return fields;
}

function optionField(view: DataView, kind: number, at: number, size: number): Field | Field[] {
  if (kind === TCP_OPTION.MSS && size === 4) {
    const mss = view.getUint16(at + 2);
    return { name: 'tcp.options.mss_val', label: `Maximum segment size: ${mss} bytes`, value: mss, at, size };
  }
  if (kind === TCP_OPTION.WINDOW_SCALE && size === 3) {
    const shift = view.getUint8(at + 2);
    return {
      name: 'tcp.options.wscale.shift',
      label: `Window scale: ${shift} (multiply by ${2 ** shift})`,
      value: shift,
      at,
      size,
    };
  }
  if (kind === TCP_OPTION.SACK_PERMITTED) {
    return { name: 'tcp.options.sack_perm', label: 'SACK permitted', value: 1, at, size };
  }
  if (kind === TCP_OPTION.TIMESTAMPS && size === 10) {
    const value = view.getUint32(at + 2);
    const echo = view.getUint32(at + 6);
    const label = `Timestamps: TSval ${value}, TSecr ${echo}`;
    return [
      { name: 'tcp.options.timestamp.tsval', label, value, at, size },
      { name: 'tcp.options.timestamp.tsecr', label: `Timestamp echo reply: ${echo}`, value: echo, at: at + 6, size: 4 },
    ];
  }
  if (kind === TCP_OPTION.SACK && (size - 2) % 8 === 0) {
    const blocks: string[] = [];
    for (let block = at + 2; block < at + size; block += 8)
      blocks.push(`${view.getUint32(block)}-${view.getUint32(block + 4)}`);
    return { name: 'tcp.options.sack', label: `SACK: ${blocks.join(' ')}`, value: blocks.join(' '), at, size };
  }
  return { name: 'tcp.options.unknown', label: `Option ${kind}, ${size} bytes`, value: kind, at, size };
}

function optionsInfo(fields: readonly Field[]): string {
  const short: Readonly<Record<string, string>> = {
    'tcp.options.mss_val': 'MSS',
    'tcp.options.wscale.shift': 'WS',
    'tcp.options.sack_perm': 'SACK_PERM',
    'tcp.options.acc_ecn.ee0b': 'EE0B',
    'tcp.options.acc_ecn.eceb': 'ECEB',
    'tcp.options.acc_ecn.ee1b': 'EE1B',
  };
  return fields
    .map((field) => (short[field.name] === undefined ? '' : ` ${short[field.name]}=${field.value}`))
    .join('');
}
