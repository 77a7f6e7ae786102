/** Loss and recovery as gVisor's packetimpact, smoltcp and lwIP ask them; Linux's answers. */
import { expect, test } from 'vitest';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { type ScriptOptions, type TcpScript, tcpScript } from '../../kit/tcp.ts';

/** Ten segments of 1,000 octets in flight on a path of 100 ms. */
function tenOut(options: ScriptOptions = {}): { t: TcpScript; sk: TcpSock } {
  const t = tcpScript(options);
  const sk = t.established();
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  return { t, sk };
}

test('[gvisor.tlp-all-lost] when every segment is lost the last is sent again after two round trips, then the first after the RTO', () => {
  const { t, sk } = tenOut();
  t.outboundAt('P. 9001:10001(1000) ack 1', t.clock.now() + 200_000);
  t.outboundAt('. 1:1001(1000) ack 1', t.clock.now() + 300_000);
  expect(sk.caState).toBe('Loss');
});

test('[gvisor.tlp-tail-lost] when the tail is lost the probe repairs it, and cwnd is reduced once an ACK beyond it shows that', () => {
  const { t, sk } = tenOut();
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 9001 win 320');
  t.wait(0);
  const cwnd = sk.sndCwnd;
  t.outboundAt('P. 9001:10001(1000) ack 1', t.clock.now() + 300_000);
  // Its ACK alone could be that of the original: the next tells.
  t.inbound('. 1:1(0) ack 10001 win 320');
  expect(sk.sndCwnd).toBeGreaterThanOrEqual(cwnd);
  t.write(sk, 1_000);
  t.outboundAny('P. 10001:11001(1000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 11001 win 320');
  expect(sk.sndCwnd).toBeLessThan(cwnd);
});

test('[gvisor.tlp-sack] the SACK of a probe starts recovery of what is missing before it', () => {
  const { t, sk } = tenOut();
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 5001 win 320');
  t.outboundAt('P. 9001:10001(1000) ack 1', t.clock.now() + 200_000, t.clock.now() + 300_000);
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 5001 win 320 <nop,nop,sack 9001:10001>');
  expect(sk.caState).toBe('Recovery');
  t.outboundAny('. 5001:6001(1000) ack 1');
});

test('[gvisor.rack-without-reordering] three segments SACKed beyond a hole: it is sent again at once', () => {
  const { t, sk } = tenOut();
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320 <nop,nop,sack 1001:4001>');
  t.outbound('. 1:1001(1000) ack 1');
  expect(sk.caState).toBe('Recovery');
});

test('[gvisor.rack-reordering] after reordering was seen a hole waits a quarter of the round trip before it counts as lost', () => {
  const { t, sk } = tenOut();
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320 <nop,nop,sack 1001:2001>');
  t.wait(0.005);
  t.inbound('. 1:1(0) ack 2001 win 320');
  expect(sk.reordSeen).toBe(1);
  t.drain();
  t.inbound('. 1:1(0) ack 2001 win 320 <nop,nop,sack 3001:6001>');
  t.silence(0.015);
  t.outboundAt('. 2001:3001(1000) ack 1', t.clock.now() + 5_000, t.clock.now() + 20_000);
});

test('[gvisor.rack-lost-retransmission] a retransmission that is lost is noticed by what was sent after it', () => {
  const { t, sk } = tenOut();
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320 <nop,nop,sack 1001:4001>');
  t.outbound('. 1:1001(1000) ack 1');
  t.write(sk, 3_000);
  for (const end of [5_001, 6_001, 7_001, 8_001, 9_001, 10_001]) {
    t.inbound(`. 1:1(0) ack 1 win 320 <nop,nop,sack 1001:${end}>`);
  }
  const fresh = t.sent.filter((sent) => sent.length > 0).length;
  expect(fresh).toBeGreaterThan(0);
  t.drain();
  t.wait(0.12);
  t.inbound('. 1:1(0) ack 1 win 320 <nop,nop,sack 1001:13001>');
  t.outboundAny('. 1:1001(1000) ack 1');
  expect(t.host.snmp.TcpExtTCPLostRetransmit).toBeGreaterThan(0);
});

test('[smoltcp.fast-retransmit, lwip.fast-retransmit] three duplicate ACKs without SACK bring the first segment again', () => {
  const t = tcpScript();
  const sk = t.established({ syn: 'S 0:0(0) win 32792 <mss 1000,nop,wscale 7>' });
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320');
  t.inbound('. 1:1(0) ack 1 win 320');
  t.silence(0);
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('. 1:1001(1000) ack 1');
  t.inbound('. 1:1(0) ack 10001 win 320');
  expect(sk.packetsOut).toBe(0);
});

