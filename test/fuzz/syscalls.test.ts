/** Random system calls by several processes of two connected hosts: each answers or fails with an errno, and nothing stays. */
import { expect, test } from 'vitest';
import type { Host } from '../../shared/net/host.ts';
import { SECOND } from '../../shared/platform.ts';
import { settlePromises } from '../kit/clock.ts';
import { randomCaller } from '../kit/fuzz-calls.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';
import { leftovers, NOTHING_LEFT, tcpPair } from '../kit/tcp-pair.ts';

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 40);
const PROCESSES = 4;
const STEPS = 300;
/** TIME-WAIT, and orphans whose peer is silent. */
const AFTERWARDS = 1_800 * SECOND;
const STEP = SECOND / 10;
/** Calls that worked at least once, or the fuzz is only of errors. */
const WORKING_MIN = 25;

const sockets = (host: Host): number => {
  const asked = host.netlink.ask({ type: 'SOCK_DIAG' });
  return typeof asked === 'object' ? asked.answer.length : -1;
};

test(`any system calls on any descriptors: answers and errnos, and nothing left (seed ${TEST_SEED})`, async () => {
  const worked = new Set<string>();
  const codes = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const random = testRandom('syscalls', TEST_SEED * 1_000 + round);
    const { clock, alice, bob } = tcpPair();
    const wrong: string[] = [];
    let running = 0;
    for (const host of [alice, bob]) {
      if (random.below(2) === 0) host.trace.listen(() => {});
      for (let n = 0; n < PROCESSES; n++) {
        const program = randomCaller({
          random: random.fork(`${host.name} ${n}`),
          steps: STEPS,
          wrong: (call, error) =>
            wrong.push(`round ${round}, ${call}: ${error instanceof Error ? error.stack : error}`),
          called: (call, code) => {
            if (code === 'ok') worked.add(call);
            else codes.set(code, (codes.get(code) ?? 0) + 1);
          },
        });
        running++;
        void host.processes
          .spawn(program, ['fuzz'], { stderr: (bytes) => void wrong.push(new TextDecoder().decode(bytes)) })
          .exited.then(() => running--);
      }
    }
    for (let n = 0; n < 1_000 && running > 0; n++) await clock.runAsync(clock.now() + STEP);
    expect(wrong).toEqual([]);
    for (const host of [alice, bob]) host.processes.killAll('SIGTERM');
    await settlePromises();
    clock.advance(AFTERWARDS);
    expect([leftovers(alice), leftovers(bob)], `round ${round}`).toEqual([NOTHING_LEFT, NOTHING_LEFT]);
    expect([sockets(alice), sockets(bob)], `round ${round}: sockets`).toEqual([0, 0]);
    for (const host of [alice, bob]) for (const dev of host.devices.list()) host.devices.setUp(dev, false);
    clock.advance(AFTERWARDS);
    expect(clock.pending, `round ${round}: armed timers`).toBe(0);
  }
  if (process.env['FUZZ_REPORT'] !== undefined) console.log([...worked].join(' '), codes);
  expect(worked.size).toBeGreaterThan(WORKING_MIN);
});
