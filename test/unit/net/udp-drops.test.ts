import { expect, test } from 'vitest';
import { ETHERNET } from '../../../shared/header/ethernet.ts';
import { emitIpv4, IPV4, PROTOCOL } from '../../../shared/header/ipv4.ts';
import type { DropReason } from '../../../shared/net/drop.ts';
import { netifReceive } from '../../../shared/net/netdev.ts';
import type { Program } from '../../../shared/net/syscalls.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { frameSkb, ip } from '../../kit/cable.ts';
import { addCard, cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';

/** A UDP header from port 9 to port 7 with these fields, and `payload` octets after it. */
function udp(fields: { length?: number; checksum?: number; payload?: number; size?: number }): Uint8Array {
  const payload = fields.payload ?? 4;
  const bytes = new Uint8Array(fields.size ?? 8 + payload);
  const view = new DataView(bytes.buffer);
  if (bytes.length < 8) return bytes;
  view.setUint16(0, 9);
  view.setUint16(2, 7);
  view.setUint16(4, fields.length ?? bytes.length);
  view.setUint16(6, fields.checksum ?? 0);
  return bytes;
}

const listener: Program = ({ sys }) => {
  sys.bind(sys.socket('inet', 'dgram'), { address: ip('0.0.0.0'), port: 7 });
  return new Promise(() => {});
};

/** What becomes of one such packet on a host; with `listens`, a socket waits on port 7 and never reads. */
function receive(datagrams: Uint8Array[], listens: boolean): Map<DropReason, number> {
  const clock = new ManualClock();
  const [wire] = memoryWire(clock, 'alice:eth0', 'nobody:eth0');
  const alice = cardHost('alice', clock);
  const { dev } = addCard(alice, 'eth0', wire, { addresses: ['10.0.0.1/24'] });
  if (listens) alice.processes.spawn(listener, ['listener']);
  for (const datagram of datagrams) {
    const frame = new Uint8Array(ETHERNET.SIZE + IPV4.SIZE + datagram.length);
    const view = new DataView(frame.buffer);
    view.setUint16(ETHERNET.TYPE, 0x0800);
    emitIpv4(frame, view, ETHERNET.SIZE, {
      tos: 0,
      totalLength: frame.length - ETHERNET.SIZE,
      id: 1,
      fragment: 0,
      ttl: 64,
      protocol: PROTOCOL.UDP,
      source: ip('10.0.0.2'),
      target: ip('10.0.0.1'),
    });
    frame.set(datagram, ETHERNET.SIZE + IPV4.SIZE);
    for (let n = 0; n < 6; n++) frame[n] = Math.floor(dev.mac / 2 ** (8 * (5 - n))) & 255;
    netifReceive(alice, dev, frameSkb(alice, frame));
  }
  alice.processes.killAll('SIGTERM');
  clock.advance(60_000_000);
  expect(alice.skbs.counters.live).toBe(0);
  const { drops } = alice.skbs.counters;
  drops.delete('neigh_failed'); // The "port unreachable" that found nobody.
  drops.delete('no_carrier');
  return drops;
}

test.each<[string, DropReason, Uint8Array, boolean]>([
  ['shorter than its header', 'udp_too_short', udp({ size: 5 }), true],
  ['that claims to be longer than its packet', 'udp_bad_length', udp({ length: 500 }), true],
  ['that claims to be shorter than its header', 'udp_bad_length', udp({ length: 7 }), true],
  ['whose sum is wrong', 'udp_bad_checksum', udp({ checksum: 1 }), true],
  ['that nobody waits for', 'no_socket', udp({}), false],
  ['that nobody reads before the socket is closed', 'socket_closed', udp({}), true],
])('a datagram %s is dropped: %s', (_words, reason, datagram, listens) => {
  expect([...receive([datagram], listens)]).toEqual([[reason, 1]]);
});

test('datagrams beyond the receive buffer are dropped: socket_rcvbuf', () => {
  const drops = receive(
    Array.from({ length: 200 }, () => udp({})),
    true,
  );
  const kept = drops.get('socket_closed') ?? 0;
  expect(drops.get('socket_rcvbuf')).toBe(200 - kept);
  expect(kept).toBe(Math.floor(212_992 / (2_048 + 256)) + 1);
});
