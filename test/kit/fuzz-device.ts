/**
 * One device as it is assembled for real, alone on its wires, and on their far ends nobody but a fuzzer: it sends what the
 * device was sent in a real run, made wrong, and answers what the device says, also made wrong. At the end the programs
 * are stopped, time passes until everything has run out, and nothing may be left.
 */
import { expect } from 'vitest';
import { build as buildDns } from '../../services/dns/device.ts';
import { build as buildHost } from '../../services/host/device.ts';
import { build as buildRouter } from '../../services/router/device.ts';
import { build as buildSwitch } from '../../services/switch/device.ts';
import { FDB_ENTRIES_MAX } from '../../shared/bridge/fdb.ts';
import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { nodePlatform } from '../../shared/device/platform.ts';
import { seededRandom } from '../../shared/device/random.ts';
import { type Ipv4, type Mac, parseCidr, parseMac } from '../../shared/header/address.ts';
import { CABLE } from '../../shared/header/ethernet.ts';
import type { DeviceKind, DevicePlan } from '../../shared/lab/plan-types.ts';
import type { DropReason } from '../../shared/net/drop.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { NetlinkAnswer, NetlinkQuery } from '../../shared/net/netlink.ts';
import type { Pages } from '../../shared/net/pages.ts';
import { assert, MILLISECOND, type Micros, type Random, SECOND } from '../../shared/platform.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import type { Wire } from '../../shared/wire/wire.ts';
import { ip } from './cable.ts';
import { ManualClock, settlePromises } from './clock.ts';
import { mirror } from './mirror.ts';
import { fragmented, mutate, pick, type Surroundings } from './mutate.ts';
import { testRandom } from './random.ts';
import type { Recording } from './recorded.ts';

const BUILDERS: Readonly<Record<DeviceKind, (plan: DevicePlan, parts: DeviceParts) => Device>> = {
  host: buildHost,
  switch: buildSwitch,
  router: buildRouter,
  dns: buildDns,
};

const BATCH_FRAMES_MAX = 48;
/** What the device sent and the fuzzer has not answered yet. */
const HEARD_MAX = 64;
const PROGRAMS_AT_ONCE_MAX = 12;
/** Longer than the longest timer of all: conntrack keeps an established connection for five days. */
const AFTERWARDS: Micros = 6 * 86_400 * SECOND;
/** Of lab time that passes after a batch: mostly nothing, sometimes so much that timers fire. */
const PAUSES: readonly Micros[] = [0, 0, 0, 10, 500, 20 * MILLISECOND, 300 * MILLISECOND, 3 * SECOND];
const PEER_MAC = 0x0200_0000_fe00 as Mac;

/** Bounds that Linux has too: net.ipv4.neigh.default.gc_thresh3, nf_conntrack_max, ipfrag_high_thresh. */
const NEIGHBOURS_MAX = 1_024;
const FLOWS_MAX = 65_536;
const REASSEMBLY_BYTES_MAX = 4_194_304;
/** Half-open and ended connections of a listener's backlog, and what programs hold. */
const SOCKETS_MAX = 4_096;

/** What a machine's user may be doing meanwhile. */
const LINES = [
  'browser http://www.server.com/',
  'curl -s http://www.server.com/',
  'curl -s http://192.0.2.80/',
  'dig www.server.com',
  'dig +tcp server.com',
  'nslookup www.server.com',
  'ping -c 3 192.0.2.80',
  'ping -c 1 -s 4000 www.server.com',
  'traceroute -n -q 1 -m 5 192.0.2.80',
  'nc 192.0.2.80 80',
  'nc -l 5000',
  'nc -u -l 7',
  'tcpdump -n -vv',
  'ip neigh',
  'ss -tuna',
];

export interface FuzzOptions {
  readonly recording: Recording;
  /** A device of labs/url-to-page. */
  readonly device: string;
  readonly seed: number;
  readonly frames: number;
}

interface End {
  readonly port: string;
  readonly wire: Wire;
  readonly recorded: readonly Uint8Array[];
  /** The last frames that the device sent here. */
  readonly heard: Uint8Array[];
}

export class DeviceFuzz {
  readonly device: Device;
  readonly clock = new ManualClock();
  private readonly random: Random;
  private readonly ends: End[];
  private readonly around: Surroundings;
  private readonly pages = new Set<Pages>();
  private readonly httpPages: readonly Uint8Array[];
  private readonly crc32: (bytes: Uint8Array, at: number, end: number) => number;
  private running = 0;

