/**
 * The values of a wire's knobs that are more than one number: loss with a model, corruption with who has to find it, and
 * match rules. The same words on the command line: parseLoss and parseCorrupt.
 */
import type { Micros } from '../platform.ts';
import { filterProblem, MATCH_RULES_MAX } from './filter-problem.ts';
import { corruptHint, lossHint } from './knob-hint.ts';
import type { Corrupt, Loss, MatchRule } from './plan-types.ts';
import { parseRatio, RATIO_PATTERN } from './units.ts';
import { cut, delayType, describe, doubleKey, ratioType, scalarType, type ValueType, whole } from './values.ts';

const FRAMES_MAX = 1_000_000_000;

export const LOSS_EXPECTED = 'a percentage, or gemodel P [R [1-H [1-K]]] as in tc-netem(8), such as gemodel 1% 20%';
export const CORRUPT_EXPECTED = 'a percentage, and ip or tcp when the FCS is not to find it, such as 0.1% tcp';

/** `5%`, `random 5%`, or `gemodel 1% 20% 100% 0%`; what gemodel leaves out is as in netem: r = 1-p, 1-h = 100%, 1-k = 0%. */
export function parseLoss(text: string): Loss | undefined {
  const [model, ...words] = text.trim().split(/\s+(?!%)/);
  if (model !== 'gemodel') return parseRatio(model === 'random' ? words.join(' ') : text.trim());
  const ratios = words.map(parseRatio);
  if (ratios.length < 1 || ratios.length > 4) return undefined;
  const [p, r = 1 - (p ?? 0), bad = 1, good = 0] = ratios;
  if (p === undefined || ratios.includes(undefined)) return undefined;
  return { p, r, bad, good };
}

/** `1%`, or `1% tcp`. */
export function parseCorrupt(text: string): Corrupt | undefined {
  const match = /^(\S+ ?%|\S+)(?: +(fcs|ip|tcp))?$/.exec(text.trim());
  const ratio = parseRatio(match?.[1] ?? '');
  const layer = match?.[2];
  return ratio === undefined || (layer !== 'ip' && layer !== 'tcp') ? ratio : { ratio, layer };
}

export const lossType: ValueType<Loss> = scalarType(
  LOSS_EXPECTED,
  {
    anyOf: [
      { type: 'string', pattern: `^(0|(random )?${RATIO_PATTERN}|gemodel( (0|${RATIO_PATTERN})){1,4})$` },
      { const: 0 },
    ],
  },
  parseLoss,
  lossHint,
);

export const corruptType: ValueType<Corrupt> = scalarType(
  CORRUPT_EXPECTED,
  { anyOf: [{ type: 'string', pattern: `^(0|${RATIO_PATTERN})( (fcs|ip|tcp))?$` }, { const: 0 }] },
  parseCorrupt,
  corruptHint,
);

const filterType: ValueType<string> = {
  expected: "a display filter in Wireshark's words, such as tcp.flags.syn == 1",
  json: { type: 'string' },
  read(node, { problems, what }) {
    if (node.what !== 'scalar' || node.empty) {
      problems.add(node.span, `${what} is ${describe(node)}`, filterType.expected);
      return undefined;
    }
    const problem = filterProblem(node.text);
    if (problem === undefined) return node.text;
    problems.add(node.span, `cannot read the filter "${cut(node.text)}" of ${what}: ${problem}`, filterType.expected);
    return undefined;
  },
};

const RULE_KEYS = {
  frames: filterType,
  nth: whole(1, FRAMES_MAX),
  every: whole(1, FRAMES_MAX),
  count: whole(1, FRAMES_MAX),
  loss: ratioType,
  duplicate: ratioType,
  corrupt: corruptType,
  delay: delayType satisfies ValueType<Micros>,
} as const satisfies Record<string, ValueType<unknown>>;

const EFFECTS = ['loss', 'duplicate', 'corrupt', 'delay'] as const;

/** One rule: `{ frames: tcp.flags.syn == 1, nth: 2, loss: 100% }`. */
const ruleType: ValueType<MatchRule> = {
  expected: '{ frames: FILTER, nth, every, count, and one of loss, duplicate, corrupt, delay }',
  json: {
    type: 'object',
    additionalProperties: false,
    required: ['frames'],
    properties: Object.fromEntries(Object.entries(RULE_KEYS).map(([key, type]) => [key, type.json])),
  },
  read(node, reading) {
    const { problems, what } = reading;
    if (node.what !== 'mapping') {
      problems.add(node.span, `a rule in ${what} is ${describe(node)}`, ruleType.expected);
      return undefined;
    }
    const rule: Record<string, unknown> = {};
    for (const { key, value } of node.entries) {
      if (Object.hasOwn(rule, key.text)) doubleKey(key, reading);
      else if (!Object.hasOwn(RULE_KEYS, key.text)) {
        const message = `unknown key "${cut(key.text)}" in ${what}`;
        problems.unknown(key.span, message, key.text, Object.keys(RULE_KEYS));
      } else {
        const type: ValueType<unknown> = RULE_KEYS[key.text as keyof typeof RULE_KEYS];
        rule[key.text] = type.read(value, { ...reading, what: `${key.text} in ${what}` });
      }
    }
    if (!Object.hasOwn(rule, 'frames')) problems.add(node.span, `a rule in ${what} names no frames`, 'frames: FILTER');
    else if (!EFFECTS.some((effect) => Object.hasOwn(rule, effect))) {
      problems.add(node.span, `a rule in ${what} does nothing`, `one of ${EFFECTS.join(', ')}`);
    }
    return Object.values(rule).includes(undefined) ? undefined : (rule as unknown as MatchRule);
  },
};

export const matchType: ValueType<MatchRule[]> = {
  expected: `a rule or a list of up to ${MATCH_RULES_MAX}, each ${ruleType.expected}`,
  json: { anyOf: [ruleType.json, { type: 'array', items: ruleType.json, maxItems: MATCH_RULES_MAX }] },
  read(node, reading) {
    const items = node.what === 'list' ? node.items : [node];
    if (items.length > MATCH_RULES_MAX) {
      const message = `${reading.what} has ${items.length} rules`;
      reading.problems.add(items[MATCH_RULES_MAX]?.span ?? node.span, message, `at most ${MATCH_RULES_MAX}`);
    }
    return items.slice(0, MATCH_RULES_MAX).flatMap((item) => ruleType.read(item, reading) ?? []);
  },
};
