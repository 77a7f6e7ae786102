/** RFC 9293 §3.5 and §3.10.7.2 to 4: how connections begin, with Linux's schedules (reference: tcp_syn_retries and its kin). */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpScript } from '../../kit/tcp.ts';

const SYN = 'S 0:0(0) win 65535 <mss 1460,sackOK,TS val 900 ecr 0,nop,wscale 7>';

test('[SHLD-5, MAY-3] §3.7.1: a SYN offers MSS, SACK, timestamps and a window scale, in that order and with a window of 44 segments', () => {
  const t = tcpScript();
  t.connect();
  t.outbound('S 0:0(0) win 64240 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7>');
});

test('a SYN-ACK answers each option that was offered, and the window leaves room for the timestamps', () => {
  const t = tcpScript();
  t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1 win 65160 <mss 1460,sackOK,TS val 0 ecr 900,nop,wscale 7>');
});

test('an option that the peer did not offer is not answered', () => {
  const t = tcpScript();
  t.listen();
  t.inbound('S 0:0(0) win 65535 <mss 1000>');
  t.outbound('S. 0:0(0) ack 1 win 64240 <mss 1460>');
});

test('[MUST-23] §3.8.3: an unanswered SYN goes out again after 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 seconds, and fails at 131', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  let past = 0;
  for (const at of [1, 2, 3, 4, 5, 7, 11, 19, 35, 67]) {
    t.outbound('S 0:0(0)', at - past);
    past = at;
  }
  t.silence(131 - 67 - 0.01);
  expect(sk.state).toBe('SYN_SENT');
  t.silence(0.02);
  expect(sk.takeError()).toBe('ETIMEDOUT');
  expect(sk.state).toBe('CLOSE');
});

test('a SYN-ACK goes out again after 1, 3, 7, 15 and 31 seconds, and the request is forgotten at 63', () => {
  const t = tcpScript();
  t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  let past = 0;
  for (const at of [1, 3, 7, 15, 31]) {
    t.outbound('S. 0:0(0) ack 1', at - past);
    past = at;
  }
  t.silence(40);
  // Nobody remembers it: the late ACK is reset.
  t.inbound('. 1:1(0) ack 1 win 257');
  t.outbound('R 1:1(0)');
});

test('a repeated SYN brings the SYN-ACK again at once', () => {
  const t = tcpScript();
  t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.wait(0.6);
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
});

test('[MUST-10] §3.5 figure 7: two SYNs that cross make one connection', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7>');
  t.inbound('S 0:0(0) win 5792 <mss 1000,sackOK,nop,nop,nop,wscale 6>');
  t.outbound('S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>');
  t.wait(0.01);
  t.inbound('S. 0:0(0) ack 1 win 5792 <mss 1000,sackOK,nop,nop,nop,wscale 6>');
  expect(sk.state).toBe('ESTABLISHED');
});

test('§3.10.7.3: a RST that acknowledges our SYN means ECONNREFUSED', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('R. 0:0(0) ack 1 win 0');
  expect(sk.takeError()).toBe('ECONNREFUSED');
  expect(sk.state).toBe('CLOSE');
});

test('§3.10.7.3: in SYN-SENT a RST without ACK is ignored, and an ACK of something else is reset', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('R 0:0(0) win 0');
  expect(sk.state).toBe('SYN_SENT');
  t.inbound('. 0:0(0) ack 77 win 100');
  t.outbound('R 77:77(0)');
  expect(sk.state).toBe('SYN_SENT');
});

test('with a backlog of one two connections wait to be accepted, and the third has its last ACK ignored', () => {
  const t = tcpScript();
  const listener = t.listen(8_080, 1);
  for (const count of [1, 2]) {
    t.inbound(SYN);
    t.outbound('S. 0:0(0) ack 1');
    t.inbound('. 1:1(0) ack 1 win 257 <nop,nop,TS val 901 ecr 0>');
    expect(listener.accept?.ready.length).toBe(count);
    t.nextPeer();
  }
  t.inbound(SYN);
  t.silence(0.1);
  expect(t.host.snmp.TcpExtListenOverflows).toBe(1);
});

test('a connection that nobody accepted is reset when the listener closes', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 257 <nop,nop,TS val 901 ecr 0>');
  tcpProto.close(listener);
  t.outbound('R. 1:1(0) ack 1');
  expect(t.live()).toBe(0);
});
