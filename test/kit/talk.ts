/** Programs of two connected hosts that speak to each other, for tests of what system calls answer. */
import { IPV4_ANY } from '../../shared/header/address.ts';
import type { Host } from '../../shared/net/host.ts';
import type { Fd, Program, Syscalls } from '../../shared/net/syscalls.ts';
import { ip } from './cable.ts';
import { comesToRest } from './mid-flight.ts';
import { runWith } from './run-with.ts';
import { type Pair, tcpPair } from './tcp-pair.ts';

export const BOB = ip('10.0.0.2');
export const PORT = 8_080;
export const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Run a body as a program; what it returns, or what it throws. */
export function on<T>({ clock }: Pair, host: Host, body: (sys: Syscalls) => Promise<T>): Promise<T> {
  comesToRest(clock);
  const answer = new Promise<T>((resolve, reject) => {
    const program: Program = ({ sys }) =>
      body(sys)
        .then(resolve, reject)
        .then(() => 0);
    host.processes.spawn(program, ['test']);
  });
  return runWith(clock, answer);
}

/** Bob's side does `serve` with the first connection; alice's does `use` with the other end. */
export async function talk(
  serve: (sys: Syscalls, fd: Fd) => Promise<void>,
  use: (sys: Syscalls, fd: Fd, pair: Pair) => Promise<void>,
): Promise<void> {
  const pair = tcpPair();
  const served = on(pair, pair.bob, async (sys) => {
    const listener = sys.socket('inet', 'stream');
    sys.bind(listener, { address: IPV4_ANY, port: PORT });
    sys.listen(listener, 8);
    const { fd } = await sys.accept(listener);
    await serve(sys, fd);
  });
  const used = on(pair, pair.alice, async (sys) => {
    const fd = sys.socket('inet', 'stream');
    await sys.connect(fd, { address: BOB, port: PORT });
    await use(sys, fd, pair);
  });
  await Promise.all([served, used]);
}

/** Writes each part after a pause of 50 ms. */
export async function dribble(sys: Syscalls, fd: Fd, ...parts: Uint8Array[]): Promise<void> {
  sys.setsockopt(fd, 'SOL_TCP', 'TCP_NODELAY', 1);
  for (const part of parts) {
    await sys.nanosleep(50_000);
    await sys.send(fd, part);
  }
}
