import { expect, test } from 'vitest';
import { closest, distance } from '../../../shared/lab/closest.ts';
import { parseDelay, parseRate, parseRatio, parseWhole } from '../../../shared/lab/units.ts';
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
  ['1e3ms', undefined],
])('a delay of %s is %s microseconds', (text, micros) => expect(parseDelay(text)).toBe(micros));

test.each([
  ['0%', 0],
  ['0.5%', 0.005],
  ['100%', 1],
  ['100.1%', undefined],
  ['140%', undefined],
  ['-1%', undefined],
  ['0.5', undefined],
  ['%', undefined],
])('a share of %s is %s', (text, ratio) => expect(parseRatio(text)).toBe(ratio));

test.each([
  ['10kbit', 10_000],
  ['1.5mbit', 1_500_000],
  ['1gbit', 1_000_000_000],
  ['1Gbit', 1_000_000_000],
  ['9bit', 9],
  ['0bit', undefined],
  ['10mbps', undefined],
  ['2000gbit', undefined],
])('a rate of %s is %s bits per second', (text, bits) => expect(parseRate(text)).toBe(bits));

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
