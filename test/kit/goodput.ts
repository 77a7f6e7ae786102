/** How much a TCP connection carries over a wire of 100 Mbit/s with a delay, in lab time. */
import { isErrno } from '../../shared/net/errno.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { SECOND } from '../../shared/platform.ts';
import { platform } from './cards.ts';
import { stopsMidFlight } from './mid-flight.ts';
import { connectTo, listenOn, pumpIn, tcpPair } from './tcp-pair.ts';

export const RATE = 100_000_000;
/** Slow start and what it overshoots. */
const WARM_UP = 2 * SECOND;

/** Octets that arrive in `seconds` of lab time, after slow start, at 100 Mbit/s and `delay` each way. */
export function arrived(delay: number, seconds: number): number {
  const pair = tcpPair((clock) => ({ clock, platform, seed: 1, impairment: { rate: RATE, delay } }));
  const { clock, alice, bob } = pair;
  const chunk = new Uint8Array(65_536);
  listenOn(bob, 80, (child) => {
    const go = (): void => {
      while (!isErrno(tcpProto.sendmsg(child, chunk, {})));
    };
    child.wait.add(go);
    go();
  });
  const client = connectTo(alice, '10.0.0.2', 80);
  const sink = pumpIn(client);
  const total = (): number => {
    sink.parts.length = 0;
    return sink.total;
  };
  const step = SECOND / 10;
  const run = (time: number): void => {
    for (let passed = 0; passed < time; passed += step) {
      clock.advance(step);
      total();
    }
  };
  run(WARM_UP);
  const before = total();
  run(seconds * SECOND);
  stopsMidFlight(alice, clock);
  stopsMidFlight(bob, clock);
  return total() - before;
}
