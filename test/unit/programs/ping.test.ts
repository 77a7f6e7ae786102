import { describe, expect, test } from 'vitest';
import { ICMP } from '../../../shared/header/icmp.ts';
import { tripTime } from '../../../shared/programs/ping-statistics.ts';
import { type FakeSocket, fakeSockets } from '../../kit/fake-sockets.ts';
import { ip4, linkRecord, loopbackRecord, testHost } from '../../kit/programs.ts';

const HEAD = 'PING 10.0.1.2 (10.0.1.2) 56(84) bytes of data.\n';

type Answer = (reply: (after: number, ttl?: number) => void, socket: FakeSocket, bytes: Uint8Array) => void;

/** A host whose echo requests are answered as `answer` says. */
function pinger(answer: Answer, source = '10.0.0.1') {
  const test = testHost({ RTM_GETLINK: () => [loopbackRecord, linkRecord({})], RTM_GETADDR: () => [] });
  const { host, clock } = test;
  fakeSockets(host, {
    type: 'dgram',
    protocol: 17,
    connect: (socket, { address }) => {
      socket.sk.localAddress = ip4(source);
      return address === ip4('10.99.0.1') ? 'ENETUNREACH' : undefined;
    },
  });
  fakeSockets(host, {
    type: 'dgram',
    protocol: 1,
    sent: (socket, bytes, options) => {
      const reply = (after: number, ttl = 63) => {
        const copy = bytes.slice();
        copy[ICMP.TYPE] = 0;
        clock.after(after, () => {
          const from = options.to;
          socket.receive({ bytes: copy, message: { ttl, timestamp: clock.now(), ...(from ? { from } : {}) } });
        });
      };
      answer(reply, socket, bytes);
      return undefined;
    },
  });
  return test;
}

const error = (bytes: Uint8Array, type: number, code: number, from: string, info = 0) => ({
  bytes,
  message: {
    extendedError: { errno: 'EHOSTUNREACH' as const, origin: 2, data: 0, type, code, info, offender: ip4(from) },
  },
});

