/** A process that is killed while its lab comes up: `up` says which and ends, and nothing of the lab is left. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { type RunningCommand, until, Wirelab } from '../kit/wirelab.ts';

const kit = new Wirelab();
afterAll(() => kit.end(), 60_000);
const LAB = kit.twoHosts('frail');

/** Processes of the kit's labs whose command line says `what`. */
function processes(what: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map(Number)
    .filter((pid) => {
      try {
        const ours = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`XDG_RUNTIME_DIR=${kit.folder}`);
        return ours && readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(what);
      } catch {
        return false;
      }
    });
}

async function killedAtOnce(up: RunningCommand, what: string): Promise<void> {
  await until(() => processes(what)[0] !== undefined || up.process.exitCode !== null, 20_000, what);
  for (const pid of processes(what)) process.kill(pid, 'SIGKILL');
  const { status, stdout, stderr } = await up.done;
  expect([status, stdout]).toEqual([1, expect.stringContaining('starting')]);
  expect(stderr).toMatch(/^wirelab: .+ did not start: killed by SIGKILL\n/);
  expect(stderr).not.toMatch(/^\s+at /m);
  await until(() => processes('start.cjs').length === 0, 10_000, 'nothing is left');
  expect(kit.leftovers().filter((name) => name.endsWith('.json'))).toEqual([]);
}

test.each(['start.cjs switch', 'start.cjs gateway'])(
  '`up` says that %s was killed, and leaves nothing',
  async (what) => {
    await killedAtOnce(kit.start(['up', LAB]), what);
    await killedAtOnce(kit.start(['up', LAB, '--detach']), what);
  },
);

test('a device killed between its own start and its wires ends the boot at once, as does an interrupt', async () => {
  const up = kit.start(['up', LAB]);
  await until(() => up.stdout().includes('alice ready'), 20_000, 'alice');
  for (const pid of processes('start.cjs switch')) process.kill(pid, 'SIGSTOP');
  // The switch stands still: no wire gets carrier now.
  for (const pid of processes('start.cjs host')) process.kill(pid, 'SIGKILL');
  const began = performance.now();
  await Promise.race([up.done, new Promise((resolve) => setTimeout(resolve, 3_000))]);
  up.process.kill('SIGINT');
  expect((await up.done).stderr).not.toMatch(/^\s+at /m);
  expect(performance.now() - began).toBeLessThan(12_000);
  await until(() => processes('start.cjs').length === 0, 10_000, 'nothing is left');
});
