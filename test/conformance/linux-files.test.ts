/** What epoll, sendfile, splice and tee do on Linux. */
import { expect, test } from 'vitest';
import { IPV4_ANY } from '../../shared/header/address.ts';
import { EPOLL } from '../../shared/net/eventpoll.ts';
import { MSG, POLL } from '../../shared/net/sock.ts';
import { BOB, dribble, octets, on, PORT, talk } from '../kit/talk.ts';
import { tcpPair } from '../kit/tcp-pair.ts';

test('epoll: an edge is told once, a level until it is gone, and room to write does not wake a reader', () =>
  talk(
    async (sys, fd) => {
      const [edge, level] = [sys.epollCreate(), sys.epollCreate()];
      sys.epollCtl(edge, 'add', fd, { events: POLL.IN | EPOLL.ET, data: 7 });
      sys.epollCtl(level, 'add', fd, { events: POLL.IN, data: 8 });
      expect(await sys.epollWait(edge, 10, 0)).toEqual([]);
      expect(await sys.epollWait(edge, 10)).toEqual([{ events: POLL.IN, data: 7 }]);
      expect(await sys.epollWait(edge, 10, 0)).toEqual([]);
      expect(await sys.epollWait(level, 10, 0)).toEqual([{ events: POLL.IN, data: 8 }]);
      expect(await sys.epollWait(level, 10, 0)).toEqual([{ events: POLL.IN, data: 8 }]);
      expect(await sys.epollWait(edge, 10)).toEqual([{ events: POLL.IN, data: 7 }]);
      await sys.recv(fd, new Uint8Array(10));
      expect(await sys.epollWait(level, 10, 0)).toEqual([]);
      sys.epollCtl(level, 'mod', fd, { events: POLL.OUT | EPOLL.ONESHOT, data: 9 });
      expect(await sys.epollWait(level, 10, 0)).toEqual([{ events: POLL.OUT, data: 9 }]);
      expect(await sys.epollWait(level, 10, 0)).toEqual([]);
    },
    async (sys, fd) => {
      await dribble(sys, fd, octets(1), octets(2));
      await sys.nanosleep(100_000);
    },
  ));

test('of two epolls that watch a listener exclusively, one is woken', async () => {
  const pair = tcpPair();
  const served = on(pair, pair.bob, async (sys) => {
    const listener = sys.socket('inet', 'stream');
    sys.bind(listener, { address: IPV4_ANY, port: PORT });
    sys.listen(listener, 8);
    const epolls = [sys.epollCreate(), sys.epollCreate()];
    for (const epoll of epolls) sys.epollCtl(epoll, 'add', listener, { events: POLL.IN | EPOLL.EXCLUSIVE, data: 0 });
    const found = await Promise.all(epolls.map((epoll) => sys.epollWait(epoll, 1, 100_000)));
    expect(found.map((events) => events.length).sort()).toEqual([0, 1]);
  });
  const used = on(pair, pair.alice, async (sys) => {
    await sys.nanosleep(20_000);
    await sys.connect(sys.socket('inet', 'stream'), { address: BOB, port: PORT });
    await sys.nanosleep(150_000);
  });
  await Promise.all([served, used]);
});

test('epoll_ctl: EEXIST, ENOENT, EBADF, EPERM, EINVAL where Linux has them', async () => {
  const pair = tcpPair();
  await on(pair, pair.alice, async (sys) => {
    const epoll = sys.epollCreate();
    const fd = sys.socket('inet', 'stream');
    sys.writeFile('/tmp/file', octets(1));
    const file = sys.open('/tmp/file');
    const event = { events: POLL.IN, data: 0 };
    expect(() => sys.epollCtl(epoll, 'mod', fd, event)).toThrow('No such file');
    sys.epollCtl(epoll, 'add', fd, event);
    expect(() => sys.epollCtl(epoll, 'add', fd, event)).toThrow('File exists');
    expect(() => sys.epollCtl(epoll, 'add', 99, event)).toThrow('Bad file descriptor');
    expect(() => sys.epollCtl(epoll, 'add', file, event)).toThrow('not permitted');
    expect(() => sys.epollCtl(epoll, 'add', epoll, event)).toThrow('Invalid argument');
    expect(() => sys.epollCtl(epoll, 'mod', fd, { ...event, events: EPOLL.EXCLUSIVE })).toThrow('Invalid argument');
    await expect(sys.epollWait(epoll, 0)).rejects.toMatchObject({ code: 'EINVAL' });
    // A descriptor that is closed is forgotten.
    sys.close(fd);
    expect(await sys.epollWait(epoll, 10, 0)).toEqual([]);
  });
});

test('sendfile sends a file whole without copying it, from where it stands or from an offset', () =>
  talk(
    async (sys, fd) => {
      const into = new Uint8Array(100_010);
      expect((await sys.recv(fd, into, MSG.WAITALL)).length).toBe(100_010);
      expect([into[0], into[99_999], into[100_000], into[100_009]]).toEqual([0, 99_999 & 255, 5, 14]);
    },
    async (sys, fd, { alice }) => {
      sys.writeFile(
        '/tmp/file',
        Uint8Array.from({ length: 100_000 }, (_, i) => i & 255),
      );
      const file = sys.open('/tmp/file');
      const before = alice.skbs.counters.copiedBytes.userToKernel;
      expect(await sys.sendfile(fd, file, undefined, 200_000)).toBe(100_000);
      expect(await sys.sendfile(fd, file, undefined, 10)).toBe(0);
      expect(await sys.sendfile(fd, file, 5, 10)).toBe(10);
      expect(alice.skbs.counters.copiedBytes.userToKernel).toBe(before);
      await expect(sys.sendfile(fd, fd, undefined, 10)).rejects.toMatchObject({ code: 'EINVAL' });
      await expect(sys.sendfile(fd, file, -1, 10)).rejects.toMatchObject({ code: 'EINVAL' });
      await expect(sys.sendfile(fd, 99, 0, 10)).rejects.toMatchObject({ code: 'EBADF' });
    },
  ));

test('splice moves what a socket has into a pipe, tee doubles it, and splice sends it on', () =>
  talk(
    async (sys, fd) => {
      const first = sys.pipe();
      const second = sys.pipe();
      expect(await sys.splice(fd, first.writer, 1_000)).toBe(3);
      expect(sys.tee(first.reader, second.writer, 1_000)).toBe(3);
      const into = new Uint8Array(10);
      expect(await sys.read(second.reader, into)).toBe(3);
      expect([...into.subarray(0, 3)]).toEqual([1, 2, 3]);
      expect(await sys.splice(first.reader, fd, 1_000)).toBe(3);
      await expect(sys.splice(fd, fd, 10)).rejects.toMatchObject({ code: 'EINVAL' });
      await expect(sys.splice(first.reader, fd, 10, 2)).rejects.toMatchObject({ code: 'EAGAIN' });
      sys.close(first.reader);
      await expect(sys.write(first.writer, octets(1))).rejects.toMatchObject({ code: 'EPIPE' });
    },
    async (sys, fd) => {
      await sys.send(fd, octets(1, 2, 3));
      const into = new Uint8Array(10);
      expect((await sys.recv(fd, into)).length).toBe(3);
      expect([...into.subarray(0, 3)]).toEqual([1, 2, 3]);
    },
  ));
