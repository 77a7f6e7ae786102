/** What a test may say wrong to a lab: an error that names what was expected, at once, and the lab goes on. */
import { expect, test } from 'vitest';
import { type LabOptions, lab, type Net } from '../../services/lab/index.ts';
import type { Knobs } from '../../services/lab/net/types.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

test.each<readonly [object, string]>([
  [{ engine: 'pakced' }, 'no engine is called pakced; did you mean packed?'],
  [{ engine: 'packed', clock: 'virtaul' }, 'did you mean virtual?'],
  [{ clock: 'virtual' }, 'clock virtual needs engine packed'],
  [{ engine: 'docker', programs: new Map() }, 'programs and output need engine packed'],
  [{ engine: 'packed', seed: -1 }, 'seed: expected a whole number from 0 to 4294967295, found -1'],
  [{ engine: 'packed', seed: 1.5 }, 'found 1.5'],
  [{ engine: 'packed', seed: '42' }, 'found "42"'],
  [{ engine: 'packed', sed: 42 }, 'no option of a lab is called sed; did you mean seed?'],
])('a lab is not brought up from %j', async (options, says) => {
  await expect(lab('two-hosts', options as LabOptions)).rejects.toThrow(says);
});

test('a lab has a name or a path', async () => {
  await expect(lab('')).rejects.toThrow(`expected a lab's name or the path of a lab file, found ""`);
  await expect(lab(undefined as unknown as string)).rejects.toThrow('found undefined');
  await expect(lab('two-host')).rejects.toThrow('did you mean "two-hosts"?');
});

test('knobs that are none, or no words, are told by name, without the dashes of a command line', async () => {
  await using net = await virtualLab('two-hosts');
  const impair = async (knobs: object): Promise<readonly string[]> => {
    await using fault = await net.wire('alice:eth0').impair(knobs as Knobs);
    return [fault.words];
  };
  for (const [knobs, says] of [
    [{ loss: 5 }, /^loss: expected a percentage.*found "5"; add the unit: did you mean "5%"\?$/],
    [{ delay: null }, /^delay: expected a time.*found "null"; did you mean "off"\?$/],
    [{ loss: '5' }, /^loss: expected a percentage/],
    [{ los: '5%' }, /^no knob is called los; did you mean loss\?$/],
    [{ nth: 2, loss: '5%' }, /^nth counts the frames of a match FILTER$/],
    [{ match: 'tcp', nth: 0, loss: '100%' }, /^nth: expected a whole number from 1, found "0"$/],
    [{ match: 'tcp' }, /^match says which frames, not what happens to them: add delay, loss/],
    [{ clear: 'yes' }, /^clear: expected true or false, found "yes"$/],
    ['loss 5%', /^expected knobs such as \{ loss: '5%' \}, found "loss 5%"$/],
  ] as const) {
    await expect(impair(knobs as object), JSON.stringify(knobs)).rejects.toThrow(says);
  }
  expect(await impair({ mtu: 1400, limit: 10 })).toEqual(['impair alice:eth0 limit 10 mtu 1400']);
  expect(await impair({ match: 'tcp', nth: 2, loss: '100%' })).toEqual([
    'impair alice:eth0 match "tcp" nth 2: loss 100%',
  ]);
});

test('a name that is none is told where it is said', async () => {
  await using net = await virtualLab('two-hosts');
  expect(() => net.host('alcie')).toThrow('no device is called alcie; did you mean alice?');
  expect(() => net.wire('alice:eth1')).toThrow('no port is called alice:eth1; did you mean alice:eth0?');
  expect(() => net.wire('carol:eth0')).toThrow('no device is called carol');
  expect(() => net.wire('alice:eth0--bob:eth0')).toThrow('no wire is called alice:eth0--bob:eth0');
  expect(await net.wire('sw:p1 -- alice:eth0').carrier()).toEqual({ 'alice:eth0': true, 'sw:p1': true });
  await expect(net.partition()).rejects.toThrow('expected groups of devices');
  await expect(net.partition(['alice'], ['bbo'])).rejects.toThrow('did you mean bob?');
  await expect(net.flap('alice:eth0', { period: '1ms' })).rejects.toThrow('period: expected a time from 20ms');
  await expect(net.flap('alice:eth0', { duty: '150%' })).rejects.toThrow('duty: expected a percentage from 0% to 100%');
});

test('one line is parted into words as a shell would', async () => {
  await using net = await virtualLab('two-hosts');
  const alice = net.host('alice');
  expect((await alice.exec(`curl -s "http://10.0.0.2/"`)).stdout).toContain('<html');
  await expect(alice.exec(`curl "http://10.0.0.2/`)).rejects.toThrow('a quote is not closed');
  await expect(alice.exec('')).rejects.toThrow('expected a program and its arguments, found nothing');
  await expect(alice.exec(['ping'] as unknown as string)).rejects.toThrow('each a text, found ["ping"]');
  await expect(alice.exec('pign 10.0.0.2')).rejects.toThrow('pign: command not found; did you mean ping?');
});

async function afterwards(net: Net): Promise<void> {
  const alice = net.host('alice');
  const capture = await net.capture('all');
  const fault = await net.unplug('alice:eth0');
  await net.close();
  await net.close();
  for (const ask of [
    () => alice.exec('ping -c 1 10.0.0.2'),
    () => alice.fetch('http://10.0.0.2/'),
    () => alice.state(),
    () => net.unplug('alice:eth0'),
    () => net.heal(),
    () => net.wait.time('1s'),
    () => net.wait.until(() => false),
    () => net.wait.carrier('alice:eth0'),
    () => net.ledger(),
    () => net.verdicts(),
    () => net.capture('all'),
  ]) {
    await expect(ask(), String(ask)).rejects.toThrow('the lab two-hosts is closed');
  }
  await fault.heal();
  await capture.stop();
  expect(capture.frames()).toEqual([]);
}

test('a lab that is closed says so, whatever it is asked, and what was held is over', async () => {
  await afterwards(await virtualLab('two-hosts'));
});

test('who waits on real time when the lab is taken down is told', async () => {
  const net = await lab('two-hosts', { engine: 'packed' });
  const capture = await net.capture('all');
  const waiting = [
    net.wait.time('3600s'),
    net.wait.carrier('alice:eth0', false, '3600s'),
    capture.until('icmp', 1, '3600s'),
  ];
  const told = Promise.all(waiting.map((wait) => expect(wait).rejects.toThrow(/has been taken down|is closed/)));
  const pinging = net.host('alice').exec('ping 10.0.0.2');
  await net.close();
  await told;
  expect((await pinging).status).toBe(143);
  await expect(capture.until('icmp')).rejects.toThrow('the lab has been taken down');
});

test('a capture goes on when its device was killed and comes back, and may begin while it is down', async () => {
  await using net = await virtualLab('two-hosts');
  await using all = await net.capture('all');
  const echoes = (capture: typeof all): number =>
    capture.frames('icmp').filter(({ port }) => port === 'bob:eth0').length;
  const ping = async (): Promise<void> => void (await net.host('alice').exec('ping -c 1 10.0.0.2'));
  await ping();
  expect(echoes(all)).toBe(2);
  const kill = await net.kill('bob');
  await using late = await net.capture('bob');
  await kill.heal();
  await net.wait.carrier('bob:eth0');
  await ping();
  expect([echoes(all), echoes(late)]).toEqual([4, 2]);
});
