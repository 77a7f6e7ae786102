/**
 * An auditor who tries to make the ledger lie: faults from a seed, one upon another, at both ends of the same wires while
 * frames are under way; at every look nothing may be unaccounted for, and at the end every row must say what somebody
 * else counted.
 */
import type { Net, NetFault, NetProgram } from '../../services/lab/index.ts';
import { seededRandom } from '../../shared/device/random.ts';
import type { Random } from '../../shared/platform.ts';

/** Two hosts, two switches and a router in a row: a wire of every kind. */
export const LIES_LAB = `name: lies
devices:
  alice: { kind: host, eth0: 10.1.0.1/24, gateway: 10.1.0.254, run: [ httpd site/ ] }
  s1: { kind: switch }
  r: { kind: router, eth0: 10.1.0.254/24, eth1: 10.2.0.254/24 }
  s2: { kind: switch }
  bob: { kind: host, eth0: 10.2.0.1/24, gateway: 10.2.0.254, run: [ httpd site/ ] }
wires:
  - alice:eth0 -- s1:p1
  - s1:p2 -- r:eth0
  - r:eth1 -- s2:p1
  - s2:p2 -- bob:eth0: { delay: 2ms }
`;
const OPERATIONS = 24;
/** Faults that are in force together; the oldest goes for the next. */
const FAULTS_MAX = 3;
/** Between two operations: often nothing at all, so that they fall into one instant. */
const PAUSE_MICROS_MAX = 150_000;

export interface Lies {
  readonly problems: readonly string[];
  readonly log: readonly string[];
}

class Auditor {
  readonly problems: string[] = [];
  readonly log: string[] = [];
  private readonly net: Net;
  private readonly chance: Random;
  private readonly ends: readonly string[];
  private readonly wires: readonly string[];
  private readonly faults: NetFault[] = [];

  constructor(net: Net, seed: number, rows: readonly { readonly wire: string; readonly from: string }[]) {
    this.net = net;
    this.chance = seededRandom(seed).fork('lies');
    this.ends = rows.map(({ from }) => from);
    this.wires = [...new Set(rows.map(({ wire }) => wire))];
  }

  private one<T>(of: readonly T[]): T {
    return of[this.chance.below(of.length)]!;
  }

  async play(traffic: Traffic): Promise<void> {
    for (let i = 0; i < OPERATIONS; i++) {
      traffic.keepUp();
      await this.operation().catch((error: Error) => this.log.push(`  not done: ${error.message}`));
      if (this.chance.below(3) > 0) await this.net.wait.time(`${1 + this.chance.below(PAUSE_MICROS_MAX)}us`);
      if (this.chance.below(3) === 0) await this.look();
    }
    for (const fault of this.faults.splice(0)) await fault.heal().catch(() => {});
    await this.net.heal();
  }

  /** Whatever happens just now, nothing is unaccounted for, and less than nothing is not under way. */
  async look(): Promise<void> {
    for (const row of (await this.net.ledger()).rows) {
      // Processes are asked one after the other: what came between two answers is under way backwards.
      const odd = row.unaccounted !== 0 || (this.net.engine === 'packed' && row.underWay < 0);
      if (odd) this.problems.push(`a look: ${JSON.stringify(row)}`);
    }
  }

  private async operation(): Promise<void> {
    const { net, chance } = this;
    const [wire, end] = [this.one(this.wires), this.one(this.ends)];
    const device = this.one(net.devices());
    switch (chance.below(16)) {
      case 0:
      case 1:
        return this.put(`unplug ${wire}`, () => net.unplug(wire));
      case 2:
        return this.put(`cut ${end}`, () => net.cut(end));
      case 3:
        return this.put(`flap ${wire}`, () => net.flap(wire, { period: `${20 + chance.below(80)}ms` }));
      case 4:
        return this.put(`kill ${device}`, () => net.kill(device));
      case 5:
        return this.put(`freeze ${device}`, () => net.freeze(device));
      case 6:
        this.log.push(`restart ${device} twice`);
        await net.host(device).restart();
        if (chance.below(2) === 0) await net.wait.time(`${1 + chance.below(20_000)}us`);
        return await net.host(device).restart();
      case 7:
      case 8:
      case 9:
      case 10: {
        const fault = this.faults.splice(chance.below(this.faults.length + 1), 1)[0];
        this.log.push(`heal ${fault?.words ?? 'nothing'}`);
        return await fault?.heal();
      }
      case 11:
        this.log.push(`plug ${wire}`);
        return await net.plug(wire);
      default:
        return this.put(`impair ${end}`, () => net.wire(end).impair(this.knobs()));
    }
  }

