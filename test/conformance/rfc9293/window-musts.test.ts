/** RFC 9293 §3.8.6 and §3.9.1: windows of all sizes, PSH, and the silly window. */
import { expect, test } from 'vitest';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { tcpScript } from '../../kit/tcp.ts';

const PLAIN = { syn: 'S 0:0(0) win 65535 <mss 1000>' };

test('[MUST-1] a window of 40000 is a window, not a negative number', () => {
  const t = tcpScript();
  const sk = t.established({ ...PLAIN, ack: '. 1:1(0) ack 1 win 40000' });
  t.write(sk, 5_000);
  t.outbound('P. 1:5001(5000) ack 1');
});

test('[MUST-34, SHLD-16, SHLD-15] a window that shrinks below what was sent stops new data, and repairs go on inside of it', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({ ...PLAIN, ack: '. 1:1(0) ack 1 win 8000' });
  t.write(sk, 6_000);
  t.outbound('P. 1:6001(6000) ack 1');
  t.wait(0.1);
  // It took the first, and takes back 4000 octets of what it had offered.
  t.inbound('. 1:1(0) ack 1001 win 1000');
  t.write(sk, 3_000);
  t.silence(0.2);
  expect(sk.state).toBe('ESTABLISHED');
  t.outboundAt('. 1001:2001(1000) ack 1', t.clock.now(), t.clock.now() + 2_000_000);
  t.inbound('. 1:1(0) ack 6001 win 8000');
  t.outbound('P. 6001:9001(3000) ack 1');
});

test('[SHLD-14, MUST-39] room is offered again only when it is a segment’s worth, and never taken back', () => {
  const t = tcpScript({ mss: 1_000, sysctls: { 'net.ipv4.tcp_rmem': '4096 8192 8192' } });
  const sk = t.established({ syn: 'S 0:0(0) win 65535 <mss 1000>' });
  let at = 1;
  for (let i = 0; i < 100 && ((sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0) >= 1_000; i++) {
    t.inbound(`. ${at}:${at + 1_000}(1000) ack 1 win 320`);
    at += 1_000;
    t.wait(0.3);
  }
  t.drain();
  const edge = (sk.rcvWup + sk.rcvWnd) >>> 0;
  // A reader that takes an octet at a time opens nothing.
  for (let i = 0; i < 50; i++) t.read(sk, 1);
  t.silence(0.01);
  expect((sk.rcvWup + sk.rcvWnd) >>> 0).toBe(edge);
  t.read(sk, 1_000_000);
  t.outboundAny(`. 1:1(0) ack ${at}`);
  const offered = (sk.rcvWup + sk.rcvWnd - edge) | 0;
  expect(offered).toBeGreaterThanOrEqual(1_000);
});

test('[MUST-37] a window may stay shut for hours, as long as every probe is answered', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 0');
  t.write(sk, 1_000);
  for (let n = 0; n < 100; n++) {
    t.wait(120.01);
    t.outboundAny('. 1000:1000(0) ack 1');
    t.drain();
    t.inbound('. 1:1(0) ack 1001 win 0');
  }
  expect(sk.state).toBe('ESTABLISHED');
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.outbound('P. 1001:2001(1000) ack 1');
});

test('[MUST-60, MUST-61] what was written goes out although nobody pushes, and its last segment has PSH', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({ ...PLAIN, ack: '. 1:1(0) ack 1 win 40000' });
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  t.write(sk, 1_500);
  t.outbound('. 1001:2001(1000) ack 1');
  t.inbound('. 1:1(0) ack 2001 win 40000');
  t.outbound('P. 2001:2501(500) ack 1');
});

test('[MUST-38] a window of less than a segment is not filled with a silly one until the persist timer says so', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({ ...PLAIN, ack: '. 1:1(0) ack 1 win 8000' });
  t.write(sk, 8_000);
  t.outbound('P. 1:8001(8000) ack 1');
  t.inbound('. 1:1(0) ack 8001 win 100');
  t.write(sk, 2_000);
  t.silence(0.19);
  // After the override time-out what fits goes.
  t.outboundAt('P. 8001:8101(100) ack 1', t.clock.now(), t.clock.now() + 1_000_000);
});

test('[MUST-66] a RST and an urgent pointer count although the window is shut', () => {
  for (const what of ['RST', 'URG']) {
    const t = tcpScript({ mss: 1_000, sysctls: { 'net.ipv4.tcp_rmem': '4096 8192 8192' } });
    const sk = t.established({ syn: 'S 0:0(0) win 65535 <mss 1000>' });
    let at = 1;
    for (let i = 0; i < 100 && (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0; i++) {
      const room = Math.min(1_000, (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0);
      t.inbound(`. ${at}:${at + room}(${room}) ack 1 win 320`);
      at += room;
      t.wait(0.3);
    }
    expect((sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0).toBe(0);
    if (what === 'RST') {
      t.inbound(`R ${at}:${at}(0) win 0`);
      expect(sk.takeError()).toBe('ECONNRESET');
    } else {
      t.inbound(`U. ${at}:${at}(0) ack 1 win 320 urg 5`);
      expect(sk.urgData).not.toBe(0);
      expect((sk.urgSeq - sk.rcvNxt) | 0).toBe(4);
    }
  }
});

test('[SHLD-7, MUST-17, MAY-16] a small segment waits while one is in flight (Nagle), and with TCP_NODELAY does not', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 10);
  t.outbound('P. 1:11(10) ack 1');
  t.write(sk, 10);
  t.silence(0.05);
  t.inbound('. 1:1(0) ack 11 win 320');
  t.outbound('P. 11:21(10) ack 1');
  expect(setSocketOption(sk, 'SOL_TCP', 'TCP_NODELAY', 1)).toBeUndefined();
  t.write(sk, 10);
  t.outbound('P. 21:31(10) ack 1');
  t.write(sk, 10);
  t.outbound('P. 31:41(10) ack 1');
});

test('[REC-1] windows are numbers of 32 bits: with a scale 2 MB are used', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_wmem': '4096 4000000 8000000' } });
  const sk = t.established({
    syn: 'S 0:0(0) win 65535 <mss 1460,sackOK,nop,nop,nop,wscale 14>',
    ack: '. 1:1(0) ack 1 win 128',
  });
  sk.sndCwnd = 10_000;
  const written = Number(t.write(sk, 3_000_000));
  t.wait(0.05);
  const flight = (sk.sndNxt - sk.sndUna) | 0;
  expect(written).toBeGreaterThan(1_000_000);
  expect(flight).toBeGreaterThan(65_535);
  expect(flight).toBeLessThanOrEqual(128 * 16_384);
});

test('[SHLD-17] data that was sent before the window shrank does not end the connection while the peer answers', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({ ...PLAIN, ack: '. 1:1(0) ack 1 win 8000' });
  t.write(sk, 6_000);
  t.outbound('P. 1:6001(6000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 0');
  // Twice as long as a silent peer is borne.
  for (let n = 0; n < 200; n++) {
    t.wait(10);
    t.drain();
    t.inbound('. 1:1(0) ack 1001 win 0');
  }
  expect(sk.state).toBe('ESTABLISHED');
  t.inbound('. 1:1(0) ack 6001 win 8000');
  expect(sk.packetsOut).toBe(0);
});
