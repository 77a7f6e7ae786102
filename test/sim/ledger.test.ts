/** The ledger: every frame that a port gave to its wire is somewhere, whatever happened to it on the way. */
import { expect, test } from 'vitest';
import { ledgerOf } from '../../services/gateway/ledger.ts';
import type { LedgerRow } from '../../services/gateway/ledger-row.ts';
import type { Net, NetLedger } from '../../services/lab/index.ts';
import { formatLedger } from '../../services/lab/ledger.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { EndLedger } from '../../shared/device/state-types.ts';
import type { WireCounters } from '../../shared/wire/wire.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

async function settled(net: Net): Promise<NetLedger> {
  await net.wait.until(async () => (await net.ledger()).balances, '30s', 'a ledger that balances');
  return await net.ledger();
}

function rowOf(ledger: NetLedger, from: string): LedgerRow {
  const row = ledger.rows.find((one) => one.from === from);
  if (row === undefined) throw new Error(`no row of ${from}`);
  return row;
}

test('what a wire takes away, doubles and damages is in its row, by reason, and every row balances', async () => {
  await using net = await virtualLab('two-hosts', { seed: 3 });
  await using _ = await net
    .wire('alice:eth0')
    .impair({ delay: '20ms', jitter: '5ms', loss: '10%', duplicate: '10%', corrupt: '10%', mtu: '1000' });
  await net.host('alice').exec('ping', '-c', '300', '-i', '0.01', '10.0.0.2');
  await net.host('alice').exec('ping', '-c', '5', '-i', '0.01', '-s', '1400', '-W', '1', '10.0.0.2');
  const ledger = await settled(net);
  const row = rowOf(ledger, 'alice:eth0');
  expect(row.given).toBeGreaterThan(300);
  expect(row.takenAway).toEqual({ loss: expect.any(Number), mtu: 5 });
  expect(row.duplicated).toBeGreaterThan(10);
  expect(row.refused['fcs_error']).toBeGreaterThan(10);
  expect(row.sent).toBe(row.given + row.duplicated - 5 - (row.takenAway['loss'] ?? 0));
  expect(row.received).toBe(row.sent);
  expect(formatLedger(ledger.rows)).toContain('every frame of 4 directions is accounted for');
});

test('while frames wait or are under way the ledger does not balance, and still nothing is unaccounted', async () => {
  await using net = await virtualLab('two-hosts');
  await using _ = await net.wire('alice:eth0').impair({ delay: '500ms' });
  const pinging = net.host('alice').start('ping', '-c', '1', '10.0.0.2');
  await net.wait.time('10ms');
  const ledger = await net.ledger();
  expect(ledger.balances).toBe(false);
  expect(rowOf(ledger, 'alice:eth0').waiting).toBe(1);
  expect(ledger.rows.every((row) => row.unaccounted === 0)).toBe(true);
  await using pulled = await net.unplug('alice:eth0');
  expect(rowOf(await net.ledger(), 'alice:eth0').takenAway).toMatchObject({ darkened: 1 });
  await pulled.heal();
  await pinging.done;
  expect((await settled(net)).balances).toBe(true);
});

test('frames into a cut, into the dark, and to a device that was killed are told apart', async () => {
  await using net = await virtualLab('two-hosts');
  const alice = net.host('alice');
  await alice.exec('ping', '-c', '3', '-i', '0.1', '10.0.0.2');
  {
    await using _ = await net.cut('alice:eth0');
    await alice.exec('ping', '-c', '2', '-i', '0.1', '-W', '1', '10.0.0.2');
    expect(rowOf(await net.ledger(), 'alice:eth0').takenAway['cut']).toBeGreaterThanOrEqual(2);
  }
  const before = rowOf(await settled(net), 'sw:p2');
  {
    await using _ = await net.kill('bob');
    const dead = rowOf(await net.ledger(), 'sw:p2');
    expect(dead).toMatchObject({ toUp: false, sent: before.sent, toEarlier: before.sent, received: 0, unaccounted: 0 });
    expect(rowOf(await net.ledger(), 'bob:eth0')).toMatchObject({ fromUp: false, unaccounted: 0, underWay: 0 });
  }
  await net.wait.carrier('sw:p2');
  expect((await alice.exec('ping', '-c', '3', '-i', '0.1', '10.0.0.2')).status).toBe(0);
  const after = await settled(net);
  expect(rowOf(after, 'sw:p2').toEarlier).toBe(before.sent);
  expect(rowOf(after, 'sw:p2').received).toBe(rowOf(after, 'sw:p2').sent - before.sent);
  expect(rowOf(after, 'bob:eth0').toEarlier).toBe(0);
});

test('what is sent to a device that stands still is under way, not lost, also by one that was started meanwhile', async () => {
  await using net = await virtualLab('two-hosts');
  const alice = net.host('alice');
  await alice.exec('ping', '-c', '3', '-i', '0.1', '10.0.0.2');
  const before = rowOf(await settled(net), 'sw:p2');
  {
    await using _ = await net.freeze('bob');
    await alice.exec('ping', '-c', '2', '-i', '0.1', '-W', '1', '10.0.0.2');
    const still = await net.ledger();
    expect(rowOf(still, 'sw:p2')).toMatchObject({ toUp: false, toSilent: true, toEarlier: 0, sent: before.sent + 2 });
    expect([still.balances, formatLedger(still.rows)]).toEqual([false, expect.stringContaining('bob:eth0(silent)')]);
    await net.host('sw').restart();
    await alice.exec('ping', '-c', '1', '-W', '1', '10.0.0.2');
    expect((await net.ledger()).balances).toBe(false);
  }
  expect(rowOf(await net.ledger(), 'sw:p2')).toMatchObject({ toSilent: false, toEarlier: 0 });
  expect(rowOf(await settled(net), 'sw:p2').received).toBeGreaterThan(0);
});

test('a frame that a wire forgets, or a count that is wrong, is told', async () => {
  await using net = await virtualLab('two-hosts');
  await net.host('alice').exec('ping', '-c', '3', '-i', '0.1', '10.0.0.2');
  const view = await (net as LabNet).driver.state();
  const told = (change: (end: EndLedger, counters: WireCounters) => void): LedgerRow => {
    const copy = structuredClone(view);
    const port = copy.devices.find(({ name }) => name === 'sw')?.detail?.ports.find(({ name }) => name === 'p1');
    if (port?.ledger == null || port.counters === null) throw new Error('sw:p1 has a wire');
    change(port.ledger, port.counters as WireCounters);
    return rowOf({ rows: ledgerOf(copy), balances: false }, 'alice:eth0');
  };
  expect(told(() => {})).toMatchObject({ underWay: 0, unaccounted: 0 });
  const forgotten = (end: EndLedger): unknown => Object.assign(end.numbers, { expected: end.numbers.expected - 2 });
  expect(told(forgotten)).toMatchObject({ underWay: 2, unaccounted: -2 });
  expect(told((_end, counters) => void counters.receivedFrames++)).toMatchObject({ unaccounted: 1 });
});
