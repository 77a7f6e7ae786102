import { expect, test } from 'vitest';
import { decodeBatch, encodeBatch, isBatchMessage } from '../../../shared/wire/codec.ts';
import { BATCH_FRAMES_MAX, FrameBatch } from '../../../shared/wire/frame-batch.ts';
import { Message } from '../../../shared/wire/gen/wire.js';
import { randomBytes, testRandom } from '../../kit/random.ts';

interface Given {
  readonly first: number;
  readonly sentAt: number;
  readonly frames: readonly { bytes: Uint8Array; device: number; number: number; cause: number }[];
}

function byHand(given: Given): Uint8Array {
  const batch = new FrameBatch();
  batch.first = given.first;
  batch.sentAt = given.sentAt;
  for (const { bytes, device, number, cause } of given.frames) {
    batch.bytes.set(bytes, batch.append(bytes.length, device, number, cause));
  }
  const { start, end } = encodeBatch(batch);
  return batch.bytes.slice(start, end);
}

function byProtobufjs(given: Given): Uint8Array {
  const causes = given.frames.map((frame) => frame.cause);
  const batch = {
    first: given.first,
    sentAt: given.sentAt,
    frames: given.frames.map((frame) => frame.bytes),
    traces: given.frames.map((frame) => ({
      high: frame.device,
      low: frame.number,
      unsigned: true,
    })) as unknown as number[],
    causes: causes.some((cause) => cause !== 0) ? causes : [],
  };
  return Message.encode({ batch } as Parameters<typeof Message.encode>[0]).finish();
}

function anyBatch(seed: number): Given {
  const random = testRandom(`codec-${seed}`);
  const big = (): number => random.u32() * (random.below(2) === 0 ? 1 : random.below(0x10_0000));
  const withCauses = random.below(2) === 0;
  return {
    first: big(),
    sentAt: big(),
    frames: Array.from({ length: random.below(40) }, () => ({
      bytes: randomBytes(random, random.below(random.below(2) === 0 ? 200 : 1_527)),
      device: random.u32(),
      number: random.u32(),
      cause: withCauses ? random.below(3) : 0,
    })),
  };
}

test('a batch is encoded to the very bytes that protobufjs writes, for 300 random batches', () => {
  for (let seed = 0; seed < 300; seed++) {
    const given = anyBatch(seed);
    expect(Buffer.compare(byHand(given), byProtobufjs(given)), `seed ${seed}`).toBe(0);
  }
});

test('what was encoded is decoded, without a copy', () => {
  for (let seed = 0; seed < 40; seed++) {
    const given = anyBatch(seed);
    const message = Uint8Array.from(byProtobufjs(given));
    const batch = new FrameBatch(new Uint8Array(0));
    expect(isBatchMessage(message)).toBe(true);
    expect(decodeBatch(message, batch)).toBeUndefined();
    expect(batch.bytes.byteOffset).toBe(message.byteOffset);
    expect(batch.bytes.buffer).toBe(message.buffer);
    const frames = given.frames.map((_, i) => ({
      bytes: message.slice(batch.offset(i), batch.offset(i) + batch.size(i)),
      device: batch.traceDevices[i],
      number: batch.traceNumbers[i],
      cause: batch.causes[i],
    }));
    expect({ first: batch.first, sentAt: batch.sentAt, frames }).toEqual(given);
  }
});

test.each([
  ['nothing', '', 'wire_not_a_batch'],
  ['a Link', '1a020801', 'wire_not_a_batch'],
  ['a length beyond the message', '1205080110', 'wire_bad_length'],
  ['a length short of the message', '12020801ff', 'wire_bad_length'],
  ['a frame longer than the message', '12020a05'.replace('0a', '1a'), 'wire_bad_length'],
  ['a number of nine octets', '120a08ffffffffffffffff7f', 'wire_bad_number'],
  ['a number in a longer form than it needs', '1203088000', 'wire_bad_number'],
  ['a frame length in a longer form than it needs', '12041a810041', 'wire_bad_length'],
  ['an unknown field', '12023001', 'wire_unknown_field'],
  ['a frame without its trace', '12031a0141', 'wire_traces_mismatch'],
  ['traces without frames', '120a22080102030405060708', 'wire_traces_mismatch'],
  ['one cause for no frame', '12062a0401020304', 'wire_causes_mismatch'],
])('%s is refused', (_, hex, why) => {
  const batch = new FrameBatch(new Uint8Array(0));
  expect(decodeBatch(Buffer.from(hex, 'hex'), batch)).toEqual({ malformed: why });
  expect(batch.count).toBe(0);
});

test('a message of more frames than a batch may have is refused', () => {
  const frame = Buffer.from('1a0141', 'hex');
  const frames = Buffer.concat(new Array(BATCH_FRAMES_MAX + 1).fill(frame));
  const message = Buffer.concat([Buffer.from([0x12, (frames.length & 127) | 128, frames.length >>> 7]), frames]);
  expect(decodeBatch(message, new FrameBatch(new Uint8Array(0)))).toEqual({ malformed: 'wire_too_many_frames' });
});
