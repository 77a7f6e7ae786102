import { expect, test } from 'vitest';
import { formatIpv4, IPV4_ANY, IPV4_BROADCAST, IPV4_LOOPBACK } from '../../shared/header/address.ts';
import type { Host } from '../../shared/net/host.ts';
import { MSG, POLL } from '../../shared/net/sock.ts';
import type { Program, Syscalls } from '../../shared/net/syscalls.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { ip } from '../kit/cable.ts';
import { addCard, cardHost } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { runWith } from '../kit/run-with.ts';

const BOB = ip('10.0.0.2');

function twoHosts() {
  const clock = new ManualClock();
  const [wireA, wireB] = memoryWire(clock, 'alice:eth0', 'bob:eth0');
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  addCard(alice, 'eth0', wireA, { addresses: ['10.0.0.1/24'] });
  addCard(bob, 'eth0', wireB, { addresses: ['10.0.0.2/24'] });
  return { clock, alice, bob };
}

/** Run a body as a program; what it returns, or what it throws. */
function on<T>(clock: ManualClock, host: Host, body: (sys: Syscalls) => Promise<T>, cause = 0): Promise<T> {
  const answer = new Promise<T>((resolve, reject) => {
    const program: Program = ({ sys }) =>
      body(sys)
        .then(resolve, reject)
        .then(() => 0);
    host.processes.spawn(program, ['test'], { cause });
  });
  return runWith(clock, answer);
}

/** Answers every datagram with itself, until it is killed. */
const echoServer: Program = async ({ sys }) => {
  const fd = sys.socket('inet', 'dgram');
  sys.bind(fd, { address: IPV4_ANY, port: 7 });
  const buffer = new Uint8Array(65_535);
  for (;;) {
    const { length, from } = await sys.recv(fd, buffer);
    if (from !== undefined) await sys.send(fd, buffer.subarray(0, length), { to: from });
  }
};

function live(...hosts: Host[]): number {
  return hosts.reduce((sum, host) => sum + host.skbs.counters.live, 0);
}

test.each([0, 1, 1_472, 1_473, 9_000, 65_507])(
  'a datagram of %i octets comes back from the other host',
  async (size) => {
    const { clock, alice, bob } = twoHosts();
    bob.processes.spawn(echoServer, ['echo']);
    const sent = Uint8Array.from({ length: size }, (_, i) => i & 255);
    const got = await on(clock, alice, async (sys) => {
      const fd = sys.socket('inet', 'dgram');
      await sys.connect(fd, { address: BOB, port: 7 });
      await sys.send(fd, sent);
      const buffer = new Uint8Array(65_535);
      const { length } = await sys.recv(fd, buffer);
      return buffer.slice(0, length);
    });
    expect(got).toEqual(sent);
    clock.advance(60_000_000);
    expect(live(alice, bob)).toBe(0);
  },
);

test('one octet more than a packet holds is EMSGSIZE', async () => {
  const { clock, alice } = twoHosts();
  const send = on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    await sys.send(fd, new Uint8Array(65_508), { to: { address: BOB, port: 7 } });
  });
  await expect(send).rejects.toMatchObject({ code: 'EMSGSIZE' });
});

test('[1122-4.1.3.3] a closed port is told to a connected socket as ECONNREFUSED, once', async () => {
  const { clock, alice, bob } = twoHosts();
  const codes = await on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    await sys.connect(fd, { address: BOB, port: 9 });
    await sys.send(fd, new Uint8Array(1));
    const first = await sys.recv(fd, new Uint8Array(1)).catch((error) => error.code);
    return [first, sys.tryRecv(fd, new Uint8Array(1))];
  });
  expect(codes).toEqual(['ECONNREFUSED', undefined]);
  expect(bob.snmp.UdpNoPorts).toBe(1);
  expect(bob.skbs.counters.drops.get('no_socket')).toBe(1);
});

