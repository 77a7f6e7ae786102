/** Single segments that are odd, late or wrong, as gVisor, smoltcp and lwIP ask them; Linux's answers. */
import { expect, test } from 'vitest';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';
import { leftovers, NOTHING_LEFT } from '../../kit/tcp-pair.ts';

test('[gvisor.outside-window] data outside of the window is answered with an ACK each time, a bare ACK at most each half second', () => {
  const t = tcpScript();
  t.established();
  for (let i = 0; i < 2; i++) {
    t.inbound('P. 200001:200101(100) ack 1 win 320');
    t.outbound('. 1:1(0) ack 1');
  }
  t.wait(0.6);
  t.inbound('. 200001:200001(0) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1');
  t.inbound('. 200001:200001(0) ack 1 win 320');
  t.silence(0.4);
});

test('[gvisor.outside-window-old] data that was had before is answered with an ACK that reports it twice (DSACK)', () => {
  const t = tcpScript();
  t.established();
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 101');
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 101 <nop,nop,sack 1:101>');
});

test('[gvisor.paws] a timestamp that runs backwards is answered with an ACK and its data thrown away', () => {
  const t = tcpScript();
  const sk = t.established({
    syn: 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7>',
    synAck: 'S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 1000,nop,wscale 7>',
    ack: '. 1:1(0) ack 1 win 320 <nop,nop,TS val 1100 ecr 100>',
  });
  t.inbound('P. 1:101(100) ack 1 win 320 <nop,nop,TS val 900 ecr 100>');
  t.outboundAny('. 1:1(0) ack 1');
  expect(t.read(sk, 100)).toBe('EAGAIN');
  expect(t.host.snmp.TcpExtPAWSEstab).toBe(1);
  t.inbound('P. 1:101(100) ack 1 win 320 <nop,nop,TS val 1200 ecr 100>');
  expect(t.read(sk, 100)).toBe(100);
});

test('[gvisor.paws-rst] a RST is not judged by its timestamp', () => {
  const t = tcpScript();
  const sk = t.established({
    syn: 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7>',
    synAck: 'S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 1000,nop,wscale 7>',
    ack: '. 1:1(0) ack 1 win 320 <nop,nop,TS val 1100 ecr 100>',
  });
  t.inbound('R. 1:1(0) ack 1 win 0 <nop,nop,TS val 1 ecr 100>');
  expect([sk.state, sk.error]).toEqual(['CLOSE', 'ECONNRESET']);
});

test('[lwip.rst-closed, gvisor.no-rst-to-rst] what nobody waits for is reset, but never a RST', () => {
  const t = tcpScript();
  t.inbound('S 0:0(0) win 1000 <mss 1000>');
  t.outbound('R. 0:0(0) ack 1');
  t.inbound('P 5:10(5) win 1000');
  t.outbound('R. 0:0(0) ack 10');
  t.inbound('F. 5:5(0) ack 7 win 1000');
  t.outboundAny('R 7:7(0)');
  t.inbound('R 5:5(0) win 0');
  t.inbound('R. 5:5(0) ack 7 win 0');
  t.silence(1);
});

test('[lwip.rst-listen, smoltcp.listen] a listener resets an ACK and does nothing about a RST', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound('R 5:5(0) win 0');
  t.silence(0.1);
  t.inbound('. 5:5(0) ack 7 win 1000');
  t.outbound('R 7:7(0)');
  t.inbound('S. 5:5(0) ack 7 win 1000');
  t.outboundAny('R 7:7(0)');
  expect(listener.state).toBe('LISTEN');
});

function inTimeWait(t: TcpScript): void {
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  t.wait(0.6);
}

test('[gvisor.rst-time-wait, lwip.rst-time-wait] the exact RST ends TIME-WAIT, any other does not; with tcp_rfc1337 none does', () => {
  const t = tcpScript();
  inTimeWait(t);
  t.inbound('R 500:500(0) win 0');
  t.silence(0.1);
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  t.inbound('R 2:2(0) win 0');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
  const kept = tcpScript({ sysctls: { 'net.ipv4.tcp_rfc1337': '1' } });
  inTimeWait(kept);
  kept.inbound('R 2:2(0) win 0');
  kept.silence(0.1);
  expect(leftovers(kept.host)['timeWaits']).toBe(1);
});

