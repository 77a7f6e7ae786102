/**
 * A soak: faults from a seed, for a while, on a lab whose hosts fetch files, ask for names, open and close connections;
 * then everything is healed, and it is asked what is lost, stuck or left behind. On the typed client, so the same soak
 * runs on processes, on containers, and packed on virtual time. (soak-labs.ts: the labs; soak-checks.ts: the end)
 *
 * Interface: soak(net, shape, { seed, micros }) plays it and returns what happened; `problems` is empty when all is well.
 * A failing soak prints its seed and `log`: what was done when, in lab time.
 */
import type { Net, NetFault } from '../../services/lab/index.ts';
import { seededRandom } from '../../shared/device/random.ts';
import { type Random, SECOND } from '../../shared/platform.ts';
import { type Baseline, baseline, checkEnd, collectedMemory } from './soak-checks.ts';
import type { SoakShape } from './soak-labs.ts';

/** Faults at once; more and nothing gets through. */
const FAULTS_MAX = 3;
/** curl's and dig's own limits, seconds. */
const TRANSFER_SECONDS = 40;
const CONNECTIONS_PER_RUN = 20;
/** A program whose limits have passed is stuck. */
const STRAGGLERS = '150s';

/** The notes of a round, code that was compiled, and what Node keeps of HTTP connections whose device was killed. */
const GROWTH_BYTES_MAX = 30_000_000;

export interface SoakOptions {
  readonly seed: number;
  /** Lab time with faults. */
  readonly micros: number;
  /** Lab time between two runs of a program, microseconds at most. */
  readonly pause?: number;
  /**
   * Into so many rounds the time is divided, 1 when left out; after each the lab comes to rest. What a packed lab, which is
   * in this process, holds more after the last than after the first is kept by somebody.
   */
  readonly rounds?: number;
}

export interface Soak {
  readonly problems: readonly string[];
  readonly log: readonly string[];
  readonly counts: Counts;
  /** Octets of this process between the first round at rest and the last. */
  readonly grown: number;
}

interface Counts {
  faults: number;
  /** By how they ended. */
  transfers: { completed: number; failed: number };
  names: { completed: number; failed: number };
  connections: { completed: number; failed: number };
  /** Programs that went with their device. */
  gone: number;
}

export class Soaking {
  readonly net: Net;
  readonly shape: SoakShape;
  readonly problems: string[] = [];
  readonly log: string[] = [];
  readonly counts: Counts = {
    faults: 0,
    transfers: { completed: 0, failed: 0 },
    names: { completed: 0, failed: 0 },
    connections: { completed: 0, failed: 0 },
    gone: 0,
  };
  /** Out so that the ring is none. */
  gap: NetFault | undefined;
  private readonly seed: number;
  private chance: Random;
  private readonly pause: number;
  private end = 0;
  /** Devices that are down or coming up, or were within the run of a program. */
  private readonly killed = new Set<string>();
  private running = 0;

  constructor(net: Net, shape: SoakShape, options: SoakOptions) {
    this.net = net;
    this.shape = shape;
    this.seed = options.seed;
    this.chance = seededRandom(options.seed).fork('soak/0');
    this.pause = options.pause ?? 2 * SECOND;
  }

  note(text: string): void {
    this.log.push(`${(this.net.now() / SECOND).toFixed(3).padStart(10)} s  ${text}`);
  }

  problem(text: string): void {
    this.problems.push(text);
    this.note(`PROBLEM ${text}`);
  }

  /** Faults and work for so long, then everything is healed. */
  async play(round: number, micros: number): Promise<void> {
    this.end = this.net.now() + micros;
    this.chance = seededRandom(this.seed).fork(`soak/${round}`);
    const works = this.shape.clients.flatMap((client) => [
      this.work(client, 'transfers'),
      this.work(client, 'names'),
      this.work(client, 'connections'),
    ]);
    if (this.shape.ring.length > 0) works.push(this.moveGap());
    const faults = Array.from({ length: FAULTS_MAX }, (_, i) => this.trouble(i));
    await Promise.all(faults);
    this.note('healed');
    const over = Promise.all(works);
    await this.net.wait
      .until(() => this.running === 0, STRAGGLERS)
      .catch(() => this.problem(`${this.running} programs are stuck`));
    if (this.running === 0) await over;
    await this.topologyChanged();
  }

