/**
 * shared/net/README.md held against packets under way: the call stack at the cable and at the socket goes through its steps
 * in their order, and copies happen where it says, and nowhere else.
 */
import { describe, expect, test } from 'vitest';
import type { SkbCounters } from '../../shared/net/skb-counters.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import { programs } from '../../shared/programs/registry.ts';
import { testLab } from '../kit/lab.ts';
import { stepsOf } from '../kit/life.ts';
import { ip4 } from '../kit/programs.ts';

const PAIR = `name: pair
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
wires:
  - alice:eth0 -- bob:eth0
`;
const BYTES = 1_000;
const FRAME_HEADERS = 14 + 20 + 8;
const STACK_FRAMES_MAX = 100;

/** Steps of a table that the call stack goes through, the caller's first; functions that it does not name are left out. */
function stepsOnStack(title: string, stack: string): number[] {
  const steps = stepsOf(title);
  const calls = [...stack.matchAll(/^ +at (?:async )?([\w.]+) \(.*\/([\w-]+\.ts):/gm)].reverse();
  return calls.flatMap(([, called = '', file = '']) => {
    // A function that is called through its module's name space is printed with it.
    const name = called.replace(/^(Module|Object)\./, '');
    const step = steps.find(({ files, functions }) => functions.includes(name) && files.some((f) => f.endsWith(file)));
    return step === undefined ? [] : [step.number];
  });
}

function stackHere(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_FRAMES_MAX;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = before;
  return stack;
}

const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

const listener: Program = async ({ sys }) => {
  const fd = sys.socket('inet', 'stream');
  sys.bind(fd, { address: ip4('0.0.0.0'), port: 7 });
  sys.listen(fd, 1);
  const { fd: child } = await sys.accept(fd);
  const into = new Uint8Array(BYTES);
  await sys.recv(child, into);
  return 0;
};
const dialer: Program = async ({ sys }) => {
  const fd = sys.socket('inet', 'stream');
  await sys.connect(fd, { address: ip4('10.0.0.2'), port: 7 });
  await sys.send(fd, new Uint8Array(BYTES));
  return 0;
};
const udpReader: Program = async ({ sys }) => {
  const fd = sys.socket('inet', 'dgram');
  sys.bind(fd, { address: ip4('0.0.0.0'), port: 7 });
  await sys.recv(fd, new Uint8Array(BYTES));
  return 0;
};
const udpWriter: Program = async ({ sys }) => {
  const fd = sys.socket('inet', 'dgram');
  await sys.send(fd, new Uint8Array(BYTES), { to: { address: ip4('10.0.0.2'), port: 7 } });
  return 0;
};

function pair() {
  const all = new Map([...programs, ...Object.entries({ listener, dialer, udpReader, udpWriter })]);
  const it = testLab(PAIR);
  const alice = it.lab.device('alice');
  const bob = it.lab.device('bob');
  for (const { host } of [alice, bob]) host.processes.programs = all;
  return { ...it, alice, bob };
}

describe('the call stack goes through the steps in their order', () => {
  test('from send to the cable', async () => {
    const { run, alice, lab } = pair();
    const stacks: string[] = [];
    const phy = alice.phys.get('eth0')!;
    phy.tap = (direction, _bytes, _at, size) => {
      if (direction === 'out' && size > BYTES) stacks.push(stackHere());
    };
    const served = run('bob', 'listener');
    await Promise.all([served, run('alice', 'dialer')]);
    const steps = stepsOnStack('Sending', stacks[0] ?? '');
    expect(steps).toEqual(ascending(steps));
    expect([...new Set(steps)]).toEqual(
      expect.arrayContaining([2, 3, 4, 5, 6, 7, 8, 12, 14, 15, 17, 20, 23, 24, 25, 26, 27, 28]),
    );
    lab.stop();
  });

  test('from the cable to the socket', async () => {
    const { run, bob, lab } = pair();
    const stacks: string[] = [];
    bob.host.trace.listen(({ point, fields }) => {
      if (point === 'sock_def_readable' && fields['program'] === 'udpReader') stacks.push(stackHere());
    });
    await Promise.all([run('bob', 'udpReader'), run('alice', 'udpWriter')]);
    const steps = stepsOnStack('Receiving', stacks[0] ?? '');
    expect(steps).toEqual(ascending(steps));
    expect([...new Set(steps)]).toEqual(expect.arrayContaining([8, 9, 11, 13, 17, 18, 24]));
    lab.stop();
  });
});

describe('copies happen where the document says', () => {
  const nothing = { userToKernel: 0, clone: 0, fragment: 0, linearize: 0, dma: 0, kernelToUser: 0 };

  /** What is new in the counters after `work`, ARP aside. */
  async function copiesOf(counters: SkbCounters, work: () => Promise<unknown>) {
    const before = { ...counters.copies };
    const bytesBefore = { ...counters.copiedBytes };
    await work();
    const keys = Object.keys(before) as (keyof typeof before)[];
    return {
      events: Object.fromEntries(keys.map((key) => [key, counters.copies[key] - before[key]])),
      bytes: Object.fromEntries(
        (Object.keys(bytesBefore) as (keyof typeof bytesBefore)[]).map((key) => [
          key,
          counters.copiedBytes[key] - bytesBefore[key],
        ]),
      ),
    };
  }

  test('a datagram: user to kernel and DMA at the sender, DMA and kernel to user at the receiver', async () => {
    const { run, alice, bob, lab } = pair();
    await run('alice', 'ping -c 1 10.0.0.2');
    const send = () => Promise.all([run('bob', 'udpReader'), run('alice', 'udpWriter')]);
    let atBob: Awaited<ReturnType<typeof copiesOf>> | undefined;
    const atAlice = await copiesOf(alice.host.skbs.counters, async () => {
      atBob = await copiesOf(bob.host.skbs.counters, send);
    });
    expect(atAlice.events).toEqual({ ...nothing, userToKernel: 1, dma: 1 });
    expect(atAlice.bytes).toMatchObject({ userToKernel: BYTES, dma: BYTES + FRAME_HEADERS });
    expect(atBob?.events).toEqual({ ...nothing, dma: 1, kernelToUser: 1 });
    expect(atBob?.bytes).toMatchObject({ kernelToUser: BYTES, dma: BYTES + FRAME_HEADERS });
    const { copies, copiedBytes, allocated } = alice.host.skbs.counters;
    const [dma, userToKernel] = [copies.dma, copiedBytes.userToKernel];
    const { out } = await run('alice', 'cat /proc/net/skbuff');
    expect(out).toMatch(new RegExp(`^allocated +${allocated}\ncloned +\\d+\ncopied +\\d+\nlive +0\n`));
    expect(out).toMatch(new RegExp(`^dma +${dma} +\\d+$`, 'm'));
    expect(out).toMatch(new RegExp(`^user_to_kernel +\\d+ +${userToKernel}$`, 'm'));
    expect(out).toMatch(/^clone +\d+ +0$/m);
    lab.stop();
  });

  test('a large ping: one copy a fragment, of its payload; the segments of a stream: a clone each, of nothing', async () => {
    const { run, alice, lab } = pair();
    await run('alice', 'ping -c 1 10.0.0.2');
    const ping = await copiesOf(alice.host.skbs.counters, () => run('alice', 'ping -c 1 -s 4000 10.0.0.2'));
    expect(ping.events['fragment']).toBe(3);
    expect(ping.bytes['fragment']).toBe(4_008);
    const stream = await copiesOf(alice.host.skbs.counters, () =>
      Promise.all([run('bob', 'listener'), run('alice', 'dialer')]),
    );
    expect(stream.events).toMatchObject({ userToKernel: 1, fragment: 0, linearize: 0 });
    // SYN, data and FIN wait for their ACKs; a pure ACK has no original.
    expect(stream.events['clone']).toBe(3);
    lab.stop();
  });
});
