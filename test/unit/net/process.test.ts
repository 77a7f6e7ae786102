import { expect, test } from 'vitest';
import { IPV4_LOOPBACK } from '../../../shared/header/address.ts';
import { POLL } from '../../../shared/net/sock.ts';
import type { PollRequest, Program } from '../../../shared/net/syscalls.ts';
import { run, start, testHost } from '../../kit/loop-host.ts';
import { runWith } from '../../kit/run-with.ts';

test('a program ends with the status it returns', async () => {
  expect(await run(testHost(), async () => 3, ['three'])).toEqual({ status: 3, out: '', err: '' });
});

test('an uncaught error of a system call is one line on standard error, and status 1', async () => {
  const program: Program = async ({ sys }) => {
    await sys.connect(sys.socket('inet', 'stream'), { address: IPV4_LOOPBACK, port: 9 });
    return 0;
  };
  expect(await run(testHost(), program, ['dial'])).toEqual({
    status: 1,
    out: '',
    err: 'dial: connect: Connection refused\n',
  });
});

test('a program that is not there is status 127', async () => {
  expect(await run(testHost(), 'nosuch', ['nosuch'])).toEqual({
    status: 127,
    out: '',
    err: 'nosuch: command not found\n',
  });
});

test('an interrupt ends a sleeping program with status 130, and nothing of it runs on', async () => {
  const lab = testHost();
  let woke = false;
  const program: Program = async ({ sys }) => {
    try {
      await sys.nanosleep(60_000_000);
    } finally {
      woke = true;
    }
    return 0;
  };
  const started = start(lab.host, program, ['sleeper']);
  await lab.clock.runAsync(1_000);
  started.kill('SIGINT');
  expect(await runWith(lab.clock, started.exited)).toBe(130);
  await lab.clock.runAsync(120_000_000);
  expect(woke).toBe(false);
  expect(lab.clock.pending).toBe(0);
});

test('a handled signal makes the call that waits end with EINTR', async () => {
  const lab = testHost();
  const program: Program = async ({ sys, out }) => {
    sys.signal('SIGINT', () => {});
    await sys.nanosleep(60_000_000).catch((error) => out(error.code));
    return 0;
  };
  const started = start(lab.host, program, ['ping']);
  await lab.clock.runAsync(1_000);
  started.kill('SIGINT');
  expect(await runWith(lab.clock, started.outcome)).toEqual({ status: 0, out: 'EINTR', err: '' });
});

test('every descriptor is closed when a process ends, whichever way', async () => {
  const lab = testHost();
  const program: Program = async ({ sys }) => {
    const fd = sys.socket('inet', 'stream');
    sys.bind(fd, { address: IPV4_LOOPBACK, port: 80 });
    sys.listen(fd, 1);
    await sys.accept(fd);
    return 0;
  };
  const first = start(lab.host, program, ['one']);
  await lab.clock.runAsync(10);
  first.kill('SIGTERM');
  // The port is free again for the next.
  const second = start(lab.host, program, ['two']);
  await lab.clock.runAsync(20);
  expect(second.text.err).toBe('');
  second.kill('SIGTERM');
});

test('one descriptor too many is EMFILE', async () => {
  const program: Program = async ({ sys }) => {
    for (;;) sys.socket('inet', 'stream');
  };
  expect((await run(testHost(), program, ['greedy'])).err).toBe('greedy: socket: Too many open files\n');
});

test('standard input comes in order and ends', async () => {
  const lab = testHost();
  const started = start(lab.host, 'cat', ['cat']);
  started.stdin.write(new TextEncoder().encode('one '));
  started.stdin.write(new TextEncoder().encode('two'));
  started.stdin.end();
  expect((await runWith(lab.clock, started.outcome)).out).toBe('one two');
});

test('a slow standard output holds the program back', async () => {
  const lab = testHost();
  let taken = 0;
  let release: () => void = () => {};
  const program: Program = async ({ sys }) => {
    for (let i = 0; i < 100; i++) await sys.write(1, new Uint8Array(4_096));
    return 0;
  };
  const started = lab.host.processes.spawn(program, ['flood'], {
    stdout: (bytes) => {
      taken += bytes.length;
      return new Promise((resolve) => {
        release = resolve;
      });
    },
  });
  await lab.clock.runAsync(1_000);
  expect(taken).toBe(65_536);
  started.kill('SIGINT');
  release();
});

test('poll tells which descriptor is ready, or that time is up', async () => {
  const program: Program = async ({ sys, out }) => {
    const fd = sys.socket('inet', 'stream');
    sys.bind(fd, { address: IPV4_LOOPBACK, port: 80 });
    sys.listen(fd, 1);
    const requests: PollRequest[] = [{ fd, events: POLL.IN, revents: 0 }];
    await out(`${await sys.poll(requests, 1_000)} at ${sys.clockGettime()}; `);
    const other = sys.socket('inet', 'stream');
    sys.connect(other, { address: IPV4_LOOPBACK, port: 80 });
    await out(`${await sys.poll(requests)} ${requests[0]?.revents}; `);
    requests.push({ fd: 99, events: 0, revents: 0 });
    await out(`${await sys.poll(requests, 0)} ${requests[1]?.revents}`);
    return 0;
  };
  expect((await run(testHost(), program, ['poller'])).out).toBe('0 at 1000; 1 1; 2 32');
});

test('what a thread receives sets its cause, and what it sends carries that on', async () => {
  const lab = testHost();
  const server: Program = async ({ sys }) => {
    const fd = sys.socket('inet', 'stream');
    sys.bind(fd, { address: IPV4_LOOPBACK, port: 80 });
    sys.listen(fd, 1);
    const accepted = await sys.accept(fd);
    const buffer = new Uint8Array(16);
    await sys.recv(accepted.fd, buffer);
    await sys.send(accepted.fd, new TextEncoder().encode(String(sys.cause)));
    return 0;
  };
  const client: Program = async ({ sys, out }) => {
    const fd = sys.socket('inet', 'stream');
    await sys.connect(fd, { address: IPV4_LOOPBACK, port: 80 });
    await sys.send(fd, new Uint8Array(1));
    const buffer = new Uint8Array(16);
    const { length } = await sys.recv(fd, buffer);
    await out(new TextDecoder().decode(buffer.subarray(0, length)));
    return 0;
  };
  start(lab.host, server, ['server']);
  const started = start(lab.host, client, ['client'], 77);
  expect((await runWith(lab.clock, started.outcome)).out).toBe('77');
});

test('octets that cross between program and kernel are counted', async () => {
  const lab = testHost();
  const program: Program = async ({ sys }) => {
    const fd = sys.socket('inet', 'stream');
    sys.bind(fd, { address: IPV4_LOOPBACK, port: 80 });
    sys.listen(fd, 1);
    const other = sys.socket('inet', 'stream');
    await sys.connect(other, { address: IPV4_LOOPBACK, port: 80 });
    const { fd: accepted } = await sys.accept(fd);
    await sys.send(other, new Uint8Array(1_000));
    await sys.recv(accepted, new Uint8Array(600));
    return 0;
  };
  await run(lab, program, ['copier']);
  const { copies, copiedBytes } = lab.host.skbs.counters;
  expect([copies.userToKernel, copiedBytes.userToKernel]).toEqual([1, 1_000]);
  expect([copies.kernelToUser, copiedBytes.kernelToUser]).toEqual([1, 600]);
});
