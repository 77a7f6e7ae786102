/**
 * After every test no sk_buff lives: a setup file of vitest's, for unit, sim and conformance. It notes each kernel that
 * made a packet during a test, and fails the test when one of them still has some at its end.
 *
 * A lab that comesToRest (mid-flight.ts) is given the time for it. A host that stopsMidFlight is shut down when the test is over: programs are
 * killed, sockets reset and devices taken down, and after the time that a kernel may take for that nothing may live, either.
 */
import { afterEach, expect } from 'vitest';
import type { Host } from '../../shared/net/host.ts';
import { SkBuffs } from '../../shared/net/skbuff.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { tcpOf } from '../../shared/net/tcp-host.ts';
import { type Micros, SECOND } from '../../shared/platform.ts';
import { settlePromises } from './clock.ts';
import { gone, patched, resting, stopping, used } from './mid-flight.ts';

/** The longest that an orphan or a TIME-WAIT is kept: tcp_orphan_retries at RTOs that doubled up to 120 s. */
const SHUTDOWN_TAKES: Micros = 1_200 * SECOND;

/** The last FIN or SYN of a program that gave up: tcp_syn_retries, and a FIN's retransmissions. */
const REST_TAKES: Micros = 300 * SECOND;

const { build } = SkBuffs.prototype;
if (!patched.done) {
  SkBuffs.prototype.build = function (...what: Parameters<typeof build>) {
    used.add(this);
    return build.apply(this, what);
  };
  patched.done = true;
}

/** Pull the plug: nobody on the host goes on. */
function shutDown(host: Host): void {
  host.processes.killAll('SIGTERM');
  for (const sk of [...tcpOf(host).socks]) {
    if (sk.dead) continue;
    sk.linger = { on: true, seconds: 0 };
    tcpProto.close(sk);
  }
  for (const dev of host.devices.list()) host.devices.setUp(dev, false);
}

/** What lives of all that the test made. */
function alive(): number {
  let live = 0;
  for (const skbs of used) if (!gone.has(skbs)) live += skbs.counters.live;
  return live;
}

afterEach(async () => {
  const hosts = [...stopping].filter(([host]) => host.skbs.counters.live > 0);
  const clocks = new Set([...hosts.map(([, clock]) => clock)]);
  stopping.clear();
  for (const clock of resting) await clock.until(() => alive() === 0, REST_TAKES);
  resting.clear();
  for (const [host] of hosts) shutDown(host);
  if (hosts.length > 0) await settlePromises();
  for (const clock of clocks) clock.advance(SHUTDOWN_TAKES);
  const live = alive();
  used.clear();
  const how = 'a test that ends in the middle of things says so: stopsMidFlight(host, clock), or comesToRest(clock)';
  expect(live, `sk_buffs that live when the test is over; ${how} (test/kit/mid-flight.ts)`).toBe(0);
});