  private knobs(): Record<string, string> {
    const percent = (): string => `${this.chance.below(30)}%`;
    const all: Record<string, string> = {
      delay: `${this.chance.below(80)}ms`,
      jitter: `${this.chance.below(20)}ms`,
      loss: percent(),
      duplicate: percent(),
      reorder: percent(),
      corrupt: percent(),
      rate: `${1 + this.chance.below(50)}mbit`,
      limit: String(1 + this.chance.below(50)),
      mtu: String(600 + this.chance.below(1_000)),
    };
    const some = Object.entries(all).filter(() => this.chance.below(2) === 0);
    return { ...Object.fromEntries(some), delay: all['delay'] ?? '' };
  }

  private async put(words: string, act: () => Promise<NetFault>): Promise<void> {
    this.log.push(`${this.net.now()} ${words}`);
    if (this.faults.length >= FAULTS_MAX) await this.faults.shift()?.heal();
    this.faults.push(await act());
  }
}

const PROGRAMS = [
  ['alice', 'ping', '-i', '0.002', '-s', '1200', '10.2.0.1'],
  ['bob', 'ping', '-i', '0.005', '10.1.0.1'],
  ['alice', 'ping', '-i', '0.003', '10.1.0.254'],
  ['bob', 'ping', '-i', '0.003', '-s', '3000', '10.2.0.254'],
  ['alice', 'curl', '-s', '-m', '20', 'http://10.2.0.1/soak.txt'],
  ['bob', 'curl', '-s', '-m', '20', 'http://10.1.0.1/soak.txt'],
] as const;

/** Traffic both ways in small and large frames and in fragments, started again whenever it ends, as with its device. */
class Traffic {
  private readonly net: Net;
  private readonly running = new Map<(typeof PROGRAMS)[number], NetProgram>();

  constructor(net: Net) {
    this.net = net;
  }

  keepUp(): void {
    for (const words of PROGRAMS) {
      if (!this.running.has(words)) this.start(words);
    }
  }

  private start(words: (typeof PROGRAMS)[number]): void {
    const [device, ...argv] = words;
    try {
      const program = this.net.host(device).start(...argv);
      this.running.set(words, program);
      const over = (): void => void this.running.delete(words);
      program.done.then(over, over);
    } catch {
      // Its device is down or stands still just now.
    }
  }

  stop(): void {
    for (const program of this.running.values()) program.kill();
  }
}

/** Play one seed; `truth`: what somebody else says of each row in the end, '' when it agrees. */
export async function lies(
  net: Net,
  seed: number,
  truth: (rows: Awaited<ReturnType<Net['ledger']>>['rows']) => string = () => '',
): Promise<Lies> {
  const traffic = new Traffic(net);
  const auditor = new Auditor(net, seed, (await net.ledger()).rows);
  await auditor.play(traffic);
  traffic.stop();
  await net.wait
    .until(async () => (await net.ledger()).balances, '60s')
    .catch(async () => {
      const rows = (await net.ledger()).rows.filter((row) => row.unaccounted + row.underWay + row.waiting !== 0);
      auditor.problems.push(`the end: ${JSON.stringify(rows)}`);
    });
  const disagrees = truth((await net.ledger()).rows);
  if (disagrees !== '') auditor.problems.push(disagrees);
  return { problems: auditor.problems.map((text) => `seed ${seed}: ${text}`), log: auditor.log };
}
