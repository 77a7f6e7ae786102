import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { frameMemory } from '../../../shared/device/frame-memory.ts';
import { nodePlatform } from '../../../shared/device/platform.ts';
import { halfSipHash } from '../../../shared/device/siphash.ts';
import { sumView } from '../../../shared/header/checksum.ts';
import { crc32 } from '../../../shared/header/fcs.ts';
import { randomBytes, testRandom } from '../../kit/random.ts';

const outside = mkdtempSync(join(tmpdir(), 'wirelab-platform-'));
const lab = join(outside, 'lab');
mkdirSync(join(lab, 'site'), { recursive: true });
writeFileSync(join(lab, 'site/index.html'), '<h1>hello</h1>');
writeFileSync(join(outside, 'secret'), 'not yours');
symlinkSync(join(outside, 'secret'), join(lab, 'link'));
symlinkSync(outside, join(lab, 'up'));
afterAll(() => rmSync(outside, { recursive: true }));

test('the fast CRC-32 and the plain one give the same answers', () => {
  const random = testRandom('crc');
  const platform = nodePlatform();
  expect(platform.crc32(new TextEncoder().encode('123456789'), 0, 9)).toBe(0xcbf4_3926);
  for (let i = 0; i < 200; i++) {
    const bytes = randomBytes(random, random.below(3_000));
    const start = random.below(bytes.length + 1);
    expect(platform.crc32(bytes, start, bytes.length)).toBe(crc32(bytes, start, bytes.length));
  }
});

test('files of the lab can be read, from its folder alone', () => {
  const platform = nodePlatform({ folder: lab });
  expect(new TextDecoder().decode(platform.readFile('site/index.html'))).toBe('<h1>hello</h1>');
  expect(new TextDecoder().decode(platform.readFile('/site/index.html'))).toBe('<h1>hello</h1>');
  expect(platform.readDirectory('site')).toEqual(['index.html']);
  expect(platform.readDirectory('.')).toEqual(['link', 'site', 'up']);
  for (const path of ['../secret', 'site/../../secret', 'link', 'up/secret', 'site', 'none', 'site/index.html\0', '']) {
    expect(platform.readFile(path)).toBeUndefined();
  }
  expect(platform.readDirectory('..')).toBeUndefined();
  expect(platform.readDirectory('up')).toBeUndefined();
  expect(nodePlatform().readFile('site/index.html')).toBeUndefined();
});

test('the keyed hash answers the published vectors of HalfSipHash-2-4', () => {
  const hash = (...words: number[]): number => halfSipHash(0x0302_0100, 0x0706_0504, words);
  expect(hash()).toBe(0x5b9f_35a9);
  expect(hash(0x0302_0100)).toBe(0x8946_6e2a);
  expect(hash(0x0302_0100, 0x0706_0504)).toBe(0x8f84_b8d0);
});

test('octets are copied and summed alike in the memory for packets, outside of it, and between the two', () => {
  expect(frameMemory()).toBeDefined();
  const random = testRandom('copy');
  const platform = nodePlatform();
  // Other tests may have left nothing of the memory for packets; frame-memory.test.ts has one of its own.
  const fast = (): Uint8Array => platform.packetMemory(3_000) ?? new Uint8Array(3_000);
  const rooms = [fast(), fast(), new Uint8Array(3_000), new Uint8Array(3_000)];
  for (const from of rooms) {
    for (const to of rooms) {
      if (from === to) continue;
      const [source, target] = [from, to].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
      for (const length of [0, 1, 47, 48, 49, 1_448, 1_449]) {
        from.set(randomBytes(random, 3_000));
        to.fill(0);
        expect(platform.copySum(source!, 7, length, target!, 5)).toBe(sumView(source!, 7, 7 + length));
        platform.copy(source!, 7, length, target!, 1_500);
        const wanted = new Uint8Array(3_000);
        wanted.set(from.subarray(7, 7 + length), 5);
        wanted.set(from.subarray(7, 7 + length), 1_500);
        expect(Buffer.compare(to, wanted), `${length} octets`).toBe(0);
      }
    }
  }
});
