/**
 * What an impairment did to one frame, and by which rule: the log of one wire end, and the words for it. Frames are
 * numbered as captures number them, per direction from 0 at this end.
 */
import type { Impairment, MatchRule } from '../lab/plan-types.ts';
import { formatDelay, formatRate, formatRatio } from '../lab/units.ts';
import type { Micros } from '../platform.ts';

/** Verdicts that an end remembers; the oldest go, and are counted. */
export const VERDICTS_MAX = 4_096;

export type VerdictKind =
  | 'lost'
  | 'duplicated'
  | 'corrupted'
  | 'reordered'
  | 'delayed'
  | 'too_long'
  | 'over_limit'
  | 'darkened';

export interface Verdict {
  /** Counts the end's verdicts from 0. */
  readonly sequence: number;
  readonly time: Micros;
  readonly frame: number;
  readonly verdict: VerdictKind;
  /** In the words that set it: `loss 5%`. */
  readonly rule: string;
}

const WORDS: Readonly<Record<VerdictKind, string>> = {
  lost: 'lost',
  duplicated: 'sent twice',
  corrupted: 'corrupted',
  reordered: 'sent ahead of those that wait',
  delayed: 'delayed',
  too_long: 'lost, too long',
  over_limit: 'lost, the queue is full',
  darkened: 'lost as it waited',
};

/** `lost by loss 5%`: for packet comments and people. */
export function verdictText({ verdict, rule }: Pick<Verdict, 'verdict' | 'rule'>): string {
  return `${WORDS[verdict]} by ${rule}`;
}

/** How many frames met which fate at one end. */
export interface Verdicts {
  passed: number;
  lost: number;
  duplicated: number;
  corrupted: number;
  reordered: number;
  /** Late by a match rule. */
  delayed: number;
  tooLong: number;
  /** The rate's queue was full. */
  overLimit: number;
  /** Waited here when the light went out. */
  darkened: number;
}

export function noVerdicts(): Verdicts {
  return {
    passed: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    delayed: 0,
    tooLong: 0,
    overLimit: 0,
    darkened: 0,
  };
}

export interface VerdictsSince {
  readonly verdicts: readonly Verdict[];
  /** Forgotten: the log keeps the latest. */
  readonly missed: number;
  /** Where to go on, in this life of the end. */
  readonly next: number;
  readonly life: number;
}

export class VerdictLog {
  /** Set while somebody watches. */
  listener: ((verdict: Verdict) => void) | undefined;
  private readonly ring: Verdict[] = [];
  private next = 0;
  private readonly lifeOf: () => number;

  /** `lifeOf`: which life of its end this is; one that is switched on again counts its verdicts, as its frames, from 0. */
  constructor(lifeOf: () => number = () => 0) {
    this.lifeOf = lifeOf;
  }

  add(time: Micros, frame: number, verdict: VerdictKind, rule: string): void {
    const entry = { sequence: this.next++, time, frame, verdict, rule };
    this.ring[entry.sequence % VERDICTS_MAX] = entry;
    this.listener?.(entry);
  }

  /** Tell who watches, and nobody else: what every frame of a wire with jitter has would push out the rest. */
  tell(time: Micros, frame: number, verdict: VerdictKind, rule: string): void {
    this.listener?.({ sequence: this.next, time, frame, verdict, rule });
  }

  /** The end's life is over. */
  forget(): void {
    this.ring.length = 0;
    this.next = 0;
  }

  /**
   * Verdicts from `sequence` on, and how many of those are forgotten. `life`: the one in which the asker was told that
   * number; of another one everything is new.
   */
  since(asked: number, life?: number): VerdictsSince {
    const sequence = life === undefined || life === this.lifeOf() ? asked : 0;
    const oldest = Math.max(0, this.next - VERDICTS_MAX);
    const from = Math.min(Math.max(sequence, oldest), this.next);
    const verdicts: Verdict[] = [];
    for (let n = from; n < this.next; n++) verdicts.push(this.ring[n % VERDICTS_MAX]!);
    return {
      verdicts,
      missed: Math.max(0, Math.min(oldest, this.next) - sequence),
      next: this.next,
      life: this.lifeOf(),
    };
  }
}

/** An impairment as words, one knob each: `["delay 5ms", "loss 1%"]`. */
export function impairmentWords(impairment: Impairment): string[] {
  return [
    ...(['delay', 'jitter', 'distribution', 'order', 'loss', 'duplicate', 'reorder', 'gap', 'corrupt'] as const),
    ...(['rate', 'limit', 'mtu'] as const),
  ]
    .filter((knob) => impairment[knob] !== undefined)
    .map((knob) => `${knob} ${knobText(impairment, knob)}`)
    .concat((impairment.match ?? []).map(ruleWords));
}

export function knobText(impairment: Impairment, knob: keyof Omit<Impairment, 'match'>): string {
  const value = impairment[knob];
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'object') {
    if ('layer' in value) return `${formatRatio(value.ratio)} ${value.layer}`;
    return `gemodel ${[value.p, value.r, value.bad, value.good].map(formatRatio).join(' ')}`;
  }
  if (knob === 'delay' || knob === 'jitter') return formatDelay(value);
  if (knob === 'rate') return formatRate(value);
  return knob === 'gap' || knob === 'limit' || knob === 'mtu' ? String(value) : formatRatio(value);
}

/** `match "tcp.flags.syn == 1" nth 2: loss 100%`. */
export function ruleWords({ frames, nth, every, count, ...does }: MatchRule): string {
  const which = Object.entries({ nth, every, count }).map(([word, n]) => (n === undefined ? '' : ` ${word} ${n}`));
  return `match ${JSON.stringify(frames)}${which.join('')}: ${impairmentWords(does).join(', ')}`;
}
