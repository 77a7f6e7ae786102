/** What a fuzzed device is given beyond its lab: the scene, the frames that it is sent, and the addresses that mean something to it. */
import type { Device } from '../../shared/device/device.ts';
import { type Ipv4, type Mac, parseCidr, parseMac, readMac } from '../../shared/header/address.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP, TCP_FLAG } from '../../shared/header/tcp.ts';
import type { DevicePlan, Impairment } from '../../shared/lab/plan-types.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import type { Random } from '../../shared/platform.ts';
import { ip } from './cable.ts';
import { arpFrame, ethernetFrame, type IpFields, icmpMessage, ipPacket, repairSums, udpMessage } from './frames.ts';
import type { Surroundings } from './mutate.ts';
import type { Recording } from './recorded.ts';

/** Openings of each port that are mixed with what was recorded. */
const OPENINGS_EACH = 12;
export const PEER_MAC = 0x0200_0000_fe00 as Mac;

export interface ScenePorts {
  readonly tcp?: readonly number[];
  readonly udp?: readonly number[];
}

/** What the device has beyond what the lab file gives it. */
export interface FuzzScene {
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Commands that run first, and must work. */
  readonly lines?: readonly string[];
  /** Programs of the test that run on it. */
  readonly programs?: (random: Random) => readonly Program[];
  /** Ports at which its programs are spoken to. */
  readonly ports?: ScenePorts;
  /** What it is configured with changes while frames come. */
  readonly turmoil?: boolean;
  /** What its ends of the wires do to what it sends. */
  readonly impairment?: (random: Random) => Impairment;
  /** Told of each frame before it goes in. */
  readonly read?: (frame: Uint8Array) => void;
  /** Called with the device as it is made. */
  readonly made?: (device: Device) => void;
}

export interface FuzzOptions {
  readonly recording: Recording;
  /** A device of labs/url-to-page. */
  readonly device: string;
  readonly seed: number;
  readonly frames: number;
  readonly scene?: FuzzScene;
}

export interface FedFrame {
  /** From 1, in the order in which they were put on the wires. */
  readonly number: number;
  readonly port: string;
  readonly bytes: Uint8Array;
}

/** Something went wrong while the frames of one batch were worked on. */
export class FuzzFailure extends Error {
  readonly batch: readonly FedFrame[];

  constructor(batch: readonly FedFrame[], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'FuzzFailure';
    this.batch = batch;
  }
}

/**
 * What the recording has not: echo requests, announcements, packets for others, and connections and datagrams to other
 * ports; from where its packets came.
 */
export function openings(recorded: readonly Uint8Array[], { tcp = [], udp = [] }: ScenePorts): Uint8Array[] {
  const first = recorded.find(isUnicastIp);
  if (first === undefined) return [];
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  const [target, source] = [readMac(view, ETHERNET.TARGET), readMac(view, ETHERNET.SOURCE)];
  const ends = {
    source: view.getUint32(ETHERNET.SIZE + IPV4.SOURCE) as Ipv4,
    target: view.getUint32(ETHERNET.SIZE + IPV4.TARGET) as Ipv4,
  };
  const frame = (protocol: number, message: Uint8Array): Uint8Array => {
    const made = ethernetFrame(target, source, ETHERTYPE.IPV4, ipPacket({ ...ends, protocol }, message));
    repairSums(made);
    return made;
  };
  // Each as often as a page's frames, or it would never be drawn.
  const each = <T>(make: (sourcePort: number) => T): T[] =>
    Array.from({ length: OPENINGS_EACH }, (_, i) => make(30_000 + i));
  const { source: sender } = ends;
  const announcement = {
    operation: 1,
    senderMac: source,
    senderIp: sender,
    targetMac: MAC_EVERYBODY,
    targetIp: sender,
  };
  return [
    ...each((id) => frame(PROTOCOL.ICMP, icmpMessage(8, 0, id, DATAGRAM))),
    ...each(() => arpFrame(MAC_EVERYBODY, source, announcement)),
    // What is for others, to everybody on the link; and what has come to the end of its hops.
    ...each((id) => stray(MAC_EVERYBODY, { source: sender, target: FAR, protocol: PROTOCOL.UDP, id })),
    ...each((id) => stray(target, { source: sender, target: FAR, protocol: PROTOCOL.UDP, ttl: 1, id })),
    ...tcp.flatMap((port) => each((sourcePort) => frame(PROTOCOL.TCP, syn(sourcePort, port)))),
    ...udp.flatMap((targetPort) =>
      each((sourcePort) => frame(PROTOCOL.UDP, udpMessage({ ...ends, sourcePort, targetPort }, DATAGRAM))),
    ),
  ];
}