  private get over(): boolean {
    return this.net.now() >= this.end;
  }

  private sleep(micros: number): Promise<void> {
    return this.net.wait.time(`${Math.max(1, Math.round(micros))}us`);
  }

  /** A host at work: one program after another until the time is over. */
  private async work(client: string, what: 'transfers' | 'names' | 'connections'): Promise<void> {
    const chance = this.chance.fork(`${client}/${what}`);
    while (!this.over) {
      await this.sleep(1 + chance.below(this.pause));
      if (this.over) return;
      this.running++;
      try {
        await this[what](client);
      } catch (error) {
        // A host that was killed takes its programs with it, and is not there to start others; nor is one that stands still.
        const { message } = error as Error;
        if (this.killed.has(client) || message.startsWith(`${client} is frozen`)) this.counts.gone++;
        else this.problem(`${what} on ${client}: ${message}`);
      } finally {
        this.running--;
      }
    }
  }

  private async transfers(client: string): Promise<void> {
    const { url, source } = this.shape;
    const argv = ['curl', '-sS', '--max-time', String(TRANSFER_SECONDS), url];
    const { status, stdout, stderr } = await this.net.host(client).exec(...argv);
    if (status === 0 && stdout === source) this.counts.transfers.completed++;
    else if (status === 0)
      this.problem(`${client} fetched ${stdout.length} octets that are not the file's, with status 0`);
    else if (stderr === '') this.problem(`${client}'s curl ended with status ${status} and said nothing`);
    else this.counts.transfers.failed++;
  }

  private async names(client: string): Promise<void> {
    const { name4, address } = this.shape;
    const { status, stdout } = await this.net.host(client).exec('dig', '+short', '+tries=2', '+time=2', name4);
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    // Before the answer dig tells of servers that it asked in vain.
    if (status === 0 && last === address) this.counts.names.completed++;
    // SERVFAIL is an answer, too, and an empty short one.
    else if (status !== 0 || stdout === '' || last.startsWith(';')) this.counts.names.failed++;
    else this.problem(`${client}'s dig: status ${status}, ${stdout.trim()}`);
  }

  private async connections(client: string): Promise<void> {
    const { small, smallSource } = this.shape;
    const urls = Array.from({ length: CONNECTIONS_PER_RUN }, () => small);
    const argv = ['curl', '-sS', '-H', 'Connection: close', '--connect-timeout', '2', '--max-time', '4', ...urls];
    const { status, stdout, stderr } = await this.net.host(client).exec(...argv);
    const failed = stderr.split('\n').filter((line) => line.startsWith('curl: (')).length;
    const completed = stdout.split(smallSource).length - 1;
    this.counts.connections.failed += failed;
    this.counts.connections.completed += completed;
    if (stdout.length % smallSource.length !== 0 && failed === 0)
      this.problem(`${client} got half a page and no error`);
    if (completed + failed !== urls.length)
      this.problem(`${client}: ${completed} of ${urls.length} came, ${failed} failed (status ${status})`);
  }

  /** One of several that each put a fault in force, wait, and heal it. */
  private async trouble(i: number): Promise<void> {
    const chance = this.chance.fork(`trouble/${i}`);
    while (!this.over) {
      await this.sleep(chance.below(3 * SECOND));
      if (this.over) return;
      const victim = chance.below(10) === 0 ? this.anyDevice(chance) : undefined;
      // One device at a time: what two dead neighbours of a gap bring back at once would be a ring.
      if (victim !== undefined && (this.killed.size > 0 || this.over)) continue;
      if (victim !== undefined) this.killed.add(victim);
      const fault = await (victim === undefined ? this.wireFault(chance) : this.net.kill(victim)).catch(
        (error: Error) => {
          // Both ends may be down just now.
          this.note(`not done: ${error.message}`);
          return undefined;
        },
      );
      if (fault !== undefined) {
        this.counts.faults++;
        this.note(fault.words);
        await this.sleep(0.1 * SECOND + chance.below(6 * SECOND));
        await fault.heal();
        this.note(`healed: ${fault.words}`);
      }
      if (victim === undefined) continue;
      // Programs that went with it are told so at once; those that start find it up.
      await this.net.wait
        .until(async () => (await this.net.host(victim).state()).name === victim, '20s')
        .catch(() => {});
      this.killed.delete(victim);
    }
  }

