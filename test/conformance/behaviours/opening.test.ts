/** Handshakes as gVisor's packetimpact and packetdrill tests, smoltcp and lwIP ask them; Linux's answers. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';
import { leftovers, NOTHING_LEFT } from '../../kit/tcp-pair.ts';
import { expectScript } from '../../packetdrill/inline.ts';

const SYN = 'S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>';

test('[gvisor.syn-rcvd-acceptable-ack, lwip.passive-open, smoltcp.syn-received] in SYN-RECEIVED a wrong ACK is reset, and the right one still makes the connection', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 2 win 320');
  t.outbound('R 2:2(0)');
  t.inbound('. 1:1(0) ack 0 win 320');
  t.outbound('R 0:0(0)');
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});

test('[smoltcp.syn-received-data] data with the last ACK is taken', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('P. 1:101(100) ack 1 win 320');
  const sk = t.accept(listener);
  t.outbound('. 1:1(0) ack 101');
  expect(t.read(sk, 200)).toBe(100);
});

test('[smoltcp.syn-received-fin] a FIN with the last ACK makes a connection that is in CLOSE-WAIT', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('F. 1:1(0) ack 1 win 320');
  const sk = t.accept(listener);
  expect(sk.state).toBe('CLOSE_WAIT');
  t.outbound('. 1:1(0) ack 2');
});

test('[gvisor.handshake-window] the window of a SYN-ACK is not scaled', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.wait(0.1);
  t.inbound('S. 0:0(0) ack 1 win 100 <mss 1000,nop,wscale 7>');
  t.outbound('. 1:1(0) ack 1');
  expect(t.write(sk, 100)).toBe(100);
  t.outbound('P. 1:101(100) ack 1');
  expect(t.write(sk, 1)).toBe(1);
  t.silence(0.1);
  t.inbound('. 1:1(0) ack 101 win 1');
  t.outbound('P. 101:102(1) ack 1');
});

test('[gvisor.listen-backlog, gvisor.accept-ack-drop] with a backlog of one two wait; the third’s ACK is ignored, and accepted when it comes again and there is room', () => {
  const t = tcpScript();
  const listener = t.listen(8_080, 1);
  for (let i = 0; i < 2; i++) {
    t.inbound(SYN);
    t.outbound('S. 0:0(0) ack 1');
    t.inbound('. 1:1(0) ack 1 win 320');
    t.nextPeer();
  }
  t.inbound(SYN);
  t.silence(0.5);
  expect(t.host.snmp.TcpExtListenOverflows).toBe(1);
  t.accept(listener);
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  t.accept(listener);
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});

test('[gvisor.defer-accept] with TCP_DEFER_ACCEPT a bare ACK is dropped, and data makes the connection', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.set(listener, 'TCP_DEFER_ACCEPT', 5);
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(() => t.accept(listener)).toThrow('EAGAIN');
  t.inbound('P. 1:11(10) ack 1 win 320');
  t.outbound('. 1:1(0) ack 11');
  expect(t.read(t.accept(listener), 100)).toBe(10);
});

test('[gvisor.defer-accept-timeout] when its seconds are over the SYN-ACK goes out again, and a bare ACK is enough', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.set(listener, 'TCP_DEFER_ACCEPT', 3);
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outboundAt('S. 0:0(0) ack 1', t.clock.now() + 3_000_000);
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});

test('[gvisor.ack-without-cookies] an ACK to a listener that sent no SYN cookie is reset', () => {
  const t = tcpScript();
  t.listen();
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('R 1:1(0)');
});

test('[gvisor.rst-syn-rcvd, lwip.rst-syn-rcvd] in SYN-RECEIVED the exact RST forgets the request, another is answered with an ACK', () => {
  const t = tcpScript();
  t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('R 100:100(0) win 0');
  t.outbound('. 1:1(0) ack 1');
  t.inbound('R 1:1(0) win 0');
  t.silence(10);
  expect(t.host.snmp.TcpAttemptFails).toBe(1);
});

test('[gvisor.rst-syn-sent, lwip.rst-syn-sent, smoltcp.syn-sent] in SYN-SENT a RST counts only with the ACK of our SYN', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('R 0:0(0) win 0');
  expect(sk.state).toBe('SYN_SENT');
  t.inbound('R. 0:0(0) ack 0 win 0');
  expect(sk.state).toBe('SYN_SENT');
  t.inbound('R. 0:0(0) ack 1 win 0');
  expect(sk.state).toBe('CLOSE');
  expect(sk.error).toBe('ECONNREFUSED');
});

test('[smoltcp.syn-sent-bad-ack] a SYN-ACK of something else is reset, and our SYN goes out again soon', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('S. 0:0(0) ack 5 win 1000 <mss 1000>');
  t.outbound('R 5:5(0)');
  t.outboundAt('S 0:0(0)', t.clock.now() + 2_000);
  t.inbound('S. 0:0(0) ack 1 win 1000 <mss 1000>');
  expect(sk.state).toBe('ESTABLISHED');
});

test('[smoltcp.simultaneous-open] SYNs that cross make one connection', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('S 0:0(0) win 1000 <mss 1000>');
  t.outbound('S. 0:0(0) ack 1');
  expect(sk.state).toBe('SYN_RECV');
  t.inbound('. 1:1(0) ack 1 win 1000');
  expect(sk.state).toBe('ESTABLISHED');
  t.write(sk, 10);
  t.outbound('P. 1:11(10) ack 1');
});

test('[smoltcp.simultaneous-open-raced] a SYN-ACK instead of the ACK ends the crossing too', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('S 0:0(0) win 1000 <mss 1000>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('S. 0:0(0) ack 1 win 1000 <mss 1000>');
  expect(sk.state).toBe('ESTABLISHED');
});

test('[smoltcp.tsval-negotiation] timestamps are used only when both SYNs have them', () => {
  const without = tcpScript();
  const sk = without.connect();
  without.outbound('S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7>');
  without.inbound('S. 0:0(0) ack 1 win 1000 <mss 1000>');
  without.outbound('. 1:1(0) ack 1');
  expect(sk.tstampOk).toBe(false);
  without.write(sk, 10);
  expect(without.sent[0]?.options.byteLength).toBe(0);
  const refused = tcpScript({ sysctls: { 'net.ipv4.tcp_timestamps': '0' } });
  refused.listen();
  refused.inbound('S 0:0(0) win 1000 <mss 1000,sackOK,TS val 5 ecr 0,nop,wscale 7>');
  refused.outbound('S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>');
});

test('[lwip.rto-syn-sent] an unanswered SYN is sent again and again, then connect fails', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_syn_retries': '2', 'net.ipv4.tcp_syn_linear_timeouts': '0' } });
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.outbound('S 0:0(0)', 1);
  t.outbound('S 0:0(0)', 2);
  t.silence(4.1);
  expect(sk.error).toBe('ETIMEDOUT');
});

const DIALED = `
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
 +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
 +0 connect(4, ..., ...) = -1 EINPROGRESS (Operation now in progress)
 +0 > S 0:0(0) <...>`;

test('[gvisor.queue-send-syn-sent] a blocking send in SYN-SENT waits, and its data carries the last ACK', async () => {
  await expectScript(`${DIALED}
 +0 fcntl(4, F_SETFL, O_RDWR) = 0
+.1...0.2 write(4, ..., 100) = 100
+.1 < S. 0:0(0) ack 1 win 32792 <mss 1000>
 +0 > P. 1:101(100) ack 1`);
});

test('[gvisor.queue-send-syn-sent-rst] and fails with ECONNREFUSED when a RST comes', async () => {
  await expectScript(`${DIALED}
 +0 fcntl(4, F_SETFL, O_RDWR) = 0
+.1...0.2 write(4, ..., 100) = -1 ECONNREFUSED (Connection refused)
+.1 < R. 0:0(0) ack 1 win 0`);
});

test('[gvisor.queue-recv-syn-sent] a blocking receive in SYN-SENT waits for the data', async () => {
  await expectScript(`${DIALED}
 +0 fcntl(4, F_SETFL, O_RDWR) = 0
+.1...0.3 read(4, ..., 100) = 50
+.1 < S. 0:0(0) ack 1 win 32792 <mss 1000>
 +0 > . 1:1(0) ack 1
+.1 < P. 1:51(50) ack 1 win 320
 +0 > . 1:1(0) ack 51`);
});

test('[gvisor.queue-recv-syn-sent-rst] and fails with ECONNREFUSED when a RST comes', async () => {
  await expectScript(`${DIALED}
 +0 fcntl(4, F_SETFL, O_RDWR) = 0
+.1...0.2 read(4, ..., 100) = -1 ECONNREFUSED (Connection refused)
+.1 < R. 0:0(0) ack 1 win 0`);
});

test('[gvisor.connect-icmp] an ICMP error about our SYN ends connect: each code with its own errno', () => {
  for (const [code, errno] of [
    [0, 'ENETUNREACH'],
    [1, 'EHOSTUNREACH'],
    [2, 'ENOPROTOOPT'],
    [3, 'ECONNREFUSED'],
    [13, 'EHOSTUNREACH'],
  ] as const) {
    const t = tcpScript();
    const sk = t.connect();
    t.outbound('S 0:0(0)');
    t.icmp(3, code, 0, 0);
    expect([code, sk.error, sk.state]).toEqual([code, errno, 'CLOSE']);
    t.close(sk);
    expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
  }
});

test('[gvisor.net-unreachable-syn-sent] net unreachable about a number that we did not send is not about us', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.icmp(3, 0, 0, 500);
  expect(sk.state).toBe('SYN_SENT');
  t.icmp(3, 0, 0, 0);
  expect(sk.error).toBe('ENETUNREACH');
});

test('[gvisor.net-unreachable-established] on a connection it is a hint: told only if the connection fails', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_retries2': '1' } });
  const sk = t.established();
  t.write(sk, 10);
  t.outbound('P. 1:11(10) ack 1');
  t.icmp(3, 0, 0);
  expect([sk.state, sk.error]).toEqual(['ESTABLISHED', undefined]);
  t.wait(60);
  expect([sk.state, sk.error]).toEqual(['CLOSE', 'ENETUNREACH']);
});
