/** RFC 9293 §3.8.6: the windows of both ends, shut and open again. */
import { expect, test } from 'vitest';
import { tcpScript } from '../../kit/tcp.ts';

test('[MUST-35, MUST-36, SHLD-29, SHLD-30] §3.8.6.1: a window that is shut is probed after the RTO, and twice as late each time', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 1_000);
  t.outbound('P. 1:1001(1000) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 1001 win 0');
  t.write(sk, 1_000);
  // RTO: 100 ms and the floor of the variance.
  for (const after of [0.3, 0.6, 1.2, 2.4]) {
    t.outbound('. 1000:1000(0) ack 1', after);
    t.inbound('. 1:1(0) ack 1001 win 0');
  }
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.outbound('P. 1001:2001(1000) ack 1');
});

test('§3.8.6.2.1: less than the window is never exceeded, and the rest follows when it opens', () => {
  const t = tcpScript();
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 20' });
  t.write(sk, 5_000);
  t.outbound('. 1:1001(1000) ack 1');
  // More than half the window was written since the last push.
  t.outbound('P. 1001:2001(1000) ack 1');
  t.wait(0.05);
  t.inbound('. 1:1(0) ack 2001 win 320');
  t.outbound('P. 2001:5001(3000) ack 1');
});

test('[MAY-8] a reader that does not read shuts the window to nothing, never takes back what was offered, and opens it again', () => {
  const t = tcpScript({ mss: 1_000 });
  const sk = t.established();
  let at = 1;
  let edge = 0;
  for (let i = 0; i < 2_000; i++) {
    const window = (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0;
    if (window < 1_000) break;
    t.inbound(`. ${at}:${at + 1_000}(1000) ack 1 win 320`);
    at += 1_000;
    const right = (sk.rcvWup + sk.rcvWnd - sk.irs) | 0;
    expect(right).toBeGreaterThanOrEqual(edge);
    edge = right;
    t.wait(0.001);
  }
  t.wait(1);
  t.drain();
  t.inbound(`. ${at}:${at + 1_000}(1000) ack 1 win 320`);
  t.drain();
  expect(t.read(sk, 10_000_000)).toBeGreaterThan(50_000);
  const opened = (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0;
  expect(opened).toBeGreaterThan(50_000);
});

test('a program that writes faster than the peer takes is told EAGAIN, and woken when there is room', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_wmem': '4096 16384 50000' } });
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 10' });
  let woken = 0;
  sk.wait.add(() => void woken++);
  let written = 0;
  for (let n = t.write(sk, 4_000); typeof n === 'number'; n = t.write(sk, 4_000)) written += n;
  expect(written).toBeGreaterThan(10_000);
  expect(woken).toBe(0);
  for (let at = 1; at < written; ) {
    t.wait(0.1);
    at = Math.min(at + 1_000, written + 1);
    t.inbound(`. 1:1(0) ack ${Math.min(at, (sk.sndNxt - sk.iss) | 0)} win 10`);
  }
  expect(woken).toBeGreaterThan(0);
  t.drain();
});
