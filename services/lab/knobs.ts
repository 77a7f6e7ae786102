/** The knobs of `wirelab impair`, from the words of the command line to a change: the words of a lab file, or `off`. */
import { EmuError } from '../../shared/device/errors.ts';
import { closest } from '../../shared/lab/closest.ts';
import { filterProblem } from '../../shared/lab/filter-problem.ts';
import { corruptHint, delayHint, lossHint, offHint, rateHint, ratioHint } from '../../shared/lab/knob-hint.ts';
import type { ImpairmentChange, MatchRule } from '../../shared/lab/plan-types.ts';
import { didYouMean } from '../../shared/lab/problem.ts';
import { RULE_KNOBS } from '../../shared/lab/scenario-check.ts';
import { CORRUPT_EXPECTED, LOSS_EXPECTED, parseCorrupt, parseLoss } from '../../shared/lab/trouble-value.ts';
import {
  DELAY_EXPECTED,
  parseDelay,
  parseRate,
  parseRatio,
  parseWhole,
  RATE_EXPECTED,
  RATIO_EXPECTED,
} from '../../shared/lab/units.ts';
import { TEXT } from './text.ts';

const WHOLE_MAX = 1_000_000;
const OFF = 'off';

interface KnobWords {
  /** What --help shows for the value. */
  readonly value: string;
  readonly expected: string;
  readonly parse: (text: string) => unknown;
  /** What may have been meant. */
  readonly hint?: (text: string) => string | undefined;
}

const delay: KnobWords = { value: 'time', expected: DELAY_EXPECTED, parse: parseDelay, hint: delayHint };
const ratio: KnobWords = { value: 'percent', expected: RATIO_EXPECTED, parse: parseRatio, hint: ratioHint };
const oneOf = (...words: readonly string[]): KnobWords => ({
  value: words.join('|'),
  expected: `one of ${words.join(', ')}`,
  parse: (text) => words.find((word) => word === text),
  hint: (text) => {
    const near = closest(text, words);
    return near === undefined ? undefined : didYouMean(near);
  },
});
const whole = (least: number, most: number): KnobWords => ({
  value: 'n',
  expected: `a whole number from ${least} to ${most}`,
  parse: (text) => parseWhole(text, least, most),
});

export const KNOB_WORDS: Readonly<Record<keyof Omit<ImpairmentChange, 'match'>, KnobWords>> = {
  delay,
  jitter: delay,
  distribution: oneOf('uniform', 'normal', 'pareto', 'paretonormal'),
  order: oneOf('kept', 'free'),
  loss: { value: 'percent', expected: LOSS_EXPECTED, parse: parseLoss, hint: lossHint },
  duplicate: ratio,
  reorder: ratio,
  gap: whole(1, WHOLE_MAX),
  corrupt: { value: 'percent', expected: CORRUPT_EXPECTED, parse: parseCorrupt, hint: corruptHint },
  rate: { value: 'rate', expected: RATE_EXPECTED, parse: parseRate, hint: rateHint },
  limit: whole(1, WHOLE_MAX),
  mtu: whole(68, 65_535),
};

/** Which of the frames that a match rule names. */
const WHICH = ['nth', 'every', 'count'] as const;

/** What else `wirelab impair` is told. */
const COMMAND_OPTIONS: readonly string[] = ['clear', 'hold', 'for', 'lab'];

export interface KnobOptions extends Readonly<Partial<Record<keyof typeof KNOB_WORDS, string>>> {
  readonly match?: string;
  readonly nth?: string;
  readonly every?: string;
  readonly count?: string;
}

/**
 * The change that the options ask for. Throws what is wrong, with what was expected; `dash` stands before the names of
 * options there, as it does where they are typed.
 */
export function changeOf(options: KnobOptions, dash: '--' | '' = '--'): ImpairmentChange {
  const values: Record<string, unknown> = {};
  const known = [...Object.keys(KNOB_WORDS), 'match', ...WHICH];
  // Options of the command stand beside the knobs; in a test a word that is none is a slip.
  const stranger = Object.keys(options).find((word) => !known.includes(word) && !COMMAND_OPTIONS.includes(word));
  if (stranger !== undefined) throw badUse(TEXT.unknownKnob(stranger, closest(stranger, known)));
  for (const [knob, { expected, parse, hint }] of Object.entries(KNOB_WORDS)) {
    const text = options[knob as keyof typeof KNOB_WORDS];
    if (text === undefined) continue;
    const value = text === OFF ? null : parse(text);
    if (value === undefined) throw badUse(TEXT.badValue(dash + knob, expected, text, offHint(text) ?? hint?.(text)));
    values[knob] = value;
  }
  if (options.match === undefined) {
    for (const word of WHICH) {
      if (options[word] !== undefined) throw badUse(TEXT.needsMatch(word, dash));
    }
    return values;
  }
  return options.match === OFF ? { ...values, match: null } : { match: [ruleOf(options.match, options, values, dash)] };
}

function ruleOf(
  frames: string,
  options: KnobOptions,
  values: Readonly<Record<string, unknown>>,
  dash: string,
): MatchRule {
  const problem = filterProblem(frames);
  if (problem !== undefined) throw badUse(`${dash}match: ${problem}`);
  const stray = Object.keys(values).find((knob) => !RULE_KNOBS.includes(knob) || values[knob] === null);
  if (stray !== undefined) throw badUse(TEXT.noRuleKnob(stray, RULE_KNOBS, dash));
  if (typeof values['loss'] === 'object')
    throw badUse(TEXT.badValue(`${dash}loss`, RATIO_EXPECTED, options.loss ?? ''));
  if (Object.keys(values).length === 0) throw badUse(TEXT.ruleDoesNothing(RULE_KNOBS, dash));
  const numbers: Record<string, number> = {};
  for (const word of WHICH) {
    const text = options[word];
    if (text === undefined) continue;
    const number = parseWhole(text, 1, 1_000_000_000);
    if (number === undefined) throw badUse(TEXT.badValue(dash + word, 'a whole number from 1', text));
    numbers[word] = number;
  }
  return { frames, ...numbers, ...values };
}

function badUse(message: string): EmuError {
  return new EmuError('EMU_BAD_REQUEST', message);
}
