/** Windows, probes and buffers as gVisor's packetimpact, smoltcp and lwIP ask them; Linux's answers. */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { receiveWindow, type TcpSock } from '../../../shared/net/tcp-sock.ts';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';

/** Data up to the edge of our window, until it is shut; returns the next number that the peer would send. */
function fill(t: TcpScript, sk: TcpSock): number {
  let at = 1;
  for (let i = 0; i < 400; i++) {
    const window = receiveWindow(sk);
    if (window <= 0) break;
    const end = at + Math.min(window, 1_000);
    t.inbound(`P. ${at}:${end}(${end - at}) ack 1 win 320`);
    t.wait(0.05);
    at = end;
  }
  return at;
}

/** The last window that we offered, unscaled. */
function offered(t: TcpScript): number | undefined {
  return t.sent.at(-1)?.window;
}

test('[gvisor.window-shrink] data beyond a window that shrank is not sent again until it fits', () => {
  const t = tcpScript();
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 16' });
  t.write(sk, 2_000);
  t.outbound('P. 1:2001(2000) ack 1');
  t.inbound('. 1:1(0) ack 1001 win 0');
  t.drain();
  t.silence(0.1);
  t.wait(2);
  // The first segment alone keeps asking, as a probe would.
  expect(t.sent.every((sent) => sent.length === 1_000)).toBe(true);
  t.drain();
  t.inbound('. 1:1(0) ack 2001 win 320');
  t.silence(5);
});

test('[gvisor.zero-receive-window] a window that is shut takes no data: it is answered with the same ACK', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.rcvbuf = 20_000;
  const at = fill(t, sk);
  t.wait(0.3);
  expect(receiveWindow(sk)).toBe(0);
  t.drain();
  t.inbound(`P. ${at}:${at + 100}(100) ack 1 win 320`);
  t.outbound(`. 1:1(0) ack ${at} win 0`);
});

test('[gvisor.zero-receive-window-read] reading opens it again, with an ACK of its own', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.rcvbuf = 20_000;
  const at = fill(t, sk);
  t.drain();
  expect(t.read(sk, 100_000)).toBe(at - 1);
  t.outboundAny(`. 1:1(0) ack ${at}`);
  expect(receiveWindow(sk)).toBeGreaterThan(2_000);
});

test('[gvisor.zero-receive-window-ack] ACKs, and a FIN without data, pass a window that is shut', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.rcvbuf = 20_000;
  t.write(sk, 500);
  t.outbound('P. 1:501(500) ack 1');
  const at = fill(t, sk);
  expect(receiveWindow(sk)).toBe(0);
  t.drain();
  t.inbound(`. ${at}:${at}(0) ack 501 win 320`);
  expect(sk.packetsOut).toBe(0);
  t.inbound(`F. ${at}:${at}(0) ack 501 win 320`);
  t.wait(0.3);
  t.outboundAny(`. 501:501(0) ack ${at + 1}`);
  expect(sk.state).toBe('CLOSE_WAIT');
});

test('[gvisor.reduce-rcvbuf] a smaller receive buffer takes back nothing that was offered', () => {
  const t = tcpScript();
  const sk = t.established();
  const edge = (sk.rcvWup + sk.rcvWnd - sk.irs) >>> 0;
  sk.rcvbuf = 4_608;
  t.inbound('P. 1:1001(1000) ack 1 win 320');
  t.outboundAny('. 1:1(0) ack 1001');
  expect((sk.rcvWup + sk.rcvWnd - sk.irs) >>> 0).toBeGreaterThanOrEqual(edge);
});

test('[gvisor.window-piggyback] data tells the window as an ACK does: shut, and open again after reading', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.rcvbuf = 20_000;
  const at = fill(t, sk);
  t.drain();
  t.write(sk, 10);
  t.outbound(`P. 1:11(10) ack ${at} win 0`);
  t.inbound(`. ${at}:${at}(0) ack 11 win 320`);
  t.read(sk, 100_000);
  t.drain();
  t.write(sk, 10);
  expect(offered(t)).toBeGreaterThan(0);
});

test('[gvisor.zero-window-probe, smoltcp.zero-window-probe] a window that is shut is probed with the octet before, further and further apart, until it opens', () => {
  const t = tcpScript();
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 0' });
  t.write(sk, 100);
  let at = t.clock.now();
  for (const after of [300_000, 600_000, 1_200_000, 2_400_000]) {
    at += after;
    t.outboundAt('. 0:0(0) ack 1', at);
    t.inbound('. 1:1(0) ack 1 win 0');
  }
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('P. 1:101(100) ack 1');
  expect(sk.probesOut).toBe(0);
});

