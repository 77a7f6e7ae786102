/** How connections end, as gVisor's packetimpact, smoltcp and lwIP ask it; Linux's answers. List: test/requirements/tcp-behaviours.txt. */
import { expect, test } from 'vitest';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';
import { leftovers, NOTHING_LEFT } from '../../kit/tcp-pair.ts';
import { expectScript } from '../../packetdrill/inline.ts';

/** Our FIN is out and acknowledged; a program still holds the socket. */
function finWait2(t: TcpScript): TcpSock {
  const sk = t.established();
  t.shutdown(sk, 'write');
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('. 1:1(0) ack 2 win 320');
  return sk;
}

/** Both FINs crossed, neither acknowledged. */
function closing(t: TcpScript): TcpSock {
  const sk = t.established();
  t.shutdown(sk, 'write');
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 1 win 320');
  t.outbound('. 2:2(0) ack 2');
  return sk;
}

test('[gvisor.fin-wait2-timeout] an orphan in FIN-WAIT-2 is gone after TCP_LINGER2: what comes then is reset', () => {
  const t = tcpScript();
  const sk = t.established();
  t.set(sk, 'TCP_LINGER2', 3);
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('. 1:1(0) ack 2 win 320');
  t.wait(2.5);
  t.inbound('. 1:1(0) ack 2 win 320');
  t.silence(0);
  t.wait(1);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
  t.inbound('F. 1:1(0) ack 2 win 320');
  t.outbound('R 2:2(0)');
});

test('[gvisor.fin-wait2-program] FIN-WAIT-2 lasts for ever while a program holds the socket', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_fin_timeout': '5' } });
  const sk = finWait2(t);
  t.silence(3_600);
  expect(sk.state).toBe('FIN_WAIT2');
});

test('[gvisor.closing-fin-retransmission, smoltcp.closing] in CLOSING the FIN is sent again until it is acknowledged', () => {
  const t = tcpScript();
  const sk = closing(t);
  expect(sk.state).toBe('CLOSING');
  t.outboundAt('F. 1:1(0) ack 2', t.clock.now() + 300_000);
  t.outboundAt('F. 1:1(0) ack 2', t.clock.now() + 300_000, t.clock.now() + 600_000);
  t.inbound('. 2:2(0) ack 2 win 320');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
});

test('[smoltcp.simultaneous-close, lwip.simultaneous-close] FINs that cross lead through CLOSING to TIME-WAIT', () => {
  const t = tcpScript();
  const sk = closing(t);
  expect(sk.state).toBe('CLOSING');
  t.inbound('. 2:2(0) ack 2 win 320');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  t.close(sk);
  t.wait(61);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[smoltcp.simultaneous-close-raced] a FIN that acknowledges our data but not our FIN leads to CLOSING', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 5);
  t.outbound('P. 1:6(5) ack 1');
  t.shutdown(sk, 'write');
  t.outbound('F. 6:6(0) ack 1');
  t.inbound('F. 1:1(0) ack 6 win 320');
  t.outbound('. 7:7(0) ack 2');
  expect(sk.state).toBe('CLOSING');
  t.inbound('. 2:2(0) ack 7 win 320');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
});

test('[smoltcp.simultaneous-close-raced-all] a FIN with data that acknowledges ours too leads to TIME-WAIT at once', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 5);
  t.outbound('P. 1:6(5) ack 1');
  t.shutdown(sk, 'write');
  t.outbound('F. 6:6(0) ack 1');
  t.inbound('FP. 1:4(3) ack 7 win 320');
  t.outbound('. 7:7(0) ack 5');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  expect(t.read(sk, 10)).toBe(3);
  expect(t.read(sk, 10)).toBe(0);
});

