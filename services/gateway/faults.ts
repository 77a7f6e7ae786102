/**
 * Faults that are in force. Each is an entry of its own with its holder; what a wire end or a device is in is what all
 * entries make of it, in their order, on top of the lab file. So two holders may unplug the same wire, and it is plugged
 * in again when the second lets go; and a device that comes back gets what is in force at its ports.
 *
 * Interface: add(request, holder) puts one in force, remove(id) ends it, release(holder) all of a holder's; heal(target)
 * ends whatever stands in the way of a port, a wire, a device, or the whole lab. One at a time, in the order asked.
 */
import { EmuError } from '../../shared/device/errors.ts';
import type { LifecycleVerb } from '../../shared/device/ipc.ts';
import { MATCH_RULES_MAX } from '../../shared/lab/filter-problem.ts';
import type { Impairment, WirePlan } from '../../shared/lab/plan-types.ts';
import { formatDelay, formatRatio } from '../../shared/lab/units.ts';
import { changed, changeWords, covers, type EndEffect, endsOf, type Fault } from './fault.ts';
import type { FaultRequest } from './fault-request.ts';
import { Flap, realTime, type Schedule } from './flap.ts';
import type { Lab } from './lab.ts';
import { nameOf, proposal } from './names.ts';
import { partitionCut } from './partition.ts';
import type { SupervisorLink } from './supervisor-link.ts';

/** Faults in force at once; more are a program that forgets to heal. */
const FAULTS_MAX = 1_000;
/** Faults that nobody holds: set by a command that has ended, in force until they are healed. */
export const NOBODY = 0;

export interface FaultView {
  readonly fault: number;
  readonly words: string;
  readonly held: boolean;
}

/** What putting a fault in force, or ending it, has made of the wire ends it touches; a device that is down has none. */
export interface FaultAnswer extends FaultView {
  readonly wires: readonly string[];
  readonly ports: readonly string[];
  readonly carrier: Readonly<Record<string, boolean>>;
  /** The lab's: with it the fates repeat. */
  readonly seed: number;
}

/** What an end should be in. */
interface EndState {
  readonly plugged: boolean;
  readonly cut: boolean;
  readonly impairment: Impairment;
}

export class Faults {
  private readonly lab: Lab;
  private readonly supervisor: Pick<SupervisorLink, 'request'>;
  private readonly faults: Fault[] = [];
  private readonly schedule: Schedule;
  private next = 1;
  private queue: Promise<unknown> = Promise.resolve();

  /** `schedule`: what a flapping wire waits by; real time when left out. */
  constructor(lab: Lab, supervisor: Pick<SupervisorLink, 'request'>, schedule = realTime) {
    this.schedule = schedule;
    this.lab = lab;
    this.supervisor = supervisor;
  }

  list(): FaultView[] {
    return this.faults.map(viewOf);
  }

  add(request: FaultRequest, holder = NOBODY): Promise<FaultAnswer> {
    return this.inTurn(async () => {
      if (this.faults.length >= FAULTS_MAX) throw new EmuError('EMU_BAD_REQUEST', `${FAULTS_MAX} faults are in force`);
      const fault = this.plan(request, holder);
      this.faults.push(fault);
      try {
        this.boundRules(fault);
        if (fault.device !== undefined) await this.supervisor.request(request.fault as 'freeze' | 'kill', fault.device);
        const carrier = await this.sync([...fault.ends.keys()]);
        fault.flap?.start();
        this.forgetCovered(fault);
        return { ...viewOf(fault), ...this.touched(fault), carrier, seed: this.lab.plan.seed };
      } catch (error) {
        this.faults.splice(this.faults.indexOf(fault), 1);
        // A device that only answered too late may be in it all the same.
        if (fault.ends.size > 0) void this.inTurn(() => this.settle(fault.ends.keys()));
        throw error;
      }
    });
  }

  /** End one fault; one that has ended already is no error. */
  remove(id: number): Promise<void> {
    return this.inTurn(() => this.end(this.faults.filter((fault) => fault.id === id)));
  }