test('[gvisor.zero-window-probe-retransmit] a probe that is not answered does not end the connection while later ones are', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_retries2': '3' } });
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 0' });
  t.write(sk, 100);
  let probes = 0;
  for (let i = 0; i < 200; i++) {
    t.wait(0.5);
    if (t.sent.length === 0) continue;
    probes += t.sent.length;
    t.drain();
    t.inbound('. 1:1(0) ack 1 win 0');
  }
  expect(probes).toBeGreaterThan(5);
  expect(sk.state).toBe('ESTABLISHED');
});

test('[gvisor.zero-window-probe-user-timeout] TCP_USER_TIMEOUT ends a connection whose window stays shut', () => {
  const t = tcpScript();
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 0' });
  t.set(sk, 'TCP_USER_TIMEOUT', 3_000);
  t.write(sk, 100);
  const began = t.clock.now();
  while (sk.error === undefined && t.clock.now() - began < 20_000_000) {
    t.wait(0.5);
    if (t.sent.length > 0 && sk.error === undefined) t.inbound('. 1:1(0) ack 1 win 0');
    t.drain();
  }
  expect([sk.state, sk.error]).toEqual(['CLOSE', 'ETIMEDOUT']);
});

test('[lwip.zero-window-timeout] probes that nobody answers end the connection', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_retries2': '3' } });
  const sk = t.established({ ack: '. 1:1(0) ack 1 win 0' });
  t.write(sk, 100);
  t.wait(60);
  expect([sk.state, sk.error]).toEqual(['CLOSE', 'ETIMEDOUT']);
});

test('[lwip.persist-split] what fits a window smaller than a segment is cut off and sent by the probe timer', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 1);
  t.outbound('P. 1:2(1) ack 1');
  t.wait(0.1);
  t.inbound('. 1:1(0) ack 2 win 4');
  t.write(sk, 1_000);
  t.outboundAt('P. 2:514(512) ack 1', t.clock.now() + 300_000);
  t.inbound('. 1:1(0) ack 514 win 4');
  t.outboundAny('P. 514:1002(488) ack 1');
});

test('[smoltcp.zero-window-shift] a window that opens while a probe is out lets data go at once', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('. 1:1(0) ack 1 win 0');
  t.write(sk, 300);
  t.outboundAt('. 0:0(0) ack 1', t.clock.now() + 300_000);
  t.inbound('. 1:1(0) ack 1 win 1');
  t.silence(0.05);
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('P. 1:301(300) ack 1');
});

test('[smoltcp.window-update] a larger window alone lets waiting data go', () => {
  const t = tcpScript();
  const sk = t.established();
  t.set(sk, 'TCP_NODELAY', 1);
  t.write(sk, 1);
  t.outbound('P. 1:2(1) ack 1');
  t.inbound('. 1:1(0) ack 2 win 8');
  t.write(sk, 2_000);
  t.outboundAny('P. 2:1026(1024) ack 1');
  t.silence(0.01);
  t.inbound('. 1:1(0) ack 2 win 320');
  t.outbound('P. 1026:2002(976) ack 1');
});

test('[lwip.rx-window-overrun] what reaches beyond the window that was offered is taken only as far as it fits in memory, else dropped with an ACK', () => {
  const t = tcpScript();
  const sk = t.established();
  const edge = ((sk.rcvWup + sk.rcvWnd - sk.irs) >>> 0) + 1;
  t.inbound(`P. ${edge + 1}:${edge + 101}(100) ack 1 win 320`);
  t.outbound('. 1:1(0) ack 1');
  expect(sk.ofoQueue.head).toBe(undefined);
});

test('[smoltcp.nagle, gvisor.cork-mss] with TCP_CORK full segments go and the rest waits for more, for uncorking or 200 ms', () => {
  const t = tcpScript();
  const sk = t.established();
  t.set(sk, 'TCP_CORK', 1);
  t.write(sk, 1_500);
  t.outbound('. 1:1001(1000) ack 1');
  t.inbound('. 1:1(0) ack 1001 win 320');
  t.silence(0.1);
  t.write(sk, 500);
  t.outboundAny('P. 1001:2001(1000) ack 1');
  t.write(sk, 10);
  t.inbound('. 1:1(0) ack 2001 win 320');
  t.silence(0.1);
  t.set(sk, 'TCP_CORK', 0);
  t.outbound('P. 2001:2011(10) ack 1');
});

test('[smoltcp.push] PSH stands on the last segment of a write', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established();
  t.set(sk, 'TCP_NODELAY', 1);
  t.write(sk, 1_500);
  const flags = t.sent.map((sent) => [sent.length, sent.flags & 8]);
  expect(flags).toEqual([
    [1_000, 0],
    [500, 8],
  ]);
});

test('[smoltcp.delayed-ack] data that a program does not answer is acknowledged after 40 ms', () => {
  const t = tcpScript();
  const sk = t.established();
  t.set(sk, 'TCP_QUICKACK', 0);
  t.inbound('P. 1:11(10) ack 1 win 320');
  t.outboundAt('. 1:1(0) ack 11', t.clock.now() + 40_000);
  expect(tcpProto.poll(sk) & 1).toBe(1);
});
