/** The socket error queue as ip(7), msg_zerocopy.rst and timestamping.rst have it. */
import { expect, test } from 'vitest';
import { IPV4_ANY } from '../../shared/header/address.ts';
import type { Host } from '../../shared/net/host.ts';
import { ERROR_ORIGIN, MSG, POLL } from '../../shared/net/sock.ts';
import type { Program, Syscalls } from '../../shared/net/syscalls.ts';
import { SCM_TSTAMP, SOF } from '../../shared/net/timestamping.ts';
import { ip } from '../kit/cable.ts';
import { comesToRest } from '../kit/mid-flight.ts';
import { runWith } from '../kit/run-with.ts';
import { type Pair, tcpPair } from '../kit/tcp-pair.ts';

const BOB = ip('10.0.0.2');
const PORT = 8_080;

function on<T>({ clock }: Pair, host: Host, body: (sys: Syscalls) => Promise<T>): Promise<T> {
  const answer = new Promise<T>((resolve, reject) => {
    const program: Program = ({ sys }) =>
      body(sys)
        .then(resolve, reject)
        .then(() => 0);
    host.processes.spawn(program, ['test']);
  });
  comesToRest(clock);
  return runWith(clock, answer);
}

/** Takes connections and reads them to their ends. */
const sink: Program = async ({ sys }) => {
  const listener = sys.socket('inet', 'stream');
  sys.bind(listener, { address: IPV4_ANY, port: PORT });
  sys.listen(listener, 8);
  const { fd } = await sys.accept(listener);
  const buffer = new Uint8Array(65_536);
  while ((await sys.recv(fd, buffer)).length > 0);
  return 0;
};

/** A connection from alice to bob's sink. */
async function connected(sys: Syscalls): Promise<number> {
  const fd = sys.socket('inet', 'stream');
  await sys.connect(fd, { address: BOB, port: PORT });
  return fd;
}

const errorOf = (sys: Syscalls, fd: number) => sys.tryRecv(fd, new Uint8Array(0), MSG.ERRQUEUE);

test('with IP_RECVERR a refused datagram says who refused it, and SO_ERROR is left for the program', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1);
    await sys.send(fd, Uint8Array.of(1, 2, 3), { to: { address: BOB, port: 9 } });
    await sys.nanosleep(10_000);
    expect(sys.readiness(fd) & POLL.ERR).toBe(POLL.ERR);
    const payload = new Uint8Array(8);
    const message = sys.tryRecv(fd, payload, MSG.ERRQUEUE);
    expect(message).toMatchObject({
      length: 3,
      flags: MSG.ERRQUEUE,
      from: { address: BOB, port: 9 },
      extendedError: {
        errno: 'ECONNREFUSED',
        origin: ERROR_ORIGIN.ICMP,
        type: 3,
        code: 3,
        info: 0,
        data: 0,
        offender: BOB,
      },
    });
    expect([...payload.subarray(0, 3)]).toEqual([1, 2, 3]);
    // The last ICMP error was taken: none is pending any more.
    expect(sys.readiness(fd) & POLL.ERR).toBe(0);
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')).toBe(0);
    expect(errorOf(sys, fd)).toBeUndefined();
  });
});

test('two refused datagrams: taking the first leaves the second pending', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1);
    await sys.send(fd, Uint8Array.of(1), { to: { address: BOB, port: 9 } });
    await sys.nanosleep(10_000);
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')).toBe(111);
    await sys.send(fd, Uint8Array.of(2), { to: { address: BOB, port: 10 } });
    await sys.nanosleep(10_000);
    expect(errorOf(sys, fd)?.from?.port).toBe(9);
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')).toBe(111);
    expect(errorOf(sys, fd)).toMatchObject({ from: { port: 10 }, flags: MSG.ERRQUEUE | MSG.TRUNC });
  });
});

test('a datagram too long for IP_PMTUDISC_DO is a local error with the MTU', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1);
    sys.setsockopt(fd, 'SOL_IP', 'IP_MTU_DISCOVER', 2);
    const sent = sys.send(fd, new Uint8Array(3_000), { to: { address: BOB, port: 9 } });
    await expect(sent).rejects.toMatchObject({ code: 'EMSGSIZE' });
    expect(errorOf(sys, fd)?.extendedError).toMatchObject({
      errno: 'EMSGSIZE',
      origin: ERROR_ORIGIN.LOCAL,
      info: 1_500,
    });
    // IP_RECVERR off throws the rest away.
    await sys.send(fd, new Uint8Array(3_000), { to: { address: BOB, port: 9 } }).catch(() => {});
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 0);
    expect(errorOf(sys, fd)).toBeUndefined();
  });
});

