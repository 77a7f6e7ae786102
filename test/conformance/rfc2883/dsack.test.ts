/** RFC 2018 and RFC 2883: what the receiver reports of data ahead of its turn, and of data that came twice. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';

test('RFC 2018 §4: the block of the newest segment comes first, neighbours are joined', () => {
  const t = tcpScript({ mss: 1_000 });
  t.established();
  t.inbound('P. 1001:2001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
  t.inbound('P. 2001:3001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:3001>');
  t.inbound('P. 4001:5001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 4001:5001 1001:3001>');
  t.inbound('P. 3001:4001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
});

test('§4: a segment that came before is reported first, and once', () => {
  const t = tcpScript({ mss: 1_000 });
  const sk = t.established();
  t.inbound('P. 1:1001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1001 <>');
  t.inbound('P. 1:1001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1001 <nop,nop,sack 1:1001>');
  t.inbound('P. 1001:2001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 2001 <>');
  expect(t.read(sk, 9_000)).toBe(2_000);
});

test('§4.1.1: a segment that holds one that waited ahead of its turn', () => {
  const t = tcpScript({ mss: 1_000 });
  const sk = t.established();
  t.inbound('P. 1001:2001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
  t.inbound('P. 1:3001(3000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 3001 <nop,nop,sack 1001:2001>');
  expect(t.read(sk, 9_000)).toBe(3_000);
});

test('a duplicate ahead of its turn is reported within the block that holds it', () => {
  const t = tcpScript({ mss: 1_000 });
  t.established();
  t.inbound('P. 1001:2001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
  t.inbound('P. 1001:2001(1000) ack 1 win 1024');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:2001 1001:2001>');
});

test('with timestamps three blocks fit beside them', () => {
  const t = tcpScript({ mss: 1_000 });
  t.established({
    syn: 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 900 ecr 0,nop,wscale 7>',
    ack: '. 1:1(0) ack 1 win 320 <nop,nop,TS val 900 ecr 0>',
  });
  for (const at of [1_001, 3_001, 5_001, 7_001]) {
    t.inbound(`P. ${at}:${at + 1_000}(1000) ack 1 win 320 <nop,nop,TS val 900 ecr 0>`);
  }
  t.drain();
  t.inbound('P. 9001:10001(1000) ack 1 win 320 <nop,nop,TS val 900 ecr 0>');
  t.wait(0.002);
  t.drain();
  expect(t.host.snmp.TcpExtTCPOFOQueue).toBe(5);
});

test('fast retransmit: three SACKs show a loss, what is missing goes out once, and recovery ends with the hole (RFC 6675)', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:2001,nop,nop>');
  t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:3001,nop,nop>');
  t.silence(0.001);
  t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:4001,nop,nop>');
  t.outbound('. 1:1001(1000) ack 1');
  expect(t.info(sk)).toMatchObject({ ca_state: 3, snd_cwnd: 7, snd_ssthresh: 7, lost: 1, sacked: 3 });
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 10001 win 320');
  expect(t.info(sk)).toMatchObject({ ca_state: 0, snd_ssthresh: 7, unacked: 0, lost: 0 });
});

test('without SACK three duplicate ACKs do the same (RFC 6582)', () => {
  const t = tcpScript();
  const sk = t.established({ syn: 'S 0:0(0) win 32792 <mss 1000,nop,wscale 7>' });
  t.write(sk, 10_000);
  t.outbound('P. 1:10001(10000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320');
  t.inbound('. 1:1(0) ack 1 win 320');
  t.silence(0.001);
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('. 1:1001(1000) ack 1');
  // A partial ACK shows the next hole.
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 3001 win 320');
  t.outbound('. 3001:4001(1000) ack 1');
});

test('a lost tail is probed after two round trips (RFC 8985 §7)', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 2_000);
  t.outbound('P. 1:2001(2000) ack 1');
  t.outbound('P. 1001:2001(1000) ack 1', 0.202);
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1 win 320 <sack 1001:2001,nop,nop>');
  // What was sent so long before the probe is lost without a doubt.
  t.outbound('. 1:1001(1000) ack 1');
});
