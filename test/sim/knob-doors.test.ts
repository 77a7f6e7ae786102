/** A knob is the same by whatever door it comes: the lab file, `wirelab impair`, a test; and one is turned without another. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readFault } from '../../services/gateway/fault-request.ts';
import { changeOf, type KnobOptions } from '../../services/lab/knobs.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { PackedDriver } from '../../services/lab/net/packed.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { impairmentWords } from '../../shared/wire/verdict.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'wirelab-doors-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ALICE = 'alice:eth0';
const BOB = 'bob:eth0';

/** A lab of one wire, with this on it. */
async function between(knobs: string) {
  const file = join(folder, 'lab.yaml');
  const devices = '  alice: { kind: host, eth0: 10.0.0.1/24 }\n  bob: { kind: host, eth0: 10.0.0.2/24 }\n';
  writeFileSync(file, `name: doors\ndevices:\n${devices}wires:\n  - ${ALICE} -- ${BOB}: { ${knobs} }\n`);
  const net = await virtualLab(file);
  const { packed } = (net as LabNet).driver as PackedDriver;
  return { net, at: (end: string): Impairment => packed.end(end).impairment };
}

/** Knobs that need no other one come alone; the values are said back as the last says. */
const WORDS: readonly (readonly [knobs: KnobOptions, said: string])[] = [
  [{ delay: '200usecs' }, 'delay 200us'],
  [{ delay: '.5s' }, 'delay 500ms'],
  [
    { delay: '20ms', jitter: '5ms', distribution: 'normal', order: 'kept' },
    'delay 20ms jitter 5ms distribution normal order kept',
  ],
  [{ delay: '20ms', jitter: '5msec', distribution: 'paretonormal' }, 'delay 20ms jitter 5ms distribution paretonormal'],
  [{ loss: '0.1%' }, 'loss 0.1%'],
  [{ loss: 'random 5%' }, 'loss 5%'],
  [{ loss: 'gemodel 1% 20% 70% 0.1%' }, 'loss gemodel 1% 20% 70% 0.1%'],
  [{ loss: 'gemodel 1%' }, 'loss gemodel 1% 99% 100% 0%'],
  [{ duplicate: '1e-2%' }, 'duplicate 0.01%'],
  [{ delay: '10ms', reorder: '25%', gap: '5' }, 'delay 10ms reorder 25% gap 5'],
  [{ corrupt: '0.1%' }, 'corrupt 0.1%'],
  [{ corrupt: '2% ip' }, 'corrupt 2% ip'],
  [{ corrupt: '2% tcp' }, 'corrupt 2% tcp'],
  [{ rate: '1.5mbit', limit: '50' }, 'rate 1.5mbit limit 50'],
  [{ rate: '1MiBps' }, 'rate 8388.608kbit'],
  [{ mtu: '1400' }, 'mtu 1400'],
];

describe('the lab file, the command and a test mean the same by', () => {
  test.each(WORDS)('%j', async (knobs, said) => {
    const yaml = Object.entries(knobs).map(([knob, value]) => `${knob}: ${value}`);
    const byFile = await between(yaml.join(', '));
    await using _file = byFile.net;
    const change = changeOf(knobs);
    // What a process is sent is checked at its door.
    expect(readFault(JSON.parse(JSON.stringify({ fault: 'impair', target: ALICE, impairment: change })))).toMatchObject(
      { impairment: change },
    );
    const byTest = await between('delay: 1ms, loss: 1%, duplicate: 1%');
    await using _test = byTest.net;
    const fault = await byTest.net.wire(`${ALICE} -- ${BOB}`).impair({ ...knobs, clear: true });
    expect(fault.words).toBe(`impair ${ALICE}--${BOB} clear ${said}`);
    for (const end of [ALICE, BOB]) {
      expect(byFile.at(end)).toEqual(change);
      expect(byTest.at(end)).toEqual(change);
      expect(impairmentWords(byFile.at(end)).join(' ')).toBe(said);
    }
  });
});