test('[smoltcp.close-wait, smoltcp.last-ack] after the peer’s FIN we may send, then our FIN waits for its ACK', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('F. 1:1(0) ack 1 win 320');
  t.outbound('. 1:1(0) ack 2');
  expect(t.write(sk, 100)).toBe(100);
  t.outbound('P. 1:101(100) ack 2');
  t.inbound('. 2:2(0) ack 101 win 320');
  t.close(sk);
  t.outbound('F. 101:101(0) ack 2');
  expect(sk.state).toBe('LAST_ACK');
  t.inbound('. 2:2(0) ack 101 win 320');
  expect(sk.state).toBe('LAST_ACK');
  t.inbound('. 2:2(0) ack 102 win 320');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[smoltcp.fin-wait-1] in FIN-WAIT-1 data is still taken, and its ACK of our data alone changes nothing', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 10);
  t.outbound('P. 1:11(10) ack 1');
  t.shutdown(sk, 'write');
  t.outbound('F. 11:11(0) ack 1');
  t.inbound('P. 1:101(100) ack 11 win 320');
  expect(sk.state).toBe('FIN_WAIT1');
  t.outbound('. 12:12(0) ack 101');
  expect(t.read(sk, 200)).toBe(100);
  t.inbound('. 101:101(0) ack 12 win 320');
  expect(sk.state).toBe('FIN_WAIT2');
});

test('[smoltcp.fin-wait-2] in FIN-WAIT-2 data is taken and acknowledged, and a FIN out of order does not end it', () => {
  const t = tcpScript();
  const sk = finWait2(t);
  t.inbound('F. 101:101(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 1 <nop,nop,sack 101:102>');
  expect(sk.state).toBe('FIN_WAIT2');
  t.inbound('P. 1:101(100) ack 2 win 320');
  t.outbound('. 2:2(0) ack 102');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  expect(t.read(sk, 200)).toBe(100);
});

test('[gvisor.linger-off] close without linger sends what is left, then FIN', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.linger = { on: false, seconds: 5 };
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  t.close(sk);
  t.outbound('F. 1001:1001(0) ack 1');
});

const ACCEPTED = `
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
 +0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 320
 +0 accept(3, ..., ...) = 4`;

test('[gvisor.linger-nonzero] with a linger of seconds close waits until the FIN is acknowledged, or the seconds are over', async () => {
  await expectScript(`${ACCEPTED}
 +0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0
 +0...0.1 close(4) = 0
 +0 > F. 1:1(0) ack 1
+.1 < . 1:1(0) ack 2 win 320`);
  await expectScript(`${ACCEPTED}
 +0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=1}, 8) = 0
 +0...1 close(4) = 0
 +0 > F. 1:1(0) ack 1
+.3~+.4 > F. 1:1(0) ack 1`);
});

test('[gvisor.linger-nonzero-data] and sends what is left first; there is no RST when the seconds are over', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.linger = { on: true, seconds: 1 };
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  t.close(sk);
  t.outbound('F. 1001:1001(0) ack 1');
  t.inbound('. 1:1(0) ack 1002 win 320');
  t.silence(5);
  t.inbound('F. 1:1(0) ack 1002 win 320');
  t.outbound('. 1002:1002(0) ack 2');
});

test('[gvisor.linger-zero] close with a linger of 0 is a RST, with or without data unsent', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.linger = { on: true, seconds: 0 };
  t.close(sk);
  t.outbound('R. 1:1(0) ack 1');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[gvisor.linger-data-zero] data in flight does not keep a linger of 0 from a RST beyond it', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  sk.linger = { on: true, seconds: 0 };
  t.close(sk);
  t.outbound('R. 1001:1001(0) ack 1');
  t.silence(5);
});

test('[gvisor.linger-shutdown] after shutdown a linger of 0 is a RST while the peer has not closed', () => {
  const t = tcpScript();
  const sk = finWait2(t);
  sk.linger = { on: true, seconds: 0 };
  t.close(sk);
  t.outbound('R. 2:2(0) ack 1');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[gvisor.linger-shutdown-data] data that was shut down behind is sent, then close with a linger of 0 resets', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 500);
  t.outbound('P. 1:501(500) ack 1');
  t.shutdown(sk, 'write');
  t.outbound('F. 501:501(0) ack 1');
  sk.linger = { on: true, seconds: 0 };
  t.close(sk);
  t.outbound('R. 502:502(0) ack 1');
});

