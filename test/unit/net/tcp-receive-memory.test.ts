/** What a receiver's queues cost, and what it does when that is too much: tcp_collapse, tcp_prune_ofo_queue, tcp_mem. */
import { describe, expect, test } from 'vitest';
import { getSocketOption, setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpOf } from '../../../shared/net/tcp-host.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { allocTruesize, fragsTruesize, headTruesize } from '../../../shared/net/truesize.ts';
import { attach, Cable, makeHost, newClock } from '../../kit/cable.ts';
import { tcpScript } from '../../kit/tcp.ts';
import { auditHost } from '../../kit/tcp-audit.ts';
import { connectTo, listenOn, pattern } from '../../kit/tcp-pair.ts';

/** One that leaves no room behind it in its 704 octets of head, so that nothing can be joined to it by copying. */
const PIECE_BYTES = 150;
const PIECES = 40;
const PIECE_COST = 960;

describe('truesize', () => {
  test('an sk_buff costs its struct and a head of a power of two, the smallest 704 octets', () => {
    expect([1, 384, 385, 704, 1_728, 1_729, 3_776].map(headTruesize)).toEqual([
      960, 960, 1_280, 1_280, 2_304, 4_352, 4_352,
    ]);
  });

  test('frags are the largest runs of pages that are filled, eight pages at most', () => {
    expect([1, 4_096, 4_097, 6_328, 16_328, 61_328, 65_536].map(fragsTruesize)).toEqual([
      4_096, 4_096, 8_192, 8_192, 16_384, 61_440, 65_536,
    ]);
    expect(allocTruesize(10_000)).toBe(4_352 + 8_192);
  });
});

/** alice has sent bob PIECES segments with TCP_NODELAY; bob has read nothing. `lost`: how many of the first were. */
function smallSegments(lost: number) {
  const clock = newClock();
  const cable = new Cable(clock);
  const [alice, bob] = [makeHost('alice', clock), makeHost('bob', clock)];
  attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  bob.sysctl.set('net.ipv4.tcp_timestamps', '0');
  let child: TcpSock | undefined;
  const listener = listenOn(bob, 80, (accepted) => {
    child = accepted;
  });
  setSocketOption(listener, 'SOL_SOCKET', 'SO_RCVBUF', 8_000);
  const sk = connectTo(alice, '10.0.0.2', 80);
  clock.advance(1_000);
  setSocketOption(sk, 'IPPROTO_TCP', 'TCP_NODELAY', 1);
  let left = lost;
  cable.lose = ({ from, bytes }) => from === 'alice:eth0' && bytes.length > 100 && left-- > 0;
  const bytes = pattern(PIECES * PIECE_BYTES, 3);
  for (let i = 0; i < PIECES; i++) {
    tcpProto.sendmsg(sk, bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES), {});
    clock.advance(1_000);
    expect(auditHost(bob)).toEqual([]);
  }
  return { alice, bob, clock, sk, child: child!, bytes };
}

function readAll(sk: TcpSock): Buffer {
  const into = new Uint8Array(100_000);
  const answer = tcpProto.recvmsg(sk, into, 0);
  return Buffer.from(into.subarray(0, typeof answer === 'string' ? 0 : answer.length));
}

function end(...socks: TcpSock[]): void {
  for (const sk of socks) tcpProto.close(sk);
}

test('a buffer full of small packets is collapsed, and none is refused', () => {
  const t = tcpScript();
  const listener = t.listen();
  setSocketOption(listener, 'SOL_SOCKET', 'SO_RCVBUF', 8_000);
  t.inbound('S 0:0(0) win 32792 <mss 1000,sackOK>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 32792');
  const sk = t.accept(listener);
  const end = 1 + PIECES * PIECE_BYTES;
  for (let at = 1; at < end; at += PIECE_BYTES) t.inbound(`. ${at}:${at + PIECE_BYTES}(150) ack 1 win 32792`);
  expect(PIECES * PIECE_COST).toBeGreaterThan(2 * sk.rcvbuf);
  expect(sk.receiveMemory).toBeLessThanOrEqual(sk.rcvbuf + PIECE_COST);
  const { snmp } = t.host;
  expect(snmp.TcpExtPruneCalled).toBeGreaterThan(0);
  expect(snmp.TcpExtTCPRcvCollapsed).toBeGreaterThan(10);
  expect(snmp.TcpExtTCPRcvQDrop + snmp.TcpExtRcvPruned).toBe(0);
  expect(t.read(sk, 100_000)).toBe(end - 1);
  expect(sk.receiveMemory).toBe(0);
});