test('errors cost receive memory, and what the buffer has no room for is lost', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVBUF', 1_152);
    sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1);
    sys.setsockopt(fd, 'SOL_IP', 'IP_MTU_DISCOVER', 2);
    const long = new Uint8Array(3_000);
    for (let i = 0; i < 5; i++) await sys.send(fd, long, { to: { address: BOB, port: 9 } }).catch(() => {});
    let queued = 0;
    while (errorOf(sys, fd) !== undefined) queued++;
    // 2304 octets of buffer, 768 an error: the third would fill it.
    expect(queued).toBe(2);
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_MEMINFO')).toMatchObject({
      SK_MEMINFO_RMEM_ALLOC: 0,
      SK_MEMINFO_DROPS: 3,
    });
  });
});

test('time stamps of a datagram: queue and driver, numbered, without the packet when TSONLY', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    const asked = SOF.TX_SCHED | SOF.TX_SOFTWARE | SOF.SOFTWARE | SOF.OPT_ID | SOF.OPT_TSONLY;
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPING', asked);
    for (let i = 0; i < 2; i++) await sys.send(fd, Uint8Array.of(i), { to: { address: BOB, port: PORT } });
    await sys.nanosleep(10_000);
    const got = [];
    for (let one = errorOf(sys, fd); one !== undefined; one = errorOf(sys, fd)) {
      expect(one.softwareTimestamp).toBeGreaterThan(0);
      expect(one.flags).toBe(MSG.ERRQUEUE);
      if (one.extendedError?.origin === ERROR_ORIGIN.TIMESTAMPING)
        got.push([one.extendedError.info, one.extendedError.data]);
    }
    expect(got.sort()).toEqual([
      [SCM_TSTAMP.SND, 0],
      [SCM_TSTAMP.SND, 1],
      [SCM_TSTAMP.SCHED, 0],
      [SCM_TSTAMP.SCHED, 1],
    ]);
  });
});

test('a control message asks for the time stamps of one call', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPING', SOF.SOFTWARE | SOF.OPT_TSONLY);
    const to = { address: BOB, port: PORT };
    await sys.send(fd, Uint8Array.of(1), { to });
    await sys.send(fd, Uint8Array.of(2), { to, timestamping: SOF.TX_SOFTWARE });
    await sys.nanosleep(10_000);
    expect(errorOf(sys, fd)?.extendedError).toMatchObject({ errno: 'ENOMSG', info: SCM_TSTAMP.SND });
    expect(errorOf(sys, fd)).toBeUndefined();
  });
});

test.each([
  ['unknown bits', 0x4_0000],
  ['OPT_ID_TCP without OPT_ID', SOF.OPT_ID_TCP],
  ['OPT_STATS without OPT_TSONLY', SOF.OPT_STATS],
  ['OPT_ID before there is a connection', SOF.OPT_ID],
])('SO_TIMESTAMPING of a stream with %s is EINVAL', async (_, value) => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'stream');
    expect(() => sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPING', value)).toThrow('Invalid argument');
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPING')).toBe(0);
  });
});

test('OPT_STATS tells with the time stamp how the connection stands', async () => {
  const pair = tcpPair();
  pair.bob.processes.spawn(sink, ['sink']);
  await on(pair, pair.alice, async (sys) => {
    const fd = await connected(sys);
    const asked = SOF.TX_ACK | SOF.SOFTWARE | SOF.OPT_TSONLY | SOF.OPT_STATS | SOF.OPT_ID | SOF.OPT_ID_TCP;
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPING', asked);
    await sys.send(fd, new Uint8Array(5_000));
    await sys.nanosleep(300_000);
    const message = errorOf(sys, fd);
    expect(message?.extendedError).toMatchObject({ info: SCM_TSTAMP.ACK, data: 4_999 });
    expect(message?.timestampStats).toMatchObject({ BYTES_SENT: 5_000, DATA_SEGS_OUT: 4, TOTAL_RETRANS: 0 });
  });
});

test('SO_TIMESTAMPNS and RX_SOFTWARE say when what is read arrived', async () => {
  const pair = tcpPair();
  const got = on(pair, pair.bob, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.bind(fd, { address: IPV4_ANY, port: PORT });
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPNS', 1);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPING', SOF.RX_SOFTWARE | SOF.SOFTWARE);
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMP')).toBe(0);
    return sys.recv(fd, new Uint8Array(4));
  });
  pair.alice.processes.spawn(
    async ({ sys }) => {
      await sys.nanosleep(50_000);
      await sys.send(sys.socket('inet', 'dgram'), Uint8Array.of(1), { to: { address: BOB, port: PORT } });
      return 0;
    },
    ['sender'],
  );
  const { timestamp, softwareTimestamp } = await got;
  expect(timestamp).toBe(softwareTimestamp);
  expect(timestamp).toBeGreaterThanOrEqual(1_050_000);
});

