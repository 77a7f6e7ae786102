/** RFC 6298: the retransmission timer, with Linux's floor of 200 ms on the variance; and the ends of patience. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';
import { leftovers, NOTHING_LEFT } from '../../kit/tcp-pair.ts';

/** Neither SACK nor timestamps: only the timer repairs. */
const PLAIN = { syn: 'S 0:0(0) win 32792 <mss 1000,nop,wscale 7>' };

test('§2: the first measurement gives srtt and half of it as the variance, so RTO is three round trips but at least 200 ms more', () => {
  const t = tcpScript();
  const sk = t.established({ ...PLAIN, rtt: 0.1 });
  expect(sk.srtt / 8).toBe(100_000);
  expect(sk.rto).toBe(300_000);
  const slow = tcpScript();
  expect(slow.established({ ...PLAIN, rtt: 0.5 }).rto).toBe(1_500_000);
});

test('§5.5: each time-out doubles the interval, and the first ACK of new data ends that', () => {
  const t = tcpScript();
  const sk = t.established(PLAIN);
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  for (const after of [0.3, 0.6, 1.2, 2.4]) t.outbound('P. 1:1001(1000) ack 1', after);
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.write(sk, 1_000);
  t.outbound('P. 1001:2001(1000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 2001 win 320');
  expect(sk.rto).toBeLessThan(400_000);
});

test('[MUST-18] §3 (Karn): without timestamps no round trip is taken from what was sent twice', () => {
  const t = tcpScript();
  const sk = t.established(PLAIN);
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  t.outbound('P. 1:1001(1000) ack 1', 0.3);
  t.wait(0.25);
  t.inbound('. 1:1(0) ack 1001 win 320');
  expect(sk.srtt / 8).toBe(100_000);
});

test('a peer that says nothing is given up at the first time-out more than 924.6 seconds after the first retransmission', () => {
  const t = tcpScript();
  // A round trip of next to nothing, so that the RTO is its floor.
  const sk = t.established({ ...PLAIN, rtt: 0.000_01 });
  const began = t.clock.now();
  t.write(sk, 1_000);
  t.drain();
  while (sk.state === 'ESTABLISHED') t.clock.advance(100_000);
  const seconds = (t.clock.now() - began) / 1_000_000;
  expect(sk.takeError()).toBe('ETIMEDOUT');
  expect(seconds).toBeGreaterThan(924);
  expect(seconds).toBeLessThan(1_050);
  expect(t.host.snmp.TcpRetransSegs).toBe(15);
});

test('TCP_USER_TIMEOUT ends it sooner (RFC 5482)', () => {
  const t = tcpScript();
  const sk = t.established(PLAIN);
  sk.userTimeout = 3_000_000;
  t.write(sk, 1_000);
  t.wait(2.9);
  expect(sk.state).toBe('ESTABLISHED');
  t.wait(0.5);
  expect(sk.takeError()).toBe('ETIMEDOUT');
  t.close(sk);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('after a time-out cwnd is one segment and grows again by slow start (RFC 5681 §3.1)', () => {
  const t = tcpScript();
  const sk = t.established(PLAIN);
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  t.outbound('. 1:1001(1000) ack 1', 0.3);
  expect(t.info(sk)).toMatchObject({ ca_state: 4, snd_cwnd: 1, snd_ssthresh: 7 });
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.drain();
  expect(t.info(sk)['snd_cwnd']).toBe(2);
});

test('keepalive: after two hours of silence nine probes, 75 seconds apart, then ETIMEDOUT (RFC 1122 §4.2.3.6)', () => {
  const t = tcpScript();
  const sk = t.established(PLAIN);
  sk.keepalive = true;
  t.host.sysctl.set('net.ipv4.tcp_keepalive_time', '7200');
  sk.keepaliveTimer.arm(7_200_000_000);
  t.outbound('. 0:0(0) ack 1', 7_200);
  for (let n = 2; n <= 9; n++) t.outbound('. 0:0(0) ack 1', 75);
  t.outbound('R. 1:1(0) ack 1', 75);
  expect(sk.takeError()).toBe('ETIMEDOUT');
});