describe('ping', () => {
  test('-c 3 prints a line a reply and the sum in the words of iputils', async () => {
    const { run } = pinger((reply, _socket, bytes) => reply([52, 130, 1_237][(bytes[7] ?? 1) - 1] ?? 0));
    expect(await run('ping -c 3 -i 0.2 10.0.1.2')).toEqual({
      status: 0,
      err: '',
      out: `${HEAD}64 bytes from 10.0.1.2: icmp_seq=1 ttl=63 time=0.052 ms
64 bytes from 10.0.1.2: icmp_seq=2 ttl=63 time=0.130 ms
64 bytes from 10.0.1.2: icmp_seq=3 ttl=63 time=1.24 ms

--- 10.0.1.2 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 400ms
rtt min/avg/max/mdev = 0.052/0.473/1.237/0.541 ms
`,
    });
  });

  test('nothing comes back: an empty line, status 1, and the wait is -W', async () => {
    const { run, clock } = pinger(() => {});
    expect(await run('ping -c1 -W1 10.0.1.2')).toEqual({
      status: 1,
      err: '',
      out: `${HEAD}
--- 10.0.1.2 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms

`,
    });
    expect(clock.now()).toBe(1_000_000);
  });

  test('errors on the way are told with who sent them, and counted', async () => {
    const { run, clock } = pinger((_reply, socket, bytes) => {
      clock.after(1_000, () => socket.fail(error(bytes, 11, 0, '10.0.0.254')));
    });
    expect((await run('ping -c1 -t1 10.0.1.2')).out).toBe(`${HEAD}From 10.0.0.254 icmp_seq=1 Time to live exceeded

--- 10.0.1.2 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`);
  });

  test('a host that does not answer ARP shows in the pipe', async () => {
    const { run, clock } = pinger((_reply, socket, bytes) => {
      clock.after(3_050_000 - ((bytes[7] ?? 1) - 1) * 1_000_000, () => socket.fail(error(bytes, 3, 1, '10.0.0.1')));
    });
    const { out, status } = await run('ping -c2 10.0.1.2');
    expect(out).toBe(`${HEAD}From 10.0.0.1 icmp_seq=1 Destination Host Unreachable
From 10.0.0.1 icmp_seq=2 Destination Host Unreachable

--- 10.0.1.2 ping statistics ---
2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1000ms
pipe 2
`);
    expect(status).toBe(1);
  });

  test('the second copy of a reply is a duplicate', async () => {
    const { run } = pinger((reply) => {
      reply(1_000);
      reply(2_000);
    });
    const { out } = await run('ping -c2 -q 10.0.1.2');
    expect(out).toContain('2 packets transmitted, 2 received, +1 duplicates, 0% packet loss');
    const { run: again } = pinger((reply) => {
      reply(1_000);
      reply(2_000);
    });
    expect((await again('ping -c2 10.0.1.2')).out).toContain('icmp_seq=1 ttl=63 time=2.00 ms (DUP!)');
  });

  test('SIGINT ends it with the sum and status 0', async () => {
    const { run } = pinger((reply) => reply(500));
    const { out, status } = await run('ping 10.0.1.2', [{ after: 1_500_000, signal: 'SIGINT' }]);
    expect(out).toContain('\n--- 10.0.1.2 ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss');
    expect(status).toBe(0);
  });

  test('-w ends it at the deadline', async () => {
    const { run, clock } = pinger((reply) => reply(500));
    const { out } = await run('ping -w 2 -i 0.5 -q 10.0.1.2');
    expect(out).toContain('4 packets transmitted, 4 received, 0% packet loss, time 1500ms');
    expect(clock.now()).toBe(2_000_000);
  });

  test('a packet too long for -M do is a local error with the MTU', async () => {
    const { run } = pinger((_reply, socket, bytes) =>
      socket.fail({
        bytes,
        message: {
          extendedError: {
            errno: 'EMSGSIZE',
            origin: 1,
            data: 0,
            type: 0,
            code: 0,
            info: 1500,
            offender: ip4('0.0.0.0'),
          },
        },
      }),
    );
    expect(await run('ping -c1 -M do -s 2000 10.0.1.2')).toMatchObject({
      status: 1,
      err: 'ping: local error: message too long, mtu=1500\n',
    });
  });

  test('less than 16 octets of data leave no room for a time', async () => {
    const { run } = pinger((reply) => reply(500));
    expect((await run('ping -c1 -s 8 10.0.1.2')).out).toBe(`PING 10.0.1.2 (10.0.1.2) 8(36) bytes of data.
16 bytes from 10.0.1.2: icmp_seq=1 ttl=63

--- 10.0.1.2 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms

`);
  });

  test('-I names the source', async () => {
    const { run } = pinger((reply) => reply(500));
    expect((await run('ping -c1 -q -I eth0 10.0.1.2')).out).toContain('from 10.0.0.1 eth0: 56(84) bytes of data.\n');
    const { run: again } = pinger((reply) => reply(500));
    expect((await again('ping -c1 -q -I 10.0.0.1 10.0.1.2')).out).toContain('from 10.0.0.1 : 56(84) bytes of data.\n');
  });

  test.each([
    ['ping', 1, 'ping: usage error: Destination address required\n'],
    ['ping -c 0 10.0.1.2', 1, "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807\n"],
    ['ping -c x 10.0.1.2', 1, "ping: invalid argument: 'x'\n"],
    ['ping -t 300 10.0.1.2', 1, "ping: invalid argument: '300': out of range: 0 <= value <= 255\n"],
    ['ping -M foo 10.0.1.2', 2, 'ping: invalid -M argument: foo\n'],
    ['ping -I nope 10.0.1.2', 2, 'ping: SO_BINDTODEVICE nope: No such device\n'],
    ['ping 10.99.0.1', 2, 'ping: connect: Network is unreachable\n'],
  ])('%s: status %i', async (line, status, err) => {
    const { run } = pinger(() => {});
    expect(await run(line)).toMatchObject({ status, err });
  });

  test('an unknown option is status 2 and the usage', async () => {
    const { run } = pinger(() => {});
    const { status, err } = await run('ping -z 1');
    expect(status).toBe(2);
    expect(err).toMatch(/^ping: invalid option -- 'z'\n\nUsage\n {2}ping \[options\] <destination>\n/);
  });

  test.each([
    [3, '0.003'],
    [1_237, '1.24'],
    [9_994, '9.99'],
    [9_995, '10.0'],
    [99_949, '99.9'],
    [99_950, '100'],
  ])('%i microseconds are shown as %s ms', (micros, text) => expect(tripTime(micros)).toBe(text));
});
