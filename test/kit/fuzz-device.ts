/**
 * One device as it is assembled for real, alone on its wires, and on their far ends nobody but a fuzzer: it sends what the
 * device was sent in a real run, made wrong, and answers what the device says, also made wrong. At the end the programs
 * are stopped, time passes until everything has run out, and nothing may be left. What goes wrong says at which frame.
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
import { CABLE } from '../../shared/header/ethernet.ts';
import type { DeviceKind, DevicePlan } from '../../shared/lab/plan-types.ts';
import type { DropReason } from '../../shared/net/drop.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { NetlinkAnswer, NetlinkQuery } from '../../shared/net/netlink.ts';
import type { Pages } from '../../shared/net/pages.ts';
import { assert, MILLISECOND, type Micros, type Random, SECOND } from '../../shared/platform.ts';
import { impaired } from '../../shared/wire/impair.ts';
import { type MemoryWireEnd, memoryWire } from '../../shared/wire/memory-wire.ts';
import type { Wire } from '../../shared/wire/wire.ts';
import { ManualClock, settlePromises } from './clock.ts';
import {
  type FedFrame,
  FuzzFailure,
  type FuzzOptions,
  type FuzzScene,
  openings,
  PEER_MAC,
  surroundings,
} from './fuzz-scene.ts';
import { mirror } from './mirror.ts';
import { fragmented, mutate, pick, type Surroundings } from './mutate.ts';
import { testRandom } from './random.ts';
import { Turmoil } from './turmoil.ts';

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
/** A line of a stack. */
const STACK = /\n\s+at .+:\d+:\d+\)?/;

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
  private readonly scene: FuzzScene;
  private readonly turmoil: Turmoil | undefined;
  /** The frames of the batch that was put last. */
  private batch: FedFrame[] = [];
  private fed = 0;
  private running = 0;
  /** What programs died of that no program may die of. */
  private readonly crashes: string[] = [];
  /** Frames that the device sent. */
  replies = 0;
  /** States in which its TCP connections were seen. */
  readonly states = new Set<string>();

  constructor({ recording, device: name, seed, scene = {} }: FuzzOptions) {
    const plan = recording.plan.devices.find((device) => device.name === name);
    assert(plan !== undefined, 'a device of the lab');
    this.scene = scene;
    this.random = testRandom(`device ${name}`, seed);
    const platform = nodePlatform({ folder: recording.plan.folder });
    const wires = new Map<string, Wire>();
    const owns = new Map<string, MemoryWireEnd>();
    this.ends = plan.ports.map((port) => {
      const [own, far] = memoryWire(this.clock, `${name}:${port.name}`, `fuzzer:${port.name}`);
      owns.set(port.name, own);
      const impairment = scene.impairment?.(this.random);
      wires.set(
        port.name,
        impairment === undefined ? own : impaired(own, { clock: this.clock, platform, seed, impairment }),
      );
      const recorded = recording.frames.get(`${name}:${port.name}`) ?? [];
      const opening = openings(recorded, scene.ports ?? {});
      return { port: port.name, wire: far, recorded: [...recorded, ...opening], heard: [] };
    });
    this.crc32 = platform.crc32;
    const parts = { clock: this.clock, random: seededRandom(seed), platform, wires };
    const output = (program: string, text: string): void => this.heardProgram(program, text);
    this.device = BUILDERS[plan.kind](plan, { ...parts, output });
    if (scene.turmoil === true) {
      const { device, clock } = this;
      this.turmoil = new Turmoil({
        device,
        plan,
        clock,
        random: this.random.fork('turmoil'),
        wires: owns,
        heard: output,
      });
    }
    scene.made?.(this.device);
    this.watchPages();
    for (const end of this.ends) listen(end, () => this.replies++);
    this.around = surroundings(plan, recording);
    this.httpPages = recording.frames
      .get('alice:eth0')!
      .filter((frame) => frame.length > 200)
      .map((f) => f.subarray(66));
  }

  /** Set up what the scene has, as a person would at the console. */
  async prepare(): Promise<void> {
    const { scene, device } = this;
    const settings = Object.entries(scene.sysctls ?? {}).map(([name, value]) => ['sysctl', '-w', `${name}=${value}`]);
    for (const argv of [...settings, ...(scene.lines ?? []).map((line) => line.split(' '))]) {
      let said = '';
      const stdout = (bytes: Uint8Array): void => void (said += Buffer.from(bytes).toString());
      const program = device.spawn(argv, { stdout, stderr: stdout, cause: 0 });
      assert(program !== undefined, `a program: ${argv[0]}`);
      const status = await program.exited;
      assert(status === 0, `${argv.join(' ')}: status ${status}, ${said}`);
    }
    for (const program of scene.programs?.(this.random.fork('programs')) ?? []) {
      const stderr = (bytes: Uint8Array): void => this.heardProgram('scene', new TextDecoder().decode(bytes));
      device.host.processes.spawn(program, ['scene'], { stderr });
    }
  }

  /** Feed so many frames; throws FuzzFailure when something goes wrong. */
  async run(frames: number): Promise<void> {
    const { clock, random } = this;
    const rejected = (error: unknown): void => void this.crashes.push(`a promise: ${describe(error)}`);
    process.on('unhandledRejection', rejected);
    const untrace = random.below(2) === 0 ? this.device.host.trace.listen(() => {}) : undefined;
    try {
      while (this.fed < frames) {
        this.burst(pick(random, this.ends), frames - this.fed);
        if (random.below(6) === 0) this.startProgram();
        if (random.below(200) === 0) this.pullPlug();
        if (this.turmoil !== undefined && random.below(5) === 0) {
          this.turmoil.strike();
          // Frames are on the wire as it begins.
          await settlePromises();
        }
        clock.advance(pick(random, PAUSES));
        await settlePromises();
        assert(this.crashes.length === 0, `a program died of an error of ours: ${this.crashes[0]}`);
        if (random.below(10) === 0) this.noteStates();
        if (random.below(50) === 0) this.checkBounds();
      }
      untrace?.();
      this.checkBounds();
    } catch (error) {
      throw new FuzzFailure(this.batch, error);
    } finally {
      process.off('unhandledRejection', rejected);
    }
  }

  /** Only these frames, as they were put by another run with the same seed. */
  async replay(frames: readonly FedFrame[]): Promise<void> {
    for (const { port, bytes } of frames) {
      const end = this.ends.find((one) => one.port === port);
      assert(end !== undefined, 'the same ports');
      this.putWhole(end.wire, bytes, 0);
      end.wire.kick();
    }
    this.clock.advance(SECOND);
    await settlePromises();
    assert(this.crashes.length === 0, `a program died of an error of ours: ${this.crashes[0]}`);
  }

  /** Stop the programs, let everything run out, and look for what is left. */
  async finish(): Promise<void> {
    const { clock, device } = this;
    const { host } = device;
    for (const end of this.ends) end.wire.plug();
    this.turmoil?.end();
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

  /** One batch of at most `room` frames into a port. */
  private burst(end: End, room: number): void {
    const { random } = this;
    this.batch = [];
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
    if (frames.length === 0) this.fed++;
    for (const frame of frames.slice(0, room)) {
      this.fed++;
      this.scene.read?.(frame);
      this.put(end, frame);
    }
    end.wire.kick();
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

  private put({ wire, port }: End, frame: Uint8Array): void {
    const { random } = this;
    const bytes = new Uint8Array(CABLE.LEAD + frame.length + CABLE.FCS);
    bytes.fill(CABLE.PREAMBLE, 0, CABLE.PREAMBLE_SIZE);
    bytes[CABLE.PREAMBLE_SIZE] = random.below(200) === 0 ? random.below(256) : CABLE.SFD;
    bytes.set(frame, CABLE.LEAD);
    const fcsAt = CABLE.LEAD + frame.length;
    const wrong = random.below(50) === 0 ? 1 : 0;
    viewOf(bytes).setUint32(fcsAt, this.crc32(bytes, CABLE.LEAD, fcsAt) ^ wrong, true);
    this.batch.push({ number: this.fed, port, bytes });
    this.putWhole(wire, bytes, random.below(8));
  }

  private putWhole(wire: Wire, bytes: Uint8Array, cause: number): void {
    const batch = wire.reserve(bytes.length);
    batch.bytes.set(bytes, batch.append(bytes.length, 0, 0, cause));
  }

  /** What a program wrote: the stack of an error of ours is a fault. */
  private heardProgram(program: string, text: string): void {
    if (STACK.test(text) || / ended with status (?!1(29|30|43)\b)/.test(text)) this.crashes.push(`${program}: ${text}`);
  }

  private noteStates(): void {
    for (const record of this.ask({ type: 'SOCK_DIAG' }) ?? [])
      if (record.protocol === 'tcp') this.states.add(record.state);
  }

  private startProgram(): void {
    if (this.running >= PROGRAMS_AT_ONCE_MAX) return;
    const line = pick(this.random, LINES);
    const stderr = (bytes: Uint8Array): void => this.heardProgram(line, new TextDecoder().decode(bytes));
    const program = this.device.spawn(line.split(' '), { stdout: () => {}, stderr, cause: this.random.below(3) });
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

function listen(end: End, counted: () => void): void {
  end.wire.attach({
    onBatch: (batch) => {
      for (let i = 0; i < batch.count; i++) {
        counted();
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

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

function shuffle(random: Random, frames: Uint8Array[]): void {
  for (let i = frames.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [frames[i], frames[j]] = [frames[j]!, frames[i]!];
  }
}
