/** Whether a connection's counts agree with its queues: what tcp_verify_left_out and its kin watch for, in full. */
import { errorMemoryOf } from '../../shared/net/error-queue.ts';
import type { Host } from '../../shared/net/host.ts';
import { tcpOf } from '../../shared/net/tcp-host.ts';
import { SACKED } from '../../shared/net/tcp-segment.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';

export function auditSock(sk: TcpSock): string[] {
  const wrong: string[] = [];
  const expect = (what: string, found: number, counted: number): void => {
    if (found !== counted) wrong.push(`${what} is ${found}, the queues say ${counted}`);
  };
  let packets = 0;
  let sacked = 0;
  let lost = 0;
  let retrans = 0;
  let memory = 0;
  let seq: number | undefined;
  for (let s = sk.rtxQueue.head; s !== undefined; s = s.next) {
    packets += s.count;
    if ((s.sacked & SACKED.ACKED) !== 0) sacked += s.count;
    if ((s.sacked & SACKED.LOST) !== 0) lost += s.count;
    if ((s.sacked & SACKED.RETRANS) !== 0) retrans += s.count;
    if ((s.sacked & SACKED.ACKED) !== 0 && (s.sacked & SACKED.LOST) !== 0) wrong.push('a segment is SACKed and lost');
    if (seq !== undefined && s.seq !== seq) wrong.push(`the retransmit queue jumps from ${seq} to ${s.seq}`);
    seq = s.endSeq;
    memory += s.length + 1_280;
  }
  if (seq !== undefined) expect('sndNxt', sk.sndNxt, seq);
  for (let s = sk.writeQueue.head; s !== undefined; s = s.next) {
    if (seq !== undefined && s.seq !== seq) wrong.push(`the write queue jumps from ${seq} to ${s.seq}`);
    seq = s.endSeq;
    memory += s.length + 1_280;
  }
  if (seq !== undefined) expect('writeSeq', sk.writeSeq, seq);
  expect('packetsOut', sk.packetsOut, packets);
  if (sk.sackOk) expect('sackedOut', sk.sackedOut, sacked);
  expect('lostOut', sk.lostOut, lost);
  expect('retransOut', sk.retransOut, retrans);
  if (sk.sackedOut + sk.lostOut > sk.packetsOut) wrong.push('more left the network than were sent');
  expect('wmemQueued', sk.wmemQueued, memory);
  let received = 0;
  for (const skb of sk.receiveQueue) received += skb.truesize;
  let last: number | undefined;
  for (let s = sk.ofoQueue.head; s !== undefined; s = s.next) {
    received += s.skb?.truesize ?? 0;
    if (last !== undefined && ((s.seq - last) | 0) < 0) wrong.push('out of order queue is out of order');
    last = s.seq;
  }
  received += errorMemoryOf(sk);
  expect('receiveMemory', sk.receiveMemory, received);
  if (sk.packetsOut > 0 && !sk.retransmitTimer.armed && sk.state !== 'CLOSE')
    wrong.push('data is in flight and no timer runs');
  return wrong.map((line) => `${sk.localPort}: ${line}`);
}

export function auditHost(host: Host): string[] {
  const wrong: string[] = [];
  for (const sk of tcpOf(host).socks) wrong.push(...auditSock(sk));
  return wrong;
}
