/** TCP as the connection tracker sees it pass: windows, resets, what is INVALID (Linux: nf_conntrack_proto_tcp.c). */
import { describe, expect, test } from 'vitest';
import { type Ipv4, type Mac, parseMac } from '../../../shared/header/address.ts';
import { finish, pseudoHeaderSum, sumBytes } from '../../../shared/header/checksum.ts';
import { ETHERTYPE } from '../../../shared/header/ethernet.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { conntrackEnable } from '../../../shared/net/conntrack.ts';
import { iptablesCommand } from '../../../shared/net/iptables.ts';
import { netifReceive } from '../../../shared/net/netdev.ts';
import { attach, Cable, frameSkb, ip, makeHost, newClock } from '../../kit/cable.ts';
import { ethernetFrame, ipPacket } from '../../kit/frames.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';

const SECOND = 1_000_000;
const PEER = parseMac('02:00:00:00:0b:0b') as Mac;
const { SYN, ACK, RST, FIN } = TCP_FLAG;
const WINDOW_SCALE_7 = [1, 3, 3, 7];

interface Segment {
  readonly seq: number;
  readonly ack?: number;
  readonly flags: number;
  readonly size?: number;
  readonly window?: number;
  readonly options?: readonly number[];
  readonly badSum?: boolean;
}

function tcpBytes(source: Ipv4, target: Ipv4, ports: [number, number], segment: Segment): Uint8Array {
  const { seq, ack = 0, flags, size = 0, window = 1_000, options = [] } = segment;
  const header = 20 + options.length;
  const bytes = new Uint8Array(header + size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ports[0]);
  view.setUint16(2, ports[1]);
  view.setUint32(4, seq >>> 0);
  view.setUint32(8, ack >>> 0);
  view.setUint8(12, (header / 4) << 4);
  view.setUint8(13, flags);
  view.setUint16(14, window);
  bytes.set(options, 20);
  const sum = finish(sumBytes(bytes, 0, bytes.length, pseudoHeaderSum(source, target, 6, bytes.length)));
  view.setUint16(16, segment.badSum === true ? sum ^ 1 : sum);
  return bytes;
}

/** A router between a client and a server; segments are put in at either side, and the tracker asked what it thinks. */
function router(rules = true) {
  const clock = newClock();
  const [near, far] = [new Cable(clock), new Cable(clock)];
  const host = makeHost('router', clock);
  const eth0 = attach(host, 'eth0', near, { addresses: ['10.0.0.1/24'] });
  const eth1 = attach(host, 'eth1', far, { addresses: ['10.0.1.1/24'] });
  for (const cable of [near, far]) attach(makeHost('silent', clock), 'eth0', cable);
  const [client, server] = [ip('10.0.0.2'), ip('10.0.1.2')];
  host.neighbours.update(host.neighbours.obtain(eth0, client)!, PEER, 'PERMANENT', { admin: true });
  host.neighbours.update(host.neighbours.obtain(eth1, server)!, PEER, 'PERMANENT', { admin: true });
  host.sysctl.set('net.ipv4.ip_forward', '1');
  conntrackEnable(host);
  if (rules) iptablesCommand(host, 'filter', '-A FORWARD -m conntrack --ctstate INVALID -j DROP'.split(' '));
  stopsMidFlight(host, clock);
  const put = (fromServer: boolean, segment: Segment): 'passed' | 'invalid' => {
    const [source, target] = fromServer ? [server, client] : [client, server];
    const ports: [number, number] = fromServer ? [80, 5_000] : [5_000, 80];
    const dev = fromServer ? eth1 : eth0;
    const before = host.skbs.counters.drops.get('netfilter_drop') ?? 0;
    const packet = ipPacket({ source, target, protocol: 6 }, tcpBytes(source, target, ports, segment));
    netifReceive(host, dev, frameSkb(host, ethernetFrame(dev.mac, PEER, ETHERTYPE.IPV4, packet)));
    clock.advance(0);
    return (host.skbs.counters.drops.get('netfilter_drop') ?? 0) > before ? 'invalid' : 'passed';
  };
  const fromClient = (segment: Segment) => put(false, segment);
  const fromServer = (segment: Segment) => put(true, segment);
  const flow = () => host.conntrack.list()[0];
  const seconds = () => Math.round(((flow()?.expires ?? 0) - clock.now()) / SECOND);
  /** Client 1000, server 5000, both with scale 7: 128000 octets of window. */
  const open = (scaled = true) => {
    const options = scaled ? WINDOW_SCALE_7 : [];
    fromClient({ seq: 1_000, flags: SYN, window: 65_000, options });
    fromServer({ seq: 5_000, ack: 1_001, flags: SYN | ACK, window: 65_000, options });
    fromClient({ seq: 1_001, ack: 5_001, flags: ACK });
  };
  return { clock, host, fromClient, fromServer, flow, seconds, open };
}

