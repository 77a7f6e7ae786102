import { describe, expect, test } from 'vitest';
import { type CapturePoint, Captures } from '../../../shared/device/capture.ts';
import { parseCapture } from '../../../shared/device/capture-format.ts';
import { streamTrace } from '../../../shared/device/trace-stream.ts';
import { Trace } from '../../../shared/net/trace.ts';
import { ManualClock } from '../../kit/clock.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A watcher that can be slow. */
class Watcher {
  backlog = 0;
  readonly messages: Uint8Array[] = [];
  readonly lines: string[] = [];
  send(message: Uint8Array | string): void {
    if (typeof message === 'string') this.lines.push(...message.trimEnd().split('\n'));
    else this.messages.push(message);
  }
  get frames() {
    return this.messages.flatMap((message) => parseCapture(message)?.frames ?? []);
  }
  get lost(): number {
    return this.messages.reduce((sum, message) => sum + (parseCapture(message)?.lost ?? 0), 0);
  }
}

function captured() {
  const clock = new ManualClock();
  const points = new Map<string, CapturePoint>([
    ['eth0', { tap: undefined }],
    ['eth1', { tap: undefined }],
  ]);
  const captures = new Captures({ deviceName: 'r1', deviceIndex: 7, clock, points });
  const frame = (port: string, size: number, number: number): void => {
    const bytes = new Uint8Array(size + 20).fill(number & 255);
    points.get(port)?.tap?.('out', bytes, 10, size, 1, 2, 3, number);
  };
  return { clock, points, captures, frame };
}

describe('a capture', () => {
  test('carries every field of a frame, and the tap is there only while somebody watches', async () => {
    const { clock, points, captures, frame } = captured();
    const watcher = new Watcher();
    const stop = captures.watch(['eth1'], watcher);
    expect([...points.values()].map(({ tap }) => tap !== undefined)).toEqual([false, true]);
    clock.advance(1_234_567);
    frame('eth1', 64, 9_000_000_000);
    frame('eth0', 64, 1);
    await expect.poll(() => watcher.frames.length).toBe(1);
    expect(watcher.frames[0]).toEqual({
      time: 1_234_567,
      device: 7,
      port: 1,
      direction: 'out',
      number: 9_000_000_000,
      traceDevice: 1,
      traceNumber: 2,
      cause: 3,
      bytes: new Uint8Array(64).fill(9_000_000_000 & 255),
    });
    expect(captures.hello(['eth1']).ports).toEqual([{ device: 7, port: 1, name: 'r1:eth1' }]);
    stop();
    expect([...points.values()].every(({ tap }) => tap === undefined)).toBe(true);
  });

  test('a slow watcher loses frames and is told how many; a quick one beside it loses none', async () => {
    const { captures, frame } = captured();
    const slow = new Watcher();
    const quick = new Watcher();
    slow.backlog = 10_000_000;
    const stops = [captures.watch(['eth0'], slow), captures.watch(['eth0'], quick)];
    const total = 3_000;
    for (let n = 0; n < total; n++) {
      frame('eth0', 1_518, n);
      if (n % 20 === 0) await pause(0);
    }
    await expect.poll(() => quick.frames.length).toBe(total);
    expect(quick.lost).toBe(0);
    expect(slow.messages).toEqual([]);
    slow.backlog = 0;
    await expect.poll(() => slow.messages.length).toBe(1);
    expect(slow.frames.length + slow.lost).toBe(total);
    expect(slow.lost).toBeGreaterThan(2_000);
    for (const stop of stops) stop();
  });

  test('any bytes are a batch or they are not: parsing never throws', () => {
    for (let length = 0; length < 200; length++) {
      const bytes = new Uint8Array(length).map((_, i) => (i * 31 + length) & 255);
      bytes[0] = 1;
      expect(() => parseCapture(bytes)).not.toThrow();
    }
  });
});

describe('a trace stream', () => {
  test('has the events of its causes, one JSON line each', async () => {
    const trace = new Trace({ device: 'alice', deviceIndex: 1, now: () => 5 });
    const watcher = new Watcher();
    const stop = streamTrace(trace, watcher, { causes: new Set([7]) });
    trace.mark('browser:request', 7, { path: '/' });
    trace.mark('browser:request', 8, { path: '/other' });
    await expect.poll(() => watcher.lines.length).toBe(1);
    expect(JSON.parse(watcher.lines[0] ?? '')).toEqual({
      at: 5,
      device: 'alice',
      point: 'browser:request',
      context: 'process',
      cause: 7,
      fields: { path: '/' },
    });
    stop();
    expect(trace.on).toBe(false);
  });

  test('a slow watcher loses events, and its next message begins with how many', async () => {
    const trace = new Trace({ device: 'alice', deviceIndex: 1, now: () => 5 });
    const watcher = new Watcher();
    watcher.backlog = 10_000_000;
    const stop = streamTrace(trace, watcher);
    for (let n = 0; n < 10_000; n++) trace.mark('x', 0, { n });
    await pause(30);
    watcher.backlog = 0;
    await expect.poll(() => watcher.lines.length).toBe(8_193);
    expect(JSON.parse(watcher.lines[0] ?? '')).toEqual({ lost: 10_000 - 8_192 });
    stop();
  });
});
