import { expect, test } from 'vitest';
import { ETHERNET } from '../../shared/header/ethernet.ts';
import { emitIpv4, IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { frameSkb, ip } from '../kit/cable.ts';
import { addCard, cardHost } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { randomBytes, TEST_SEED, testRandom } from '../kit/random.ts';

const PACKETS = 4_000;

/** Opens one socket of every datagram kind, reads what comes, and never ends. */
const listener: Program = async ({ sys }) => {
  const udp = sys.socket('inet', 'dgram');
  sys.bind(udp, { address: ip('0.0.0.0'), port: 7 });
  sys.setsockopt(udp, 'SOL_IP', 'IP_RECVERR', 1);
  const fds = [udp, sys.socket('inet', 'dgram', 1), sys.socket('inet', 'raw', 1), sys.socket('inet', 'raw', 17)];
  fds.push(sys.socket('packet', 'raw', 3));
  sys.bind(fds[1] ?? 0, { address: ip('0.0.0.0'), port: 7 });
  const buffer = new Uint8Array(65_535);
  for (const fd of fds) {
    sys.watch(fd, () => {
      for (const flags of [0, 0x2000]) {
        try {
          while (sys.tryRecv(fd, buffer, flags) !== undefined);
        } catch {
          // An ICMP error that the packet told of.
        }
      }
    });
  }
  return new Promise(() => {});
};

test(`any bytes in UDP, ICMP and their quotes are received or dropped with a reason (seed ${TEST_SEED})`, () => {
  const random = testRandom('datagrams');
  const clock = new ManualClock();
  const [wire] = memoryWire(clock, 'alice:eth0', 'nobody:eth0');
  const alice = cardHost('alice', clock);
  const { dev } = addCard(alice, 'eth0', wire, { addresses: ['10.0.0.1/24'] });
  alice.processes.spawn(listener, ['listener']);
  for (let i = 0; i < PACKETS; i++) {
    const payload = randomBytes(random, random.below(96));
    const protocol = random.below(2) === 0 ? PROTOCOL.UDP : PROTOCOL.ICMP;
    plausible(payload, protocol, random.below(4), () => random.u32());
    const size = ETHERNET.SIZE + IPV4.SIZE + payload.length;
    const frame = new Uint8Array(size);
    const view = new DataView(frame.buffer);
    view.setUint16(ETHERNET.TYPE, 0x0800);
    emitIpv4(frame, view, ETHERNET.SIZE, {
      tos: 0,
      totalLength: size - ETHERNET.SIZE,
      id: i,
      fragment: 0,
      ttl: 64,
      protocol,
      source: ip('10.0.0.2'),
      target: ip(random.below(8) === 0 ? '10.0.0.255' : '10.0.0.1'),
    });
    frame.set(payload, ETHERNET.SIZE + IPV4.SIZE);
    for (let n = 0; n < 6; n++) frame[n] = Math.floor(dev.mac / 2 ** (8 * (5 - n))) & 255;
    netifReceive(alice, dev, frameSkb(alice, frame));
    clock.advance(10);
  }
  const { UdpInDatagrams, UdpInErrors, UdpNoPorts, IcmpInMsgs } = alice.snmp;
  expect(Math.min(UdpInDatagrams, UdpInErrors, UdpNoPorts, IcmpInMsgs)).toBeGreaterThan(10);
  alice.processes.killAll('SIGTERM');
  clock.advance(60_000_000);
  expect(alice.skbs.counters.live).toBe(0);
});

/** Push random bytes towards what gets past the first checks. */
function plausible(bytes: Uint8Array, protocol: number, kind: number, u32: () => number): void {
  const view = new DataView(bytes.buffer);
  if (kind === 0) return;
  if (protocol === PROTOCOL.UDP && bytes.length >= 8) {
    view.setUint16(2, kind === 1 ? 7 : u32() & 0xffff);
    view.setUint16(4, kind === 2 ? u32() & 0xff : bytes.length);
    if (kind !== 3) view.setUint16(6, 0);
  } else if (protocol === PROTOCOL.ICMP && bytes.length >= 36) {
    view.setUint16(0, [0x0000, 0x0303, 0x0b00, 0x0304][kind] ?? 0);
    view.setUint8(8, 0x45);
    view.setUint8(8 + IPV4.PROTOCOL, u32() % 2 === 0 ? PROTOCOL.UDP : PROTOCOL.ICMP);
    view.setUint32(8 + IPV4.SOURCE, ip('10.0.0.1'));
    view.setUint16(28, 7);
    view.setUint16(2, 0);
    let sum = 0;
    for (let at = 0; at < bytes.length; at++) sum += at % 2 === 0 ? (bytes[at] ?? 0) << 8 : (bytes[at] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(2, ~sum & 0xffff);
  }
}