  constructor({ recording, device: name, seed }: FuzzOptions) {
    const plan = recording.plan.devices.find((device) => device.name === name);
    assert(plan !== undefined, 'a device of the lab');
    this.random = testRandom(`device ${name}`, seed);
    const wires = new Map<string, Wire>();
    this.ends = plan.ports.map((port) => {
      const [own, far] = memoryWire(this.clock, `${name}:${port.name}`, `fuzzer:${port.name}`);
      wires.set(port.name, own);
      return { port: port.name, wire: far, recorded: recording.frames.get(`${name}:${port.name}`) ?? [], heard: [] };
    });
    const platform = nodePlatform({ folder: recording.plan.folder });
    this.crc32 = platform.crc32;
    this.device = BUILDERS[plan.kind](plan, { clock: this.clock, random: seededRandom(seed), platform, wires });
    this.watchPages();
    for (const end of this.ends) listen(end);
    this.around = surroundings(plan, recording);
    this.httpPages = recording.frames
      .get('alice:eth0')!
      .filter((frame) => frame.length > 200)
      .map((f) => f.subarray(66));
  }

  /** Feed so many frames; throws what the device throws. */
  async run(frames: number): Promise<void> {
    const { clock, random } = this;
    const untrace = random.below(2) === 0 ? this.device.host.trace.listen(() => {}) : undefined;
    for (let fed = 0; fed < frames; ) {
      fed += this.burst(pick(random, this.ends));
      if (random.below(6) === 0) this.startProgram();
      if (random.below(200) === 0) this.pullPlug();
      clock.advance(pick(random, PAUSES));
      await settlePromises();
      if (random.below(50) === 0) this.checkBounds();
    }
    untrace?.();
    this.checkBounds();
  }

  /** Stop the programs, let everything run out, and look for what is left. */
  async finish(): Promise<void> {
    const { clock, device } = this;
    const { host } = device;
    for (const end of this.ends) end.wire.plug();
    host.processes.killAll('SIGTERM');
    await settlePromises();
    clock.advance(AFTERWARDS);
    expect(host.skbs.counters.live, 'live sk_buffs').toBe(0);
    expect(this.ask({ type: 'SOCK_DIAG' })?.length, 'sockets').toBe(0);
    expect(this.ask({ type: 'CT_GET' })?.length ?? 0, 'tracked flows').toBe(0);
    expect(host.fragments.queues.size, 'reassembly queues').toBe(0);
    expect(host.fragments.bytes, 'reassembly memory').toBe(0);
    expect(this.ask({ type: 'FDB_GET' })?.filter((entry) => !entry.permanent).length ?? 0, 'learned addresses').toBe(0);
    device.stop();
    clock.advance(AFTERWARDS);
    expect(clock.pending, 'armed timers').toBe(0);
    expect([...this.pages].filter((pages) => pages.refs !== 0).length, 'pages still held').toBe(0);
  }

  get drops(): ReadonlyMap<DropReason, number> {
    return this.device.host.skbs.counters.drops;
  }

  /** Tables that strangers fill have a limit. */
  private checkBounds(): void {
    const { host } = this.device;
    expect(this.ask({ type: 'RTM_GETNEIGH' })?.length ?? 0).toBeLessThanOrEqual(NEIGHBOURS_MAX);
    expect(this.ask({ type: 'CT_GET' })?.length ?? 0).toBeLessThanOrEqual(FLOWS_MAX);
    expect(this.ask({ type: 'SOCK_DIAG' })?.length ?? 0).toBeLessThanOrEqual(SOCKETS_MAX);
    expect(this.ask({ type: 'FDB_GET' })?.length ?? 0).toBeLessThanOrEqual(FDB_ENTRIES_MAX + this.ends.length);
    expect(host.fragments.bytes).toBeLessThanOrEqual(REASSEMBLY_BYTES_MAX);
    expect(host.processes.list().length).toBeLessThanOrEqual(PROGRAMS_AT_ONCE_MAX + 8);
  }

  private ask<Q extends NetlinkQuery>(query: Q): NetlinkAnswer<Q> | undefined {
    const asked = this.device.host.netlink.ask(query);
    return isErrno(asked) ? undefined : asked.answer;
  }

