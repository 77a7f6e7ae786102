/** RFC 4987: the queue of handshakes and the queue of connections, and who is dropped when they are full. */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';

function syns(t: TcpScript, count: number): void {
  for (let n = 0; n < count; n++) {
    t.inbound('S 0:0(0) win 32792 <mss 1460>');
    t.nextPeer();
  }
  t.drain();
}

test('without cookies the last quarter of tcp_max_syn_backlog is kept for peers that are known', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_syncookies': '0', 'net.ipv4.tcp_max_syn_backlog': '8' } });
  const listener = t.listen(8_080, 100);
  syns(t, 10);
  expect(listener.accept?.requests.size).toBe(7);
  expect(t.host.snmp.TcpExtListenDrops).toBe(3);
});

test('somaxconn bounds what listen asks for', () => {
  const t = tcpScript({ sysctls: { 'net.core.somaxconn': '3' } });
  expect(t.listen(8_080, 100).accept?.max).toBe(3);
});

test('old handshakes that crowd the queue get fewer tries', () => {
  const alone = tcpScript();
  const a = alone.listen(8_080, 16);
  syns(alone, 1);
  alone.wait(20);
  expect(a.accept?.requests.size).toBe(1);
  const crowd = tcpScript();
  const b = crowd.listen(8_080, 16);
  syns(crowd, 16);
  crowd.wait(20);
  expect(b.accept?.requests.size).toBe(8);
});

test('an ACK that finds the queue of connections full is ignored; the SYN-ACK comes again, and then there may be room', () => {
  const t = tcpScript();
  const listener = t.listen(8_080, 1);
  t.inbound('S 0:0(0) win 32792 <mss 1460>');
  t.outbound('S. 0:0(0) ack 1');
  // The queue has filled up meanwhile.
  listener.accept!.max = -1;
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(tcpProto.accept!(listener)).toBe('EAGAIN');
  expect([t.host.snmp.TcpExtListenOverflows, t.host.snmp.TcpExtListenDrops]).toEqual([1, 1]);
  t.outbound('S. 0:0(0) ack 1', 1);
  listener.accept!.max = 1;
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});

test('tcp_abort_on_overflow answers the ACK that finds no room with a RST', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_abort_on_overflow': '1', 'net.ipv4.tcp_syncookies': '0' } });
  const listener = t.listen(8_080, 1);
  t.inbound('S 0:0(0) win 32792 <mss 1460>');
  t.outbound('S. 0:0(0) ack 1');
  // The backlog shrinks while the handshake is under way.
  listener.accept!.max = -1;
  t.inbound('. 1:1(0) ack 1 win 320');
  t.outbound('R 1:1(0)');
  expect(t.host.snmp.TcpExtListenOverflows).toBe(1);
});

test('TCP_DEFER_ACCEPT: the ACK alone makes nothing, data does, and after the time the SYN-ACK asks once more', () => {
  const t = tcpScript();
  const listener = t.listen(8_080, 8);
  expect(tcpProto.setsockopt(listener, 'SOL_TCP', 'TCP_DEFER_ACCEPT', 5)).toBeUndefined();
  t.inbound('S 0:0(0) win 32792 <mss 1460>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(tcpProto.accept!(listener)).toBe('EAGAIN');
  expect(t.host.snmp.TcpExtTCPDeferAcceptDrop).toBe(1);
  t.silence(2.9);
  t.inbound('P. 1:11(10) ack 1 win 320');
  expect(t.read(t.accept(listener), 100)).toBe(10);
  t.drain();

  t.nextPeer();
  t.inbound('S 0:0(0) win 32792 <mss 1460>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  t.wait(3);
  t.wait(4.1);
  t.outboundAny('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});
