/** RFC 5961: what a blind attacker may not do; an ACK makes the true peer show itself, at most one each half second. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';

test('§3.2: a RST in the window but not at its edge gets a challenge ACK, the exact one resets', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('R 100:100(0) win 0');
  t.outbound('. 1:1(0) ack 1');
  expect(sk.state).toBe('ESTABLISHED');
  t.inbound('R 1:1(0) win 0');
  expect(sk.state).toBe('CLOSE');
  expect(t.read(sk, 1)).toBe('ECONNRESET');
});

test('§3.2: a RST outside of the window is dropped in silence', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('R 3000000:3000000(0) win 0');
  t.silence(1);
  expect(sk.state).toBe('ESTABLISHED');
});

test('a RST at the right edge of what was SACKed resets (RFC 5961 erratum, as Linux)', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 1001:2001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
  t.inbound('R. 2001:2001(0) ack 1 win 0');
  expect(sk.state).toBe('CLOSE');
});

test('§4.2: a SYN on an established connection gets a challenge ACK, wherever it lies', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('S 50:50(0) win 1000 <mss 1000>');
  t.outbound('. 1:1(0) ack 1');
  t.wait(0.6);
  t.inbound('S 4000000:4000000(0) win 1000 <mss 1000>');
  t.outbound('. 1:1(0) ack 1');
  expect(sk.state).toBe('ESTABLISHED');
  expect(t.host.snmp.TcpExtTCPSYNChallenge).toBe(2);
});

test('[MAY-12] §5.2: an ACK of what was never sent gets a challenge ACK, and its data is not taken', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 1:101(100) ack 5000 win 320');
  t.outbound('. 1:1(0) ack 1');
  expect(t.read(sk, 1_000)).toBe('EAGAIN');
});

test('§7: more than one challenge within half a second is left unanswered', () => {
  const t = tcpScript();
  t.established();
  t.inbound('R 100:100(0) win 0');
  t.outbound('. 1:1(0) ack 1');
  t.wait(0.2);
  t.inbound('R 101:101(0) win 0');
  t.silence(0.1);
  expect(t.host.snmp.TcpExtTCPACKSkippedChallenge).toBe(1);
  t.wait(0.3);
  t.inbound('R 102:102(0) win 0');
  t.outbound('. 1:1(0) ack 1');
});