  /** Every page that the device ever has, to ask at the end who holds it. */
  private watchPages(): void {
    const { skbs } = this.device.host;
    const make = skbs.pages.bind(skbs);
    skbs.pages = (size) => {
      const pages = make(size);
      this.pages.add(pages);
      return pages;
    };
  }

  /** One batch into a port; how many frames it had. */
  private burst(end: End): number {
    const { random } = this;
    const frames: Uint8Array[] = [];
    for (let n = 1 + random.below(BATCH_FRAMES_MAX); n > 0; n--) {
      const original = this.original(end);
      if (original === undefined) continue;
      const frame = random.below(3) === 0 ? original : mutate(random, original, this.around);
      const pieces = random.below(12) === 0 ? fragmented(random, frame) : undefined;
      frames.push(...(pieces ?? [frame]));
      if (random.below(10) === 0) frames.push(frame);
    }
    if (random.below(3) === 0) shuffle(random, frames);
    for (const frame of frames) this.put(end.wire, frame);
    end.wire.kick();
    return Math.max(1, frames.length);
  }

  /** A frame that fits: an answer to what the device said, or one of the real run. */
  private original(end: End): Uint8Array | undefined {
    const { random } = this;
    if (end.heard.length > 0 && random.below(4) > 0) {
      const at = random.below(end.heard.length);
      const [frame] = random.below(4) === 0 ? [end.heard[at]!] : end.heard.splice(at, 1);
      const options = { mac: PEER_MAC, pages: this.httpPages, addresses: this.around.addresses };
      const answer = mirror(random, frame!, options);
      if (answer !== undefined) return answer;
    }
    return end.recorded.length === 0 ? undefined : pick(random, end.recorded);
  }

  private put(wire: Wire, frame: Uint8Array): void {
    const { random } = this;
    const size = CABLE.LEAD + frame.length + CABLE.FCS;
    const batch = wire.reserve(size);
    const at = batch.append(size, 0, 0, random.below(8));
    batch.bytes.fill(CABLE.PREAMBLE, at, at + CABLE.PREAMBLE_SIZE);
    batch.bytes[at + CABLE.PREAMBLE_SIZE] = random.below(200) === 0 ? random.below(256) : CABLE.SFD;
    batch.bytes.set(frame, at + CABLE.LEAD);
    const fcsAt = at + CABLE.LEAD + frame.length;
    const wrong = random.below(50) === 0 ? 1 : 0;
    batch.view.setUint32(fcsAt, this.crc32(batch.bytes, at + CABLE.LEAD, fcsAt) ^ wrong, true);
  }

  private startProgram(): void {
    if (this.running >= PROGRAMS_AT_ONCE_MAX) return;
    const stdio = { stdout: () => {}, stderr: () => {}, cause: this.random.below(3) };
    const program = this.device.spawn(pick(this.random, LINES).split(' '), stdio);
    if (program === undefined) return;
    this.running++;
    void program.exited.then(() => this.running--);
    const after = this.random.below(60 * SECOND);
    this.clock.after(after, () => program.kill(this.random.below(4) === 0 ? 'SIGINT' : 'SIGTERM'));
  }

  private pullPlug(): void {
    const { wire } = pick(this.random, this.ends);
    if (wire.plugged) wire.unplug();
    else wire.plug();
    this.clock.after(SECOND, () => wire.plug());
  }
}

function listen(end: End): void {
  end.wire.attach({
    onBatch: (batch) => {
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset(i) + CABLE.LEAD;
        end.heard.push(batch.bytes.slice(at, at + batch.size(i) - CABLE.LEAD - CABLE.FCS));
        if (end.heard.length > HEARD_MAX) end.heard.shift();
      }
    },
    onCarrier: () => {},
    onReady: () => {},
  });
  end.wire.setPortUp(true);
}

function shuffle(random: Random, frames: Uint8Array[]): void {
  for (let i = frames.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [frames[i], frames[j]] = [frames[j]!, frames[i]!];
  }
}

/** The device's own addresses and its neighbourhood's, and those that no packet should carry. */
function surroundings(plan: DevicePlan, { plan: lab }: Recording): Surroundings {
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

/** Feed a device of the lab, and look at what is left; its drops by reason. */
export async function fuzzDevice(options: FuzzOptions): Promise<ReadonlyMap<DropReason, number>> {
  const fuzz = new DeviceFuzz(options);
  await fuzz.run(options.frames);
  await fuzz.finish();
  return fuzz.drops;
}
