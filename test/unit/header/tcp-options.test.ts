import { describe, expect, test } from 'vitest';
import { TCP_OPTION } from '../../../shared/header/tcp.ts';
import {
  emitOptions,
  emitSynOptions,
  fitAccecn,
  optionsSize,
  synOptionsSize,
  TCP_OPTION_BYTES_MAX,
  TcpOptions,
} from '../../../shared/header/tcp-options.ts';

const COUNTERS = [0x01_02_03, 0x04_05_06, 0xff_fe_fd];

/** Options of a segment: which, and how many SACK blocks. */
function options(timestamps: boolean, blocks: number): TcpOptions {
  const o = new TcpOptions();
  o.timestamps = timestamps;
  o.tsval = 0x1122_3344;
  o.tsecr = 0x5566_7788;
  o.sackBlocks = blocks;
  for (let i = 0; i < blocks; i++) {
    o.sackStart[i] = 1_000 * i;
    o.sackEnd[i] = 1_000 * i + 500;
  }
  return o;
}

function withAccecn(o: TcpOptions, required: number, syn: boolean): number {
  const before = syn ? synOptionsSize(o) : optionsSize(o);
  const grown = fitAccecn(o, required, TCP_OPTION_BYTES_MAX - before, syn);
  o.accecnCounters.set(COUNTERS);
  expect(syn ? synOptionsSize(o) : optionsSize(o)).toBe(before + grown);
  return before + grown;
}

/** Written at an odd place, since an option's alignment counts from the start of the options. */
function roundTrip(o: TcpOptions, size: number, syn: boolean): TcpOptions {
  const start = 3;
  const view = new DataView(new ArrayBuffer(64));
  const end = syn ? emitSynOptions(view, start, o) : emitOptions(view, start, o);
  expect([end - start, (end - start) % 4]).toEqual([size, 0]);
  const back = new TcpOptions();
  back.parse(view, start, end, syn);
  expect([back.accecn, back.accecnFields]).toEqual([o.accecn, o.accecn === 0 ? 0 : o.accecnFields]);
  for (let i = 0; i < back.accecnFields; i++) expect(back.accecnCounters[i]).toBe(COUNTERS[i]);
  return back;
}

describe('an AccECN option', () => {
  test('is read back from a SYN-ACK, with whatever other options', () => {
    for (let bits = 0; bits < 16; bits++) {
      const o = options((bits & 1) !== 0, 0);
      o.mss = (bits & 2) !== 0 ? 1_460 : 0;
      o.sackPermitted = (bits & 4) !== 0;
      o.wscale = (bits & 8) !== 0 ? 7 : -1;
      const size = withAccecn(o, 0, true);
      expect(o.accecnFields).toBe(3);
      const back = roundTrip(o, size, true);
      expect([back.mss, back.sackPermitted, back.wscale, back.timestamps]).toEqual([
        o.mss,
        o.sackPermitted,
        o.wscale,
        o.timestamps,
      ]);
    }
  });

  test('has as many counters as there is room for beside SACK blocks, and those that are needed at least or is left out', () => {
    const seen: string[] = [];
    for (const timestamps of [false, true]) {
      for (let blocks = 0; blocks <= (timestamps ? 3 : 4); blocks++) {
        for (let required = 0; required <= 3; required++) {
          const o = options(timestamps, blocks);
          const size = withAccecn(o, required, false);
          expect(size).toBeLessThanOrEqual(TCP_OPTION_BYTES_MAX);
          if (o.accecn !== 0) expect(o.accecnFields).toBeGreaterThanOrEqual(required);
          const back = roundTrip(o, size, false);
          expect(back.sackBlocks).toBe(o.sackBlocks);
          seen.push(
            `${timestamps ? 'TS ' : ''}${blocks}/${required}: ${o.accecn === 0 ? '-' : o.accecnFields} ${o.sackBlocks}`,
          );
        }
      }
    }
    // Blocks wanted / counters needed: counters and blocks sent. With timestamps one of three blocks gives way; an
    // option without counters takes the place of two NOPs.
    expect(seen.filter((line) => /^(TS )?[34]\//.test(line))).toEqual([
      '3/0: 3 3',
      '3/1: 3 3',
      '3/2: 3 3',
      '3/3: 3 3',
      '4/0: 1 4',
      '4/1: 1 4',
      '4/2: 3 3',
      '4/3: 3 3',
      'TS 3/0: 0 3',
      'TS 3/1: 2 2',
      'TS 3/2: 2 2',
      'TS 3/3: - 3',
    ]);
  });

  test('that is shorter than its counters, or longer, is read as far as it makes sense', () => {
    const bytes = Uint8Array.of(
      TCP_OPTION.ACCECN0,
      4,
      9,
      9,
      TCP_OPTION.ACCECN1,
      14,
      0,
      0,
      1,
      0,
      0,
      2,
      0,
      0,
      3,
      7,
      7,
      7,
    );
    const o = new TcpOptions();
    o.parse(new DataView(bytes.buffer), 0, 4, false);
    expect([o.accecn, o.accecnFields]).toEqual([TCP_OPTION.ACCECN0, 0]);
    o.parse(new DataView(bytes.buffer), 4, bytes.length, false);
    expect([o.accecn, o.accecnFields, ...o.accecnCounters]).toEqual([TCP_OPTION.ACCECN1, 3, 1, 2, 3]);
  });
});
