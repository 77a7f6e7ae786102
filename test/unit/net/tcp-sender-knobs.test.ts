/** What a sender measures, and the sysctls and options that say how it judges losses and time. */
import { describe, expect, test } from 'vitest';
import { POLL } from '../../../shared/net/sock.ts';
import { getSocketOption, setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { tcpScript } from '../../kit/tcp.ts';

const NO_TLP = { 'net.ipv4.tcp_early_retrans': '0' };

describe('delivery rate', () => {
  test('is what was delivered by the longer of sending and acknowledging', () => {
    const t = tcpScript();
    const sk = t.established({ ack: '. 1:1(0) ack 1 win 32792' });
    t.write(sk, 10_000);
    t.wait(0.1);
    t.inbound('. 1:1(0) ack 5001 win 32792');
    t.wait(0.05);
    t.inbound('. 1:1(0) ack 10001 win 32792');
    // Ten segments, 150 ms after the first of them left.
    expect(Number(t.info(sk)['delivery_rate'])).toBeCloseTo(10_000 / 0.15, -2);
    t.drain();
  });

  test('of a program that pauses says so', () => {
    const t = tcpScript();
    const sk = t.established();
    t.write(sk, 1_000);
    t.wait(0.1);
    t.inbound('. 1:1(0) ack 1001 win 32792');
    expect(t.info(sk)['delivery_rate_app_limited']).toBe(1);
    t.drain();
  });
});

describe('tcp_recovery=0: losses are counted (RFC 6675)', () => {
  const counting = { 'net.ipv4.tcp_recovery': '0', ...NO_TLP };

  test('two SACKed segments are not enough, however late it gets; the third is', () => {
    const t = tcpScript({ sysctls: counting });
    const sk = t.established();
    t.write(sk, 10_000);
    t.outbound('P. 1:10001(10000) ack 1');
    t.wait(0.1);
    t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:2001,nop,nop>');
    t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:3001,nop,nop>');
    t.silence(0.15);
    t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:4001,nop,nop>');
    t.outbound('. 1:1001(1000) ack 1');
    expect([sk.caState, sk.lostOut]).toEqual(['Recovery', 1]);
    t.inbound('. 1:1(0) ack 10001 win 320');
  });

  test('every hole with three SACKed behind it is lost at once', () => {
    const t = tcpScript({ sysctls: counting });
    const sk = t.established();
    t.write(sk, 10_000);
    t.outbound('P. 1:10001(10000) ack 1');
    t.wait(0.1);
    t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:2001,nop,nop>');
    t.inbound('. 1:1(0) ack 1 win 320 <sack 3001:6001 1001:2001,nop,nop>');
    // The first and the third; the seventh has nothing behind it.
    expect(sk.lostOut).toBe(2);
    t.drain();
    t.inbound('. 1:1(0) ack 10001 win 320');
  });

  test('with RACK the timer of a quarter of a round trip is enough', () => {
    const t = tcpScript({ sysctls: NO_TLP });
    const sk = t.established();
    t.write(sk, 10_000);
    t.outbound('P. 1:10001(10000) ack 1');
    t.wait(0.1);
    t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:2001,nop,nop>');
    t.outbound('. 1:1001(1000) ack 1', 0.027);
    expect(sk.caState).toBe('Recovery');
    t.inbound('. 1:1(0) ack 10001 win 320');
  });
});

describe('thin streams', () => {
  /** Intervals of the first `count` retransmissions of one lost segment, in tenths of a second. */
  function intervals(sk: TcpSock, t: ReturnType<typeof tcpScript>, count: number): number[] {
    const seen: number[] = [];
    t.write(sk, 1_000);
    for (let n = 0; n < count; n++) {
      const before = t.host.snmp.TcpRetransSegs;
      const from = t.clock.now();
      while (t.host.snmp.TcpRetransSegs === before) t.clock.advance(1_000);
      seen.push(Math.round((t.clock.now() - from) / 100_000));
    }
    t.drain();
    return seen;
  }

  /** A connection whose ssthresh a time-out has set: it is no longer in its first slow start. */
  function afterLoss(sysctls: Readonly<Record<string, string>>) {
    const t = tcpScript({ sysctls: { ...NO_TLP, 'net.ipv4.tcp_frto': '0', ...sysctls } });
    const sk = t.established();
    t.write(sk, 1_000);
    t.wait(0.4);
    t.drain();
    t.inbound('. 1:1(0) ack 1001 win 320');
    return { t, sk };
  }

  test('do not back off for six time-outs with tcp_thin_linear_timeouts', () => {
    const { t, sk } = afterLoss({ 'net.ipv4.tcp_thin_linear_timeouts': '1' });
    expect(intervals(sk, t, 9)).toEqual([3, 3, 3, 3, 3, 3, 3, 6, 12]);
  });

  test('do so with the option of the same name, and back off without', () => {
    const plain = afterLoss({});
    // Without a new measurement the RTO is the one that backed off (Karn).
    expect(intervals(plain.sk, plain.t, 4)).toEqual([6, 12, 24, 48]);
    const linear = afterLoss({});
    expect(setSocketOption(linear.sk, 'SOL_TCP', 'TCP_THIN_LINEAR_TIMEOUTS', 1)).toBeUndefined();
    expect(setSocketOption(linear.sk, 'SOL_TCP', 'TCP_THIN_LINEAR_TIMEOUTS', 2)).toBe('EINVAL');
    expect(intervals(linear.sk, linear.t, 4)).toEqual([6, 3, 3, 3]);
  });
});

describe('bounds of the RTO and of delayed ACKs', () => {
  test('tcp_rto_min_us, and TCP_RTO_MIN_US for one sock', () => {
    const t = tcpScript({ sysctls: { 'net.ipv4.tcp_rto_min_us': '5000' } });
    const sk = t.established({ rtt: 0 });
    expect(sk.rto).toBeLessThanOrEqual(6_000);
    expect(setSocketOption(sk, 'SOL_TCP', 'TCP_RTO_MIN_US', 50_000)).toBeUndefined();
    expect(setSocketOption(sk, 'SOL_TCP', 'TCP_RTO_MIN_US', 300_000)).toBe('EINVAL');
    expect(setSocketOption(sk, 'SOL_TCP', 'TCP_RTO_MIN_US', 100)).toBe('EINVAL');
    expect(getSocketOption(sk, 'SOL_TCP', 'TCP_RTO_MIN_US')).toBe(50_000);
  });

  test('TCP_DELACK_MAX_US: an ACK is not held back longer', () => {
    const t = tcpScript();
    const sk = t.established();
    setSocketOption(sk, 'SOL_TCP', 'TCP_QUICKACK', 0);
    expect(setSocketOption(sk, 'SOL_TCP', 'TCP_DELACK_MAX_US', 5_000)).toBeUndefined();
    t.inbound('P. 1:101(100) ack 1 win 320');
    t.outbound('. 1:1(0) ack 101', 0.005);
  });

  test('tcp_info counts time-outs, what they were part of, and how long it took', () => {
    const t = tcpScript({ sysctls: { ...NO_TLP, 'net.ipv4.tcp_frto': '0' } });
    const sk = t.established();
    t.write(sk, 1_000);
    t.wait(1);
    t.drain();
    t.inbound('. 1:1(0) ack 1001 win 320');
    const info = t.info(sk);
    expect([info['total_rto'], info['total_rto_recoveries']]).toEqual([2, 1]);
    expect(Number(info['total_rto_time'])).toBeGreaterThan(690);
    expect(Number(info['total_rto_time'])).toBeLessThan(701);
  });
});

describe('SO_RCVLOWAT', () => {
  const readable = (sk: TcpSock): boolean => (tcpProto.poll(sk) & POLL.IN) !== 0;

  test('a reader is told when there is so much, or no more can come', () => {
    const t = tcpScript();
    const sk = t.established();
    setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVLOWAT', 1_500);
    t.inbound('P. 1:1001(1000) ack 1 win 320');
    expect(readable(sk)).toBe(false);
    t.inbound('P. 1001:2001(1000) ack 1 win 320');
    expect(readable(sk)).toBe(true);
    t.read(sk, 2_000);
    t.inbound('F. 2001:2001(0) ack 1 win 320');
    expect(readable(sk)).toBe(true);
  });

  test('makes the buffer grow until that fits, up to half of tcp_rmem', () => {
    const t = tcpScript();
    const sk = t.established();
    setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVLOWAT', 500_000);
    expect([sk.rcvbuf, sk.windowClamp]).toEqual([1_000_000, 500_000]);
    setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVLOWAT', -1);
    expect(getSocketOption(sk, 'SOL_SOCKET', 'SO_RCVLOWAT')).toBe(6_291_456 / 2);
    setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVLOWAT', 0);
    expect(getSocketOption(sk, 'SOL_SOCKET', 'SO_RCVLOWAT')).toBe(1);
  });
});

test('tcp_retrans_collapse=0: what is sent again stays as small as it was', () => {
  for (const [value, length] of [
    ['1', 300],
    ['0', 100],
  ] as const) {
    const t = tcpScript({ sysctls: { ...NO_TLP, 'net.ipv4.tcp_retrans_collapse': value } });
    const sk = t.established();
    setSocketOption(sk, 'SOL_TCP', 'TCP_NODELAY', 1);
    for (let n = 0; n < 3; n++) t.write(sk, 100);
    t.drain();
    t.wait(0.4);
    t.outboundAny(`P. 1:${1 + length}(${length}) ack 1`);
    t.drain();
    t.inbound('. 1:1(0) ack 301 win 320');
  }
});