test('[gvisor.linger-not-established] a socket that is not connected closes at once and says nothing, whatever its linger', () => {
  const t = tcpScript();
  for (const seconds of [0, 5]) {
    const sk = t.socket();
    sk.linger = { on: true, seconds };
    t.close(sk);
  }
  const dialing = t.socket();
  dialing.linger = { on: true, seconds: 5 };
  t.connect(dialing);
  t.outbound('S 0:0(0)');
  t.close(dialing);
  t.silence(10);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[gvisor.unaccepted-close, gvisor.listen-close] when a listener closes, what waits to be accepted is reset, and a half-open one at its ACK', () => {
  const t = tcpScript();
  const listener = t.listen(8_080, 5);
  t.inbound('S 0:0(0) win 32792 <mss 1000,nop,wscale 7>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  t.close(listener);
  t.outbound('R. 1:1(0) ack 1');
  t.nextPeer();
  const again = t.listen(8_080, 5);
  t.inbound('S 0:0(0) win 32792 <mss 1000,nop,wscale 7>');
  t.outbound('S. 0:0(0) ack 1');
  t.close(again);
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('R 1:1(0)');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

/** A number beyond what was sent, and one beyond the window: both bring an ACK of where we are. */
function unacceptable(t: TcpScript, at: { seq: number; ack: number; is: string }): void {
  t.wait(0.6);
  t.drain();
  t.inbound(`. ${at.seq}:${at.seq}(0) ack ${at.ack + 1} win 320`);
  t.outboundAny(at.is);
  t.wait(0.6);
  t.drain();
  t.inbound(`. ${at.seq + 200_000}:${at.seq + 200_000}(0) ack ${at.ack} win 320`);
  t.outboundAny(at.is);
}

test('[gvisor.unacceptable-established] in ESTABLISHED an unacceptable number is answered with an ACK', () => {
  const t = tcpScript();
  const sk = t.established();
  unacceptable(t, { seq: 1, ack: 1, is: '. 1:1(0) ack 1' });
  expect(sk.state).toBe('ESTABLISHED');
});

test('[gvisor.unacceptable-passive-close] in CLOSE-WAIT and LAST-ACK it is too', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('F. 1:1(0) ack 1 win 320');
  t.outbound('. 1:1(0) ack 2');
  unacceptable(t, { seq: 2, ack: 1, is: '. 1:1(0) ack 2' });
  expect(sk.state).toBe('CLOSE_WAIT');
  t.shutdown(sk, 'write');
  unacceptable(t, { seq: 2, ack: 2, is: '. 2:2(0) ack 2' });
  expect(sk.state).toBe('LAST_ACK');
});

test('[gvisor.unacceptable-active-close] in FIN-WAIT-1 and FIN-WAIT-2 it is too', () => {
  const t = tcpScript();
  const sk = t.established();
  t.shutdown(sk, 'write');
  unacceptable(t, { seq: 1, ack: 2, is: '. 2:2(0) ack 1' });
  expect(sk.state).toBe('FIN_WAIT1');
  t.inbound('. 1:1(0) ack 2 win 320');
  unacceptable(t, { seq: 1, ack: 2, is: '. 2:2(0) ack 1' });
  expect(sk.state).toBe('FIN_WAIT2');
});

test('[gvisor.unacceptable-simultaneous-close] in CLOSING and TIME-WAIT it is too', () => {
  const t = tcpScript();
  const sk = closing(t);
  unacceptable(t, { seq: 2, ack: 2, is: '. 2:2(0) ack 2' });
  expect(sk.state).toBe('CLOSING');
  t.inbound('. 2:2(0) ack 2 win 320');
  t.wait(0.6);
  t.drain();
  t.inbound('. 200002:200002(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
});