test('[smoltcp.time-wait, lwip.time-wait] in TIME-WAIT data and an old SYN are answered with an ACK, a newer SYN begins anew', () => {
  const t = tcpScript();
  inTimeWait(t);
  t.inbound('P. 2:12(10) ack 2 win 320');
  t.outbound('. 2:2(0) ack 2');
  t.wait(0.6);
  t.inbound('S 0:0(0) win 1000 <mss 1000>');
  t.outbound('. 2:2(0) ack 2');
  t.listen();
  t.inbound('S 5000:5000(0) win 1000 <mss 1000>');
  t.outbound('S. 0:0(0) ack 5001');
});

test('[lwip.rst-seq-check] in every synchronized state the RST must have the exact number; elsewhere in the window it is challenged', () => {
  const ends: readonly [string, (t: TcpScript) => void, string, string, string][] = [
    ['ESTABLISHED', () => {}, '1', '. 1:1(0) ack 1', 'ECONNRESET'],
    ['CLOSE_WAIT', (t) => t.inbound('F. 1:1(0) ack 1 win 320'), '2', '. 1:1(0) ack 2', 'EPIPE'],
  ];
  for (const [state, reach, exact, challenge, errno] of ends) {
    const t = tcpScript();
    const sk = t.established();
    reach(t);
    expect(sk.state).toBe(state);
    t.wait(0.6);
    t.drain();
    t.inbound('R 50:50(0) win 0');
    t.outbound(challenge);
    expect(sk.state).toBe(state);
    t.inbound(`R ${exact}:${exact}(0) win 0`);
    expect([state, sk.state, sk.error]).toEqual([state, 'CLOSE', errno]);
  }
});

test('[lwip.rst-seq-check-closing] while closing as well: FIN-WAIT-1, FIN-WAIT-2, CLOSING and LAST-ACK', () => {
  const reach: Readonly<Record<string, (t: TcpScript) => number>> = {
    FIN_WAIT1: () => 1,
    FIN_WAIT2: (t) => {
      t.inbound('. 1:1(0) ack 2 win 320');
      return 1;
    },
    CLOSING: (t) => {
      t.inbound('F. 1:1(0) ack 1 win 320');
      return 2;
    },
  };
  for (const [state, go] of Object.entries(reach)) {
    const t = tcpScript();
    const sk = t.established();
    t.shutdown(sk, 'write');
    const next = go(t);
    expect(sk.state).toBe(state);
    t.wait(0.6);
    t.drain();
    t.inbound('R 50:50(0) win 0');
    t.outboundAny(`. 2:2(0) ack ${next}`);
    t.inbound(`R ${next}:${next}(0) win 0`);
    expect(sk.state).toBe('CLOSE');
  }
  const t = tcpScript();
  const sk = t.established();
  t.inbound('F. 1:1(0) ack 1 win 320');
  t.close(sk);
  expect(sk.state).toBe('LAST_ACK');
  t.inbound('R 2:2(0) win 0');
  expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
});

test('[lwip.malformed-header] a header that is cut short or says a wrong length is dropped and counted', () => {
  const t = tcpScript();
  const sk = t.established();
  const before = t.host.snmp.TcpInErrs;
  for (const words of [0, 4, 15])
    t.inboundRaw('P. 1:11(10) ack 1 win 320', (view, at) => view.setUint8(at + 12, words << 4));
  t.inboundRaw('P. 1:11(10) ack 1 win 320', (view, at) => view.setUint16(at + 16, 0x1234));
  t.silence(0.1);
  expect(t.host.snmp.TcpInErrs - before).toBe(4);
  expect(sk.rcvNxt).toBe((sk.irs + 1) >>> 0);
});

