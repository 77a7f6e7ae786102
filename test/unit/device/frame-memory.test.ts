import { expect, test } from 'vitest';
import { type FrameMemory, type Machine, openFrameMemory } from '../../../shared/device/frame-memory.ts';
import { CRC_BYTES_MAX, FOLD_LONG, FOLD_SHORT } from '../../../shared/device/wasm-sums.ts';
import { fold, sumBytes, sumView } from '../../../shared/header/checksum.ts';
import { crc32 } from '../../../shared/header/fcs.ts';
import { assert } from '../../../shared/platform.ts';
import { randomBytes, TEST_SEED, testRandom } from '../../kit/random.ts';

const { WebAssembly: machine } = globalThis as unknown as { readonly WebAssembly: Machine };

function opened(): FrameMemory {
  const memory = openFrameMemory(machine);
  assert(memory !== undefined, 'the machine that runs this test has SIMD');
  return memory;
}

function room(memory: FrameMemory, size: number): Uint8Array<ArrayBuffer> {
  const bytes = memory.take(size);
  assert(bytes !== undefined, 'a new memory has room');
  return bytes;
}

test(`sums in WebAssembly are those of plain code, whatever the length and wherever it starts (seed ${TEST_SEED})`, () => {
  const memory = opened();
  const random = testRandom('frame-memory');
  const bytes = room(memory, 100_000);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const agree = (start: number, end: number): void => {
    expect(memory.crc32(bytes, start, end), `CRC of ${end - start}`).toBe(crc32(bytes, start, end));
    expect(memory.sum(view, start, end), `sum of ${end - start}`).toBe(sumView(view, start, end));
    expect(memory.sum(view, start, end) % 0xffff).toBe(fold(sumBytes(bytes, start, end)) % 0xffff);
  };
  bytes.set(randomBytes(random, bytes.length));
  // Each length up to past both folds; a longer one in between leaves its traces where the next one works.
  for (let length = 0; length <= 1_000; length++) {
    const start = random.below(2_000);
    agree(start, start + length);
    if (length % 50 === 0) agree(start, start + CRC_BYTES_MAX - length);
  }
  for (let i = 0; i < 300; i++) {
    const start = random.below(64);
    agree(start, start + random.below(CRC_BYTES_MAX + 1));
  }
});

test('the heaviest data overflows no lane of the sum', () => {
  const memory = opened();
  const bytes = room(memory, 65_536).fill(0xff);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const length of [65_536, 65_535, 65_534, 33, 1]) {
    expect(memory.sum(view, 0, length)).toBe(sumView(view, 0, length));
  }
  expect(memory.sum(view, 7, 7)).toBe(0);
});

test('what it cannot answer it leaves to others: bytes that stand elsewhere, and more than it has room for', () => {
  const memory = opened();
  const elsewhere = new Uint8Array(2_000);
  expect(memory.crc32(elsewhere, 0, 1_514)).toBe(-1);
  expect(memory.sum(new DataView(elsewhere.buffer), 0, 1_514)).toBe(-1);
  expect(memory.crc32(room(opened(), 2_000), 0, 1_514)).toBe(-1);
  const own = room(memory, 70_000);
  expect(memory.crc32(own, 0, CRC_BYTES_MAX + 1)).toBe(-1);
  expect(memory.sum(new DataView(own.buffer, own.byteOffset, own.length), 0, 65_537)).toBe(-1);
  expect(memory.crc32(own, 10, 9)).toBe(-1);
  expect(memory.crc32(own, 0, CRC_BYTES_MAX)).toBe(crc32(own, 0, CRC_BYTES_MAX));
});

test('what is taken is zero, overlaps nothing, and ends with the memory', () => {
  const memory = opened();
  const taken: Uint8Array[] = [];
  for (let one = memory.take(67_121); one !== undefined; one = memory.take(67_121)) taken.push(one);
  expect(taken.length).toBeGreaterThan(60);
  for (const [i, one] of taken.entries()) {
    expect(one.every((octet) => octet === 0)).toBe(true);
    expect(memory.has(one)).toBe(true);
    one.fill(i + 1);
  }
  // Sums still come out right: their tables were nobody's.
  for (const one of taken) expect(memory.crc32(one, 0, 1_514)).toBe(crc32(one, 0, 1_514));
});

