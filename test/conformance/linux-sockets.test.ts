/** What socket calls answer on Linux: waiting, peeking, urgent data, options, readiness. */
import { expect, test } from 'vitest';
import { IPV4_ANY } from '../../shared/header/address.ts';
import { MSG, POLL } from '../../shared/net/sock.ts';
import { ip } from '../kit/cable.ts';
import { BOB, dribble, octets, on, PORT, talk } from '../kit/talk.ts';
import { tcpPair } from '../kit/tcp-pair.ts';

test('MSG_WAITALL waits for all of it, and a peek with it sees all of it and takes nothing', () =>
  talk(
    async (sys, fd) => {
      const into = new Uint8Array(6);
      const peeked = await sys.recv(fd, into, MSG.WAITALL | MSG.PEEK);
      expect(peeked.length).toBe(6);
      expect([...into]).toEqual([1, 2, 3, 4, 5, 6]);
      into.fill(0);
      expect((await sys.recv(fd, into, MSG.WAITALL)).length).toBe(6);
      expect([...into]).toEqual([1, 2, 3, 4, 5, 6]);
    },
    (sys, fd) => dribble(sys, fd, octets(1, 2), octets(3, 4), octets(5, 6)),
  ));

test('MSG_WAITALL answers with less when the stream ends or SO_RCVTIMEO is up', () =>
  talk(
    async (sys, fd) => {
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', 120_000);
      const before = sys.clockGettime();
      expect((await sys.recv(fd, new Uint8Array(100), MSG.WAITALL)).length).toBe(2);
      expect(sys.clockGettime() - before).toBeLessThan(140_000);
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', 0);
      expect((await sys.recv(fd, new Uint8Array(100), MSG.WAITALL)).length).toBe(1);
      expect((await sys.recv(fd, new Uint8Array(100), MSG.WAITALL)).length).toBe(0);
    },
    async (sys, fd) => {
      await dribble(sys, fd, octets(1, 2));
      await sys.nanosleep(200_000);
      await sys.send(fd, octets(3));
      sys.close(fd);
    },
  ));

test('SO_RCVLOWAT: neither poll nor a blocking read is content with less', () =>
  talk(
    async (sys, fd) => {
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVLOWAT', 3);
      const requests = [{ fd, events: POLL.IN, revents: 0 }];
      expect(await sys.poll(requests, 75_000)).toBe(0);
      expect(sys.ioctl(fd, 'SIOCINQ')).toBe(2);
      expect((await sys.recv(fd, new Uint8Array(100))).length).toBe(4);
      // A socket that does not block takes what there is.
      await sys.nanosleep(60_000);
      expect((await sys.recv(fd, new Uint8Array(100), MSG.DONTWAIT)).length).toBe(1);
    },
    (sys, fd) => dribble(sys, fd, octets(1, 2), octets(3, 4), octets(5)),
  ));

test('SO_PEEK_OFF: each peek goes on where the last one stopped', () =>
  talk(
    async (sys, fd) => {
      await sys.nanosleep(100_000);
      expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_PEEK_OFF')).toBe(-1);
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_PEEK_OFF', 1);
      const into = new Uint8Array(2);
      expect(sys.tryRecv(fd, into, MSG.PEEK)?.length).toBe(2);
      expect([...into]).toEqual([2, 3]);
      expect(sys.tryRecv(fd, into, MSG.PEEK)?.length).toBe(1);
      expect(into[0]).toBe(4);
      expect(sys.tryRecv(fd, new Uint8Array(3))?.length).toBe(3);
      expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_PEEK_OFF')).toBe(1);
    },
    (sys, fd) => dribble(sys, fd, octets(1, 2, 3, 4)),
  ));

