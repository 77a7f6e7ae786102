import { expect, test } from 'vitest';
import { closest, distance } from '../../../shared/lab/closest.ts';
import { delayHint, lossHint, rateHint, ratioHint } from '../../../shared/lab/knob-hint.ts';
import {
  formatDelay,
  formatRate,
  formatRatio,
  parseDelay,
  parseRate,
  parseRatio,
  parseWhole,
} from '../../../shared/lab/units.ts';
import { splitWords } from '../../../shared/lab/words.ts';

test.each([
  ['gatway', 'gateway', 1],
  ['gateawy', 'gateway', 1],
  ['hots', 'host', 1],
  ['eht0', 'eth0', 1],
  ['', 'abc', 3],
  ['same', 'same', 0],
  ['ca', 'abc', 3],
])('%s is so many slips from %s: %i', (one, other, slips) => {
  expect(distance(one, other)).toBe(slips);
  expect(distance(other, one)).toBe(slips);
});

test.each([
  ['gatway', ['kind', 'gateway', 'routes'], 'gateway'],
  ['auth', ['root', 'tld', 'authoritative', 'local'], 'authoritative'],
  ['HOST', ['host', 'switch'], 'host'],
  ['browserr', ['httpd', 'browser'], 'browser'],
  ['xy', ['ab', 'cd'], undefined],
  ['elephant', ['host', 'switch'], undefined],
  ['', ['a'], undefined],
])('the closest word to %j in %j is %s', (word, known, found) => {
  expect(closest(word, known)).toBe(found);
});

test.each([
  ['200us', 200],
  ['5ms', 5_000],
  ['1.5s', 1_500_000],
  ['0ms', 0],
  ['3600s', 3_600_000_000],
  ['3601s', undefined],
  ['5', undefined],
  ['-5ms', undefined],
  ['5 minutes', undefined],
  ['soon', undefined],
  ['1e3ms', 1_000_000],
  ['.5ms', 500],
  ['5usec', 5],
  ['5USECS', 5],
  ['5msec', 5_000],
  ['5msecs', 5_000],
  ['5sec', 5_000_000],
  ['5secs', 5_000_000],
  ['0', 0],
  ['0.4us', undefined],
  ['5ns', undefined],
  ['5m', undefined],
])('a delay of %s is %s microseconds', (text, micros) => expect(parseDelay(text)).toBe(micros));

test.each([
  ['0%', 0],
  ['0.5%', 0.005],
  ['100%', 1],
  ['100.1%', undefined],
  ['140%', undefined],
  ['-1%', undefined],
  ['0.5', undefined],
  ['0', 0],
  ['.5%', 0.005],
  ['1e-3%', 0.000_01],
  ['0.0001%', 0.000_001],
  ['%', undefined],
])('a share of %s is %s', (text, ratio) => expect(parseRatio(text)).toBe(ratio));

test.each([
  ['10kbit', 10_000],
  ['1.5mbit', 1_500_000],
  ['1gbit', 1_000_000_000],
  ['1Gbit', 1_000_000_000],
  ['9bit', 9],
  ['0bit', undefined],
  ['10mbps', 80_000_000],
  ['8bps', 64],
  ['1kibit', 1_024],
  ['1Mibit', 1_048_576],
  ['1KiBps', 8_192],
  ['1gbps', 8_000_000_000],
  ['1tbit', 1_000_000_000_000],
  ['10kb', undefined],
  ['10m', undefined],
  ['2000gbit', undefined],
])('a rate of %s is %s bits per second', (text, bits) => expect(parseRate(text)).toBe(bits));

// What each knob's parser says of a value, said back: the same value.
test.each(['1us', '999us', '1ms', '1.5ms', '123.456ms', '1s', '1.5s', '3600s', '0us'])(
  'a delay of %s is said back',
  (text) => expect(formatDelay(parseDelay(text)!)).toBe(text),
);
test.each(['0%', '0.1%', '0.001%', '33.3%', '99.99%', '100%', '0.0000001%'])('a share of %s is said back', (text) =>
  expect(parseRatio(formatRatio(parseRatio(text)!))).toBe(parseRatio(text)),
);
test.each([
  ['56kbit', '56kbit'],
  ['1.5mbit', '1.5mbit'],
  ['100mbit', '100mbit'],
  ['1000mbit', '1gbit'],
  ['10mbps', '80mbit'],
  ['1kibit', '1.024kbit'],
  ['9bit', '9bit'],
])('a rate of %s is said back as %s', (text, said) => expect(formatRate(parseRate(text)!)).toBe(said));

test.each([
  [delayHint, '5', 'did you mean "5ms"?'],
  [delayHint, '100ms 10ms', 'jitter is a knob of its own: delay 100ms, jitter 10ms'],
  [delayHint, '100ms 10ms 25%', 'correlation is left out'],
  [delayHint, '0.4us', 'whole microseconds'],
  [ratioHint, '25% 50%', 'correlation is left out'],
  [ratioHint, '25% 50% gap 5', 'gap is a knob of its own'],
  [ratioHint, '1', 'did you mean "1%"?'],
  [lossHint, 'state 1% 10%', 'four-state model is left out'],
  [lossHint, 'random 5% 25%', 'correlation is left out'],
  [lossHint, '5% ecn', 'ecn'],
  [rateHint, '1mbit 20', 'overhead and cells are left out'],
  [rateHint, '10', 'did you mean "10mbit"?'],
  [rateHint, '10kb', "tc's units are"],
  [rateHint, 'fast', undefined],
  [delayHint, 'soon', undefined],
] as const)('a word of netem that cannot be had is told as one: %o %s', (hint, text, says) =>
  says === undefined ? expect(hint(text)).toBeUndefined() : expect(hint(text)).toContain(says),
);

test.each([
  ['7', 7],
  ['07', undefined],
  ['0x7', undefined],
  ['7.0', undefined],
  ['11', undefined],
])('a whole number from 1 to 10, %s, is %s', (text, value) => expect(parseWhole(text, 1, 10)).toBe(value));

test.each([
  ['httpd site/', ['httpd', 'site/']],
  ['  a   b\t c ', ['a', 'b', 'c']],
  [`echo 'one word' "two \\" \\n" th\\ ree`, ['echo', 'one word', 'two " \\n', 'th ree']],
  [`a"b c"d''`, ['ab cd']],
  [`echo ''`, ['echo', '']],
  ['', []],
])('%j is split into %j', (line, words) => expect(splitWords(line)?.map(({ text }) => text)).toEqual(words));

test.each(["it's", '"open', "a 'b"])('%j has a quote that is not closed', (line) =>
  expect(splitWords(line)).toBeUndefined(),
);
