/** What a fuzzed device is given beyond its lab: the scene, the frames that it is sent, and the addresses that mean something to it. */
import type { Device } from '../../shared/device/device.ts';
import { type Ipv4, type Mac, parseCidr, parseMac } from '../../shared/header/address.ts';
import { ETHERNET } from '../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP, TCP_FLAG } from '../../shared/header/tcp.ts';
import type { DevicePlan, Impairment } from '../../shared/lab/plan-types.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import type { Random } from '../../shared/platform.ts';
import { ip } from './cable.ts';
import { repairSums } from './frames.ts';
import type { Surroundings } from './mutate.ts';
import type { Recording } from './recorded.ts';

/** Octets where TCP's header begins behind an IPv4 header without options. */
const TCP_AT = ETHERNET.SIZE + 20;
/** Openings of each port that are mixed with what was recorded. */
const OPENINGS_EACH = 12;
export const PEER_MAC = 0x0200_0000_fe00 as Mac;

/** What the device has beyond what the lab file gives it. */
export interface FuzzScene {
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Commands that run first, and must work. */
  readonly lines?: readonly string[];
  /** Programs of the test that run on it. */
  readonly programs?: (random: Random) => readonly Program[];
  /** Ports to which its connections are opened. */
  readonly tcpPorts?: readonly number[];
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

/** Connections that are opened to other ports than those of the recording. */
export function openings(recorded: readonly Uint8Array[], ports: readonly number[]): Uint8Array[] {
  const syn = recorded.find(
    (frame) => isTcp(frame) && (frame[TCP_AT + TCP.FLAGS]! & (TCP_FLAG.SYN | TCP_FLAG.ACK)) === TCP_FLAG.SYN,
  );
  if (syn === undefined) return [];
  return ports.flatMap((port) =>
    // Each as often as a page's frames, or it would never be drawn.
    Array.from({ length: OPENINGS_EACH }, (_, i) => {
      const frame = syn.slice();
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      view.setUint16(TCP_AT + TCP.TARGET_PORT, port);
      view.setUint16(TCP_AT + TCP.SOURCE_PORT, 30_000 + i);
      repairSums(frame);
      return frame;
    }),
  );
}

const isTcp = (frame: Uint8Array): boolean =>
  frame.length > TCP_AT + TCP.SIZE &&
  frame[ETHERNET.SIZE] === 0x45 &&
  frame[ETHERNET.SIZE + IPV4.PROTOCOL] === PROTOCOL.TCP;

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