test('so is what came ahead of its turn, and its octets are what they were when the gap fills', () => {
  const { bob, sk, child, bytes, clock } = smallSegments(1);
  clock.advance(2_000_000);
  expect(bob.snmp.TcpExtTCPRcvCollapsed).toBeGreaterThan(5);
  expect(bob.snmp.TcpExtOfoPruned).toBe(0);
  expect(readAll(child)).toEqual(Buffer.from(bytes));
  end(sk, child);
  clock.advance(1_000_000);
});

test('memory that TCP takes from the host is given back whole', () => {
  const { alice, bob, sk, child, clock } = smallSegments(0);
  expect(tcpOf(bob).memory.allocated).toBeGreaterThan(0);
  readAll(child);
  end(sk, child);
  clock.advance(200_000_000);
  expect([tcpOf(alice).memory.allocated, tcpOf(bob).memory.allocated]).toEqual([0, 0]);
});

test('above tcp_mem[1] the host is under pressure: windows stay small until it is below tcp_mem[0]', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_mem': '2 4 1000', 'net.ipv4.tcp_rmem': '4096 540000 6291456' } });
  const sk = t.established();
  for (let at = 1; at < 20_001; at += 1_000) t.inbound(`P. ${at}:${at + 1_000}(1000) ack 1 win 320`);
  expect(t.host.snmp.TcpExtTCPMemoryPressures).toBe(1);
  expect(sk.rcvSsthresh).toBe(4 * sk.advmss);
  t.read(sk, 20_000);
  t.inbound('P. 20001:21001(1000) ack 1 win 320');
  expect(tcpOf(t.host).memory.pressure).toBe(false);
});

test('above tcp_mem[2] data is refused once a sock has more than its minimum', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_mem': '1 1 2' } });
  const sk = t.established();
  const { snmp } = t.host;
  for (let at = 1; at < 10_001 && snmp.TcpExtTCPRcvQDrop === 0; at += 1_000)
    t.inbound(`P. ${at}:${at + 1_000}(1000) ack 1 win 320`);
  expect(snmp.TcpExtTCPRcvQDrop).toBe(1);
  expect(sk.rcvWnd).toBe(0);
  expect(t.read(sk, 20_000)).toBeLessThan(10_000);
});

test('what does not fit any more shuts the window, whatever was offered; reading opens it again', () => {
  const t = tcpScript();
  const sk = t.established();
  for (let at = 1; at < 3_001; at += 1_000) t.inbound(`P. ${at}:${at + 1_000}(1000) ack 1 win 320`);
  setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVBUF', 0);
  t.drain();
  t.inbound('P. 3001:4001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 3001 win 0');
  // The peer has used what it was offered: its ACKs are good, its data has to wait.
  t.inbound('. 5001:5001(0) ack 1 win 300');
  expect(sk.sndWnd).toBe(300 << 7);
  setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVBUF', 50_000);
  expect(t.read(sk, 10_000)).toBe(3_000);
  t.outboundAny('. 1:1(0) ack 3001');
  expect(sk.rcvWnd).toBeGreaterThan(0);
});

test('a segment that ends beyond the window is taken when nothing waits to be read, else dropped', () => {
  const t = tcpScript();
  const listener = t.listen();
  setSocketOption(listener, 'SOL_SOCKET', 'SO_RCVBUF', 10_000);
  t.inbound('S 0:0(0) win 32792 <mss 1000>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 32792');
  const sk = t.accept(listener);
  t.inbound('P. 1:1001(1000) ack 1 win 32792');
  t.inbound('P. 1001:30001(29000) ack 1 win 32792');
  expect([sk.bytesReceived, t.host.snmp.TcpExtBeyondWindow]).toEqual([1_000, 1]);
  t.read(sk, 1_000);
  t.inbound('P. 1001:30001(29000) ack 1 win 32792');
  expect([sk.bytesReceived, t.host.snmp.TcpExtBeyondWindow]).toEqual([30_000, 1]);
});

test('net.core.rmem_max bounds SO_RCVBUF but not SO_RCVBUFFORCE, and widens the window scale', () => {
  const t = tcpScript({ sysctls: { 'net.core.rmem_max': '4194304', 'net.ipv4.tcp_rmem': '4096 131072 200000' } });
  const sk = t.socket();
  const ask = (name: string, value: number) => {
    setSocketOption(sk, 'SOL_SOCKET', name, value);
    return getSocketOption(sk, 'SOL_SOCKET', 'SO_RCVBUF');
  };
  expect(ask('SO_RCVBUF', 5_000_000)).toBe(8_388_608);
  expect(ask('SO_RCVBUF', -1)).toBe(8_388_608);
  expect(ask('SO_RCVBUFFORCE', 5_000_000)).toBe(10_000_000);
  expect(ask('SO_RCVBUF', 1)).toBe(2_304);
  t.listen();
  t.inbound('S 0:0(0) win 32792 <mss 1000,nop,wscale 7>');
  t.outbound('S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>');
});
