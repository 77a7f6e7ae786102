/** A lab in a test, packed, on virtual time: it repeats bit for bit, and waits for nothing. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { virtualLab } from '../kit/virtual-lab.ts';

/** Everything that passed any wire while the page was fetched through trouble, as one hash. */
async function story(seed: number): Promise<{ hash: string; frames: number; lost: number }> {
  await using net = await virtualLab('url-to-page', { seed });
  await using capture = await net.capture('all');
  await using _ = await net.wire('alice:eth0').impair({ delay: '3ms', jitter: '1ms', loss: '15%', duplicate: '5%' });
  const alice = net.host('alice');
  await Promise.all([
    alice.exec('ping', '-c', '20', '-i', '0.1', 'www.server.com'),
    alice.exec('dig', 'www.server.com'),
  ]);
  await alice.exec('curl', '-sS', '-o', '/dev/null', 'http://www.server.com/');
  await capture.stop();
  const lost = (await net.verdicts()).filter(({ verdict }) => verdict === 'lost').length;
  return { hash: createHash('sha256').update(capture.pcapng()).digest('hex'), frames: capture.frames().length, lost };
}

test('the frames of built-in programs on all wires repeat bit for bit from a seed, and another seed tells another story', async () => {
  const [first, again, other] = [await story(7), await story(7), await story(8)];
  expect(first.frames).toBeGreaterThan(500);
  expect(first.lost).toBeGreaterThan(0);
  expect(again).toEqual(first);
  expect(other.hash).not.toBe(first.hash);
});

test('an hour of lab time passes in seconds', async () => {
  await using net = await virtualLab('two-hosts');
  const began = performance.now();
  const from = net.now();
  const pinging = net.host('alice').start('ping', '-i', '10', '10.0.0.2');
  await net.wait.time('3600s');
  pinging.kill();
  const { stdout } = await pinging.done;
  expect(net.now() - from).toBeGreaterThanOrEqual(3_600_000_000);
  expect(Number(/(\d+) packets transmitted/.exec(stdout)?.[1])).toBeGreaterThanOrEqual(360);
  expect(performance.now() - began).toBeLessThan(20_000);
});

test('waiting for what can never happen is an error, not a test that hangs', async () => {
  await using net = await virtualLab('two-hosts');
  await expect(net.wait.until(() => false, '2s', 'the moon')).rejects.toThrow('the moon did not come true within 2s');
  await expect(net.wait.carrier('alice:eth7')).rejects.toThrow(
    'no port is called alice:eth7; did you mean alice:eth0?',
  );
  expect(() => net.host('alise')).toThrow('did you mean alice?');
  await expect(net.unplug('alice:eth1')).rejects.toThrow('did you mean alice:eth0?');
  await expect(net.host('alice').fetch('http://10.0.0.9/')).rejects.toThrow('alice: curl: (7)');
});

test('a device that was killed comes back new, and one that was frozen goes on where it stood', async () => {
  await using net = await virtualLab('two-hosts');
  const bob = net.host('bob');
  await bob.exec('ip', 'addr', 'add', '10.0.0.77/24', 'dev', 'eth0');
  {
    await using _ = await bob.freeze();
    expect((await net.host('alice').exec('ping', '-c', '1', '-W', '1', '10.0.0.2')).status).toBe(1);
    await net.wait.time('10s');
  }
  await net.wait.carrier('sw:p2');
  expect((await bob.exec('ip', 'addr')).stdout).toContain('10.0.0.77');
  {
    await using _ = await bob.kill();
    await net.wait.carrier('sw:p2', false, '1s');
  }
  await net.wait.carrier('sw:p2');
  expect((await bob.exec('ip', 'addr')).stdout).not.toContain('10.0.0.77');
  expect((await net.host('alice').exec('ping', '-c', '1', '10.0.0.2')).status).toBe(0);
});

test('a fault that is healed while its device is down is gone when the device comes back', async () => {
  await using net = await virtualLab('two-hosts');
  const pulled = await net.unplug('bob:eth0');
  const cut = await net.cut('bob:eth0');
  const slow = await net.wire('bob:eth0').impair({ loss: '100%' });
  const killed = await net.kill('bob');
  for (const fault of [pulled, cut, slow]) await fault.heal();
  await killed.heal();
  await net.wait.carrier('bob:eth0--sw:p2');
  expect((await net.host('alice').exec('ping -c 3 10.0.0.2')).status).toBe(0);
});

test('a device that is killed as it stands still is back when both have been healed, in either order', async () => {
  await using net = await virtualLab('two-hosts');
  for (const killFirst of [true, false]) {
    const frozen = await net.freeze('bob');
    await net.wait.time('5s');
    const killed = await net.kill('bob');
    for (const fault of killFirst ? [killed, frozen] : [frozen, killed]) {
      await fault.heal();
      await net.wait.time('1s');
    }
    await net.wait.carrier('bob:eth0--sw:p2');
    expect((await net.host('alice').exec('ping -c 2 10.0.0.2')).status).toBe(0);
  }
});

test('a flapping wire flaps on lab time; a partition parts and is healed', async () => {
  await using net = await virtualLab('two-hosts');
  {
    await using _ = await net.flap('alice:eth0', { period: '10s', duty: '50%' });
    const seen: boolean[] = [];
    for (let i = 0; i < 20; i++) {
      await net.wait.time('1s');
      seen.push((await net.wire('alice:eth0').carrier())['alice:eth0'] ?? false);
    }
    expect(seen.filter((up) => up)).toHaveLength(10);
  }
  const parted = await net.partition(['alice'], ['bob']);
  expect(parted.wires).toEqual(['alice:eth0--sw:p1']);
  expect(await net.heal()).toEqual(['partition alice -- bob']);
  await parted.heal();
  await net.wait.carrier('alice:eth0');
});

test('a slip in a test is told: a knob that is none, no knob, a device that stands still, a lab that is closed', async () => {
  const net = await virtualLab('two-hosts');
  const alice = net.host('alice');
  const wire = net.wire('alice:eth0');
  await expect(wire.impair({ los: '5%' } as object)).rejects.toThrow('no knob is called los; did you mean loss?');
  await expect(wire.impair({})).rejects.toThrow('say which knob: delay,');
  expect(() => net.host('alise')).toThrow('no device is called alise; did you mean alice?');
  {
    await using _ = await alice.freeze();
    await expect(alice.exec('ip link')).rejects.toThrow('alice is frozen');
  }
  const fault = await net.unplug('alice:eth0');
  await fault.heal();
  await fault.heal();
  await net.close();
  await net.close();
  await fault.heal();
  await expect(alice.exec('ip link')).rejects.toThrow('the lab two-hosts is closed');
  await expect(alice.fetch('http://10.0.0.2/')).rejects.toThrow('is closed');
  await expect(net.unplug('alice:eth0')).rejects.toThrow('is closed');
  await expect(net.capture('all')).rejects.toThrow('is closed');
});

test('two captures of one port see the same frames, and one that ends leaves the other', async () => {
  await using net = await virtualLab('two-hosts');
  await using first = await net.capture('all');
  {
    await using second = await net.capture('alice:eth0');
    await net.host('alice').exec('ping', '-c', '1', '10.0.0.2');
    expect(second.frames('icmp')).toHaveLength(first.frames('icmp').filter(({ port }) => port === 'alice:eth0').length);
    expect(second.frames('icmp').length).toBeGreaterThan(0);
  }
  const before = first.frames('icmp').length;
  await net.host('alice').exec('ping', '-c', '1', '10.0.0.2');
  expect(first.frames('icmp').length).toBeGreaterThan(before);
});
