/** IPv4 options on their way through a router and back (RFC 791 §3.1, RFC 1812 §5.3.13), as ip_options.c does them. */
import { describe, expect, test } from 'vitest';
import { formatIpv4, type Ipv4, type Mac } from '../../../shared/header/address.ts';
import { fold, sumBytes } from '../../../shared/header/checksum.ts';
import { ETHERNET, ETHERTYPE } from '../../../shared/header/ethernet.ts';
import { netifReceive } from '../../../shared/net/netdev.ts';
import { addRoute, attach, Cable, type Frame, frameSkb, ip, makeHost, newClock } from '../../kit/cable.ts';
import { ethernetFrame, type IpFields, icmpMessage, ipPacket } from '../../kit/frames.ts';

const NEAR = 0x0200_0000_0a0a as Mac;
const FAR = 0x0200_0000_0f0f as Mac;
const SENDER = 0x0200_0000_0b0b as Mac;
const octets = (address: string) => address.split('.').map(Number);

/** 10.0.0.2 — router — 10.0.1.2; packets are handed in as if 10.0.0.2 had sent them. */
function router() {
  const clock = newClock();
  clock.advance(5_000_000);
  const [near, far] = [new Cable(clock), new Cable(clock)];
  const host = makeHost('router', clock);
  const eth0 = attach(host, 'eth0', near, { addresses: ['10.0.0.1/24'], mac: NEAR });
  const eth1 = attach(host, 'eth1', far, { addresses: ['10.0.1.1/24'], mac: FAR });
  for (const cable of [near, far]) attach(makeHost('silent', clock), 'eth0', cable);
  for (const [dev, address] of [
    [eth0, '10.0.0.2'],
    [eth1, '10.0.1.2'],
    [eth1, '10.0.1.9'],
  ] as const)
    host.neighbours.update(host.neighbours.obtain(dev, ip(address))!, SENDER, 'PERMANENT', { admin: true });
  host.sysctl.set('net.ipv4.ip_forward', '1');
  const send = (target: string, options: readonly number[], more: Partial<IpFields> = {}) => {
    const fields = {
      source: ip('10.0.0.2'),
      target: ip(target),
      protocol: 1,
      options: Uint8Array.from(options),
      ...more,
    };
    const packet = ipPacket(fields, icmpMessage(8, 0, 7, new Uint8Array(8)));
    netifReceive(host, eth0, frameSkb(host, ethernetFrame(NEAR, SENDER, ETHERTYPE.IPV4, packet)));
    clock.advance(0);
  };
  const drops = () => Object.fromEntries(host.skbs.counters.drops);
  return { clock, host, near, far, send, drops };
}

function read(frame: Frame | undefined) {
  expect(frame).toBeDefined();
  const bytes = frame!.bytes.subarray(ETHERNET.SIZE);
  const length = (bytes[0]! & 15) * 4;
  expect(fold(sumBytes(bytes, 0, length))).toBe(0xffff);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    target: formatIpv4(view.getUint32(16) as Ipv4),
    options: [...bytes.subarray(20, length)],
    icmp: [...bytes.subarray(length, length + 8)],
  };
}

