import { expect, test } from 'vitest';
import { readPage } from '../../shared/programs/browser-page.ts';
import { parseUrl } from '../../shared/programs/url.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';

const PIECES = [
  '<',
  '>',
  '"',
  "'",
  '</',
  '<!--',
  '-->',
  '<script',
  '<img src=',
  '<li>',
  '<h1>',
  '&',
  '&#',
  ';',
  'x',
  ' ',
  '\n',
];

test(`any text is a page of some kind (seed ${TEST_SEED})`, () => {
  const random = testRandom('page');
  for (let i = 0; i < 3_000; i++) {
    let text = '';
    for (let n = random.below(40); n > 0; n--) text += PIECES[random.below(PIECES.length)];
    const page = readPage(text, 'http://h/');
    for (const { url } of page.resources) expect(parseUrl(url)?.scheme).toMatch(/^https?$/);
    parseUrl(text);
  }
});

test.each(['<a', '<a "', '<!--', '<', '&#1', '<script>', '"'])(
  'a page of nothing but %s is read in no time',
  (piece) => {
    const page = readPage(piece.repeat(20_000), 'http://h/');
    expect(page.resources).toEqual([]);
  },
);