test('SO_PEEK_OFF of datagrams runs over their ends', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'dgram');
    sys.bind(fd, { address: IPV4_ANY, port: PORT });
    for (const part of [octets(1, 2, 3), octets(4, 5)]) {
      await sys.send(fd, part, { to: { address: ip('10.0.0.1'), port: PORT } });
    }
    await sys.nanosleep(1_000);
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_PEEK_OFF', 0);
    const into = new Uint8Array(2);
    const seen = [0, 1, 2].map(() => [...into.subarray(0, sys.tryRecv(fd, into, MSG.PEEK)?.length)]);
    expect(seen).toEqual([[1, 2], [3], [4, 5]]);
    expect(sys.tryRecv(fd, into, MSG.PEEK)).toBeUndefined();
    expect(sys.tryRecv(fd, new Uint8Array(9))?.length).toBe(3);
    expect(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_PEEK_OFF')).toBe(2);
    expect(sys.tryRecv(fd, new Uint8Array(9))?.length).toBe(2);
  });
});

test('urgent data: SIGURG and POLLPRI, reads stop at the mark, MSG_OOB gives the octet once', () =>
  talk(
    async (sys, fd) => {
      let signals = 0;
      sys.signal('SIGURG', () => {
        signals++;
      });
      sys.fcntl(fd, { owner: sys.getpid() });
      await sys.nanosleep(300_000).catch(() => sys.nanosleep(300_000));
      expect(signals).toBe(1);
      expect(sys.readiness(fd) & POLL.PRI).toBe(POLL.PRI);
      // Three octets and the urgent one, of which two are not read past.
      expect(sys.ioctl(fd, 'SIOCATMARK')).toBe(0);
      expect((await sys.recv(fd, new Uint8Array(100))).length).toBe(2);
      expect(sys.ioctl(fd, 'SIOCATMARK')).toBe(1);
      const octet = new Uint8Array(1);
      expect(sys.tryRecv(fd, octet, MSG.OOB | MSG.PEEK)).toMatchObject({ length: 1, flags: MSG.OOB });
      expect(sys.tryRecv(fd, octet, MSG.OOB)).toMatchObject({ length: 1, flags: MSG.OOB });
      expect(octet[0]).toBe(33);
      expect(() => sys.tryRecv(fd, octet, MSG.OOB)).toThrow('Invalid argument');
      const into = new Uint8Array(10);
      expect((await sys.recv(fd, into)).length).toBe(1);
      expect(into[0]).toBe(4);
    },
    async (sys, fd) => {
      await dribble(sys, fd, octets(1, 2));
      await sys.send(fd, octets(33), { flags: MSG.OOB });
      await dribble(sys, fd, octets(4));
    },
  ));

test('with SO_OOBINLINE the urgent octet is data, behind the mark', () =>
  talk(
    async (sys, fd) => {
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_OOBINLINE', 1);
      await sys.nanosleep(200_000);
      const into = new Uint8Array(10);
      expect((await sys.recv(fd, into)).length).toBe(2);
      expect(() => sys.tryRecv(fd, into, MSG.OOB)).toThrow('Invalid argument');
      expect((await sys.recv(fd, into)).length).toBe(1);
      expect(into[0]).toBe(33);
    },
    async (sys, fd) => {
      await dribble(sys, fd, octets(1, 2));
      await sys.send(fd, octets(33), { flags: MSG.OOB });
    },
  ));

test('MSG_OOB without urgent data is EINVAL, and where there is no such thing EOPNOTSUPP', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const stream = sys.socket('inet', 'stream');
    expect(() => sys.tryRecv(stream, new Uint8Array(1), MSG.OOB)).toThrow('Invalid argument');
    const datagram = sys.socket('inet', 'dgram');
    const sent = sys.send(datagram, octets(1), { to: { address: BOB, port: 9 }, flags: MSG.OOB });
    await expect(sent).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
    const raw = sys.socket('inet', 'raw', 1);
    expect(() => sys.tryRecv(raw, new Uint8Array(1), MSG.OOB)).toThrow('Operation not supported');
  });
});

test('after the peer has closed, a reset does not take the end of the stream away', () =>
  talk(
    async (sys, fd) => {
      sys.shutdown(fd, 'write');
      await sys.nanosleep(50_000);
      sys.close(fd);
    },
    async (sys, fd) => {
      await sys.nanosleep(20_000);
      expect((await sys.recv(fd, new Uint8Array(1))).length).toBe(0);
      await sys.nanosleep(100_000);
      await sys.send(fd, octets(1)).catch(() => {});
      await sys.nanosleep(100_000);
      expect((await sys.recv(fd, new Uint8Array(1))).length).toBe(0);
      await expect(sys.send(fd, octets(1))).rejects.toMatchObject({ code: 'EPIPE' });
    },
  ));