  private wireFault(chance: Random): Promise<NetFault> {
    const { net } = this;
    const wires = this.wires;
    const wire = wires[chance.below(wires.length)] ?? '';
    const [a = '', b = ''] = wire.split('--');
    const end = chance.below(2) === 0 ? a : b;
    switch (chance.below(8)) {
      case 0:
      case 1:
        return net.unplug(wire);
      case 2:
        return net.cut(end);
      case 3:
        return net.flap(wire, { period: `${200 + chance.below(1_800)}ms`, duty: `${20 + chance.below(70)}%` });
      case 4:
        return net.freeze(this.anyDevice(chance));
      case 5:
        return net.wire(wire).impair({ loss: `${chance.below(40)}%`, duplicate: '5%', corrupt: '5%' });
      case 6:
        return net.wire(end).impair({ delay: `${chance.below(200)}ms`, jitter: '10ms', reorder: '10%' });
      default:
        return net.wire(wire).impair({ rate: `${1 + chance.below(20)}mbit`, limit: String(20 + chance.below(200)) });
    }
  }

  /** What a spanning tree would tell the switches: forget where everybody was. */
  private async topologyChanged(): Promise<void> {
    const switches = new Set(this.shape.ring.flatMap((wire) => wire.split('--').map((end) => end.split(':')[0] ?? '')));
    for (const name of switches) {
      try {
        await this.net.host(name).exec('bridge', 'fdb', 'flush', 'dev', 'br0');
      } catch {
        // It is down just now, and has forgotten already.
      }
    }
  }

  private wires: readonly string[] = [];

  async begin(): Promise<void> {
    const { rows } = await this.net.ledger();
    this.wires = [...new Set(rows.map((row) => row.wire))];
    const [first] = this.shape.ring;
    if (first !== undefined) this.gap = await this.net.unplug(first);
  }

  private anyDevice(chance: Random): string {
    const devices = this.net.devices();
    return devices[chance.below(devices.length)] ?? '';
  }

  /** Another wire of the ring goes out before this one comes back. */
  private async moveGap(): Promise<void> {
    const chance = this.chance.fork('gap');
    while (!this.over) {
      await this.sleep(5 * SECOND + chance.below(10 * SECOND));
      if (this.over) return;
      const before = this.gap;
      const next = await this.net
        .unplug(this.shape.ring[chance.below(this.shape.ring.length)] ?? '')
        .catch(() => undefined);
      if (next === undefined) continue;
      this.gap = next;
      this.note(`gap: ${next.words}`);
      await before?.heal();
      await this.topologyChanged();
    }
  }
}

export async function soak(net: Net, shape: SoakShape, options: SoakOptions): Promise<Soak> {
  const soaking = new Soaking(net, shape, options);
  await soaking.begin();
  const before: Baseline = await baseline(net);
  const { rounds = 1, micros } = options;
  const held: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await soaking.play(round, micros / rounds);
    await checkEnd(soaking, before);
    const { heapUsed, arrayBuffers } = collectedMemory();
    held.push(heapUsed + arrayBuffers);
  }
  const grown = Math.max(0, held.at(-1)! - held[0]!);
  if (net.engine === 'packed' && grown > GROWTH_BYTES_MAX)
    soaking.problem(`at rest ${Math.round(grown / 1e6)} MB more are held than after the first round`);
  const { problems, log, counts } = soaking;
  if (problems.length > 0) {
    process.stderr.write(`soak of ${shape.name} on ${net.engine}, seed ${options.seed}:\n${log.join('\n')}\n`);
  }
  return { problems, log, counts, grown };
}