  /** Its holder has gone: the latest first. */
  release(holder: number): Promise<void> {
    return this.inTurn(() => this.end(this.faults.filter((fault) => fault.holder === holder).reverse()));
  }

  /** Put the plug of a wire back, whoever pulled it. */
  async plug(target: string): Promise<FaultAnswer> {
    const wire = this.lab.wire(target);
    const ends = [nameOf(wire.a), nameOf(wire.b)];
    return await this.inTurn(async () => {
      const pulled = this.faults.filter((fault) => ends.some((end) => fault.ends.get(end)?.unplugged !== undefined));
      for (const fault of pulled) {
        fault.flap?.stop();
        for (const end of ends) fault.ends.delete(end);
        if (fault.ends.size === 0) this.faults.splice(this.faults.indexOf(fault), 1);
      }
      const carrier = await this.sync(ends);
      return {
        fault: 0,
        words: `plug ${wire.name}`,
        held: false,
        wires: [wire.name],
        ports: ends,
        carrier,
        seed: this.lab.plan.seed,
      };
    });
  }

  /** End every fault at a port, a wire or a device, or all of them; returns their words. After all, the lab is as its file says. */
  heal(target?: string): Promise<string[]> {
    return this.inTurn(async () => {
      const met = this.faults.filter(this.meets(target));
      await this.end([...met].reverse());
      const words = met.map((fault) => fault.words);
      if (target !== undefined) return words;
      const strays = await this.wakeStrays(met.map(({ device }) => device));
      await this.settle(this.lab.plan.wires.flatMap(({ a, b }) => [nameOf(a), nameOf(b)]));
      return [...words, ...strays];
    });
  }

  /** A device came back: what is in force at its ports is in force again. */
  reapply(device: string): Promise<void> {
    return this.inTurn(() =>
      this.settle(this.endsAt(device).filter((end) => this.faults.some((fault) => fault.ends.has(end)))),
    );
  }

  /** A device may be in what nobody knows of: it stood still while it was asked, or another gateway asked it, which was killed. */
  restore(device: string): Promise<void> {
    return this.inTurn(() => this.settle(this.endsAt(device)));
  }

  /** Somebody thawed, started or stopped a device by hand: there is nothing left to heal about it. */
  settled(device: string, verb: LifecycleVerb): void {
    const over = (fault: Fault): boolean =>
      fault.device === device && (verb !== 'thaw' || fault.request.fault === 'freeze');
    for (const fault of this.faults.filter(over)) this.faults.splice(this.faults.indexOf(fault), 1);
  }

  close(): void {
    for (const fault of this.faults) fault.flap?.stop();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.queue.then(work);
    this.queue = turn.catch(() => {});
    return turn;
  }

  /** What a request means in this lab; names that are not known are told here. */
  private plan(request: FaultRequest, holder: number): Fault {
    const id = this.next++;
    const common = { id, holder, request, ends: new Map<string, EndEffect>(), device: undefined, flap: undefined };
    switch (request.fault) {
      case 'freeze':
      case 'kill':
        return { ...common, words: `${request.fault} ${request.target}`, device: this.lab.link(request.target).name };
      case 'partition': {
        const wires = this.partition(request.groups);
        const words = `partition ${request.groups.map((group) => group.join(',')).join(' -- ')}`;
        return { ...common, words, ends: endsOf(wires, { unplugged: true }) };
      }
      case 'unplug': {
        const wire = this.lab.wire(request.target);
        return { ...common, words: `unplug ${wire.name}`, ends: endsOf([wire], { unplugged: true }) };
      }
      case 'flap': {
        const wire = this.lab.wire(request.target);
        const ends = endsOf([wire], { unplugged: false });
        const flap = new Flap(request, this.schedule, this.swinging([wire], ends));
        const words = `flap ${wire.name} period ${formatDelay(request.period)} duty ${formatRatio(request.duty)}`;
        return { ...common, words, ends, flap };
      }
      case 'cut': {
        const end = this.port(request.target);
        return { ...common, words: `cut ${end}`, ends: new Map([[end, { cut: true }]]) };
      }
      case 'impair': {
        const { clear = false, impairment: change = {} } = request;
        const ends = this.lab.names.ends(request.target).map(nameOf);
        const where = ends.length > 1 ? this.lab.wire(request.target).name : (ends[0] ?? '');
        const words = `impair ${where}${clear ? ' clear' : ''} ${changeWords(change)}`.trim();
        return { ...common, words, ends: new Map(ends.map((end) => [end, { clear, change }])) };
      }
    }
  }

