/** What a test does wrong with a lab is the same error on every engine: one class, one code, one sentence. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmuError, lab, type Net } from 'wirelab';

/** By engine; on Docker as on processes, over the same gateway. */
const nets = new Map<string, Net>();
beforeAll(async () => {
  const [processes, packed] = await Promise.all([lab('two-hosts'), lab('two-hosts', { engine: 'packed' })]);
  nets.set('processes', processes).set('packed', packed);
});
afterAll(async () => {
  for (const net of nets.values()) await net.close();
});

type Slip = readonly [what: string, slip: (net: Net) => unknown, code: string, says: string];

/** What the types of TypeScript would not let a test say. */
const odd = (words: object): never => words as never;

const SLIPS: readonly Slip[] = [
  ['a host', (net) => net.host('alise'), 'EMU_NO_DEVICE', 'no device is called alise; did you mean alice?'],
  ['a port', (net) => net.wire('alice:eth9'), 'EMU_NO_PORT', 'no port is called alice:eth9; did you mean alice:eth0?'],
  ['a device for a port', (net) => net.wire('alice'), 'EMU_NO_PORT', 'did you mean alice:eth0?'],
  ['a wire', (net) => net.wire('alice:eth0--bob:eth0'), 'EMU_NO_WIRE', 'no wire is called alice:eth0--bob:eth0'],
  ['an end of a wire', (net) => net.wire('alise:eth0--sw:p1'), 'EMU_NO_DEVICE', 'did you mean alice?'],
  ['a port without a wire', (net) => net.unplug('sw:p8'), 'EMU_NOT_WIRED', 'sw:p8 has no wire'],
  [
    'a wire to cut',
    (net) => net.cut('alice:eth0--sw:p1'),
    'EMU_NO_PORT',
    'a cut has a direction: name the port that sends',
  ],
  ['a group', (net) => net.partition(['alice'], ['bop']), 'EMU_NO_DEVICE', 'did you mean bob?'],
  ['a device to freeze', (net) => net.freeze('bobb'), 'EMU_NO_DEVICE', 'did you mean bob?'],
  ['a device to kill', (net) => net.kill('bobb'), 'EMU_NO_DEVICE', 'did you mean bob?'],
  ['a place to heal', (net) => net.heal('bobb'), 'EMU_NO_DEVICE', 'did you mean bob?'],
  [
    'a place to capture',
    (net) => net.capture('alice:eth1'),
    'EMU_NO_PORT',
    'alice has no port eth1; did you mean eth0?',
  ],
  ['a place of verdicts', (net) => net.verdicts('alice:eht0'), 'EMU_NO_PORT', 'did you mean alice:eth0?'],
  ['a carrier', (net) => net.wait.carrier('sw:q1'), 'EMU_NO_PORT', 'did you mean sw:p1?'],
  ['a program', (net) => net.host('alice').exec('pingg 10.0.0.2'), 'EMU_NO_PROGRAM', 'did you mean ping?'],
  [
    'a page that is not there',
    (net) => net.host('alice').fetch('http://10.0.0.2:81/'),
    'EMU_FAILED',
    'alice: curl: (7)',
  ],
  ['a knob', (net) => net.wire('alice:eth0').impair(odd({ dealy: '5ms' })), 'EMU_BAD_REQUEST', 'did you mean delay?'],
  ['a unit', (net) => net.wire('alice:eth0').impair({ delay: '5' }), 'EMU_BAD_REQUEST', 'did you mean "5ms"?'],
  ['a number', (net) => net.wire('alice:eth0').impair(odd({ loss: 5 })), 'EMU_BAD_REQUEST', 'did you mean "5%"?'],
  ['no knob', (net) => net.wire('alice:eth0').impair({}), 'EMU_BAD_REQUEST', 'say which knob: delay'],
  [
    'a filter',
    (net) => net.wire('alice:eth0').impair({ match: 'tcp.flags.syn=1', loss: '100%' }),
    'EMU_BAD_REQUEST',
    'column 14: = is no operator; did you mean ==?',
  ],
  ['a time', (net) => net.wait.time('2'), 'EMU_BAD_REQUEST', 'found "2"; add the unit: did you mean "2ms"?'],
  [
    'a period',
    (net) => net.flap('alice:eth0', { period: '1ms' }),
    'EMU_BAD_REQUEST',
    'period: expected a time from 20ms',
  ],
  ['a duty', (net) => net.flap('alice:eth0', { duty: '0.5' }), 'EMU_BAD_REQUEST', 'duty: expected a percentage'],
  ['an option', (net) => net.flap('alice:eth0', odd({ perod: '1s' })), 'EMU_BAD_REQUEST', 'did you mean period?'],
  [
    'what never comes',
    (net) => net.wait.carrier('sw:p1', false, '50ms'),
    'EMU_TIMEOUT',
    'carrier down at sw:p1 did not',
  ],
];

