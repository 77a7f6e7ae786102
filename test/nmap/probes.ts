/**
 * The packets that nmap's OS detection sends (nmap book, chapter 8; osscan2.cc): SEQ 1 to 6, 100 ms apart, ECN, T2 to T7,
 * U1, and the two echo requests of IE. Left out: decoys, retransmission of probes that were lost, IPv6.
 */
import { finish, pseudoHeaderSum, sumBytes } from '../../shared/header/checksum.ts';
import { IPV4, IPV4_DF, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP, TCP_FLAG } from '../../shared/header/tcp.ts';
import { hex, icmpMessage, ipPacket, udpMessage } from '../kit/frames.ts';
import type { ScanLink } from '../kit/wire-link.ts';

const { FIN, SYN, RST, PSH, ACK, URG, ECE, CWR } = TCP_FLAG;

/** An open TCP port, a closed one, and a closed UDP port. */
export interface ScanPorts {
  readonly open: number;
  readonly closed: number;
  readonly closedUdp: number;
}

/** What the numbers of a scan start from; nmap takes them at random. */
export const SCAN = { PORT: 40_000, SEQUENCE: 0x6a3b_11c7, ACK: 0x1d5e_90a4, TTL: 57, UDP_ID: 0x1042, ICMP_ID: 0x7311 };
export const U1_OCTETS = 300;
export const U1_OCTET = 0x43;
const SEQ_INTERVAL = 100_000;
const PROBE_INTERVAL = 25_000;
const LAST_WAIT = 500_000;

const WS10_NOP_MSS265_TS_SACK = '03030a 01 02040109 080affffffff00000000 0402';
/** Of SEQ 1 to 6: window and options. */
const SEQ: readonly (readonly [window: number, options: string])[] = [
  [1, '03030a 01 020405b4 080affffffff00000000 0402'],
  [63, '02040578 030300 0402 080affffffff00000000 00'],
  [4, '080affffffff00000000 01 01 030305 01 02040280'],
  [4, '0402 080affffffff00000000 03030a 00'],
  [16, '02040218 0402 080affffffff00000000 03030a 00'],
  [512, '02040109 0402 080affffffff00000000'],
];

export interface TcpProbe {
  readonly name: string;
  readonly port: keyof ScanPorts;
  readonly sourcePort: number;
  readonly sequence: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly options: string;
  readonly dontFragment?: boolean;
  /** The bits between header length and flags. */
  readonly reserved?: number;
  readonly urgent?: number;
}

type Shape = Pick<TcpProbe, 'name' | 'port' | 'flags' | 'window' | 'options'> & Partial<TcpProbe>;

function shapes(): Shape[] {
  const seq = SEQ.map(
    ([window, options], i): Shape => ({ name: `SEQ${i + 1}`, port: 'open', flags: SYN, window, options }),
  );
  const options = WS10_NOP_MSS265_TS_SACK;
  return [
    ...seq,
    {
      ...{ name: 'ECN', port: 'open', flags: SYN | ECE | CWR, window: 3, options: '03030a 01 020405b4 0402 01 01' },
      ...{ ack: 0, reserved: 8, urgent: 0xf7f5 },
    },
    { name: 'T2', port: 'open', flags: 0, window: 128, options, dontFragment: true },
    { name: 'T3', port: 'open', flags: SYN | FIN | URG | PSH, window: 256, options },
    { name: 'T4', port: 'open', flags: ACK, window: 1_024, options, dontFragment: true },
    { name: 'T5', port: 'closed', flags: SYN, window: 31_337, options },
    { name: 'T6', port: 'closed', flags: ACK, window: 32_768, options, dontFragment: true },
    {
      name: 'T7',
      port: 'closed',
      flags: FIN | PSH | URG,
      window: 65_535,
      options: options.replace('03030a', '03030f'),
    },
  ];
}

/** All TCP probes, in the order they are sent; each has a source port of its own, by which its answer is known. */
export const TCP_PROBES: readonly TcpProbe[] = shapes().map((shape, i) => ({
  sourcePort: SCAN.PORT + i,
  sequence: (SCAN.SEQUENCE + (shape.name.startsWith('SEQ') ? i : 0)) >>> 0,
  ack: SCAN.ACK,
  ...shape,
}));