describe('states and their timeouts', () => {
  test('SYN_SENT 120, SYN_RECV 60, ESTABLISHED 432000 and assured, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT', () => {
    const { fromClient, fromServer, flow, seconds } = router();
    const seen: (string | number | undefined)[] = [];
    const note = () => seen.push(flow()?.tcp?.state, seconds());
    fromClient({ seq: 1_000, flags: SYN });
    note();
    fromServer({ seq: 5_000, ack: 1_001, flags: SYN | ACK });
    note();
    fromClient({ seq: 1_001, ack: 5_001, flags: ACK });
    note();
    expect(flow()?.assured).toBe(true);
    fromClient({ seq: 1_001, ack: 5_001, flags: FIN | ACK });
    note();
    fromServer({ seq: 5_001, ack: 1_002, flags: ACK });
    note();
    fromServer({ seq: 5_001, ack: 1_002, flags: FIN | ACK });
    note();
    fromClient({ seq: 1_002, ack: 5_002, flags: ACK });
    note();
    expect(seen).toEqual([
      ...['SYN_SENT', 120, 'SYN_RECV', 60, 'ESTABLISHED', 432_000, 'FIN_WAIT', 120],
      ...['CLOSE_WAIT', 60, 'LAST_ACK', 30, 'TIME_WAIT', 120],
    ]);
  });

  test('data that nobody acknowledges shortens ESTABLISHED to 300 s; its ACK brings the rest back', () => {
    const { fromClient, fromServer, seconds, open } = router();
    open();
    fromClient({ seq: 1_001, ack: 5_001, flags: ACK, size: 100 });
    expect(seconds()).toBe(300);
    fromServer({ seq: 5_001, ack: 1_101, flags: ACK });
    expect(seconds()).toBe(432_000);
  });

  test('the same ACK four times, or a closed window: 300 s (tcp_max_retrans)', () => {
    const { host, fromServer, seconds, open } = router();
    open();
    for (let n = 0; n < 4; n++) fromServer({ seq: 5_001, ack: 1_001, flags: ACK });
    expect(seconds()).toBe(300);
    host.sysctl.set('net.netfilter.nf_conntrack_tcp_max_retrans', '10');
    fromServer({ seq: 5_001, ack: 1_001, flags: ACK });
    expect(seconds()).toBe(432_000);
  });

  test('a SYN sent again does not keep a flow without an answer alive', () => {
    const { clock, fromClient, seconds } = router();
    fromClient({ seq: 1_000, flags: SYN });
    clock.advance(50 * SECOND);
    fromClient({ seq: 1_000, flags: SYN });
    expect(seconds()).toBe(70);
  });

  test('a SYN that is refused leaves no flow', () => {
    const { host, fromClient, fromServer } = router();
    fromClient({ seq: 1_000, flags: SYN });
    fromServer({ seq: 0, ack: 1_001, flags: RST | ACK });
    expect(host.conntrack.list()).toEqual([]);
  });

  test('after TIME_WAIT the same ports begin another connection', () => {
    const { host, fromClient, fromServer, flow, open } = router();
    open();
    fromClient({ seq: 1_001, ack: 5_001, flags: FIN | ACK });
    fromServer({ seq: 5_001, ack: 1_002, flags: FIN | ACK });
    fromClient({ seq: 1_002, ack: 5_002, flags: ACK });
    expect(flow()?.tcp?.state).toBe('TIME_WAIT');
    fromClient({ seq: 900_000, flags: SYN });
    expect(flow()?.tcp?.state).toBe('SYN_SENT');
    expect(host.conntrack.count).toBe(1);
  });
});

describe('windows', () => {
  test('data within the peer’s scaled window passes; beyond it is INVALID, and counted', () => {
    const { host, fromClient, open } = router();
    open();
    expect(fromClient({ seq: 1_001 + 60_000, ack: 5_001, flags: ACK, size: 100 })).toBe('passed');
    expect(fromClient({ seq: 1_001 + 900_000, ack: 5_001, flags: ACK, size: 100 })).toBe('invalid');
    expect(host.conntrack.statistics.invalid).toBe(1);
  });

  test('without window scaling at both ends 1000 is 1000', () => {
    const { fromClient, fromServer, open } = router();
    open(false);
    fromServer({ seq: 5_001, ack: 1_001, flags: ACK, window: 1_000 });
    expect(fromClient({ seq: 1_001 + 200_000, ack: 5_001, flags: ACK, size: 10 })).toBe('invalid');
  });

  test('an ACK for data that was never sent is INVALID', () => {
    const { fromServer, open } = router();
    open();
    expect(fromServer({ seq: 5_001, ack: 1_001 + 50, flags: ACK })).toBe('invalid');
    expect(fromServer({ seq: 5_001, ack: 1_001, flags: ACK })).toBe('passed');
  });

  test('what is long acknowledged is let through, and changes nothing', () => {
    const { clock, fromClient, fromServer, seconds, open } = router();
    open();
    fromClient({ seq: 1_001, ack: 5_001, flags: ACK, size: 1_000 });
    fromServer({ seq: 5_001, ack: 2_001, flags: ACK });
    clock.advance(10 * SECOND);
    expect(fromClient({ seq: 2_001 - 200_000, ack: 5_001, flags: ACK, size: 1 })).toBe('passed');
    expect(seconds()).toBe(432_000 - 10);
  });

  test('tcp_be_liberal: the numbers do not matter', () => {
    const { host, fromClient, open } = router();
    host.sysctl.set('net.netfilter.nf_conntrack_tcp_be_liberal', '1');
    open();
    expect(fromClient({ seq: 1_001 + 900_000, ack: 5_001, flags: ACK, size: 100 })).toBe('passed');
  });

  test('tcp_loose: a connection is picked up in the middle, or not', () => {
    const { host, fromClient, fromServer, flow, seconds } = router();
    host.sysctl.set('net.netfilter.nf_conntrack_tcp_loose', '0');
    expect(fromClient({ seq: 1_001, ack: 5_001, flags: ACK, size: 10 })).toBe('invalid');
    host.sysctl.set('net.netfilter.nf_conntrack_tcp_loose', '1');
    expect(fromClient({ seq: 1_001, ack: 5_001, flags: ACK, size: 10 })).toBe('passed');
    expect([flow()?.tcp?.state, seconds()]).toEqual(['ESTABLISHED', 300]);
    // Assured is who has been answered, and speaks again.
    fromServer({ seq: 5_001, ack: 1_011, flags: ACK });
    expect(flow()?.assured).toBe(false);
    fromClient({ seq: 1_011, ack: 5_001, flags: ACK });
    expect(flow()?.assured).toBe(true);
  });
});

