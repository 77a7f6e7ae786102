/** RFC 1191 and RFC 5927: "fragmentation needed", and what other ICMP errors do to a connection. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';

const SYN = 'S 0:0(0) win 65535 <mss 1460,sackOK,nop,nop,nop,wscale 8>';

test('[1191-3a, SHLD-6] what was too long goes out again at once in smaller segments, and later connections begin with them', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
  t.write(sk, 1_460);
  t.outbound('P. 1:1461(1460) ack 1');
  t.icmp(3, 4, 1_200);
  t.outbound('. 1:1161(1160) ack 1');
  t.outbound('P. 1161:1461(300) ack 1');
  t.inbound('R 1:1(0) win 0');
  t.close(sk);
  t.nextPeer();
  // What we offer to receive is as before.
  const next = t.established({
    syn: SYN,
    ack: '. 1:1(0) ack 1 win 257',
    synAck: 'S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>',
  });
  t.write(next, 1_460);
  t.outbound('. 1:1161(1160) ack 1');
  t.outbound('P. 1161:1461(300) ack 1');
});

test('an ICMP error for a number that is not in flight is ignored (RFC 5927 §4)', () => {
  const t = tcpScript();
  const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
  t.write(sk, 1_460);
  t.outbound('P. 1:1461(1460) ack 1');
  t.icmp(3, 4, 600, 90_000);
  t.silence(0.01);
  expect(sk.mssCache).toBe(1_460);
  expect(t.host.snmp.TcpExtOutOfWindowIcmps).toBe(1);
});

test('host unreachable ends a connection attempt with EHOSTUNREACH', () => {
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.icmp(3, 1, 0, 0);
  expect(sk.takeError()).toBe('EHOSTUNREACH');
  expect(sk.state).toBe('CLOSE');
});

test('[SHLD-20] host unreachable does not end an established connection, but is the reason given when it dies (RFC 1122 §4.2.3.9)', () => {
  const t = tcpScript();
  const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
  sk.userTimeout = 2_000_000;
  t.write(sk, 100);
  t.drain();
  t.icmp(3, 1, 0);
  expect(sk.state).toBe('ESTABLISHED');
  t.wait(3);
  expect(sk.takeError()).toBe('EHOSTUNREACH');
});
