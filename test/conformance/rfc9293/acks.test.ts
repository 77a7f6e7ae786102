/** RFC 9293 §3.8.6.3 and §3.10.7.4: when acknowledgements go. */
import { expect, test } from 'vitest';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { rawPeer } from '../../kit/raw-peer.ts';
import { tcpScript } from '../../kit/tcp.ts';
import { listenOn } from '../../kit/tcp-pair.ts';
import { readSegment, tcpSegment } from '../../kit/tcp-raw.ts';

test('[MUST-58, MUST-59] segments that the card hands up together are all taken before one ACK goes for all of them', async () => {
  const { host, link } = await rawPeer();
  listenOn(host, 80, () => {});
  const ends = { source: link.address, target: link.target, sourcePort: 99, targetPort: 80, window: 60_000 };
  link.send(tcpSegment({ ...ends, sequence: 0, flags: TCP_FLAG.SYN, options: '020405b4' }));
  await link.wait(1_000);
  const ack = readSegment(link.arrived[0]!.packet, 0)!.sequence + 1;
  link.send(tcpSegment({ ...ends, sequence: 1, ack, flags: TCP_FLAG.ACK }));
  await link.wait(1_000);
  const before = link.arrived.length;
  for (let n = 0; n < 10; n++) {
    const sequence = 1 + n * 1_000;
    link.send(tcpSegment({ ...ends, id: 100 + n, sequence, ack, flags: TCP_FLAG.ACK, payload: 1_000 }));
  }
  await link.wait(1_000);
  const acks = link.arrived.slice(before).map(({ packet }) => readSegment(packet, 0)!.ack);
  expect(acks).toEqual([10_001]);
});

test('[MUST-40, SHLD-18] however long the peer pauses, its data is acknowledged within 200 ms', () => {
  const t = tcpScript();
  const sk = t.established();
  t.inbound('P. 1:11(10) ack 1 win 320');
  t.outbound('. 1:1(0) ack 11');
  t.read(sk, 100);
  t.write(sk, 10);
  t.outbound('P. 1:11(10) ack 11');
  let at = 11;
  const delays: number[] = [];
  for (let n = 0; n < 20; n++) {
    t.wait(n < 10 ? 0.15 : 1);
    t.drain();
    const came = t.clock.now();
    let left = 0;
    t.onFrame = () => (left ||= t.clock.now());
    t.inbound(`P. ${at}:${at + 10}(10) ack 11 win 320`);
    at += 10;
    t.read(sk, 100);
    t.wait(0.5);
    delays.push(left - came);
  }
  expect(Math.max(...delays)).toBeLessThanOrEqual(200_000);
  expect(Math.max(...delays)).toBeGreaterThan(30_000);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
});

test('[SHLD-19, SHLD-31, MAY-13] every second full segment is acknowledged; what is ahead of its turn at once, and kept', () => {
  const t = tcpScript({ mss: 1_000 });
  const sk = t.established({ syn: 'S 0:0(0) win 32792 <mss 1000>' });
  // Out of the quick ACKs of the beginning.
  t.inbound('. 1:1001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1001');
  t.inbound('. 2001:3001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 1001');
  t.inbound('. 1001:2001(1000) ack 1 win 320');
  t.outbound('. 1:1(0) ack 3001');
  expect(t.read(sk, 10_000)).toBe(3_000);
  t.write(sk, 10);
  t.drain();
  let acks = 0;
  t.onFrame = () => acks++;
  for (let at = 3_001; at < 23_001; at += 1_000) {
    t.inbound(`. ${at}:${at + 1_000}(1000) ack 11 win 320`);
    t.read(sk, 10_000);
  }
  expect(acks).toBeGreaterThanOrEqual(10);
  t.drain();
});