test('EPIPE comes with SIGPIPE, unless MSG_NOSIGNAL', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    let signals = 0;
    sys.signal('SIGPIPE', () => {
      signals++;
    });
    const fd = sys.socket('inet', 'stream');
    await expect(sys.send(fd, octets(1), { flags: MSG.NOSIGNAL })).rejects.toMatchObject({ code: 'EPIPE' });
    expect(signals).toBe(0);
    await expect(sys.send(fd, octets(1))).rejects.toMatchObject({ code: 'EPIPE' });
    expect(signals).toBe(1);
  });
});

test('a socket without connection: shutdown is ENOTCONN but heard of, and there is no peer', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'stream');
    expect(sys.readiness(fd)).toBe(POLL.HUP | POLL.OUT);
    expect(() => sys.shutdown(fd, 'read')).toThrow('not connected');
    expect(sys.readiness(fd) & POLL.RDHUP).toBe(POLL.RDHUP);
    expect(() => sys.getpeername(fd)).toThrow('not connected');
    await expect(sys.recv(fd, new Uint8Array(1))).resolves.toMatchObject({ length: 0 });
  });
});

test.each([
  ['SOL_SOCKET', 'SO_BUSY_POLL', 50, 50, -1],
  ['SOL_SOCKET', 'SO_BUF_LOCK', 3, 3, 4],
  ['SOL_SOCKET', 'SO_ZEROCOPY', 1, 1, 2],
  ['SOL_SOCKET', 'SO_TXREHASH', 0, 0, 2],
  ['SOL_SOCKET', 'SO_MARK', 666, 666, undefined],
  ['SOL_SOCKET', 'SO_PRIORITY', 5, 5, undefined],
  ['SOL_SOCKET', 'SO_RCVBUF', 1, 2_304, undefined],
  ['SOL_SOCKET', 'SO_SNDBUF', -1, 425_984, undefined],
  ['SOL_SOCKET', 'SO_RCVLOWAT', 0, 1, undefined],
  ['SOL_SOCKET', 'SO_INCOMING_CPU', 3, 3, undefined],
  ['SOL_IP', 'IP_TTL', 7, 7, 256],
  ['SOL_IP', 'IP_TTL', -1, 64, 0],
  ['SOL_IP', 'IP_TOS', 0x13, 0x10, undefined],
  ['SOL_IP', 'IP_MTU_DISCOVER', 3, 3, 6],
  ['SOL_IP', 'IP_MINTTL', 255, 255, 256],
  ['SOL_IP', 'IP_RECVERR', 7, 1, undefined],
  ['SOL_IP', 'IP_RECVORIGDSTADDR', 1, 1, undefined],
])('%s %s: %i is kept as %i, %s is EINVAL', async (level, name, value, kept, bad) => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'stream');
    sys.setsockopt(fd, level, name, value);
    expect(sys.getsockopt(fd, level, name)).toBe(kept);
    if (bad !== undefined) expect(() => sys.setsockopt(fd, level, name, bad)).toThrow('Invalid argument');
    expect(sys.getsockopt(fd, level, name)).toBe(kept);
  });
});

test.each(['SO_TYPE', 'SO_ERROR', 'SO_DOMAIN', 'SO_PROTOCOL', 'SO_ACCEPTCONN', 'SO_MEMINFO'])(
  '%s is told and not set: ENOPROTOOPT',
  async (name) => {
    const pair = tcpPair();
    await on(pair, pair.alice, async (sys) => {
      const fd = sys.socket('inet', 'stream');
      sys.getsockopt(fd, 'SOL_SOCKET', name);
      expect(() => sys.setsockopt(fd, 'SOL_SOCKET', name, 1)).toThrow('Protocol not available');
    });
  },
);
