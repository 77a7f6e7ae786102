/**
 * A match rule at work: which of the frames that leave are those that its filter names, and which of these it acts on.
 */
import { type Filter, parseFilter } from '../header/display-filter.ts';
import type { Dissection } from '../header/dissection.ts';
import type { MatchRule } from '../lab/plan-types.ts';
import type { Platform } from '../platform.ts';
import { Fate } from './fate.ts';
import { ruleWords } from './verdict.ts';

export class ActiveRule {
  readonly rule: MatchRule;
  readonly words: string;
  readonly fate: Fate;
  /** Frames that matched since the rule was set. */
  matched = 0;
  private readonly filter: Filter | undefined;

  constructor(rule: MatchRule, hash: Platform['hash'], seed: number, direction: string) {
    this.rule = rule;
    this.words = ruleWords(rule);
    this.fate = new Fate(hash, seed, direction, this.words);
    const parsed = parseFilter(rule.frames);
    // Checked at the door; one that slipped through matches nothing.
    this.filter = 'problem' in parsed ? undefined : parsed;
  }

  /** Whether the rule acts on this frame; counts it when it matches. */
  takes(frame: Dissection): boolean {
    if (this.filter === undefined || !this.filter(frame)) return false;
    const ordinal = ++this.matched;
    const { nth, every, count } = this.rule;
    const since = ordinal - (nth ?? every ?? 1);
    const most = count ?? (nth !== undefined && every === undefined ? 1 : Number.POSITIVE_INFINITY);
    return since >= 0 && since % (every ?? 1) === 0 && since < most * (every ?? 1);
  }
}