test('[smoltcp.dup-ack-classification] an ACK with data or with another window is no duplicate (RFC 5681 §2)', () => {
  const t = tcpScript();
  const sk = t.established({ syn: 'S 0:0(0) win 32792 <mss 1000,nop,wscale 7>' });
  t.write(sk, 4_000);
  t.outbound('P. 1:4001(4000) ack 1');
  t.wait(0.05);
  for (let i = 0; i < 4; i++) t.inbound(`. 1:1(0) ack 1 win ${321 + i}`);
  for (let i = 0; i < 4; i++) t.inbound(`P. ${1 + i * 10}:${11 + i * 10}(10) ack 1 win 324`);
  expect([sk.caState, sk.sackedOut]).toEqual(['Open', 0]);
});

test('[smoltcp.rto-restart-partial-ack] an ACK of a part starts the RTO anew (RFC 6298 §5.3)', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_early_retrans': '0' } });
  const sk = t.established();
  t.write(sk, 4_000);
  t.outbound('P. 1:4001(4000) ack 1');
  t.wait(0.2);
  t.inbound('. 1:1(0) ack 2001 win 320');
  const rto = sk.rto;
  t.silence(rto / 1_000_000 - 0.02);
  t.outboundAt('. 2001:3001(1000) ack 1', t.clock.now() + 20_000);
});

test('[smoltcp.karn] without timestamps the ACK of what was sent twice gives no round trip', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_early_retrans': '0' } });
  const sk = t.established();
  t.write(sk, 500);
  t.outbound('P. 1:501(500) ack 1');
  const srtt = sk.srtt;
  t.outboundAt('P. 1:501(500) ack 1', t.clock.now() + 300_000);
  t.wait(0.5);
  t.inbound('. 1:1(0) ack 501 win 320');
  expect(sk.srtt).toBe(srtt);
});

test('[smoltcp.retransmit-burst, gvisor.retransmits] after a time-out one segment goes, then two for each ACK', () => {
  const { t, sk } = tenOut({ sysctls: { 'net.ipv4.tcp_early_retrans': '0' } });
  t.outboundAt('. 1:1001(1000) ack 1', t.clock.now() + 300_000);
  expect(sk.sndCwnd).toBe(1);
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.outbound('. 1001:3001(2000) ack 1');
  t.silence(0.01);
  t.wait(0.09);
  t.inbound('. 1:1(0) ack 3001 win 320');
  t.outbound('. 3001:7001(4000) ack 1');
});

test('[lwip.rto-established] what is not acknowledged is sent again at twice the interval each time', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_early_retrans': '0' } });
  const sk = t.established();
  t.write(sk, 10);
  t.outbound('P. 1:11(10) ack 1');
  let at = t.clock.now();
  for (const after of [300_000, 600_000, 1_200_000, 2_400_000]) t.outboundAt('P. 1:11(10) ack 1', (at += after));
  expect(sk.backoff).toBe(4);
});

test('[lwip.link-down] while there is no carrier nothing is given up; what waits goes out when it is back', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_early_retrans': '0' } });
  const sk = t.established();
  t.host.devices.setUp(t.dev, false);
  t.write(sk, 10);
  t.silence(3);
  expect(sk.state).toBe('ESTABLISHED');
});

test('[gvisor.ip-id-retransmit] a retransmission has an IP ID of its own', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 100);
  t.wait(2);
  const ids = t.sent.map((sent) => sent.id);
  expect(ids.length).toBeGreaterThan(2);
  expect(new Set(ids).size).toBe(ids.length);
});

/** Begin at a number such that ours turn over 5,000 octets later: the initial number follows the clock (RFC 9293 §3.4.1). */
function nearTheTurn(): { t: TcpScript; sk: TcpSock } {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_early_retrans': '0' } });
  const listener = t.listen(8_080, 5);
  const ask = (): number => {
    t.drain();
    t.inbound('S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>');
    return t.sent[0]?.seq ?? 0;
  };
  const first = ask();
  t.inbound('R 1:1(0) win 0');
  // One for each 64 ns: 15.625 a microsecond.
  t.wait((2 ** 32 - 5_000 - first) / 15_625_000);
  const isn = ask();
  expect(2 ** 32 - isn).toBeLessThan(10_000);
  t.outboundAny('S. 0:0(0) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320');
  return { t, sk: t.accept(listener) };
}

test('[lwip.fast-retransmit-wraparound] recovery goes on where the sequence numbers turn over', () => {
  const { t, sk } = nearTheTurn();
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 320 <nop,nop,sack 2001:9001>');
  t.outboundAny('. 1001:2001(1000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 10001 win 320');
  expect([sk.packetsOut, sk.caState]).toEqual([0, 'Open']);
});

test('[lwip.rto-wraparound] a time-out there sends the first again, and its ACK the rest', () => {
  const { t, sk } = nearTheTurn();
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  t.outboundAt('. 1:1001(1000) ack 1', t.clock.now() + 300_000);
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.outboundAny('. 1001:3001(2000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 3001 win 320');
  t.outboundAny('. 3001:7001(4000) ack 1');
  t.inbound('. 1:1(0) ack 10001 win 320');
  expect(sk.packetsOut).toBe(0);
});