test('a socket that is not connected hears of it only with IP_RECVERR, in its error queue', async () => {
  const { clock, alice } = twoHosts();
  const seen = await on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.setsockopt(fd, 'IPPROTO_IP', 'IP_RECVERR', 1);
    await sys.send(fd, new TextEncoder().encode('hello'), { to: { address: BOB, port: 9 } });
    const requests = [{ fd, events: POLL.IN, revents: 0 }];
    await sys.poll(requests);
    const buffer = new Uint8Array(100);
    const error = sys.tryRecv(fd, buffer, MSG.ERRQUEUE);
    return { revents: requests[0]?.revents, error, text: new TextDecoder().decode(buffer.subarray(0, error?.length)) };
  });
  expect(seen.revents).toBe(POLL.ERR);
  expect(seen.text).toBe('hello');
  expect(seen.error?.extendedError).toMatchObject({ errno: 'ECONNREFUSED', type: 3, code: 3, offender: BOB });
});

test('a socket that is connected hears only its peer', async () => {
  const { clock, alice, bob } = twoHosts();
  bob.processes.spawn(
    async ({ sys }) => {
      for (const port of [1111, 2222]) {
        const fd = sys.socket('inet', 'dgram');
        sys.bind(fd, { address: IPV4_ANY, port });
        await sys.send(fd, new TextEncoder().encode(String(port)), { to: { address: ip('10.0.0.1'), port: 5000 } });
      }
      return 0;
    },
    ['two'],
  );
  const got = await on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.bind(fd, { address: IPV4_ANY, port: 5000 });
    await sys.connect(fd, { address: BOB, port: 2222 });
    const buffer = new Uint8Array(10);
    const { length, from } = await sys.recv(fd, buffer);
    return [new TextDecoder().decode(buffer.subarray(0, length)), from?.port];
  });
  expect(got).toEqual(['2222', 2222]);
});

test('a full receive buffer drops what comes next, with its reason', async () => {
  const { clock, alice, bob } = twoHosts();
  await on(clock, bob, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.bind(fd, { address: IPV4_ANY, port: 7 });
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVBUF', 5_000);
    bob.processes.spawn(
      async (other) => {
        const out = other.sys.socket('inet', 'dgram');
        for (let i = 0; i < 20; i++) {
          await other.sys.send(out, new Uint8Array(100), { to: { address: IPV4_LOOPBACK, port: 7 } });
        }
        return 0;
      },
      ['flood'],
    );
    await sys.nanosleep(1_000_000);
    let kept = 0;
    while (sys.tryRecv(fd, new Uint8Array(100)) !== undefined) kept++;
    // The memory, not the payload, counts; one more than fits is let in.
    expect(kept).toBe(5);
  });
  expect(bob.skbs.counters.drops.get('socket_rcvbuf')).toBe(15);
  expect(bob.snmp.UdpRcvbufErrors).toBe(15);
  expect(live(alice, bob)).toBe(0);
});

test('broadcasting takes permission, and reaches every socket on the port', async () => {
  const { clock, alice, bob } = twoHosts();
  const heard: string[] = [];
  for (const name of ['one', 'two']) {
    bob.processes.spawn(
      async ({ sys }) => {
        const fd = sys.socket('inet', 'dgram');
        sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
        sys.bind(fd, { address: IPV4_ANY, port: 67 });
        await sys.recv(fd, new Uint8Array(10));
        heard.push(name);
        return 0;
      },
      [name],
    );
  }
  const code = await on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    const to = { address: ip('10.0.0.255'), port: 67 };
    const refused = await sys.send(fd, new Uint8Array(1), { to }).catch((error) => error.code);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BROADCAST', 1);
    await sys.send(fd, new Uint8Array(1), { to });
    await sys.nanosleep(100_000);
    return refused;
  });
  expect(code).toBe('EACCES');
  expect(heard.sort()).toEqual(['one', 'two']);
  expect(live(alice, bob)).toBe(0);
  expect(IPV4_BROADCAST).toBe(0xffff_ffff);
});

