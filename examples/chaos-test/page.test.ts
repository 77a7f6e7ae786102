/**
 * A chaos test to copy: a page is fetched while the network under it misbehaves. The same test runs on processes
 * (default), on Docker, or packed in this process on virtual time: WIRELAB_ENGINE=docker npx vitest, …=packed.
 */

import { expect, test, vi } from 'vitest';
import { type Engine, lab } from 'wirelab';

// A lab of processes or containers has to come up first; vitest's own five seconds are too few.
vi.setConfig({ testTimeout: 60_000 });

const SYN_ACK = 'tcp.flags.syn==1 && tcp.flags.ack==1';
const engine = (process.env['WIRELAB_ENGINE'] ?? 'processes') as Engine;
const options = engine === 'packed' ? ({ engine, clock: 'virtual', seed: 42 } as const) : { engine, seed: 42 };

test('the page comes through a bad wire, and an unplugged one is an error in time', async () => {
  await using net = await lab('two-hosts', options);
  const alice = net.host('alice');
  expect((await alice.fetch('http://10.0.0.2/')).status).toBe(200);

  {
    // One SYN in three or so is lost, and every frame takes its time.
    await using _ = await net.wire('alice:eth0').impair({ delay: '20ms', loss: '30%' });
    const page = await alice.fetch('http://10.0.0.2/');
    expect(page.status).toBe(200);
    expect(page.text()).toContain('<html');
    expect((await net.verdicts('alice:eth0')).every(({ verdict }) => verdict === 'lost')).toBe(true);
  }

  {
    // "Drop the first SYN-ACK", on a wire that is clean otherwise: the capture shows the one that was lost, and the next.
    await using capture = await net.capture('bob:eth0');
    await using _ = await net.wire('bob:eth0').impair({ clear: true, match: SYN_ACK, nth: '1', loss: '100%' });
    await alice.fetch('http://10.0.0.2/');
    const answers = await capture.until(SYN_ACK, 2);
    expect(answers[0]?.verdicts).toEqual([expect.stringContaining('lost by match')]);
    expect(answers[1]?.verdicts).toEqual([]);
  }

  {
    await using _ = await net.unplug('alice:eth0');
    await net.wait.carrier('alice:eth0', false);
    const { status, stdout } = await alice.exec('ping', '-c', '1', '-W', '1', '10.0.0.2');
    expect(status).toBe(1);
    expect(stdout).toContain('100% packet loss');
  }
  // The scope has ended, and so has the fault.
  await net.wait.carrier('alice:eth0');
  expect((await alice.exec('ping -c 1 10.0.0.2')).status).toBe(0);
});

test('a device that freezes goes dark at its neighbours within four seconds, and a killed one at once', async () => {
  await using net = await lab('two-hosts', options);
  {
    await using _ = await net.freeze('bob');
    // Three link pulses missed, one a second.
    await net.wait.carrier('sw:p2', false, '4s');
  }
  await net.wait.carrier('sw:p2');
  {
    await using _ = await net.kill('bob');
    await net.wait.carrier('sw:p2', false, '1s');
  }
  await net.wait.carrier('sw:p2');
  expect((await net.host('alice').exec('ping -c 1 10.0.0.2')).status).toBe(0);
});
