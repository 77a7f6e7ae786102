/** How much a TCP connection carries over a wire of 100 Mbit/s with a delay, in lab time. */
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { SECOND } from '../../shared/platform.ts';
import { platform } from './cards.ts';
import { stopsMidFlight } from './mid-flight.ts';
import { connectTo, listenOn, pumpIn, type Sink, tcpPair } from './tcp-pair.ts';

export const RATE = 100_000_000;
/** Slow start and what it overshoots. */
const WARM_UP = 2 * SECOND;

/**
 * Octets that arrive in `seconds` of lab time, after slow start, at 100 Mbit/s and with `knobs` each way: to alice, or
 * to either end at the same time (`bothWays`).
 */
export function arrived(knobs: Impairment, seconds: number, bothWays = false): number[] {
  const pair = tcpPair((clock) => ({ clock, platform, seed: 1, impairment: { rate: RATE, ...knobs } }));
  const { clock, alice, bob } = pair;
  const sinks = [flow(bob, alice, '10.0.0.2'), ...(bothWays ? [flow(alice, bob, '10.0.0.1')] : [])];
  const totals = (): number[] =>
    sinks.map((sink) => {
      sink.parts.length = 0;
      return sink.total;
    });
  const step = SECOND / 10;
  const run = (time: number): void => {
    for (let passed = 0; passed < time; passed += step) {
      clock.advance(step);
      totals();
    }
  };
  run(WARM_UP);
  const before = totals();
  run(seconds * SECOND);
  stopsMidFlight(alice, clock);
  stopsMidFlight(bob, clock);
  return totals().map((total, i) => total - before[i]!);
}

/** `server` sends without end; what comes to `client`. */
function flow(server: Host, client: Host, address: string): Sink {
  const chunk = new Uint8Array(65_536);
  listenOn(server, 80, (child) => {
    const go = (): void => {
      while (!isErrno(tcpProto.sendmsg(child, chunk, {})));
    };
    child.wait.add(go);
    go();
  });
  return pumpIn(connectTo(client, address, 80));
}
