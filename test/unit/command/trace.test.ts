import { describe, expect, test } from 'vitest';
import { TracePrinter } from '../../../services/lab/trace.ts';
import { EmuError } from '../../../shared/device/errors.ts';
import { FilterError, parseFilter } from '../../../shared/device/trace-filter.ts';
import { streamTrace, traceFilterOf } from '../../../shared/device/trace-stream.ts';
import { Host } from '../../../shared/net/host.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { platform } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { testRandom } from '../../kit/random.ts';

const names = new Map([
  [1, 'alice'],
  [2, 'gw'],
]);

function eventAt(device: string, fields: Partial<TraceEvent> = {}): TraceEvent {
  return {
    at: 1_500_000,
    device,
    point: 'ip_forward',
    skb: { device: 1, number: 17, len: 84, data: 80, headroom: 80 },
    context: 'softirq',
    cause: 0,
    fields: { ttl: 63, dev: 'eth0', source: '10.0.0.1' },
    ...fields,
  };
}

const holds = (expression: string, event = eventAt('gw')): boolean => parseFilter(expression, names)(event);

describe('a trace filter', () => {
  test.each([
    ['point==ip_forward && ttl<64', true],
    ['point==ip_forward && ttl<60', false],
    ['dev==eth0', true],
    ['dev!=eth0', false],
    ['tcp_v4_rcv || ip_forward', true],
    ['tcp_* || udp_*', false],
    ['point==ip_*', true],
    ['! (len > 100) && headroom>=80', true],
    ['skb==alice/17', true],
    ['layer == network && context == softirq', true],
    ['source=="10.0.0.1"', true],
    ['device==alice || device==gw && ttl<=63', true],
  ])('%s: %s', (expression, expected) => {
    expect(holds(expression)).toBe(expected);
  });

  test('a field that an event does not have compares false with everything', () => {
    expect(holds('port==80')).toBe(false);
    expect(holds('port!=80')).toBe(false);
    expect(holds('port<80')).toBe(false);
    expect(holds('!(port==80)')).toBe(true);
  });

  test.each(['', 'ttl<', 'ttl<x', '(ttl<3', 'ttl<3)', '&& x', 'a b', 'ttl=3', `${'('.repeat(200)}x`])(
    'what is no expression is refused: %j',
    (text) => {
      expect(() => holds(text)).toThrow(FilterError);
    },
  );

  test.each([
    ['ttl<', 5, 'expected a value after < at the end'],
    ['ttl < x', 7, '< compares numbers, found "x"'],
    ['ip_rcv ip_forward', 8, 'did not expect "ip_forward"'],
    ['(ttl<3', 7, 'a parenthesis is not closed'],
    ['ttl==3 && "x', 11, 'cannot read'],
    ['x'.repeat(1_001), 1_001, 'longer than 1000 characters'],
  ])('what is wrong is said with its column: %j', (text, column, problem) => {
    expect(() => holds(text)).toThrow(`column ${column}: ${problem}`);
  });

  test('many stars cost no more than a search each', () => {
    const event = eventAt('gw', { fields: { text: 'a'.repeat(5_000) } });
    const began = performance.now();
    expect(holds(`text==${'*a'.repeat(300)}*b*c`, event)).toBe(false);
    expect(holds(`text==${'*a'.repeat(300)}*`, event)).toBe(true);
    expect(performance.now() - began).toBeLessThan(200);
  });

  test('stars stand for any characters, at both ends and between', () => {
    expect(['ip_*', '*_forward', 'ip*ward', '*', '*p_f*'].map((one) => holds(`point==${one}`))).toEqual(
      Array(5).fill(true),
    );
    expect(['ip_forward*x', '*_rcv', 'ip_forwar*d*d'].map((one) => holds(`point==${one}`))).toEqual(
      Array(3).fill(false),
    );
  });
});

describe('a device sends what was asked for', () => {
  function seen(query: string): Promise<string[]> {
    const clock = new ManualClock();
    const host = new Host({ name: 'gw', index: 2, clock, random: testRandom('trace'), platform });
    const lines: string[] = [];
    const sink = { send: (text: string) => lines.push(...text.trim().split('\n')), backlog: 0 };
    const stop = streamTrace(host.trace, sink, traceFilterOf(new URLSearchParams(query)));
    for (let n = 1; n <= 600; n++) {
      host.trace.point('ip_forward', { traceDevice: 1, traceNumber: n, cause: n % 3 }, { ttl: n });
      host.trace.point('ip_rcv', { traceDevice: 1, traceNumber: n, cause: n % 3 }, {});
    }
    return new Promise((resolve) => {
      setTimeout(() => {
        stop();
        resolve(lines.map((line) => (JSON.parse(line) as TraceEvent).point));
      }, 30);
    });
  }

  test.each([
    ['', 1_200],
    ['filter=ttl<11', 10],
    ['skb=1/17', 2],
    ['skb=1/17&filter=ip_rcv', 1],
    ['cause=1&filter=ip_rcv', 200],
    ['filter=skb==alice/20&name=1:alice', 2],
    ['filter=skb==alice/20', 0],
  ])('/trace?%s: %i events', async (query, count) => {
    expect(await seen(query)).toHaveLength(count);
  });

  test.each(['filter=ttl<', 'skb=alice/17', 'cause=x'])('/trace?%s is a bad request', (query) => {
    expect(() => traceFilterOf(new URLSearchParams(query))).toThrow(EmuError);
  });
});

test('a line says when, where, what, in which context, which packet, and from which device it came', () => {
  const printer = new TracePrinter(names);
  expect(printer.line(eventAt('alice', { point: 'ip_finish_output', context: 'process' }))).not.toContain('<-');
  const line = printer.line(eventAt('gw'));
  expect(line.replaceAll(/ +/g, ' ').trim()).toBe(
    '1.500000 gw ip_forward network softirq alice/17 len=84 data=80 headroom=80 ttl=63 dev=eth0 source=10.0.0.1 <- alice',
  );
  expect(printer.line(eventAt('gw'))).not.toContain('<-');
});

test('a trace point says what the sk_buff holds and who runs', () => {
  const clock = new ManualClock();
  const host = new Host({ name: 'h', index: 1, clock, random: testRandom('trace'), platform });
  const events: TraceEvent[] = [];
  host.trace.listen((event) => events.push(event));
  const skb = host.skbs.alloc(100);
  skb.reserve(40);
  skb.put(20);
  const { traceNumber } = skb;
  host.trace.point('a', skb);
  const timer = host.softTimer('test', () => host.trace.point('b', { traceDevice: 3, traceNumber: 4, cause: 0 }));
  timer.arm(5);
  clock.advance(10);
  host.skbs.consume(skb);
  expect(events.map(({ skb: traced, context }) => ({ traced, context }))).toEqual([
    { traced: { device: 1, number: traceNumber, len: 20, data: 40, headroom: 40 }, context: 'process' },
    { traced: { device: 3, number: 4 }, context: 'softirq' },
  ]);
  expect(host.softirqs.TIMER).toBe(1);
});
