/** RFC 1122 §4.2.3.2 and RFC 5681 §4.2: when a receiver acknowledges. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';

test('the first segments are acknowledged at once, for the sender is in slow start', () => {
  const t = tcpScript({ mss: 1_000 });
  t.established();
  t.inbound('P. 1:1001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1001');
  t.inbound('P. 1001:2001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 2001');
});

test('between ends that take turns an ACK waits 40 ms for data, and goes with it', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 101');
  t.read(sk, 1_000);
  t.write(sk, 100);
  t.outbound('P. 1:101(100) ack 101');
  t.wait(0.005);
  t.inbound('P. 101:201(100) ack 101 win 320');
  t.read(sk, 1_000);
  t.silence(0.03);
  t.outbound('. 101:101(0) ack 201', 0.01);
});

test('a filled gap is acknowledged at once', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.ackPingpong = 1;
  t.inbound('P. 101:201(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 101:201>');
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 201');
});

test('two full segments are acknowledged at the latest when they are read', () => {
  const t = tcpScript({ mss: 1_000 });
  const sk = t.established();
  t.inbound('P. 1:1001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1001');
  t.read(sk, 9_000);
  sk.ackPingpong = 1;
  sk.ackQuick = 0;
  t.inbound('. 1001:2001(1000) ack 1 win 320');
  t.silence(0.001);
  t.inbound('. 2001:3001(1000) ack 1 win 320');
  expect(t.read(sk, 9_000)).toBe(2_000);
  t.outbound('. 1:1(0) ack 3001');
});
