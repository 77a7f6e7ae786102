/**
 * What nmap makes of the answers (osscan2.cc): the fingerprint's lines but SEQ, which is in sequence.ts. T is the TTL that
 * an answer began with: what arrived, and the hops that U1's quote tells of. TG is the guess without them.
 */
import { finish, sumBytes } from '../../shared/header/checksum.ts';
import { crc32 } from '../../shared/header/fcs.ts';
import { ICMP, ICMP_TYPE } from '../../shared/header/icmp.ts';
import { IPV4, IPV4_DF, ipv4HeaderLength, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../../shared/header/tcp.ts';
import { UDP } from '../../shared/header/udp.ts';
import type { ScanLink } from '../kit/wire-link.ts';
import type { Fingerprint } from './fingerprint.ts';
import { SCAN, type ScanPorts, type SendTimes, scan, TCP_PROBES, type TcpProbe, U1_OCTET, udpProbe } from './probes.ts';
import { optionsOf, sequenceLine } from './sequence.ts';

type Fields = Map<string, string>;

const hexOf = (n: number): string => n.toString(16).toUpperCase();
const yes = (fact: boolean): string => (fact ? 'Y' : 'N');
const dontFragment = (packet: DataView): boolean => (packet.getUint16(IPV4.FRAGMENT) & IPV4_DF) !== 0;

/** First answers only: what comes again is a retransmission. */
export interface Answers {
  readonly tcp: ReadonlyMap<string, DataView>;
  readonly echo: readonly (DataView | undefined)[];
  readonly unreachable: DataView | undefined;
}

function sort(link: ScanLink): Answers {
  const tcp = new Map<string, DataView>();
  const echo: (DataView | undefined)[] = [undefined, undefined];
  let unreachable: DataView | undefined;
  for (const { packet } of link.arrived) {
    const at = ipv4HeaderLength(packet, 0);
    if (packet.getUint8(IPV4.PROTOCOL) === PROTOCOL.TCP) {
      const probe = TCP_PROBES.find((one) => one.sourcePort === packet.getUint16(at + TCP.TARGET_PORT));
      if (probe !== undefined && !tcp.has(probe.name)) tcp.set(probe.name, packet);
    } else if (packet.getUint8(IPV4.PROTOCOL) === PROTOCOL.ICMP) {
      const type = packet.getUint8(at + ICMP.TYPE);
      const which = packet.getUint16(at + ICMP.ID) - SCAN.ICMP_ID;
      if (type === ICMP_TYPE.ECHO_REPLY && which in echo) echo[which] ??= packet;
      if (type === ICMP_TYPE.UNREACHABLE) unreachable ??= packet;
    }
  }
  return { tcp, echo, unreachable };
}

/** The power of two, or 255, that a TTL probably began with (get_initial_ttl_guess). */
function guessTtl(ttl: number): number {
  return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

function ttlFields(fields: Fields, packet: DataView, hops: number): void {
  const ttl = packet.getUint8(IPV4.TTL);
  fields.set('T', hexOf(ttl + hops)).set('TG', hexOf(guessTtl(ttl)));
}

/** Of RST data, a CRC; 0 without any. */
function resetData(packet: DataView, data: number): string {
  const bytes = new Uint8Array(packet.buffer, packet.byteOffset, packet.getUint16(IPV4.TOTAL_LENGTH));
  return data < bytes.length ? hexOf(crc32(bytes, data, bytes.length)) : '0';
}

const FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [TCP_FLAG.ECE, 'E'],
  [TCP_FLAG.URG, 'U'],
  [TCP_FLAG.ACK, 'A'],
  [TCP_FLAG.PSH, 'P'],
  [TCP_FLAG.RST, 'R'],
  [TCP_FLAG.SYN, 'S'],
  [TCP_FLAG.FIN, 'F'],
];

function quirks(packet: DataView, at: number): string {
  const reserved = (packet.getUint8(at + TCP.OFFSET) & 0x0e) !== 0 ? 'R' : '';
  const urgent = (packet.getUint8(at + TCP.FLAGS) & TCP_FLAG.URG) === 0 && packet.getUint16(at + TCP.URGENT) !== 0;
  return `${reserved}${urgent ? 'U' : ''}`;
}

function tcpLine(probe: TcpProbe, packet: DataView | undefined, hops: number): Fields {
  const fields: Fields = new Map([['R', yes(packet !== undefined)]]);
  if (packet === undefined) return fields;
  const at = ipv4HeaderLength(packet, 0);
  const sequence = packet.getUint32(at + TCP.SEQUENCE);
  const ack = packet.getUint32(at + TCP.ACKNOWLEDGEMENT);
  const flags = packet.getUint8(at + TCP.FLAGS);
  fields.set('DF', yes(dontFragment(packet)));
  ttlFields(fields, packet, hops);
  // W and O of T1 are in the lines WIN and OPS.
  if (!probe.name.startsWith('SEQ')) fields.set('W', hexOf(packet.getUint16(at + TCP.WINDOW)));
  if (probe.name !== 'ECN') {
    const next = (probe.ack + 1) >>> 0;
    fields.set('S', sequence === 0 ? 'Z' : sequence === probe.ack ? 'A' : sequence === next ? 'A+' : 'O');
    const after = (probe.sequence + 1) >>> 0;
    fields.set('A', ack === 0 ? 'Z' : ack === probe.sequence ? 'S' : ack === after ? 'S+' : 'O');
    fields.set('F', FLAG_LETTERS.flatMap(([bit, letter]) => ((flags & bit) === 0 ? [] : [letter])).join(''));
  }
  if (!probe.name.startsWith('SEQ')) fields.set('O', optionsOf(packet, at));
  if (probe.name === 'ECN') {
    const ece = (flags & TCP_FLAG.ECE) !== 0;
    const cwr = (flags & TCP_FLAG.CWR) !== 0;
    fields.set('CC', ece ? (cwr ? 'S' : 'Y') : cwr ? 'O' : 'N');
  } else fields.set('RD', resetData(packet, at + tcpHeaderLength(packet, at)));
  return fields.set('Q', quirks(packet, at));
}

/** OPS and WIN: options and window of each SEQ answer. */
function seqLines(answers: Answers): { ops: Fields; win: Fields } {
  const ops: Fields = new Map();
  const win: Fields = new Map();
  for (let i = 1; i <= 6; i++) {
    const packet = answers.tcp.get(`SEQ${i}`);
    if (packet === undefined) continue;
    const at = ipv4HeaderLength(packet, 0);
    ops.set(`O${i}`, optionsOf(packet, at));
    win.set(`W${i}`, hexOf(packet.getUint16(at + TCP.WINDOW)));
  }
  return { ops, win };
}

/** Where U1's quote begins, and how far away the target is: what the quoted TTL lost on the way. */
function quoteOf(packet: DataView): { quote: number; hops: number } {
  const quote = ipv4HeaderLength(packet, 0) + ICMP.SIZE;
  return { quote, hops: SCAN.TTL - packet.getUint8(quote + IPV4.TTL) };
}

function udpLine(packet: DataView | undefined, sent: DataView, hops: number): Fields {
  const fields: Fields = new Map([['R', yes(packet !== undefined)]]);
  if (packet === undefined) return fields;
  const at = ipv4HeaderLength(packet, 0);
  const { quote } = quoteOf(packet);
  const end = packet.getUint16(IPV4.TOTAL_LENGTH);
  fields.set('DF', yes(dontFragment(packet)));
  ttlFields(fields, packet, hops);
  fields.set('IPL', hexOf(end)).set('UN', hexOf(packet.getUint32(at + ICMP.REST)));
  const quoted = (field: number): number => packet.getUint16(quote + field);
  const good = (name: string, value: number, expected: number): Fields =>
    fields.set(name, value === expected ? 'G' : hexOf(value));
  good('RIPL', quoted(IPV4.TOTAL_LENGTH), sent.getUint16(IPV4.TOTAL_LENGTH));
  good('RID', quoted(IPV4.ID), SCAN.UDP_ID);
  const header = new Uint8Array(packet.buffer, packet.byteOffset + quote, IPV4.SIZE);
  const whole = finish(sumBytes(header, 0, header.length)) === 0;
  fields.set('RIPCK', quoted(IPV4.CHECKSUM) === 0 ? 'Z' : whole ? 'G' : 'I');
  const udp = IPV4.SIZE + UDP.CHECKSUM;
  good('RUCK', quoted(udp), sent.getUint16(udp));
  const data = new Uint8Array(packet.buffer, packet.byteOffset, end).subarray(quote + IPV4.SIZE + UDP.SIZE);
  return fields.set('RUD', data.every((octet) => octet === U1_OCTET) ? 'G' : 'I');
}

function echoLine(echo: Answers['echo'], hops: number): Fields {
  const [first, second] = echo;
  if (first === undefined || second === undefined) return new Map([['R', 'N']]);
  const fields: Fields = new Map([['R', 'Y']]);
  const df = `${yes(dontFragment(first))}${yes(dontFragment(second))}`;
  fields.set('DFI', { NN: 'N', YN: 'S', YY: 'Y' }[df] ?? 'O');
  ttlFields(fields, first, hops);
  const codes = [first, second].map((packet) => packet.getUint8(ipv4HeaderLength(packet, 0) + ICMP.CODE));
  const [one = 0, two = 0] = codes;
  return fields.set('CD', one === 9 && two === 0 ? 'S' : one !== two ? 'O' : one === 0 ? 'Z' : hexOf(one));
}

/** Send all probes and read the answers as nmap does. */
export async function fingerprintOf(link: ScanLink, ports: ScanPorts): Promise<Fingerprint> {
  const times: SendTimes = await scan(link, ports);
  const answers = sort(link);
  const hops = answers.unreachable === undefined ? 0 : quoteOf(answers.unreachable).hops;
  const { ops, win } = seqLines(answers);
  const lines = new Map<string, Fields>([
    ['SEQ', sequenceLine(answers, times)],
    ['OPS', ops],
    ['WIN', win],
  ]);
  for (const probe of TCP_PROBES) {
    const name = probe.name === 'SEQ1' ? 'T1' : probe.name;
    if (!name.startsWith('SEQ')) lines.set(name, tcpLine(probe, answers.tcp.get(probe.name), hops));
  }
  // In nmap's order: ECN comes before T1.
  const t1 = lines.get('T1');
  lines.delete('T1');
  const sent = udpProbe(link, ports);
  const all = [...lines];
  const ecn = all.findIndex(([name]) => name === 'ECN');
  if (t1 !== undefined) all.splice(ecn + 1, 0, ['T1', t1]);
  all.push(['U1', udpLine(answers.unreachable, new DataView(sent.buffer), hops)], ['IE', echoLine(answers.echo, hops)]);
  return new Map(all);
}
