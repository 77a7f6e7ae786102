/**
 * A service with a bug, for tests of chaos sweeps: `counter` adds what datagrams tell it to, and answers with its sum;
 * `add N` sends N additions, each until it is answered. The bug: an addition whose answer was lost is added again.
 */
import { type Ipv4, parseIpv4 } from '../../shared/header/address.ts';
import { POLL } from '../../shared/net/sock.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import { assert } from '../../shared/platform.ts';

const PORT = 7_777;
const RETRY = 200_000;

const counter: Program = async ({ sys }) => {
  const fd = sys.socket('inet', 'dgram');
  sys.bind(fd, { address: 0 as Ipv4, port: PORT });
  const buffer = new Uint8Array(64);
  const seen = new Set<number>();
  const careful = sys.gethostname() === 'careful';
  let sum = 0;
  for (;;) {
    const { from } = await sys.recv(fd, buffer);
    const id = new DataView(buffer.buffer).getUint32(0);
    if (!careful || !seen.has(id)) sum++;
    seen.add(id);
    new DataView(buffer.buffer).setUint32(4, sum);
    assert(from !== undefined, 'a datagram has a sender');
    await sys.send(fd, buffer.subarray(0, 8), { to: from });
  }
};

const add: Program = async ({ sys, argv, out }) => {
  const [, target = '', count = '0'] = argv;
  const address = parseIpv4(target);
  assert(address !== undefined, 'an address');
  const fd = sys.socket('inet', 'dgram');
  await sys.connect(fd, { address, port: PORT });
  const message = new Uint8Array(8);
  const answer = new Uint8Array(64);
  let sum = 0;
  for (let id = 1; id <= Number(count); id++) {
    new DataView(message.buffer).setUint32(0, id);
    for (let done = false; !done; ) {
      await sys.send(fd, message);
      while (!done && (await sys.poll([{ fd, events: POLL.IN, revents: 0 }], RETRY)) > 0) {
        sys.tryRecv(fd, answer);
        const view = new DataView(answer.buffer);
        done = view.getUint32(0) === id;
        sum = view.getUint32(4);
      }
    }
  }
  await out(`sum ${sum}\n`);
  return 0;
};

export const counterPrograms: ReadonlyMap<string, Program> = new Map([
  ['counter', counter],
  ['add', add],
]);
