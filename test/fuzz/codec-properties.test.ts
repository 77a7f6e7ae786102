/** The wire's messages by property: what is encoded is decoded, any bytes are an answer, and what is taken is canonical. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCapture } from '../../shared/device/capture-format.ts';
import { decodeBatch, encodeBatch } from '../../shared/wire/codec.ts';
import { BATCH_BYTES_MAX, BATCH_FRAMES_MAX, FrameBatch } from '../../shared/wire/frame-batch.ts';
import { decodeSmall, encodeHello, encodeLink, helloProblem } from '../../shared/wire/hello.ts';
import { TEST_SEED } from '../kit/random.ts';

const seed = TEST_SEED;
const number = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER));
const word = fc.nat(0xffff_ffff);
const octets = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.nat(3_000).map((size) => new Uint8Array(size).fill(size)),
);
const frames = fc.array(fc.record({ octets, device: word, number: word, cause: fc.oneof(fc.constant(0), word) }), {
  maxLength: 20,
});
const text = fc.string({ maxLength: 100 });

function encoded(
  first: number,
  sentAt: number,
  given: readonly { octets: Uint8Array; device: number; number: number; cause: number }[],
): Uint8Array {
  const batch = new FrameBatch();
  Object.assign(batch, { first, sentAt });
  for (const { octets: bytes, device, number: n, cause } of given)
    batch.bytes.set(bytes, batch.append(bytes.length, device, n, cause));
  const { start, end } = encodeBatch(batch);
  return batch.bytes.slice(start, end);
}

test('a batch that is encoded is decoded to the same, whatever is in it', () => {
  const into = new FrameBatch(new Uint8Array(0));
  fc.assert(
    fc.property(number, number, frames, (first, sentAt, given) => {
      const message = encoded(first, sentAt, given);
      expect(decodeBatch(message, into)).toBeUndefined();
      expect([into.first, into.sentAt, into.count]).toEqual([first, sentAt, given.length]);
      for (const [i, { octets: bytes, device, number: n, cause }] of given.entries()) {
        expect(Buffer.compare(message.subarray(into.offset(i), into.offset(i) + into.size(i)), bytes)).toBe(0);
        expect([into.traceDevices[i], into.traceNumbers[i], into.causes[i]]).toEqual([device, n, cause]);
      }
    }),
    { numRuns: 400, seed },
  );
});

/** Fields of a batch in any order, right and wrong, with lengths that mostly fit. */
const varint = fc.oneof(
  fc.nat(200).map((n) => (n < 128 ? [n] : [(n & 127) | 128, n >>> 7])),
  fc.constantFrom(
    [0x80, 0],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
    new Array(10).fill(0xff) as number[],
    [0x80],
  ),
);
const field = fc.oneof(
  fc.tuple(fc.constantFrom(0x08, 0x10), varint).map(([tag, n]) => [tag, ...n]),
  fc
    .tuple(fc.constantFrom(0x1a, 0x22, 0x2a, 0x32, 0x0b), fc.uint8Array({ maxLength: 24 }))
    .map(([tag, bytes]) => [tag, bytes.length, ...bytes]),
  fc.tuple(fc.constantFrom(0x1a, 0x22, 0x2a), varint).map(([tag, n]) => [tag, ...n]),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => [...bytes]),
);
const nearBatch = fc.array(field, { maxLength: 8 }).map((fields) => {
  const inner = fields.flat();
  return Uint8Array.from([
    0x12,
    ...(inner.length < 128 ? [inner.length] : [(inner.length & 127) | 128, inner.length >>> 7]),
    ...inner,
  ]);
});

test('any bytes are decoded or refused, never thrown at; what is decoded lies inside, within the limits, and front to back', () => {
  const into = new FrameBatch(new Uint8Array(0));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), nearBatch), (bytes) => {
      const problem = decodeBatch(bytes, into);
      if (problem !== undefined) expect(into.count).toBe(0);
      expect(into.count).toBeLessThanOrEqual(BATCH_FRAMES_MAX);
      let end = 0;
      for (let i = 0; i < into.count; i++) {
        expect(into.offset(i)).toBeGreaterThanOrEqual(end);
        expect(into.size(i)).toBeLessThanOrEqual(BATCH_BYTES_MAX);
        end = into.offset(i) + into.size(i);
      }
      expect(end).toBeLessThanOrEqual(bytes.length);
      expect(Number.isSafeInteger(into.first) && Number.isSafeInteger(into.sentAt)).toBe(true);
    }),
    { numRuns: 4_000, seed },
  );
});

test('hello and link are decoded to what was encoded; any other bytes are an answer', () => {
  const hello = fc.record({ version: word, lab: text, wire: text, end: text, epoch: number, token: text });
  fc.assert(
    fc.property(hello, fc.boolean(), fc.boolean(), number, (said, up, plugged, next) => {
      expect(decodeSmall(encodeHello(said))).toEqual({ hello: said });
      expect(decodeSmall(encodeLink({ up, plugged, next }))).toEqual({ link: { up, plugged, next } });
      expect(helloProblem(said, said)).toBeUndefined();
      expect(helloProblem({ ...said, token: `${said.token}x` }, said)).toBe(4401);
    }),
    { numRuns: 300, seed },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(undefined, 0x0a, 0x1a, 0x12, 0x0b), (bytes, tag) => {
      const answer = decodeSmall(tag === undefined ? bytes : Uint8Array.of(tag, bytes.length & 127, ...bytes));
      expect(answer === undefined || 'hello' in answer || 'link' in answer).toBe(true);
    }),
    { numRuns: 3_000, seed },
  );
});

test('groups inside groups, as deep as a message is long, are an answer too', () => {
  expect(decodeSmall(new Uint8Array(4_096).fill(0x0b))).toBeUndefined();
  expect(decodeSmall(new Uint8Array(4_097))).toBeUndefined();
});

test('any bytes that claim to be captured frames are frames or an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, right) => {
      if (right && bytes.length > 3) bytes.set([0, 1, 0, 2]);
      const read = parseCapture(bytes);
      for (const { bytes: frame } of read?.frames ?? []) expect(frame.length).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 2_000, seed },
  );
});