function tcpPacket(link: ScanLink, ports: ScanPorts, probe: TcpProbe): Uint8Array {
  const options = hex(probe.options);
  const segment = new Uint8Array(TCP.SIZE + options.length);
  const view = new DataView(segment.buffer);
  view.setUint16(TCP.SOURCE_PORT, probe.sourcePort);
  view.setUint16(TCP.TARGET_PORT, ports[probe.port]);
  view.setUint32(TCP.SEQUENCE, probe.sequence);
  view.setUint32(TCP.ACKNOWLEDGEMENT, probe.ack);
  view.setUint8(TCP.OFFSET, ((segment.length / 4) << 4) | (probe.reserved ?? 0));
  view.setUint8(TCP.FLAGS, probe.flags);
  view.setUint16(TCP.WINDOW, probe.window);
  view.setUint16(TCP.URGENT, probe.urgent ?? 0);
  segment.set(options, TCP.SIZE);
  const pseudo = pseudoHeaderSum(link.address, link.target, PROTOCOL.TCP, segment.length);
  view.setUint16(TCP.CHECKSUM, finish(sumBytes(segment, 0, segment.length, pseudo)));
  const fragment = probe.dontFragment === true ? IPV4_DF : 0;
  return ipPacket({ ...to(link, PROTOCOL.TCP), fragment, id: probe.sourcePort }, segment);
}

function to(link: ScanLink, protocol: number) {
  return { source: link.address, target: link.target, ttl: SCAN.TTL, protocol };
}

/** U1, as it is sent: what comes back quotes it. */
export function udpProbe(link: ScanLink, ports: ScanPorts): Uint8Array {
  const data = new Uint8Array(U1_OCTETS).fill(U1_OCTET);
  const ends = { source: link.address, target: link.target, sourcePort: SCAN.PORT - 1, targetPort: ports.closedUdp };
  return ipPacket({ ...to(link, PROTOCOL.UDP), id: SCAN.UDP_ID }, udpMessage(ends, data));
}

/** IE 1 and IE 2: code 9 with DF and TOS 0, then code 0 without DF and with TOS 4. */
function echoProbes(link: ScanLink): Uint8Array[] {
  const first = icmpMessage(8, 9, ((SCAN.ICMP_ID << 16) | 295) >>> 0, new Uint8Array(120));
  const second = icmpMessage(8, 0, (((SCAN.ICMP_ID + 1) << 16) | 296) >>> 0, new Uint8Array(150));
  return [
    ipPacket({ ...to(link, PROTOCOL.ICMP), fragment: IPV4_DF, id: 0x4321 }, first),
    ipPacket({ ...to(link, PROTOCOL.ICMP), tos: 4, id: 0x4322 }, second),
  ];
}

/** A SYN-ACK is answered as the kernel under nmap does, which knows of no such connection. */
function resetWhatOpened(link: ScanLink, ports: ScanPorts, from: number): number {
  for (const { packet } of link.arrived.slice(from)) {
    if (packet.getUint8(IPV4.PROTOCOL) !== PROTOCOL.TCP) continue;
    const tcp = IPV4.SIZE;
    if ((packet.getUint8(tcp + TCP.FLAGS) & (SYN | ACK)) !== (SYN | ACK)) continue;
    const sourcePort = packet.getUint16(tcp + TCP.TARGET_PORT);
    const sequence = packet.getUint32(tcp + TCP.ACKNOWLEDGEMENT);
    const shape = { name: 'RST', port: 'open', flags: RST, window: 0, options: '', ack: 0 } as const;
    link.send(tcpPacket(link, ports, { ...shape, sourcePort, sequence }));
  }
  return link.arrived.length;
}

/** When each SEQ probe went. */
export type SendTimes = readonly number[];

/** Send everything; the answers are in `link.arrived`. */
export async function scan(link: ScanLink, ports: ScanPorts): Promise<SendTimes> {
  const times: number[] = [];
  let seen = link.arrived.length;
  for (const probe of TCP_PROBES) {
    const isSeq = probe.name.startsWith('SEQ');
    if (isSeq) times.push(link.now());
    link.send(tcpPacket(link, ports, probe));
    await link.wait(isSeq ? SEQ_INTERVAL : PROBE_INTERVAL);
    seen = resetWhatOpened(link, ports, seen);
  }
  for (const packet of [...echoProbes(link), udpProbe(link, ports)]) {
    link.send(packet);
    await link.wait(PROBE_INTERVAL);
  }
  await link.wait(LAST_WAIT);
  return times;
}