describe('resets', () => {
  test('in its place it closes the flow, for 10 s', () => {
    const { fromServer, flow, seconds, open } = router();
    open();
    expect(fromServer({ seq: 5_001, ack: 1_001, flags: RST | ACK })).toBe('passed');
    expect([flow()?.tcp?.state, seconds()]).toEqual(['CLOSE', 10]);
  });

  test('a guessed one within the window does not: the ends may challenge it (RFC 5961)', () => {
    const { fromServer, flow, open } = router();
    open();
    expect(fromServer({ seq: 5_001 + 500, flags: RST })).toBe('passed');
    expect(flow()?.tcp?.state).toBe('ESTABLISHED');
  });

  test('one from before what was acknowledged is INVALID, unless tcp_ignore_invalid_rst says otherwise', () => {
    const { host, fromServer, flow, open } = router();
    open();
    expect(fromServer({ seq: 4_000, flags: RST })).toBe('invalid');
    host.sysctl.set('net.netfilter.nf_conntrack_tcp_ignore_invalid_rst', '1');
    fromServer({ seq: 4_900, flags: RST });
    expect(flow()?.tcp?.state).toBe('ESTABLISHED');
  });
});

describe('what is no segment', () => {
  test.each<[string, Segment]>([
    ['SYN and FIN', { seq: 1, flags: SYN | FIN }],
    ['no flags', { seq: 1, flags: 0 }],
    ['FIN alone', { seq: 1, flags: FIN }],
    ['a wrong sum', { seq: 1, flags: SYN, badSum: true }],
  ])('%s is INVALID', (_, segment) => {
    const { host, fromClient } = router();
    expect(fromClient(segment)).toBe('invalid');
    expect(host.conntrack.list()).toEqual([]);
  });

  test('nf_conntrack_checksum 0: sums are not looked at', () => {
    const { host, fromClient } = router();
    host.sysctl.set('net.netfilter.nf_conntrack_checksum', '0');
    expect(fromClient({ seq: 1, flags: SYN, badSum: true })).toBe('passed');
  });
});

describe('a router out of step', () => {
  test('a SYN in the middle passes unbelieved; its SYN-ACK shows that the ends begin anew', () => {
    const { fromClient, fromServer, flow, open } = router();
    open();
    expect(fromClient({ seq: 700_000, flags: SYN, window: 500, options: WINDOW_SCALE_7 })).toBe('passed');
    expect(flow()?.tcp?.state).toBe('ESTABLISHED');
    expect(fromServer({ seq: 90_000, ack: 700_001, flags: SYN | ACK, options: WINDOW_SCALE_7 })).toBe('passed');
    expect(flow()?.tcp?.state).toBe('SYN_RECV');
    expect(fromClient({ seq: 700_001, ack: 90_001, flags: ACK })).toBe('passed');
    expect(flow()?.tcp?.state).toBe('ESTABLISHED');
  });

  test('a full table: the log says so, and a flow that is not assured makes room', () => {
    const { host, fromClient, open } = router();
    open();
    host.sysctl.set('net.netfilter.nf_conntrack_max', '1');
    host.conntrack.list()[0]!.original.key.sourcePort = 1;
    host.conntrack.list()[0]!.assured = true;
    fromClient({ seq: 1, flags: SYN });
    expect(host.log.lines.map((line) => line.text)).toContain(
      'nf_conntrack: nf_conntrack: table full, dropping packet',
    );
    host.conntrack.list()[0]!.assured = false;
    fromClient({ seq: 1, flags: SYN });
    expect(host.conntrack.statistics).toMatchObject({ drop: 1, earlyDrop: 1 });
  });
});
