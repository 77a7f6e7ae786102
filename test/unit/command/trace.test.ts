import { describe, expect, test } from 'vitest';
import { fieldOf, TracePrinter, wanted } from '../../../services/lab/trace.ts';
import { FilterError, parseFilter } from '../../../services/lab/trace-filter.ts';
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

const holds = (expression: string, event = eventAt('gw')): boolean =>
  parseFilter<TraceEvent>(expression, (one, name) => fieldOf(one, names, name))(event);

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

  test('--skb and --filter hold together, and a wrong one is bad use', () => {
    const matches = wanted({ skb: 'alice/17', filter: 'ttl==63' }, names);
    expect(matches(eventAt('gw'))).toBe(true);
    expect(matches(eventAt('gw', { skb: { device: 1, number: 18 } }))).toBe(false);
    expect(() => wanted({ skb: '17' }, names)).toThrow('DEVICE/NUMBER');
    expect(() => wanted({ filter: 'ttl<' }, names)).toThrow('--filter');
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
  const timer = host.softTimer(() => host.trace.point('b', { traceDevice: 3, traceNumber: 4, cause: 0 }));
  timer.arm(5);
  clock.advance(10);
  host.skbs.consume(skb);
  expect(events.map(({ skb: traced, context }) => ({ traced, context }))).toEqual([
    { traced: { device: 1, number: traceNumber, len: 20, data: 40, headroom: 40 }, context: 'process' },
    { traced: { device: 3, number: 4 }, context: 'softirq' },
  ]);
  expect(host.softirqs.TIMER).toBe(1);
});