test('MSG_ZEROCOPY over a card copies nothing, and the notice merges the calls', async () => {
  const pair = tcpPair();
  pair.bob.processes.spawn(sink, ['sink']);
  await on(pair, pair.alice, async (sys) => {
    const fd = await connected(sys);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_ZEROCOPY', 1);
    const { copiedBytes } = pair.alice.skbs.counters;
    const before = copiedBytes.userToKernel;
    for (let i = 0; i < 3; i++) await sys.send(fd, new Uint8Array(4_000), { flags: MSG.ZEROCOPY });
    expect(sys.readiness(fd) & POLL.ERR).toBe(0);
    await sys.nanosleep(300_000);
    expect(copiedBytes.userToKernel).toBe(before);
    expect(sys.readiness(fd) & POLL.ERR).toBe(POLL.ERR);
    expect(errorOf(sys, fd)?.extendedError).toEqual({
      errno: undefined,
      origin: ERROR_ORIGIN.ZEROCOPY,
      type: 0,
      code: 0,
      info: 0,
      data: 2,
      offender: 0,
    });
    expect(errorOf(sys, fd)).toBeUndefined();
  });
});

test('over loopback somebody else may keep the octets: they are copied, and the notice says so', async () => {
  const pair = tcpPair();
  pair.alice.processes.spawn(sink, ['sink']);
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'stream');
    await sys.connect(fd, { address: ip('10.0.0.1'), port: PORT });
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_ZEROCOPY', 1);
    const { copiedBytes } = pair.alice.skbs.counters;
    const before = copiedBytes.userToKernel;
    await sys.send(fd, new Uint8Array(10_000), { flags: MSG.ZEROCOPY });
    await sys.nanosleep(300_000);
    expect(copiedBytes.userToKernel).toBe(before + 10_000);
    expect(errorOf(sys, fd)?.extendedError).toMatchObject({ origin: ERROR_ORIGIN.ZEROCOPY, code: 1, info: 0, data: 0 });
  });
});

test('without SO_ZEROCOPY the flag means nothing; datagrams and failures have numbers of their own', async () => {
  const pair = tcpPair();
  pair.bob.processes.spawn(sink, ['sink']);
  await on(pair, pair.alice, async (sys) => {
    const stream = await connected(sys);
    await sys.send(stream, new Uint8Array(100), { flags: MSG.ZEROCOPY });
    await sys.nanosleep(300_000);
    expect(errorOf(sys, stream)).toBeUndefined();
    const raw = sys.socket('inet', 'raw', 1);
    expect(() => sys.setsockopt(raw, 'SOL_SOCKET', 'SO_ZEROCOPY', 1)).toThrow('Operation not supported');
    const fd = sys.socket('inet', 'dgram');
    expect(() => sys.setsockopt(fd, 'SOL_SOCKET', 'SO_ZEROCOPY', 2)).toThrow('Invalid argument');
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_ZEROCOPY', 1);
    for (let i = 0; i < 2; i++) {
      await sys.send(fd, new Uint8Array(100), { to: { address: BOB, port: PORT }, flags: MSG.ZEROCOPY });
    }
    await sys.nanosleep(10_000);
    // A datagram stands in its packet whole: it was copied.
    expect(errorOf(sys, fd)?.extendedError).toMatchObject({ code: 1, info: 0, data: 1 });
  });
});

test('a socket whose option memory is full cannot follow another zerocopy call: ENOBUFS', async () => {
  const pair = tcpPair();
  pair.bob.processes.spawn(sink, ['sink']);
  await on(pair, pair.alice, async (sys) => {
    sys.setSysctl('net.core.optmem_max', '1000');
    const fd = await connected(sys);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_ZEROCOPY', 1);
    await sys.send(fd, new Uint8Array(100), { flags: MSG.ZEROCOPY });
    await sys.nanosleep(300_000);
    const refused = sys.send(fd, new Uint8Array(100), { flags: MSG.ZEROCOPY });
    await expect(refused).rejects.toMatchObject({ code: 'ENOBUFS' });
    expect(errorOf(sys, fd)?.extendedError?.data).toBe(0);
    await sys.send(fd, new Uint8Array(100), { flags: MSG.ZEROCOPY });
  });
});

test('a zerocopy call that waits for room is one call, with one number', async () => {
  const pair = tcpPair();
  pair.bob.processes.spawn(sink, ['sink']);
  await on(pair, pair.alice, async (sys) => {
    const fd = await connected(sys);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_SNDBUF', 20_000);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_ZEROCOPY', 1);
    expect(await sys.send(fd, new Uint8Array(300_000), { flags: MSG.ZEROCOPY })).toBe(300_000);
    await sys.nanosleep(300_000);
    expect(errorOf(sys, fd)?.extendedError).toMatchObject({ info: 0, data: 0 });
    expect(errorOf(sys, fd)).toBeUndefined();
    sys.close(fd);
    await sys.nanosleep(300_000);
  });
  expect(pair.alice.skbs.counters.live).toBe(0);
});
