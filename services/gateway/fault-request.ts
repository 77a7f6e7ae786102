/** Faults as they are asked for: by a request, in a session, by the page. Checked at the door. */
import { impairmentChangeChecker } from '../../shared/device/config.ts';
import {
  boolean,
  type Checker,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  problemsOf,
  text,
} from '../../shared/device/validate.ts';
import type { ImpairmentChange } from '../../shared/lab/plan-types.ts';
import { FLAP_PERIOD_MIN } from '../../shared/lab/scenario-check.ts';

export type FaultRequest =
  /** Both ends lose their carrier. A port or a wire. */
  | { readonly fault: 'unplug'; readonly target: string }
  /** What the port sends is lost; the far end goes deaf. */
  | { readonly fault: 'cut'; readonly target: string }
  /** A port: what it sends. A wire: both ways. Knobs that are not named stay; null ends one; `clear` ends all first. */
  | {
      readonly fault: 'impair';
      readonly target: string;
      readonly impairment?: ImpairmentChange;
      readonly clear?: boolean;
    }
  /** Unplugs the fewest wires that part the groups; one group: from all the rest. */
  | { readonly fault: 'partition'; readonly groups: readonly (readonly string[])[] }
  /** Unplugs and plugs a wire over and over: in for `duty` (0 to 1) of each `period` (microseconds). */
  | { readonly fault: 'flap'; readonly target: string; readonly period: number; readonly duty: number }
  /** A device's process stands still, or is killed; the heal goes on with it, or starts it again. */
  | { readonly fault: 'freeze' | 'kill'; readonly target: string };

const target = text('a port, a wire or a device');
const FLAP_PERIOD_MAX = 3_600_000_000;
const GROUPS_MAX = 64;

const CHECKERS: Readonly<Record<FaultRequest['fault'], Readonly<Record<string, Checker>>>> = {
  unplug: { target },
  cut: { target },
  impair: { target, impairment: optional(impairmentChangeChecker), clear: optional(boolean) },
  partition: { groups: list(list(text('a device')), GROUPS_MAX) },
  flap: { target, period: integer(FLAP_PERIOD_MIN, FLAP_PERIOD_MAX), duty: number(0, 1) },
  freeze: { target },
  kill: { target },
};

const kind = oneOf(...Object.keys(CHECKERS));

/** The request, or what is wrong with it. `more`: keys that stand beside those of the fault. */
export function readFault(value: unknown, more: Readonly<Record<string, Checker>> = {}): FaultRequest | string[] {
  const asked = value as { fault?: FaultRequest['fault'] } | null;
  const problems = problemsOf(kind, asked?.fault).map((problem) => problem.replace('the value', 'fault'));
  if (asked === null || asked.fault === undefined || problems.length > 0) return problems;
  const found = problemsOf(object({ fault: kind, ...CHECKERS[asked.fault], ...more }), value);
  return found.length > 0 ? found : (value as FaultRequest);
}
