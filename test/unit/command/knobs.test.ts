import { expect, test } from 'vitest';
import { changeOf, KNOB_WORDS } from '../../../services/lab/knobs.ts';
import { showImpairment } from '../../../services/lab/trouble.ts';
import { KNOB_FLAGS } from '../../../services/lab/trouble-commands.ts';
import { KNOBS } from '../../../shared/lab/schema.ts';
import { impairmentWords } from '../../../shared/wire/verdict.ts';

test('the command has the knobs of the lab file, each with what --help shows', () => {
  const knobs = Object.keys(KNOBS).filter((knob) => knob !== 'match');
  expect(Object.keys(KNOB_WORDS)).toEqual(knobs);
  expect(KNOB_FLAGS).toEqual(Object.entries(KNOB_WORDS).map(([knob, { value }]) => [knob, value]));
});

test('values are read in the words of a lab file, and said back in the same', () => {
  const change = changeOf({
    delay: '20ms',
    jitter: '500us',
    distribution: 'pareto',
    order: 'kept',
    loss: 'gemodel 1% 20%',
    corrupt: '0.1% tcp',
    rate: '10mbit',
    limit: '50',
    mtu: '1400',
  });
  expect(change).toEqual({
    delay: 20_000,
    jitter: 500,
    distribution: 'pareto',
    order: 'kept',
    loss: { p: 0.01, r: 0.2, bad: 1, good: 0 },
    corrupt: { ratio: 0.001, layer: 'tcp' },
    rate: 10_000_000,
    limit: 50,
    mtu: 1_400,
  });
  expect(impairmentWords(change as never).join(' ')).toBe(
    'delay 20ms jitter 500us distribution pareto order kept loss gemodel 1% 20% 100% 0% corrupt 0.1% tcp rate 10mbit limit 50 mtu 1400',
  );
});

test('off takes a knob away, 0% is a value', () => {
  expect(changeOf({ loss: 'off', duplicate: '0%', match: 'off' })).toEqual({ loss: null, duplicate: 0, match: null });
});

test('with --match the knobs are a rule’s', () => {
  expect(changeOf({ match: 'tcp.flags.syn == 1', nth: '2', every: '3', loss: '100%' })).toEqual({
    match: [{ frames: 'tcp.flags.syn == 1', nth: 2, every: 3, loss: 1 }],
  });
});

test.each([
  [{ loss: '5' }, 'such as gemodel 1% 20%, found "5"; add the unit: did you mean "5%"?'],
  [
    { delay: '5' },
    '--delay: expected a time such as 200us, 5ms or 1.5s, at most 3600s, found "5"; add the unit: did you mean "5ms"?',
  ],
  [{ delay: '1.5 seconds' }, 'found "1.5 seconds"; did you mean "1.5s"?'],
  [{ jitter: '300 µs' }, 'did you mean "300us"?'],
  [{ delay: '5000s' }, 'at most 3600s, found "5000s"'],
  [{ rate: '10' }, 'did you mean "10mbit"?'],
  [{ duplicate: '5 percent' }, 'did you mean "5%"?'],
  [{ loss: 'gemodl 1 20' }, 'did you mean "gemodel 1% 20%"?'],
  [{ corrupt: '1 udp' }, '--corrupt: expected a percentage, and ip or tcp'],
  [
    { distribution: 'norml' },
    '--distribution: expected one of uniform, normal, pareto, paretonormal, found "norml"; did you mean "normal"?',
  ],
  [{ loss: 'none' }, 'did you mean "off"?'],
  [{ dealy: '5ms' } as object, 'no knob is called dealy; did you mean delay?'],
  [{ match: 'tcp.flags.syn=1', loss: '1%' }, '--match: column 14: = is no operator; did you mean ==?'],
  [{ match: 'tcp AND udp', loss: '1%' }, '--match: column 5: did not expect "AND"; did you mean and?'],
  [{ match: 'tcp & udp', loss: '1%' }, '--match: column 5: expected a number after &, found udp; did you mean &&?'],
  [{ match: 'tcp.port is 80', loss: '1%' }, '--match: column 10: did not expect "is"; did you mean ==?'],
  [
    { match: 'port == 80', loss: '1%' },
    '--match: column 1: no protocol or field is called "port"; did you mean tcp.port?',
  ],
  [{ match: 'tcp.syn', loss: '1%' }, 'did you mean tcp.flags.syn?'],
  [{ nth: '2', loss: '1%' }, '--nth counts the frames of a --match FILTER'],
  [{ match: 'tcp', rate: '1mbit' }, '--rate cannot be had for single frames'],
  [{ match: 'tcp', loss: 'gemodel 1%' }, '--loss: expected a percentage'],
  [{ delay: '100ms 10ms' }, 'jitter is a knob of its own'],
  [{ duplicate: '1% 25%' }, 'correlation is left out'],
  [{ match: 'tcp' }, 'not what happens to them'],
  [{ match: 'tcp', loss: '1%', count: '0' }, '--count: expected a whole number from 1, found "0"'],
] as const)('%j is refused: %s', (options, says) => {
  expect(() => changeOf(options)).toThrow(says);
});

test('without a knob it says what is so now, of a port or of both ends of a wire', async () => {
  const port = (name: string, egress: object) => ({ name, egress });
  const devices = [
    { name: 'alice', detail: { ports: [port('eth0', { delay: 20_000, jitter: 5_000, loss: 0.001 })] } },
    { name: 'bob', detail: { ports: [port('eth0', {})] } },
    { name: 'carol', detail: null },
  ];
  const wires = [
    { name: 'alice:eth0--bob:eth0', a: 'alice:eth0', b: 'bob:eth0' },
    { name: 'bob:eth1--carol:eth0', a: 'bob:eth1', b: 'carol:eth0' },
  ];
  const client = { get: async <T>(): Promise<T> => ({ devices, wires }) as T };
  expect(await showImpairment(client, 'alice:eth0')).toBe('alice:eth0  delay 20ms jitter 5ms loss 0.1%');
  expect(await showImpairment(client, 'bob:eth0 -- alice:eth0')).toBe(
    'alice:eth0  delay 20ms jitter 5ms loss 0.1%\nbob:eth0  does nothing to frames',
  );
  expect(await showImpairment(client, 'carol:eth0')).toBe('carol:eth0  is down');
  await expect(showImpairment(client, 'alise:eth0')).rejects.toThrow('did you mean alice:eth0?');
});
