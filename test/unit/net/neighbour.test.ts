/** Every transition of a neighbour's state (Linux: neigh_timer_handler, __neigh_event_send, __neigh_update), by name. */
import { describe, expect, test } from 'vitest';
import { MAC_BROADCAST, type Mac } from '../../../shared/header/address.ts';
import { ETHERNET } from '../../../shared/header/ethernet.ts';
import type { NudState } from '../../../shared/net/netlink.ts';
import { attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { sendEcho } from '../../kit/echo.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';

const SECOND = 1_000_000;
const BOB = 0x0200_0000_0b0b as Mac;
const EVE = 0x0200_0000_0e0e as Mac;
const ADDRESS = ip('10.0.0.2');

function neighbour() {
  const clock = newClock();
  const cable = new Cable(clock);
  const alice = makeHost('alice', clock);
  const eth0 = attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(makeHost('silent', clock), 'eth0', cable);
  const { neighbours } = alice;
  const entry = neighbours.obtain(eth0, ADDRESS)!;
  const send = () => sendEcho(alice, ADDRESS);
  const update = (state: NudState, mac: Mac | undefined = BOB, flags: Parameters<typeof neighbours.update>[3] = {}) =>
    neighbours.update(entry, mac, state, flags);
  /** What is set up by the administrator for a test's sake. */
  const be = (state: NudState) => {
    expect(update(state, BOB, { admin: true, override: true })).toBeUndefined();
    expect(entry.state).toBe(state);
  };
  /** Target MACs of the frames of a type since the last time. */
  const sent = (type: number) =>
    cable.frames
      .splice(0)
      .filter(({ bytes }) => new DataView(bytes.buffer).getUint16(ETHERNET.TYPE) === type)
      .map(({ bytes }) => Number(new DataView(bytes.buffer).getBigUint64(0) >> 16n));
  const drops = () => Object.fromEntries(alice.skbs.counters.drops);
  stopsMidFlight(alice, clock);
  return { clock, cable, alice, eth0, neighbours, entry, send, update, be, sent, drops };
}

describe('a packet to send', () => {
  test('NONE → INCOMPLETE: the packet waits and everybody is asked', () => {
    const { entry, send, sent } = neighbour();
    expect(entry.state).toBe('NONE');
    send();
    expect(entry.state).toBe('INCOMPLETE');
    expect(entry.queue).toHaveLength(1);
    expect(sent(0x0806)).toEqual([MAC_BROADCAST]);
  });

  test('INCOMPLETE: another packet waits, and nobody is asked for it', () => {
    const { entry, send, sent } = neighbour();
    send();
    send();
    expect(entry.queue).toHaveLength(2);
    expect(sent(0x0806)).toHaveLength(1);
  });

  test('FAILED → INCOMPLETE: it is asked for again', () => {
    const { clock, entry, send, sent } = neighbour();
    send();
    clock.advance(4 * SECOND);
    expect(entry.state).toBe('FAILED');
    sent(0x0806);
    send();
    expect(entry.state).toBe('INCOMPLETE');
    expect(sent(0x0806)).toHaveLength(1);
  });

  test('NONE or FAILED → FAILED with mcast_solicit 0: lost at once', () => {
    const { alice, entry, send, drops } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.eth0.mcast_solicit', '0');
    send();
    expect(entry.state).toBe('FAILED');
    expect(drops()).toEqual({ neigh_failed: 1 });
  });

  test('STALE → DELAY: sent at once to the MAC we have', () => {
    const { entry, be, send, sent } = neighbour();
    be('STALE');
    send();
    expect(entry.state).toBe('DELAY');
    expect(sent(0x0800)).toEqual([BOB]);
  });

  test.each<NudState>(['REACHABLE', 'DELAY', 'PROBE', 'PERMANENT', 'NOARP'])('%s: sent, and stays', (state) => {
    const { entry, be, send, sent } = neighbour();
    be(state);
    send();
    expect(entry.state).toBe(state);
    expect(sent(0x0800)).toEqual([BOB]);
  });

  test('REACHABLE: with the header ready-made, sending does not count as use', () => {
    const { clock, entry, be, send } = neighbour();
    be('REACHABLE');
    send();
    const { used } = entry;
    clock.advance(SECOND);
    send();
    expect(entry.used).toBe(used);
  });
});

describe('a timer', () => {
  test('INCOMPLETE: asked mcast_solicit times, retrans_time_ms apart, then FAILED', () => {
    const { clock, alice, entry, send, sent, drops } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.eth0.mcast_solicit', '5');
    alice.sysctl.set('net.ipv4.neigh.eth0.retrans_time_ms', '200');
    send();
    clock.advance(0.999 * SECOND);
    expect(entry.state).toBe('INCOMPLETE');
    clock.advance(1_000);
    expect(entry.state).toBe('FAILED');
    expect(sent(0x0806)).toEqual(new Array(5).fill(MAC_BROADCAST));
    expect(drops()['neigh_failed']).toBe(1);
  });

  test('INCOMPLETE: app_solicit probes are a daemon’s: waited for, not sent', () => {
    const { clock, alice, entry, send, sent } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.eth0.app_solicit', '2');
    send();
    clock.advance(4.5 * SECOND);
    expect(entry.state).toBe('INCOMPLETE');
    expect(sent(0x0806)).toHaveLength(3);
    clock.advance(SECOND);
    expect(entry.state).toBe('FAILED');
  });

  test('REACHABLE → STALE when its time is over and nobody used it lately', () => {
    const { clock, entry, be } = neighbour();
    be('REACHABLE');
    clock.advance(entry.parms.reachable());
    expect(entry.state).toBe('STALE');
  });

  test('REACHABLE → DELAY when its time is over and it was used within delay_first_probe_time', () => {
    const { clock, entry, be } = neighbour();
    be('REACHABLE');
    entry.used = entry.parms.reachable() - SECOND;
    clock.advance(entry.parms.reachable());
    expect(entry.state).toBe('DELAY');
  });

  test('REACHABLE: confirmed meanwhile, its time begins anew', () => {
    const { clock, neighbours, entry, be } = neighbour();
    be('REACHABLE');
    const time = entry.parms.reachable();
    clock.advance(time - SECOND);
    neighbours.confirm(entry);
    clock.advance(time - SECOND);
    expect(entry.state).toBe('REACHABLE');
    clock.advance(SECOND);
    expect(entry.state).toBe('STALE');
  });

  test('DELAY → REACHABLE when TCP made progress meanwhile', () => {
    const { clock, neighbours, entry, be, send, sent } = neighbour();
    be('STALE');
    send();
    clock.advance(2 * SECOND);
    neighbours.confirm(entry);
    clock.advance(3 * SECOND);
    expect(entry.state).toBe('REACHABLE');
    expect(sent(0x0806)).toEqual([]);
  });

  test('DELAY → PROBE → FAILED: ucast_solicit questions to the MAC we have, then what waits is lost', () => {
    const { clock, alice, entry, be, send, sent } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.eth0.delay_first_probe_time', '2');
    be('STALE');
    send();
    clock.advance(2 * SECOND);
    expect(entry.state).toBe('PROBE');
    clock.advance(2.9 * SECOND);
    expect(entry.state).toBe('PROBE');
    clock.advance(0.2 * SECOND);
    expect(entry.state).toBe('FAILED');
    expect(sent(0x0806)).toEqual([BOB, BOB, BOB]);
  });

  test('PROBE: mcast_resolicit asks everybody once more before it fails', () => {
    const { clock, alice, entry, be, send, sent } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.eth0.mcast_resolicit', '2');
    be('STALE');
    send();
    clock.advance(9.9 * SECOND);
    expect(entry.state).toBe('PROBE');
    clock.advance(0.2 * SECOND);
    expect(entry.state).toBe('FAILED');
    expect(sent(0x0806)).toEqual([BOB, BOB, BOB, MAC_BROADCAST, MAC_BROADCAST]);
  });

  test('STALE, FAILED, PERMANENT and NOARP have no timer', () => {
    for (const state of ['STALE', 'PERMANENT', 'NOARP'] as const) {
      const { clock, entry, be } = neighbour();
      be(state);
      clock.advance(1_000 * SECOND);
      expect(entry.state).toBe(state);
      expect(entry.timer.armed).toBe(false);
    }
  });
});

describe('news', () => {
  test('INCOMPLETE → REACHABLE by an answer: what waited goes out in its order', () => {
    const { entry, send, update, sent } = neighbour();
    send();
    send();
    update('REACHABLE', BOB, { override: true });
    expect(entry).toMatchObject({ state: 'REACHABLE', mac: BOB });
    expect(sent(0x0800)).toEqual([BOB, BOB]);
  });

  test('INCOMPLETE → STALE by a question: what waited goes out, and the first of it makes it DELAY', () => {
    const { entry, send, update, sent } = neighbour();
    send();
    update('STALE', BOB, { override: true });
    expect(entry.state).toBe('DELAY');
    expect(sent(0x0800)).toEqual([BOB]);
  });

  test.each<NudState>(['STALE', 'DELAY', 'PROBE', 'REACHABLE'])(
    '%s → REACHABLE by an answer with the same MAC',
    (from) => {
      const { clock, entry, be, update } = neighbour();
      be(from);
      clock.advance(100);
      update('REACHABLE', BOB, { override: true });
      expect(entry).toMatchObject({ state: 'REACHABLE', confirmed: 100 });
    },
  );

  test.each<NudState>(['REACHABLE', 'DELAY', 'PROBE'])('%s: a question with the same MAC changes nothing', (from) => {
    const { entry, be, update } = neighbour();
    be(from);
    update('STALE', BOB, { override: true });
    expect(entry.state).toBe(from);
  });

  test.each<NudState>(['REACHABLE', 'STALE', 'DELAY', 'PROBE'])('%s → STALE by a question with another MAC', (from) => {
    const { entry, be, update } = neighbour();
    be(from);
    update('STALE', EVE, { override: true });
    expect(entry).toMatchObject({ state: 'STALE', mac: EVE });
  });

  test('without override another MAC is not believed', () => {
    const { entry, be, update } = neighbour();
    be('REACHABLE');
    update('REACHABLE', EVE);
    expect(entry.mac).toBe(BOB);
  });

  test('a weak override makes REACHABLE STALE and keeps the MAC', () => {
    const { entry, be, update } = neighbour();
    be('REACHABLE');
    update('REACHABLE', EVE, { weakOverride: true });
    expect(entry).toMatchObject({ state: 'STALE', mac: BOB });
  });

  test.each<NudState>(['PERMANENT', 'NOARP'])('%s: only the administrator changes it', (state) => {
    const { entry, be, update } = neighbour();
    be(state);
    expect(update('REACHABLE', EVE, { override: true })).toBe('EPERM');
    expect(entry).toMatchObject({ state, mac: BOB });
    be('STALE');
  });

  test('an entry without a MAC cannot be made valid without one', () => {
    const { neighbours, entry } = neighbour();
    expect(neighbours.update(entry, undefined, 'REACHABLE', { admin: true })).toBe('EINVAL');
  });

  test('a removed entry takes no news, and what waited in it is lost', () => {
    const { neighbours, entry, send, update, drops } = neighbour();
    send();
    neighbours.remove(entry);
    expect(drops()).toEqual({ neigh_dead: 1 });
    expect(update('REACHABLE')).toBe('EINVAL');
  });
});

describe('the table', () => {
  test('the reachable time is drawn between half and one and a half of the base, anew after 300 s or a new base', () => {
    const { clock, alice, entry } = neighbour();
    const first = entry.parms.reachable();
    clock.advance(299 * SECOND);
    expect(entry.parms.reachable()).toBe(first);
    clock.advance(SECOND);
    expect(entry.parms.reachable()).not.toBe(first);
    alice.sysctl.set('net.ipv4.neigh.eth0.base_reachable_time_ms', '1000');
    expect(entry.parms.reachable()).toBeGreaterThanOrEqual(0.5 * SECOND);
    expect(entry.parms.reachable()).toBeLessThan(1.5 * SECOND);
  });

  test('above gc_thresh2 what is failed or old goes first, 5 s apart; above gc_thresh3 the log says so', () => {
    const { clock, alice, eth0, neighbours } = neighbour();
    for (const [name, value] of [
      ['gc_thresh1', 1],
      ['gc_thresh2', 4],
      ['gc_thresh3', 8],
    ])
      alice.sysctl.set(`net.ipv4.neigh.default.${name}`, String(value));
    const make = (n: number) => neighbours.obtain(eth0, ip(`10.0.0.${n}`));
    for (let n = 10; n < 17; n++) neighbours.update(make(n)!, BOB, 'STALE');
    clock.advance(SECOND);
    expect(make(17)).toBeUndefined();
    expect(alice.log.lines.map((line) => line.text)).toEqual(['neighbour: arp_cache: neighbor table overflow!']);
    expect(neighbours.statistics.tableFulls).toBe(1);
    clock.advance(5 * SECOND);
    expect(make(17)).toBeDefined();
    expect(neighbours.entries).toBe(5);
  });

  test('permanent entries do not count', () => {
    const { alice, eth0, neighbours } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.default.gc_thresh2', '2');
    alice.sysctl.set('net.ipv4.neigh.default.gc_thresh3', '2');
    for (let n = 10; n < 30; n++) {
      const made = neighbours.obtain(eth0, ip(`10.0.0.${n}`));
      expect(made).toBeDefined();
      neighbours.update(made!, BOB, 'PERMANENT', { admin: true });
    }
    expect(neighbours.entries).toBe(21);
  });

  test('above gc_thresh1 what was not used for gc_stale_time is swept away, and nothing that is asked for', () => {
    const { clock, alice, eth0, neighbours, be } = neighbour();
    alice.sysctl.set('net.ipv4.neigh.default.gc_thresh1', '1');
    be('STALE');
    neighbours.update(neighbours.obtain(eth0, ip('10.0.0.9'))!, BOB, 'PERMANENT', { admin: true });
    clock.advance(120 * SECOND);
    expect(neighbours.list().map((n) => n.state)).toEqual(['PERMANENT']);
  });

  test('no carrier: all but PERMANENT go; a card that goes down takes all', () => {
    const { cable, alice, eth0, neighbours, be } = neighbour();
    be('REACHABLE');
    neighbours.update(neighbours.obtain(eth0, ip('10.0.0.9'))!, BOB, 'PERMANENT', { admin: true });
    cable.setCarrier(false);
    expect(neighbours.list().map((n) => n.state)).toEqual(['PERMANENT']);
    alice.devices.setUp(eth0, false);
    expect(neighbours.list()).toEqual([]);
  });
});
