/** RFC 9293 §3.8.5 with RFC 6093: urgent data, one octet of it out of band as in BSD and Linux. */
import { expect, test } from 'vitest';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { MSG, POLL } from '../../../shared/net/sock.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpScript } from '../../kit/tcp.ts';
import { readSegment } from '../../kit/tcp-raw.ts';

test('[MUST-30] urgent data comes with MSG_OOB, beside the stream', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('UP. 1:6(5) ack 1 win 320 urg 5');
  expect(t.read(sk, 10, MSG.OOB)).toBe(1);
  expect(t.read(sk, 10)).toBe(4);
});

test('[MUST-62] the pointer of what we send names the first octet after the urgent one', () => {
  const t = tcpScript();
  const sk = t.established();
  let pointer = 0;
  t.onFrame = (frame) => {
    const segment = readSegment(frame);
    if (segment !== undefined && (segment.flags & TCP_FLAG.URG) !== 0) pointer = segment.urgent;
  };
  t.write(sk, 7, MSG.OOB);
  t.outbound('UP. 1:8(7) ack 1 urg 7');
  expect(pointer).toBe(7);
});

test('[MUST-31] urgent data may be as long as it likes: the pointer may lie many segments ahead', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('U. 1:1001(1000) ack 1 win 320 urg 5000');
  for (let at = 1_001; at < 6_001; at += 1_000) t.inbound(`. ${at}:${at + 1_000}(1000) ack 1 win 320`);
  expect(t.read(sk, 10, MSG.OOB)).toBe(1);
  // Up to the mark first, then what follows it.
  expect(t.read(sk, 10_000)).toBe(4_999);
  expect(t.read(sk, 10_000)).toBe(1_000);
});

test('[MUST-32] the program is woken and told by POLLPRI as soon as the urgent octet is there', () => {
  const t = tcpScript();
  const sk = t.established();
  let woken = 0;
  sk.wait.add(() => woken++);
  expect(tcpProto.poll(sk) & POLL.PRI).toBe(0);
  t.inbound('UP. 1:2(1) ack 1 win 320 urg 1');
  expect(woken).toBeGreaterThan(0);
  expect(tcpProto.poll(sk) & POLL.PRI).toBe(POLL.PRI);
});

test('[MUST-33] SIOCINQ tells how much there is before the mark, SIOCATMARK when it is reached', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('UP. 1:101(100) ack 1 win 320 urg 51');
  expect(tcpProto.ioctl(sk, 'SIOCINQ')).toBe(50);
  expect(tcpProto.ioctl(sk, 'SIOCATMARK')).toBe(0);
  expect(t.read(sk, 1_000)).toBe(50);
  expect(tcpProto.ioctl(sk, 'SIOCATMARK')).toBe(1);
});
