/** Labs of containers in tests: as many at once as there are test files, each with a project and a port of its own. */
import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { lab } from '../../services/lab/index.ts';

const hasEngine = spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0;

const projects = (): string =>
  execFileSync('docker', ['ps', '--all', '--format', '{{.Label "com.docker.compose.project"}}'], { encoding: 'utf8' });

test.skipIf(!hasEngine)('two labs of one name stand beside each other, and neither ends the other', async () => {
  const [one, other] = await Promise.all([
    lab('two-hosts', { engine: 'docker' }),
    lab('two-hosts', { engine: 'docker' }),
  ]);
  try {
    expect(one.dashboard).not.toBe(other.dashboard);
    await using _ = await one.unplug('alice:eth0');
    await one.wait.carrier('alice:eth0', false);
    expect((await other.host('alice').exec('ping -c 1 10.0.0.2')).status).toBe(0);
    await one.close();
    expect((await other.host('alice').fetch('http://10.0.0.2/')).status).toBe(200);
  } finally {
    await Promise.all([one.close(), other.close()]);
  }
  expect(projects()).not.toContain('wirelab-two-hosts-test-');
});