const DATAGRAM = new Uint8Array(300);
const MAC_EVERYBODY = 0xffff_ffff_ffff as Mac;
/** On nobody's link. */
const FAR = ip('203.0.113.99');
/** MSS, SACK permitted, timestamps, window scale, as Linux asks, and a Fast Open cookie. */
const SYN_OPTIONS = Uint8Array.of(2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 3, 0xe8, 0, 0, 0, 0, 1, 3, 3, 7, 34, 2, 1, 1);
const SYN_DATA_BYTES = 20;

function syn(sourcePort: number, targetPort: number): Uint8Array {
  const headerLength = TCP.SIZE + SYN_OPTIONS.length;
  // Every other one brings data.
  const bytes = new Uint8Array(headerLength + (sourcePort % 2) * SYN_DATA_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(TCP.SOURCE_PORT, sourcePort);
  view.setUint16(TCP.TARGET_PORT, targetPort);
  view.setUint32(TCP.SEQUENCE, sourcePort * 0x1_0001);
  view.setUint8(TCP.OFFSET, (headerLength / 4) << 4);
  view.setUint8(TCP.FLAGS, TCP_FLAG.SYN);
  view.setUint16(TCP.WINDOW, 65_535);
  bytes.set(SYN_OPTIONS, TCP.SIZE);
  return bytes;
}

const stray = (to: Mac, fields: IpFields): Uint8Array =>
  ethernetFrame(to, PEER_MAC, ETHERTYPE.IPV4, ipPacket(fields, DATAGRAM));

const isUnicastIp = (frame: Uint8Array): boolean =>
  frame.length > ETHERNET.SIZE + IPV4.SIZE && frame[ETHERNET.SIZE] === 0x45 && (frame[0]! & 1) === 0;

/** The device's own addresses and its neighbourhood's, and those that no packet should carry. */
export function surroundings(plan: DevicePlan, { plan: lab }: Recording): Surroundings {
  const macs = lab.devices.flatMap((device) => device.ports.map((port) => parseMac(port.mac ?? '')));
  const own = plan.ports.map((port) => parseMac(port.mac ?? ''));
  const texts = (device: DevicePlan): string[] => device.ports.flatMap((port) => port.addresses);
  const addresses = [...texts(plan), ...texts(plan), ...lab.devices.flatMap(texts)].map(
    (text) => parseCidr(text)?.address,
  );
  const odd = [
    '0.0.0.0',
    '255.255.255.255',
    '127.0.0.1',
    '224.0.0.1',
    '239.1.2.3',
    '240.0.0.1',
    '169.254.0.1',
    '10.9.8.7',
  ];
  const near = [...odd, '192.168.1.255', '192.168.1.0', '192.0.2.95', '192.168.1.77', '198.51.100.31', '192.0.2.31'];
  const present = <T>(list: readonly (T | undefined)[]): T[] => list.filter((item) => item !== undefined);
  return {
    macs: present([...own, ...own, ...macs, PEER_MAC]),
    addresses: [...present(addresses), ...near.map(ip)] as Ipv4[],
  };
}
