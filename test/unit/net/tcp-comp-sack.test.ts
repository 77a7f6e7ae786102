/** SACK compression: duplicate ACKs beyond the third wait a twentieth of a round trip, if that is known (tcp_comp_sack_*). */
import { expect, test } from 'vitest';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';

const SYN = 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>';

/** ACKs sent for `count` segments behind a gap, all in one moment. */
function acksFor(t: TcpScript, count: number, stamp: string): number {
  const before = t.host.snmp.TcpOutSegs;
  for (let n = 0; n < count; n++) {
    const at = 2_001 + n * 2_000;
    t.inbound(`. ${at}:${at + 1_000}(1000) ack 1 win 320${stamp}`);
  }
  const acks = t.host.snmp.TcpOutSegs - before;
  t.drain();
  return acks;
}

test('without a round trip of the receiver every segment ahead of its turn is answered', () => {
  const t = tcpScript();
  const sk = t.established();
  expect(sk.rcvRtt).toBe(0);
  expect(acksFor(t, 8, '')).toBe(8);
});

test('with one, the fourth and later wait a millisecond at most, and go as one', () => {
  const t = tcpScript();
  const stamp = ' <nop,nop,TS val 200 ecr 100>';
  const sk = t.established({ syn: SYN, ack: `. 1:1(0) ack 1 win 320${stamp}` });
  sk.rcvRtt = 8 * 100_000;
  const before = t.host.snmp.TcpExtTCPAckCompressed;
  for (let n = 0; n < 8; n++) {
    const at = 2_001 + n * 1_000;
    t.inbound(`. ${at}:${at + 1_000}(1000) ack 1 win 320${stamp}`);
  }
  t.drain();
  t.wait(0.002);
  expect(t.host.snmp.TcpExtTCPAckCompressed - before).toBe(4);
  t.outboundAny('. 1:1(0) ack 1');
});
