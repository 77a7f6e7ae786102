/**
 * The fate of frame n of one direction of one wire: numbers that hang on (seed, wire, direction, n) and on nothing else,
 * so that a run repeats whatever its timing, and a knob that is turned leaves the fates that others decide as they were.
 */
import type { Loss } from '../lab/plan-types.ts';
import type { Platform } from '../platform.ts';

const U32 = 0x1_0000_0000;
/**
 * The longest look back for the state of a burst model when a knob is set in the middle of a run. It ends where a draw
 * says the state whatever it was, after 1 / (p + r) frames on average; only bursts of millions of frames go further.
 */
const LOOK_BACK_FRAMES_MAX = 4_194_304;
/** The count of a reordering gap begins anew after about so many frames, always a multiple of the gap. */
const GAP_BLOCK_FRAMES = 4_096;

/** One draw per knob, so that knobs do not disturb each other. */
export const DRAW = {
  LOSS: 1,
  DUPLICATE: 2,
  CORRUPT: 3,
  CORRUPT_BIT: 4,
  REORDER: 5,
  JITTER: 6,
  /** Of the second frame of a duplicated one, which is on its own from there on. */
  COPY_JITTER: 7,
  BURST: 8,
  COPY_CORRUPT: 9,
  COPY_CORRUPT_BIT: 10,
} as const;

type Key = readonly [number, number];

export class Fate {
  private readonly hash: Platform['hash'];
  private readonly key: Key;
  /** Frame up to which the burst model's state is known, and the state. */
  private burstAt = -1;
  private burstBad = false;
  private burstModel: Loss | undefined;
  /** Frame up to which the count of a reordering gap is known, the count, and whether that frame went ahead. */
  private readonly gap = { at: -1, count: 0, ahead: false, ratio: 0, length: 0 };

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
   * netem's reorder: `length` - 1 frames keep their place, the next ones go ahead with the chance `ratio` until one does,
   * and the count begins again. It also begins again at frames that are the same whenever the knob was set.
   */
  goesAhead(ratio: number | undefined, length: number, n: number): boolean {
    if (length <= 1 || ratio === undefined || ratio === 0) return this.happens(ratio, DRAW.REORDER, n);
    const { gap } = this;
    const block = length * Math.ceil(GAP_BLOCK_FRAMES / length);
    const begin = n - (n % block);
    if (gap.ratio !== ratio || gap.length !== length || gap.at > n || gap.at < begin) {
      Object.assign(gap, { at: begin - 1, count: 0, ahead: false, ratio, length });
    }
    while (gap.at < n) {
      gap.at++;
      gap.ahead = gap.count >= length - 1 && this.happens(ratio, DRAW.REORDER, gap.at);
      gap.count = gap.ahead ? 0 : gap.count + 1;
    }
    return gap.ahead;
  }

  /**
   * State of the Gilbert-Elliott chain at frame n, which begins good; the draw of frame n moves it on to that of n + 1, as
   * in netem. From good, u < p makes it bad; from bad, u < 1 - r lets it stay so.
   */
  private isBad(loss: Exclude<Loss, number>, n: number): boolean {
    if (this.burstModel !== loss || n < this.burstAt) {
      this.burstModel = loss;
      this.burstAt = n;
      this.burstBad = this.wasBad(loss, n);
    }
    while (this.burstAt < n) {
      const draw = this.draw(DRAW.BURST, this.burstAt++);
      this.burstBad = draw < (this.burstBad ? 1 - loss.r : loss.p);
    }
    return this.burstBad;
  }

  /**
   * The same from the draws alone: the last one that is below both limits, or above both, says the state whatever it was;
   * one between them keeps it, or turns it over when p is the greater. So the state is a function of n, whenever the knob
   * was set.
   */
  private wasBad({ p, r }: Exclude<Loss, number>, n: number): boolean {
    const [low, high] = [Math.min(p, 1 - r), Math.max(p, 1 - r)];
    const turns = p > 1 - r;
    let turned = false;
    // With neither p nor r no draw decides, and the chain stays good.
    const first = p === 0 ? n : Math.max(0, n - LOOK_BACK_FRAMES_MAX);
    for (let at = n - 1; at >= first; at--) {
      const draw = this.draw(DRAW.BURST, at);
      if (draw < low) return !turned;
      if (draw >= high) return turned;
      if (turns) turned = !turned;
    }
    return turned;
  }
}

/** FNV-1a: spreads a name over 32 bits. */
function nameHash(name: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}