test('[lwip.out-of-order-fin] a FIN that comes early waits for the data before it', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('FP. 101:201(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 101:202>');
  expect(sk.state).toBe('ESTABLISHED');
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.outbound('. 1:1(0) ack 202');
  expect(sk.state).toBe('CLOSE_WAIT');
  expect(t.read(sk, 1_000)).toBe(200);
  expect(t.read(sk, 1_000)).toBe(0);
});

test('[lwip.out-of-order-overlap] segments that overlap are trimmed to what is new', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 201:301(100) ack 1 win 320');
  t.inbound('P. 101:251(150) ack 1 win 320');
  t.inbound('P. 1:121(120) ack 1 win 320');
  t.drain();
  expect(t.read(sk, 1_000)).toBe(300);
  t.inbound('P. 251:401(150) ack 1 win 320');
  expect(t.read(sk, 1_000)).toBe(100);
});

test('[lwip.out-of-order-limit] what is kept out of order stays within the receive buffer: the furthest goes first', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.rcvbuf = 12_000;
  for (let i = 1; i < 40; i++) t.inbound(`P. ${i * 1_000 + 1}:${i * 1_000 + 1_001}(1000) ack 1 win 320`);
  expect(sk.receiveMemory).toBeLessThanOrEqual(sk.rcvbuf + 4_608);
  t.drain();
  t.inbound('P. 1:1001(1000) ack 1 win 320');
  expect((sk.rcvNxt - sk.irs) >>> 0).toBeGreaterThan(1_000);
});

test('[lwip.receive-trim, smoltcp.established] data in order is taken, and of a repeated part only what is new', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 1:101(100) ack 1 win 320');
  t.inbound('P. 51:151(100) ack 1 win 320');
  expect(t.read(sk, 1_000)).toBe(150);
  t.inbound('P. 1:51(50) ack 1 win 320');
  expect(t.read(sk, 1_000)).toBe('EAGAIN');
});

test('[smoltcp.wraparound] a stream goes on where the peer’s sequence numbers turn over', () => {
  const t = tcpScript({ peerIsn: 2 ** 32 - 1_500 });
  const sk = t.established();
  t.inbound('P. 1001:2001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
  t.inbound('P. 1:1001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 2001');
  t.inbound('P. 2001:3001(1000) ack 1 win 320');
  expect(t.read(sk, 10_000)).toBe(3_000);
});

test('[gvisor.user-timeout] TCP_USER_TIMEOUT after its first retransmission a connection without an ACK is given up', () => {
  const t = tcpScript();
  const sk = t.established();
  t.set(sk, 'TCP_USER_TIMEOUT', 3_000);
  t.write(sk, 100);
  t.wait(2.9);
  expect(sk.state).toBe('ESTABLISHED');
  t.wait(1);
  expect([sk.state, sk.error]).toEqual(['CLOSE', 'ETIMEDOUT']);
});

test('[smoltcp.keep-alive] a connection that is silent is asked, and goes on when the peer answers', () => {
  const t = tcpScript();
  const sk = t.established();
  sk.keepalive = true;
  t.set(sk, 'TCP_KEEPINTVL', 5);
  t.set(sk, 'TCP_KEEPCNT', 3);
  t.set(sk, 'TCP_KEEPIDLE', 10);
  t.outboundAt('. 0:0(0) ack 1', t.clock.now() + 10_000_000);
  t.inbound('. 1:1(0) ack 1 win 320');
  for (const after of [10, 5, 5]) t.outboundAt('. 0:0(0) ack 1', t.clock.now() + after * 1_000_000);
  t.wait(6);
  expect([sk.state, sk.error]).toEqual(['CLOSE', 'ETIMEDOUT']);
});

test('[gvisor.tcp-info] TCP_INFO tells of state, cwnd and round trip, and of loss after a time-out', () => {
  const t = tcpScript();
  const sk = t.established();
  t.write(sk, 1_000);
  expect(t.info(sk)).toMatchObject({ state: 1, ca_state: 0, unacked: 1, snd_cwnd: 10, rtt: 100_000 });
  t.wait(1);
  expect(t.info(sk)).toMatchObject({ ca_state: 4, snd_cwnd: 1, lost: 1 });
});