  private port(target: string): string {
    if (target.includes('--')) throw new EmuError('EMU_NO_PORT', `a cut has a direction: name the port that sends`);
    this.lab.wire(target);
    return target.replace(/\s+/g, '');
  }

  private partition(groups: readonly (readonly string[])[]): WirePlan[] {
    const seen = new Set<string>();
    for (const device of groups.flat()) {
      this.lab.link(device);
      if (seen.has(device)) throw new EmuError('EMU_BAD_REQUEST', `${device} stands twice in the groups`);
      seen.add(device);
    }
    const { wires, devices } = this.lab.plan;
    const cut = partitionCut(
      wires,
      devices.map(({ name }) => name),
      groups.map((group) => new Set(group)),
    );
    if (cut.length === 0)
      throw new EmuError('EMU_BAD_REQUEST', 'nothing joins these groups: there is no wire to unplug');
    return cut;
  }

  /**
   * What turns a flapping wire over. Turns that come while one waits are that one: an end that stands still answers after
   * seconds, and everybody else's faults would stand in line behind all the turns of that time.
   */
  private swinging(wires: readonly WirePlan[], ends: Map<string, EndEffect>): (plugged: boolean) => void {
    let wanted: boolean | undefined;
    return (plugged) => {
      const waits = wanted !== undefined;
      wanted = plugged;
      if (waits) return;
      void this.inTurn(async () => {
        const unplugged = wanted === false;
        wanted = undefined;
        for (const [end, effect] of endsOf(wires, { unplugged })) if (ends.has(end)) ends.set(end, effect);
        await this.settle(ends.keys());
      });
    };
  }

  private async end(faults: readonly Fault[]): Promise<void> {
    const ends = new Set<string>();
    for (const fault of faults) {
      fault.flap?.stop();
      this.faults.splice(this.faults.indexOf(fault), 1);
      for (const end of fault.ends.keys()) ends.add(end);
      if (fault.device !== undefined) await this.letGo(fault.device, fault.request.fault === 'kill');
    }
    await this.settle(ends);
  }

  /** A device is what the faults that are left make of it: dead, or standing still, or up. */
  private async letGo(device: string, wasKilled: boolean): Promise<void> {
    const left = new Set(this.faults.filter((other) => other.device === device).map(({ request }) => request.fault));
    if (left.has('kill')) return;
    const verbs: LifecycleVerb[] = wasKilled ? ['start'] : [];
    if (wasKilled && left.has('freeze')) verbs.push('freeze');
    if (!wasKilled && !left.has('freeze')) verbs.push('thaw');
    // It may have been thawed, started or taken down by hand meanwhile.
    for (const verb of verbs) await this.supervisor.request(verb, device).catch(() => {});
  }

  /** Devices that stand still or are dead though no fault says why: the gateway that did it was killed. */
  private async wakeStrays(healed: readonly (string | undefined)[]): Promise<string[]> {
    const words: string[] = [];
    for (const { name } of this.lab.plan.devices) {
      const state = this.lab.processState(name);
      if ((state !== 'frozen' && state !== 'dead') || healed.includes(name)) continue;
      const verb = state === 'frozen' ? 'thaw' : 'start';
      await this.supervisor.request(verb, name).then(
        () => words.push(`${name}, which was ${state}`),
        () => {},
      );
    }
    return words;
  }