test('a port that is taken is EADDRINUSE, unless both sides share it', async () => {
  const { clock, alice } = twoHosts();
  const codes = await on(clock, alice, async (sys) => {
    const bind = (share: boolean): string => {
      const fd = sys.socket('inet', 'dgram');
      if (share) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
      try {
        sys.bind(fd, { address: IPV4_ANY, port: 53 });
        return 'bound';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    return [bind(true), bind(false), bind(true)];
  });
  expect(codes).toEqual(['bound', 'EADDRINUSE', 'bound']);
});

test('a ping socket gets the replies to its own requests, header first', async () => {
  const { clock, alice, bob } = twoHosts();
  const seen = await on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram', 1);
    sys.setsockopt(fd, 'IPPROTO_IP', 'IP_RECVTTL', 1);
    const request = new Uint8Array(64);
    request[0] = 8;
    request[7] = 5; // Sequence.
    await sys.send(fd, request, { to: { address: BOB, port: 0 } });
    const buffer = new Uint8Array(100);
    const message = await sys.recv(fd, buffer);
    return { type: buffer[0], sequence: buffer[7], message };
  });
  expect(seen).toMatchObject({ type: 0, sequence: 5, message: { length: 64, ttl: 64, from: { address: BOB } } });
  expect(live(alice, bob)).toBe(0);
});

test('a raw socket sees the whole packet, from its IP header on', async () => {
  const { clock, alice, bob } = twoHosts();
  const seen = await on(clock, alice, async (sys) => {
    const fd = sys.socket('inet', 'raw', 1);
    const request = Uint8Array.of(8, 0, 0xf7, 0xff, 0, 0, 0, 0);
    await sys.send(fd, request, { to: { address: BOB, port: 0 } });
    const buffer = new Uint8Array(100);
    const { length } = await sys.recv(fd, buffer);
    return { length, version: buffer[0], type: buffer[20] };
  });
  expect(seen).toEqual({ length: 28, version: 0x45, type: 0 });
  expect(live(alice, bob)).toBe(0);
});

test('a packet socket sees what comes and what goes, link header included', async () => {
  const { clock, alice, bob } = twoHosts();
  const seen = await on(clock, alice, async (sys) => {
    const tap = sys.socket('packet', 'raw', 3);
    sys.bind(tap, { ifindex: alice.devices.byName('eth0')?.ifindex ?? 0, protocol: 3 });
    const fd = sys.socket('inet', 'dgram');
    await sys.connect(fd, { address: BOB, port: 9 });
    await sys.send(fd, new Uint8Array(1));
    await sys.recv(fd, new Uint8Array(1)).catch(() => {});
    const frames: string[] = [];
    const buffer = new Uint8Array(2_000);
    for (let m = sys.tryRecv(tap, buffer); m !== undefined; m = sys.tryRecv(tap, buffer)) {
      const type = ((buffer[12] ?? 0) << 8) | (buffer[13] ?? 0);
      frames.push(`${m.packetType} ${type.toString(16)}`);
    }
    return frames;
  });
  expect(seen).toEqual(['outgoing 806', 'host 806', 'outgoing 800', 'host 800']);
  expect(live(alice, bob)).toBe(0);
});

test('who owns a socket is told by SOCK_DIAG', async () => {
  const { clock, alice } = twoHosts();
  alice.processes.spawn(echoServer, ['echo']);
  const [record] = await on(clock, alice, async (sys) => sys.netlink({ type: 'SOCK_DIAG', protocols: ['udp'] }));
  expect(record).toMatchObject({ protocol: 'udp', state: 'CLOSE', localPort: 7, processName: 'echo', fd: 3 });
  expect(formatIpv4(record?.localAddress ?? IPV4_LOOPBACK)).toBe('0.0.0.0');
});