async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return 'no error';
}

test.each(SLIPS)('%s', async (_what, slip, code, says) => {
  const seen = new Set<string>();
  for (const net of nets.values()) {
    const error = (await errorOf(() => slip(net))) as EmuError;
    expect(error).toBeInstanceOf(EmuError);
    expect([error.code, error.name]).toEqual([code, 'EmuError']);
    expect(error.message).toContain(says);
    seen.add(JSON.stringify([error.message.replace(/\d+ ms/, 'N ms'), error.details, error.statusCode]));
  }
  expect([...seen]).toHaveLength(1);
});

test('a device that is down or stands still says so in the same words on every engine', async () => {
  const seen = { frozen: new Set<string>(), down: new Set<string>(), ends: new Set<string>() };
  for (const net of nets.values()) {
    const ask = async () => (await errorOf(() => net.host('bob').exec('ip link'))) as EmuError;
    const note = (of: Set<string>, { code, message, details }: EmuError): unknown =>
      of.add(JSON.stringify([code, message, details]));
    {
      await using _ = await net.freeze('bob');
      note(seen.frozen, await ask());
    }
    const sleeping = errorOf(() => net.host('bob').exec('sleep 60'));
    await net.wait.until(async () => (await net.host('bob').exec('ps')).stdout.includes('sleep'));
    await using _ = await net.kill('bob');
    note(seen.ends, (await sleeping) as EmuError);
    note(seen.down, await ask());
  }
  const said = (message: string): string[] => [JSON.stringify(['EMU_DEVICE_DOWN', message, { device: 'bob' }])];
  expect([...seen.frozen]).toEqual(said('bob is frozen; `wirelab thaw bob` lets it go on'));
  expect([...seen.down]).toEqual(said('bob is not up; `wirelab start bob` brings it back'));
  expect([...seen.ends]).toEqual(said('bob went down'));
});

test('a lab that cannot be had is the same class: another name, engine, clock or option', async () => {
  const slips: readonly (readonly [() => unknown, string, string])[] = [
    [() => lab('two-host'), 'EMU_BAD_FILE', 'did you mean "two-hosts"?'],
    [
      () => lab('two-hosts', odd({ engine: 'dokcer' })),
      'EMU_BAD_REQUEST',
      'no engine is called dokcer; did you mean docker?',
    ],
    [() => lab('two-hosts', odd({ engine: 'packed', clok: 'virtual' })), 'EMU_BAD_REQUEST', 'did you mean clock?'],
    [() => lab('two-hosts', { clock: 'virtual' }), 'EMU_BAD_REQUEST', 'clock virtual needs engine packed'],
  ];
  for (const [slip, code, says] of slips) {
    const error = await errorOf(slip);
    expect(error).toBeInstanceOf(EmuError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
  }
});

test('a lab that was closed takes no orders', async () => {
  for (const net of nets.values()) {
    await net.close();
    expect(await errorOf(() => net.host('alice').exec('ip link'))).toMatchObject({ code: 'EMU_LAB_DOWN' });
    expect(await errorOf(() => net.freeze('alice'))).toMatchObject({ code: 'EMU_LAB_DOWN' });
  }
});
