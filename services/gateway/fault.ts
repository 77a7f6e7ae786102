/** One fault: what it does to the ends of wires, in words, and whether a later one leaves nothing of it. */
import type { Impairment, ImpairmentChange, WirePlan } from '../../shared/lab/plan-types.ts';
import { impairmentWords } from '../../shared/wire/verdict.ts';
import type { FaultRequest } from './fault-request.ts';
import type { Flap } from './flap.ts';
import { nameOf, type PortRef } from './names.ts';

/** What a fault does to one end of a wire. */
export interface EndEffect {
  readonly unplugged?: boolean;
  readonly cut?: boolean;
  readonly clear?: boolean;
  readonly change?: ImpairmentChange;
}

export interface Fault {
  readonly id: number;
  readonly holder: number;
  readonly request: FaultRequest;
  /** In words, for people. */
  readonly words: string;
  readonly ends: Map<string, EndEffect>;
  readonly device: string | undefined;
  readonly flap: Flap | undefined;
}

export function endsOf(wires: readonly WirePlan[], effect: EndEffect): Map<string, EndEffect> {
  return new Map(wires.flatMap((wire) => [wire.a, wire.b]).map((end: PortRef) => [nameOf(end), effect]));
}

/** Knobs as they were, but for those named; null takes one away. Match rules come on top of those that are there. */
export function changed(impairment: Impairment, change: ImpairmentChange): Impairment {
  const match = change.match === null ? [] : [...(impairment.match ?? []), ...(change.match ?? [])];
  const merged = { ...impairment, ...change, match: match.length === 0 ? null : match };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

export function changeWords(change: ImpairmentChange): string {
  const off = Object.entries(change).filter(([, value]) => value === null);
  return [...impairmentWords(changed({}, change)), ...off.map(([knob]) => `${knob} off`)].join(' ');
}

export function covers(by: Fault, fault: Fault): boolean {
  const ends = [...fault.ends];
  if (by.request.fault !== fault.request.fault || by.flap !== undefined || fault.flap !== undefined) return false;
  if (fault.device !== undefined) return by.device === fault.device;
  return ends.every(([end, effect]) => {
    const other = by.ends.get(end);
    if (other === undefined) return false;
    const later = other.change ?? {};
    return (
      other.unplugged === effect.unplugged &&
      other.cut === effect.cut &&
      (other.clear === true ||
        (effect.clear !== true &&
          Object.keys(effect.change ?? {}).every((knob) => knob in later && later.match == null)))
    );
  });
}
