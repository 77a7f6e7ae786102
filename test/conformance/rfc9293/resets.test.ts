/** RFC 9293 §3.5.2 and §3.10.7.1: what a closed port and a listener answer; the answers are also those that nmap knows Linux by. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';

test('a SYN to a closed port: RST from 0 that acknowledges it, with neither window nor options', () => {
  const t = tcpScript();
  t.inbound('S 0:0(0) win 31337 <mss 265>');
  t.outbound('R. 0:0(0) ack 1 win 0 <>');
});

test('an ACK to a closed port: RST from the number that it acknowledges, without ACK', () => {
  const t = tcpScript();
  t.inbound('. 1:1(0) ack 500 win 1024');
  t.outbound('R 500:500(0) win 0 <>');
});

test('FIN, PSH and URG to a closed port: RST that acknowledges data and FIN', () => {
  const t = tcpScript();
  t.inbound('FPU 0:10(10) win 65535');
  t.outbound('R. 0:0(0) ack 11 win 0');
});

test('a RST is never answered', () => {
  const t = tcpScript();
  t.inbound('R 0:0(0) win 0');
  t.inbound('R. 0:0(0) ack 5 win 0');
  t.silence(1);
});

test('a listener resets an ACK, and is silent to RST, to SYN with FIN, and to no flags at all', () => {
  const t = tcpScript();
  t.listen();
  t.inbound('. 1:1(0) ack 9 win 1024');
  t.outbound('R 9:9(0) win 0');
  t.inbound('R 0:0(0) win 0');
  t.inbound('SFPU 0:0(0) win 256');
  t.inbound('- 0:0(0) win 128');
  t.silence(1);
  expect(t.live()).toBe(0);
});