  private endsAt(device: string): string[] {
    const ends = this.lab.plan.wires.flatMap((wire) => [wire.a, wire.b]);
    return ends.filter((end) => end.device === device).map(nameOf);
  }

  /** As sync; devices that are down are so. */
  private async settle(ends: Iterable<string>): Promise<void> {
    await this.sync([...ends]).catch(() => {});
  }

  private boundRules(fault: Fault): void {
    const over = [...fault.ends.keys()].find(
      (end) => (this.stateOf(end).impairment.match?.length ?? 0) > MATCH_RULES_MAX,
    );
    if (over === undefined) return;
    throw new EmuError('EMU_BAD_REQUEST', `${over} has ${MATCH_RULES_MAX} match rules already; --match off ends them`);
  }

  /** Faults that nobody holds and that a later one of the same kind covers in full say nothing any more. */
  private forgetCovered(by: Fault): void {
    if (by.holder !== NOBODY) return;
    const covered = this.faults.filter((fault) => fault !== by && fault.holder === NOBODY && covers(by, fault));
    for (const fault of covered) this.faults.splice(this.faults.indexOf(fault), 1);
  }

  private meets(target: string | undefined): (fault: Fault) => boolean {
    if (target === undefined) return () => true;
    const wanted = target.replace(/\s+/g, '');
    if (this.lab.links.has(wanted)) {
      const prefix = `${wanted}:`;
      return (fault) => fault.device === wanted || [...fault.ends.keys()].some((end) => end.startsWith(prefix));
    }
    if (!wanted.includes(':')) {
      throw new EmuError('EMU_NO_DEVICE', `no device is called ${wanted}${proposal(wanted, this.lab.links.keys())}`);
    }
    const wire = this.lab.wire(wanted);
    return (fault) => fault.ends.has(nameOf(wire.a)) || fault.ends.has(nameOf(wire.b));
  }

  private touched({ ends }: Fault): { wires: string[]; ports: string[] } {
    const wires = new Set([...ends.keys()].map((end) => this.lab.wire(end).name));
    return { wires: [...wires], ports: [...ends.keys()] };
  }

  private stateOf(end: string): EndState {
    const wire = this.lab.wire(end);
    let impairment = nameOf(wire.a) === end ? wire.forward : wire.backward;
    let plugged = true;
    let cut = false;
    for (const effect of this.faults.map((fault) => fault.ends.get(end))) {
      if (effect === undefined) continue;
      if (effect.unplugged === true) plugged = false;
      if (effect.cut === true) cut = true;
      if (effect.clear === true) impairment = {};
      impairment = changed(impairment, effect.change ?? {});
    }
    return { plugged, cut, impairment };
  }

  /** Bring ends to what they should be in. Some devices may be down; when all are, that is told. */
  private async sync(ends: readonly string[]): Promise<Record<string, boolean>> {
    const results = await Promise.allSettled(
      ends.map((end) => {
        const [device = '', port = ''] = end.split(':');
        return this.lab.link(device).post<{ carrier: boolean }>(`/ports/${port}/trouble`, this.stateOf(end));
      }),
    );
    if (ends.length > 0 && results.every((result) => result.status === 'rejected')) {
      const devices = [...new Set(ends.map((end) => end.split(':')[0]))];
      const frozen = devices.every((device) => this.lab.processState(device ?? '') === 'frozen');
      const what = `${devices.length > 1 ? 'are' : 'is'} ${frozen ? 'frozen' : 'down'}`;
      throw new EmuError('EMU_DEVICE_DOWN', `${devices.join(' and ')} ${what}`);
    }
    return Object.fromEntries(
      ends.map((end, i) => {
        const result = results[i];
        return [end, result?.status === 'fulfilled' && result.value.carrier];
      }),
    );
  }
}

function viewOf({ id, words, holder }: Fault): FaultView {
  return { fault: id, words, held: holder !== NOBODY };
}