describe('record route', () => {
  test('a router writes the address of its way out and moves the pointer; the sum follows', () => {
    const { far, send } = router();
    send('10.0.1.2', [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(read(far.frames[0]).options).toEqual([7, 11, 8, ...octets('10.0.1.1'), 0, 0, 0, 0, 0]);
  });

  test('a full record goes on as it is', () => {
    const { far, send } = router();
    const full = [7, 7, 8, ...octets('10.9.9.9'), 0];
    send('10.0.1.2', full);
    expect(read(far.frames[0]).options).toEqual(full);
  });

  test('an echo comes back with the record: who was asked, and who answers', () => {
    const { near, send } = router();
    send('10.0.0.1', [7, 15, 8, ...octets('10.9.9.9'), 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const { options, icmp } = read(near.frames[0]);
    expect(icmp[0]).toBe(0);
    expect(options).toEqual([7, 15, 16, ...octets('10.9.9.9'), ...octets('10.0.0.1'), ...octets('10.0.0.1'), 0]);
  });
});

describe('timestamps', () => {
  test('time alone, and time with address', () => {
    const { near, send } = router();
    send('10.0.0.1', [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Five seconds past midnight: once as it came, once as it left.
    const now = [0, 0, 0x13, 0x88];
    expect(read(near.frames[0]).options).toEqual([68, 12, 13, 0, ...now, ...now]);
    send('10.0.0.1', [68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(read(near.frames[1]).options).toEqual([68, 12, 13, 1, ...octets('10.0.0.1'), ...now]);
  });

  test('prespecified: only the host that is named writes', () => {
    const { far, near, send } = router();
    send('10.0.1.2', [68, 12, 5, 3, ...octets('10.0.1.2'), 0, 0, 0, 0]);
    expect(read(far.frames[0]).options).toEqual([68, 12, 5, 3, ...octets('10.0.1.2'), 0, 0, 0, 0]);
    send('10.0.0.1', [68, 12, 5, 3, ...octets('10.0.0.1'), 0, 0, 0, 0]);
    expect(read(near.frames[0]).options).toEqual([68, 12, 13, 3, ...octets('10.0.0.1'), 0, 0, 0x13, 0x88]);
  });

  test('no room: the overflow counts up, and at fifteen the packet is an error', () => {
    const { far, near, send, drops } = router();
    send('10.0.1.2', [68, 4, 5, 0x20]);
    expect(read(far.frames[0]).options).toEqual([68, 4, 5, 0x30]);
    send('10.0.1.2', [68, 4, 5, 0xf0]);
    expect(drops()).toEqual({ ip_bad_options: 1 });
    expect(read(near.frames[0]).icmp.slice(0, 5)).toEqual([12, 0, expect.any(Number), expect.any(Number), 23]);
  });
});

describe('source routes', () => {
  const loose = [131, 7, 4, ...octets('10.0.1.9'), 0];

  test('the administrator must want them on the card and on all; else the packet is dropped, and the log says so', () => {
    const { host, send, drops } = router();
    host.sysctl.set('net.ipv4.conf.all.log_martians', '1');
    send('10.0.0.1', loose);
    expect(drops()).toEqual({ ip_source_route: 1 });
    expect(host.log.lines.map((line) => line.text)).toEqual(['IPv4: source route option 10.0.0.2 -> 10.0.0.1']);
  });

  test('loose: we are a stop, so on to the next, our way out recorded in its place', () => {
    const { host, far, send } = router();
    host.sysctl.set('net.ipv4.conf.all.accept_source_route', '1');
    send('10.0.0.1', loose);
    expect(read(far.frames[0])).toMatchObject({
      target: '10.0.1.9',
      options: [131, 7, 8, ...octets('10.0.1.1'), 0],
    });
  });

  test('strict: who is no stop does not pass it on, and a gateway in between is "source route failed"', () => {
    const { host, near, send, drops } = router();
    host.sysctl.set('net.ipv4.conf.all.accept_source_route', '1');
    send('10.0.1.9', [137, 7, 4, ...octets('10.0.1.9'), 0]);
    expect(read(near.frames[0]).icmp.slice(0, 2)).toEqual([12, 0]);
    addRoute(host, '172.16.0.0/16 via 10.0.1.9');
    send('10.0.0.1', [137, 7, 4, ...octets('172.16.0.1'), 0]);
    expect(read(near.frames[1]).icmp.slice(0, 2)).toEqual([3, 5]);
    expect(drops()).toEqual({ ip_source_route: 2 });
  });

  test('an echo goes back by the stops it came by', () => {
    const { host, near, send } = router();
    host.sysctl.set('net.ipv4.conf.all.accept_source_route', '1');
    addRoute(host, '10.9.9.9/32 via 10.0.0.2');
    // The last stop of the route was us: its pointer is behind the list, which names who was passed.
    send('10.0.0.1', [131, 7, 8, ...octets('10.9.9.9'), 0]);
    expect(read(near.frames[0])).toMatchObject({
      target: '10.9.9.9',
      options: [131, 7, 4, ...octets('10.0.0.2'), 0],
    });
  });
});

describe('what is wrong, or not known', () => {
  test.each<[string, number[], number]>([
    ['a length beyond the header', [7, 40, 0, 0], 20],
    ['a length below two', [7, 1, 0, 0], 20],
    ['a record with a pointer into its own head', [1, 7, 7, 3, 0, 0, 0, 0], 23],
    ['a record with half a slot left', [7, 9, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0], 22],
    ['two records', [7, 3, 4, 7, 3, 4, 0, 0], 23],
    ['two source routes', [131, 3, 4, 137, 3, 4, 0, 0], 23],
    ['a router alert cut short', [148, 3, 0, 0], 21],
  ])('%s: dropped, with a parameter problem that points at it', (_, options, pointer) => {
    const { near, host, send, drops } = router();
    send('10.0.0.1', options);
    expect(drops()).toEqual({ ip_bad_options: 1 });
    expect(read(near.frames[0]).icmp[0]).toBe(12);
    expect(read(near.frames[0]).icmp[4]).toBe(pointer);
    expect(host.snmp.IpInHdrErrors).toBe(1);
  });

  test('unknown options pass; what follows the end is made zero', () => {
    const { far, send } = router();
    send('10.0.1.2', [0x5e, 4, 9, 9]);
    expect(read(far.frames[0]).options).toEqual([0x5e, 4, 9, 9]);
    send('10.0.1.2', [148, 4, 0, 0, 0, 9, 9, 9]);
    expect(read(far.frames[1]).options).toEqual([148, 4, 0, 0, 0, 0, 0, 0]);
  });
});

describe('martians', () => {
  test('log_martians: a line with the frame’s head for a source, one line for a target, ten in five seconds', () => {
    const { clock, host, send } = router();
    send('10.0.0.1', [], { source: ip('127.0.0.1') });
    expect(host.log.lines).toEqual([]);
    host.sysctl.set('net.ipv4.conf.eth0.log_martians', '1');
    send('10.0.0.1', [], { source: ip('127.0.0.1') });
    send('127.0.0.1', []);
    expect(host.log.lines.map((line) => line.text)).toEqual([
      'IPv4: martian source 10.0.0.1 from 127.0.0.1, on dev eth0\nll header: 00000000: 02 00 00 00 0a 0a 02 00 00 00 0b 0b 08 00',
      'IPv4: martian destination 127.0.0.1 from 10.0.0.2, dev eth0',
    ]);
    for (let n = 0; n < 20; n++) send('127.0.0.1', []);
    expect(host.log.lines).toHaveLength(10);
    clock.advance(6_000_000);
    send('127.0.0.1', []);
    expect(host.log.lines.slice(-2).map((line) => line.text)[0]).toBe('net_ratelimit: 12 callbacks suppressed');
  });
});
