import { expect, test } from 'vitest';
import { DROP_REASONS } from '../../../shared/net/drop.ts';
import { DROP_PLACES } from '../../../shared/net/drop-place.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { testHost } from '../../kit/programs.ts';

test('every reason has a place', () => {
  expect(Object.keys(DROP_PLACES)).toEqual(Object.keys(DROP_REASONS));
});

test('drops are listed as they happen, by place and reason, and summed up at the end', async () => {
  const { host, clock, run } = testHost();
  host.skbs.countDrop('no_socket');
  clock.after(250_000, () => {
    host.skbs.drop(host.skbs.alloc(60), 'no_socket', 'tcp_v4_rcv');
    host.skbs.drop(host.skbs.alloc(60), 'no_socket');
    host.skbs.drop(host.skbs.alloc(60), 'no_socket');
  });
  clock.after(650_000, () => host.skbs.countDrop('fcs_error'));
  const { status, out } = await run('dropwatch -l kas', [{ after: 1_000_000, signal: 'SIGINT' }]);
  expect(status).toBe(0);
  expect(out.split('\n').map((line) => line.replaceAll(/ +/g, ' ').trim())).toEqual([
    'Kernel monitoring activated.',
    'Issue Ctrl-C to stop monitoring',
    '2 drops at __udp4_lib_rcv [software] reason no_socket',
    '1 drops at tcp_v4_rcv [software] reason no_socket',
    '1 drops at phy [hardware] reason fcs_error',
    'Got a stop message',
    'DROPS PLACE ORIGIN REASON MEANING',
    '2 __udp4_lib_rcv software no_socket No socket for this address and port.',
    '1 tcp_v4_rcv software no_socket No socket for this address and port.',
    '1 phy hardware fcs_error The frame check sequence did not match: bits changed on the wire.',
    '',
  ]);
  expect((await run('dropwatch -s')).out).toMatch(/ 3 {2}__udp4_lib_rcv/);
  expect((await run('dropwatch -x')).status).toBe(1);
});

test('the trace says where', () => {
  const { host } = testHost();
  const events: TraceEvent[] = [];
  host.trace.listen((event) => events.push(event));
  host.skbs.drop(host.skbs.alloc(60), 'ip_too_big', 'ip_forward');
  expect(events[0]).toMatchObject({ point: 'kfree_skb', fields: { reason: 'ip_too_big', location: 'ip_forward' } });
});
