/**
 * The fate of frame n of one direction of one wire: numbers that hang on (seed, wire, direction, n) and on nothing else,
 * so that a run repeats whatever its timing, and a knob that is turned leaves the fates that others decide as they were.
 */
import type { Loss } from '../lab/plan-types.ts';
import type { Platform } from '../platform.ts';

const U32 = 0x1_0000_0000;
/** The longest look back for the state of a burst model when a knob is set in the middle of a run. */
const LOOK_BACK_FRAMES_MAX = 65_536;

/** One draw per knob, so that knobs do not disturb each other. */
export const DRAW = {
  LOSS: 1,
  DUPLICATE: 2,
  CORRUPT: 3,
  CORRUPT_BIT: 4,
  REORDER: 5,
  JITTER: 6,
  JITTER_2: 7,
  BURST: 8,
} as const;

type Key = readonly [number, number];

export class Fate {
  private readonly hash: Platform['hash'];
  private readonly key: Key;
  /** Frame up to which the burst model's state is known, and the state. */
  private burstAt = -1;
  private burstBad = false;
  private burstModel: Loss | undefined;

  /** `rule` sets the draws of one match rule apart from those of the knobs and of other rules. */
  constructor(hash: Platform['hash'], seed: number, direction: string, rule = '') {
    this.hash = hash;
    this.key = [seed >>> 0, nameHash(rule === '' ? direction : `${direction} ${rule}`)];
  }

  /** From 0 to 1, below 1. */
  draw(knob: number, n: number): number {
    return this.hash(this.key, knob, n >>> 0, Math.floor(n / U32)) / U32;
  }

  happens(ratio: number | undefined, knob: number, n: number): boolean {
    return ratio !== undefined && ratio > 0 && this.draw(knob, n) < ratio;
  }

  isLost(loss: Loss | undefined, n: number): boolean {
    if (loss === undefined) return false;
    if (typeof loss === 'number') return this.happens(loss, DRAW.LOSS, n);
    return this.happens(this.isBad(loss, n) ? loss.bad : loss.good, DRAW.LOSS, n);
  }

  /**
   * State of the Gilbert-Elliott chain at frame n. One draw u moves it: u < p makes it bad, u >= 1 - r good, and between
   * the two it stays (or, where they overlap, turns over); so the last draw that decides says it all, and the state is a
   * function of n, whenever the knob was set.
   */
  private isBad(loss: Exclude<Loss, number>, n: number): boolean {
    if (this.burstModel !== loss || n < this.burstAt) {
      this.burstModel = loss;
      this.burstAt = Math.max(-1, n - LOOK_BACK_FRAMES_MAX);
      this.burstBad = false;
    }
    while (this.burstAt < n) {
      const draw = this.draw(DRAW.BURST, ++this.burstAt);
      this.burstBad = this.burstBad ? draw < 1 - loss.r : draw < loss.p;
    }
    return this.burstBad;
  }
}

/** FNV-1a: spreads a name over 32 bits. */
function nameHash(name: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}