test('packets, however many, leave room for the batches of a switch', () => {
  const memory = opened();
  let packets = 0;
  while (memory.takeForPackets(32_768) !== undefined) packets++;
  expect(packets).toBeGreaterThan(300);
  let batches = 0;
  while (memory.take(67_120) !== undefined) batches++;
  expect(batches).toBeGreaterThan(70);
});

test('a machine without SIMD, or that has no room for the memory, gets none', () => {
  expect(openFrameMemory({ ...machineParts(), validate: () => false })).toBeUndefined();
  class NoRoom {
    readonly buffer = new ArrayBuffer(0);
    constructor() {
      throw new RangeError('could not allocate memory');
    }
  }
  expect(openFrameMemory({ ...machineParts(), Memory: NoRoom })).toBeUndefined();
  expect(openFrameMemory(machineParts())).toBeDefined();
});

function machineParts(): Machine {
  const { Memory, Module, Instance } = machine;
  return { validate: (binary) => machine.validate(binary), Memory, Module, Instance };
}

test.each([FOLD_LONG, FOLD_SHORT])('octets moved by $distances leave the remainder as it is', (fold) => {
  // The same octet at distance 0 and at each of the fold's: a multiple of the generator, whose remainder is 0.
  const furthest = Math.max(...fold.distances);
  const bytes = new Uint8Array(furthest + 1);
  for (const distance of [0, ...fold.distances]) bytes[distance] = 0xa7;
  const zeros = new Uint8Array(furthest + 1);
  expect(crc32(bytes, 0, bytes.length)).toBe(crc32(zeros, 0, zeros.length));
  // A turn of the loop reads only what earlier ones have written.
  expect(fold.unrolled * 16).toBeLessThanOrEqual(Math.min(...fold.distances));
});

test(`a copy in WebAssembly is one, writes nothing beside it, and has the sum of plain code (seed ${TEST_SEED})`, () => {
  const memory = opened();
  const random = testRandom('copy');
  const [source, target] = [room(memory, 70_000), room(memory, 70_000)];
  const [from, to] = [source, target].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  source.set(randomBytes(random, source.length));
  for (let i = 0; i < 500; i++) {
    const length = i < 200 ? i : random.below(65_537);
    const [start, at] = [random.below(70_000 - length), 1 + random.below(69_998 - length)];
    target[at - 1] = target[at + length] = 0xee;
    expect(memory.copySum(from!, start, length, to!, at)).toBe(sumView(from!, start, start + length));
    expect(Buffer.compare(target.subarray(at, at + length), source.subarray(start, start + length))).toBe(0);
    expect([target[at - 1], target[at + length]]).toEqual([0xee, 0xee]);
  }
});

test('a copy from or to other memory, or beyond its own bounds, is left to others', () => {
  const memory = opened();
  const own = room(memory, 70_000);
  const view = new DataView(own.buffer, own.byteOffset, 2_000);
  const elsewhere = new DataView(new ArrayBuffer(2_000));
  expect(memory.copySum(elsewhere, 0, 100, view, 0)).toBe(-1);
  expect(memory.copySum(view, 0, 100, elsewhere, 0)).toBe(-1);
  expect(memory.copySum(view, 1_901, 100, view, 0)).toBe(-1);
  expect(memory.copySum(view, 0, 100, view, 1_901)).toBe(-1);
  expect(memory.copySum(view, -1, 100, view, 1_000)).toBe(-1);
  const whole = new DataView(own.buffer, own.byteOffset, own.length);
  expect(memory.copySum(whole, 0, 65_537, whole, 0)).toBe(-1);
  expect(memory.copySum(view, 0, 1_000, view, 1_000)).toBeGreaterThanOrEqual(0);
});
