import { expect, test } from 'vitest';
import type { Errno } from '../../../shared/net/errno.ts';
import { fakeSockets } from '../../kit/fake-sockets.ts';
import { ip4, testHost } from '../../kit/programs.ts';

/** A path of `routers` before the target; each answers after a millisecond a hop, or not at all. */
function path(routers: readonly (string | undefined)[], end: { type: number; code: number }) {
  const kit = testHost({ RTM_GETLINK: () => [] });
  fakeSockets(kit.host, {
    type: 'dgram',
    protocol: 17,
    sent: (socket, bytes) => {
      const { ttl } = socket.sk;
      const reached = ttl > routers.length;
      const offender = reached ? '10.0.1.2' : routers[ttl - 1];
      if (offender === undefined) return undefined;
      const errno: Errno = reached ? 'ECONNREFUSED' : 'EHOSTUNREACH';
      const { type, code } = reached ? end : { type: 11, code: 0 };
      kit.clock.after(ttl * 1_000, () =>
        socket.fail({
          bytes,
          message: { extendedError: { errno, origin: 2, data: 0, type, code, info: 0, offender: ip4(offender) } },
        }),
      );
      return undefined;
    },
  });
  return kit;
}

test('a line a hop, a time a probe, up to the port that nobody serves', async () => {
  const { run } = path(['10.0.0.254'], { type: 3, code: 3 });
  expect(await run('traceroute -n 10.0.1.2')).toEqual({
    status: 0,
    err: '',
    out: `traceroute to 10.0.1.2 (10.0.1.2), 30 hops max, 60 byte packets
 1  10.0.0.254  1.000 ms  1.000 ms  1.000 ms
 2  10.0.1.2  2.000 ms  2.000 ms  2.000 ms
`,
  });
});

test('with names off the address stands once, otherwise twice when it has no name', async () => {
  const { run } = path(['10.0.0.254'], { type: 3, code: 3 });
  expect((await run('traceroute -q 1 10.0.1.2')).out).toContain('\n 1  10.0.0.254 (10.0.0.254)  1.000 ms\n');
});

test('a router that keeps silent is stars, and the trace goes on without waiting for it longer than for its neighbours', async () => {
  const { run, clock } = path(['10.0.0.254', undefined, '10.0.9.1'], { type: 3, code: 3 });
  const { out } = await run('traceroute -n 10.0.1.2');
  expect(out.split('\n').slice(1, 5)).toEqual([
    ' 1  10.0.0.254  1.000 ms  1.000 ms  1.000 ms',
    ' 2  * * *',
    ' 3  10.0.9.1  3.000 ms  3.000 ms  3.000 ms',
    ' 4  10.0.1.2  4.000 ms  4.000 ms  4.000 ms',
  ]);
  expect(clock.now()).toBeLessThan(200_000);
});

test('a target that answers a probe twice does not keep the program from sleeping while it waits for the first hop', async () => {
  const { host, clock, run } = testHost({ RTM_GETLINK: () => [] });
  fakeSockets(host, {
    type: 'dgram',
    protocol: 17,
    sent: (socket, bytes) => {
      if (socket.sk.ttl === 1) return undefined;
      const from = { address: ip4('10.0.1.2'), port: 33_434 };
      for (let i = 0; i < 3; i++) clock.after(2_000, () => socket.receive({ bytes, message: { from } }));
      return undefined;
    },
  });
  expect((await run('traceroute -n -q 1 10.0.1.2')).out).toMatch(/\n 1 {2}\*\n 2 {2}10\.0\.1\.2 {2}2\.000 ms\n$/);
});

test('an unreachable host ends the trace with !H', async () => {
  const { run } = path(['10.0.0.254'], { type: 3, code: 1 });
  expect((await run('traceroute -n -q 2 10.0.1.2')).out).toContain('\n 2  10.0.1.2  2.000 ms !H  2.000 ms !H\n');
});

test('nothing answers: -m lines of stars, sixteen probes at a time', async () => {
  const { run, clock } = path(
    Array.from({ length: 40 }, () => undefined),
    { type: 3, code: 3 },
  );
  const { out } = await run('traceroute -n -w 0.5 -m 5 10.0.1.99');
  expect(out).toBe(`traceroute to 10.0.1.99 (10.0.1.99), 5 hops max, 60 byte packets
 1  * * *
 2  * * *
 3  * * *
 4  * * *
 5  * * *
`);
  expect(clock.now()).toBe(500_000);
});

test.each([
  ['traceroute -k 3', "Bad option `-k' (argc 1)"],
  ['traceroute -m', "Option `-m' (argc 1) requires an argument: `-m max_ttl'"],
  ['traceroute -m x 10.0.1.2', "Cannot handle `-m' option with arg `x' (argc 2)"],
  ['traceroute -m 300 10.0.1.2', 'max hops cannot be more than 255'],
  ['traceroute -q 20 10.0.1.2', 'no more than 10 probes per hop'],
  ['traceroute -f 40 10.0.1.2', 'first hop out of range'],
  ['traceroute 10.0.1.2 20 30', "Extra arg `30' (position 3, argc 3)"],
])('%s: status 2', async (line, text) => {
  expect(await testHost().run(line)).toEqual({ status: 2, out: '', err: `${text}\n` });
});