test('each direction has knobs of its own; one that is turned, taken away or healed leaves the others and the other way', async () => {
  const { net, at } = await between('delay: 5ms, "->": { loss: 1% }, "<-": { loss: 2%, delay: 7ms }');
  await using _ = net;
  expect(at(ALICE)).toEqual({ delay: 5_000, loss: 0.01 });
  expect(at(BOB)).toEqual({ delay: 7_000, loss: 0.02 });
  const jitter = await net.wire(ALICE).impair({ jitter: '1ms' });
  expect(at(ALICE)).toEqual({ delay: 5_000, loss: 0.01, jitter: 1_000 });
  const off = await net.wire(ALICE).impair({ loss: 'off', delay: '9ms' });
  expect(at(ALICE)).toEqual({ delay: 9_000, jitter: 1_000 });
  await jitter.heal();
  expect(at(ALICE)).toEqual({ delay: 9_000 });
  const zero = await net.wire(ALICE).impair({ loss: '0%' });
  expect(at(ALICE)).toEqual({ delay: 9_000, loss: 0 });
  await zero.heal();
  await off.heal();
  expect(at(ALICE)).toEqual({ delay: 5_000, loss: 0.01 });
  expect(at(BOB)).toEqual({ delay: 7_000, loss: 0.02 });
});

test('a ping feels the delay of each way from the next frame on', async () => {
  const { net } = await between('"->": { delay: 30ms }, "<-": { delay: 4ms }');
  await using _ = net;
  const alice = net.host('alice');
  const time = async (): Promise<number> =>
    Number(/time=([0-9.]+)/.exec((await alice.exec('ping', '-c', '1', '10.0.0.2')).stdout)?.[1]);
  await time();
  expect(await time()).toBeCloseTo(34, 0);
  const longer = await net.wire(BOB).impair({ delay: '100ms' });
  expect(await time()).toBeCloseTo(130, 0);
  await longer.heal();
  expect(await time()).toBeCloseTo(34, 0);
});

test('what a rate’s queue has no room for is in the verdicts, the log and the ledger, by its reason', async () => {
  const { net } = await between('"->": { rate: 64kbit, limit: 5 }');
  await using _ = net;
  await net.host('alice').exec('ping', '-c', '40', '-i', '0.01', '-s', '400', '-W', '1', '10.0.0.2');
  await net.wait.until(async () => (await net.ledger()).balances, '30s', 'a ledger that balances');
  const dropped = (await net.verdicts(ALICE)).filter(({ verdict }) => verdict === 'over_limit');
  const row = (await net.ledger()).rows.find(({ from }) => from === ALICE);
  expect(dropped.length).toBeGreaterThan(20);
  expect(dropped[0]?.rule).toBe('limit 5');
  expect(row?.takenAway).toEqual({ limit: dropped.length });
  expect(row?.sent).toBe((row?.given ?? 0) - dropped.length);
});

test.each([
  ['50%', 'fcs_error'],
  ['50% ip', 'IpInHdrErrors'],
  ['50% tcp', 'IcmpInCsumErrors'],
])('of echoes corrupted by %s each is found by who is meant to, and none comes through', async (corrupt, finder) => {
  const { net } = await between('');
  await using _ = net;
  await net.host('alice').exec('ping', '-c', '1', '10.0.0.2');
  await net.wire(ALICE).impair({ corrupt });
  const { stdout } = await net.host('alice').exec('ping', '-c', '400', '-i', '0.002', '-W', '1', '10.0.0.2');
  const { packed } = (net as LabNet).driver as PackedDriver;
  const { host } = packed.device('bob');
  const corrupted = packed.end(ALICE).verdicts.corrupted;
  const found =
    finder === 'fcs_error' ? host.skbs.counters.drops.get('fcs_error') : host.snmp[finder as 'IpInHdrErrors'];
  expect(corrupted).toBeGreaterThan(150);
  expect(Number(/(\d+) received/.exec(stdout)?.[1])).toBe(400 - corrupted);
  expect(found).toBe(corrupted);
});
