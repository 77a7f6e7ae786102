/** RFC 9293 §3.6 and §3.10.4: how connections end; the states on the way, and what remains. */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpScript } from '../../kit/tcp.ts';
import { leftovers, NOTHING_LEFT } from '../../kit/tcp-pair.ts';

test('[MUST-13] we close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, and after 60 seconds nothing', () => {
  const t = tcpScript();
  const sk = t.established();
  t.shutdown(sk, 'write');
  t.outbound('F. 1:1(0) ack 1');
  expect(sk.state).toBe('FIN_WAIT1');
  t.inbound('. 1:1(0) ack 2 win 320');
  expect(sk.state).toBe('FIN_WAIT2');
  t.close(sk);
  t.inbound('F. 1:1(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  t.silence(59.9);
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  t.silence(0.2);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('the peer closes first: CLOSE-WAIT, LAST-ACK, and at its ACK nothing', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('F. 1:1(0) ack 1 win 320');
  t.outbound('. 1:1(0) ack 2');
  expect(sk.state).toBe('CLOSE_WAIT');
  expect(t.read(sk, 100)).toBe(0);
  t.close(sk);
  t.outbound('F. 1:1(0) ack 2');
  expect(sk.state).toBe('LAST_ACK');
  t.inbound('. 2:2(0) ack 2 win 320');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('both close at once: CLOSING, then TIME-WAIT', () => {
  const t = tcpScript();
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 1 win 320');
  t.outbound('. 2:2(0) ack 2');
  expect(sk.state).toBe('CLOSING');
  t.inbound('. 2:2(0) ack 2 win 320');
  expect(leftovers(t.host)).toEqual({ ...NOTHING_LEFT, timeWaits: 1, binds: 1 });
});

test('after a half-close the other direction goes on', () => {
  const t = tcpScript();
  const sk = t.established();
  t.shutdown(sk, 'write');
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('. 1:1(0) ack 2 win 320');
  t.inbound('P. 1:1001(1000) ack 2 win 320');
  t.outbound('. 2:2(0) ack 1001');
  expect(t.read(sk, 2_000)).toBe(1_000);
  expect(t.write(sk, 10)).toBe('EPIPE');
});

test('a FIN in TIME-WAIT is acknowledged again, and the 60 seconds begin anew', () => {
  const t = tcpScript();
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  t.wait(30);
  t.inbound('F. 1:1(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  t.wait(40);
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  t.wait(21);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[MAY-2] a SYN beyond the old numbers takes the place of a TIME-WAIT', () => {
  const t = tcpScript();
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  t.listen();
  t.inbound('S 5000:5000(0) win 32792 <mss 1000>');
  t.outbound('S. 0:0(0) ack 5001');
  expect(leftovers(t.host)['timeWaits']).toBe(0);
});

test('[SHLD-3, MAY-1] close with data unread is a RST (RFC 2525 §2.17)', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 101');
  t.close(sk);
  t.outbound('R. 1:1(0) ack 101');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('close with SO_LINGER of 0 seconds is a RST, and what was not acknowledged is thrown away', () => {
  const t = tcpScript();
  const sk = t.established();
  expect(t.write(sk, 3_000)).toBe(3_000);
  t.outbound('P. 1:3001(3000) ack 1');
  sk.linger = { on: true, seconds: 0 };
  t.close(sk);
  t.outbound('R. 3001:3001(0) ack 1');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('data for a closed connection is reset (RFC 1122 §4.2.2.13)', () => {
  const t = tcpScript();
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('P. 1:1001(1000) ack 1 win 320');
  t.outbound('R 1:1(0)');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('an orphan waits 60 seconds for the peer’s FIN', () => {
  const t = tcpScript();
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('. 1:1(0) ack 2 win 320');
  t.silence(59.9);
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  t.silence(0.2);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[MUST-12] a RST tells the program ECONNRESET once, then the end', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('R 1:1(0) win 0');
  expect(t.read(sk, 10)).toBe('ECONNRESET');
  expect(t.read(sk, 10)).toBe(0);
  expect(tcpProto.sendmsg(sk, new Uint8Array(1), {})).toBe('EPIPE');
  t.close(sk);
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[SHLD-4] a SYN with a newer timestamp takes the place of a TIME-WAIT although its number is old', () => {
  const t = tcpScript();
  const options = 'mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7';
  const sk = t.established({
    syn: `S 0:0(0) win 65535 <${options}>`,
    ack: '. 1:1(0) ack 1 win 257 <nop,nop,TS val 1001 ecr 0>',
  });
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 2 win 257 <nop,nop,TS val 1002 ecr 0>');
  t.outbound('. 2:2(0) ack 2');
  t.wait(2);
  t.listen();
  // Before what was received: without timestamps an old duplicate.
  t.inbound('S 0:0(0) win 65535 <mss 1460,sackOK,TS val 4000 ecr 0,nop,wscale 7>');
  t.outbound('S. 0:0(0) ack 1');
});
