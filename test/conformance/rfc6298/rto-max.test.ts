/** RFC 6298 §2.5: a maximum may be placed on the RTO; Linux's is 120 s, and tcp_rto_max_ms and TCP_RTO_MAX_MS set it. */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpScript } from '../../kit/tcp.ts';

test('with tcp_rto_max_ms at a second a SYN-ACK is repeated every second', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_rto_max_ms': '1000' } });
  t.listen();
  t.inbound('S 0:0(0) win 1000 <mss 1460,sackOK>');
  t.outbound('S. 0:0(0) ack 1');
  for (let i = 0; i < 5; i++) {
    t.wait(1);
    t.outbound('S. 0:0(0) ack 1');
  }
});

test('TCP_RTO_MAX_MS bounds the back-off of one connection, and takes one second to two minutes', () => {
  const t = tcpScript();
  const sk = t.established();
  const set = (ms: number) => tcpProto.setsockopt(sk, 'SOL_TCP', 'TCP_RTO_MAX_MS', ms);
  expect([set(999), set(120_001), set(1_000)]).toEqual(['EINVAL', 'EINVAL', undefined]);
  expect(tcpProto.getsockopt(sk, 'SOL_TCP', 'TCP_RTO_MAX_MS')).toBe(1_000);
  t.write(sk, 100);
  t.outbound('P. 1:101(100) ack 1');
  t.wait(10);
  expect(sk.rto).toBe(1_000_000);
});
