/** RFC 9293 §3.1, §3.2 and §3.7.1: options, their lengths, and the size of segments that follows from them. */
import { expect, test } from 'vitest';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';
import { type RawSegment, readSegment, type SeenSegment, tcpSegment } from '../../kit/tcp-raw.ts';

/** Without a scale the window counts as it stands. */
const ACK = '. 1:1(0) ack 1 win 65535';

/** A SYN with options as they are given; what comes back is in the list. */
function rawSyn(t: TcpScript, options: string, more: Partial<RawSegment> = {}): SeenSegment[] {
  const sent: SeenSegment[] = [];
  t.onFrame = (frame) => void sent.push(readSegment(frame) ?? sent[0]!);
  const { theirIsn, ...ends } = t.ends();
  t.inboundPacket(tcpSegment({ ...ends, sequence: theirIsn, flags: TCP_FLAG.SYN, window: 65_535, options, ...more }));
  return sent;
}

/** The ACK of the handshake, and the accepted connection. */
function finish(t: TcpScript, listener: ReturnType<TcpScript['listen']>, options = '', payload = 0) {
  t.outboundAny('S. 0:0(0) ack 1');
  const { theirIsn, ourIsn, ...ends } = t.ends();
  const sequence = theirIsn + 1;
  t.inboundPacket(
    tcpSegment({ ...ends, sequence, ack: ourIsn + 1, flags: TCP_FLAG.ACK, window: 65_535, options, payload }),
  );
  return t.accept(listener);
}

test('[MUST-4] end of list, no-operation and MSS are understood: what stands behind the end is not', () => {
  const t = tcpScript({ tso: false });
  const listener = t.listen();
  // nop, MSS 700, nop, end, and a second MSS that nobody may see.
  const [synAck] = rawSyn(t, '01 020402bc 01 00 020403e8 00');
  expect(synAck?.options.startsWith('0204')).toBe(true);
  expect(finish(t, listener).mssCache).toBe(700);
});

test('[MUST-5] options are taken from a segment with data and from a bare ACK as from a SYN', () => {
  const t = tcpScript();
  t.established({
    syn: 'S 0:0(0) win 65535 <mss 1460,sackOK,TS val 900 ecr 0,nop,wscale 7>',
    ack: '. 1:1(0) ack 1 win 257 <nop,nop,TS val 901 ecr 0>',
  });
  t.inbound('P. 1:11(10) ack 1 win 257 <nop,nop,TS val 950 ecr 0>');
  t.outbound('. 1:1(0) ack 11 <nop,nop,TS val 100 ecr 950>');
});

test('[MUST-6, MUST-68] an option that nobody knows is passed over by its length, in a SYN and with data', () => {
  const t = tcpScript({ tso: false });
  const listener = t.listen();
  // Kind 253 (experiments), eight octets; kind 77, two; then MSS 900.
  rawSyn(t, 'fd08 010203040506 4d02 02040384 0101');
  const sk = finish(t, listener, 'fd08 010203040506', 10);
  expect(sk.mssCache).toBe(900);
  expect(t.read(sk, 100)).toBe(10);
});

test('[MUST-7] a length of 0, of 1 or beyond the header ends the options, and nothing else', () => {
  for (const bad of [
    '0200 01010101 0101',
    '0201 01010101 0101',
    'fd01 0204 03e8 0101',
    '01010101 0101 02ff',
    'fd28 020403e8 0101',
  ]) {
    const t = tcpScript();
    const listener = t.listen();
    rawSyn(t, bad);
    const sk = finish(t, listener, bad, 10);
    expect(sk.mssCache).toBe(536);
    expect(t.read(sk, 100)).toBe(10);
  }
});

test('[MUST-64] options are read wherever they stand, in step with words or not', () => {
  const t = tcpScript();
  t.listen();
  // nop, timestamps at 1, MSS at 11, scale at 15, SACK permitted at 18.
  const [synAck] = rawSyn(t, '01 080a 00000384 00000000 020403e8 030307 0402 0000');
  expect(synAck?.options).toMatch(/^020405b40402080a.{8}0000038401030307$/);
});

test('[MUST-14, MUST-67, SHLD-28] the MSS that we offer is the MTU less 40, the one that we get is not exceeded', () => {
  const t = tcpScript({ mtu: 1_000, tso: false });
  const sk = t.established({ syn: 'S 0:0(0) win 65535 <mss 500>', synAck: 'S. 0:0(0) ack 1 <mss 960>', ack: ACK });
  t.write(sk, 1_200);
  t.outbound('. 1:501(500) ack 1');
  // Linux pushes every packet of several segments.
  t.outbound('P. 501:1001(500) ack 1');
  t.outbound('P. 1001:1201(200) ack 1');
});

test('[MUST-15] a peer that offers no MSS gets segments of 536 octets', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({ syn: 'S 0:0(0) win 65535', ack: ACK });
  t.write(sk, 600);
  t.outbound('. 1:537(536) ack 1');
  t.outbound('P. 537:601(64) ack 1');
});

test('[MUST-16] the segment is as large as the peer’s MSS and our MTU allow, less what its options take', () => {
  const t = tcpScript({ tso: false });
  const sk = t.established({
    syn: 'S 0:0(0) win 65535 <mss 1000,sackOK,TS val 900 ecr 0,nop,wscale 7>',
    ack: '. 1:1(0) ack 1 win 257 <nop,nop,TS val 901 ecr 0>',
  });
  t.write(sk, 2_000);
  t.outbound('. 1:989(988) ack 1 <nop,nop,TS val 100 ecr 901>');
  const wide = tcpScript({ tso: false, mtu: 800 });
  const narrow = wide.established({ syn: 'S 0:0(0) win 65535 <mss 1460>', ack: ACK });
  wide.write(narrow, 2_000);
  wide.outbound('. 1:761(760) ack 1');
});

test('[MUST-65] a MSS option is in SYN and SYN-ACK, and in no other segment', () => {
  const t = tcpScript();
  const kinds: string[] = [];
  t.onFrame = (frame) => {
    const segment = readSegment(frame);
    if (segment !== undefined)
      kinds.push(`${segment.flags & TCP_FLAG.SYN ? 'SYN' : 'other'} ${/^0204/.test(segment.options)}`);
  };
  const sk = t.established();
  t.write(sk, 100);
  t.inbound('P. 1:101(100) ack 101 win 320');
  t.close(sk);
  t.connect();
  t.drain();
  expect(new Set(kinds)).toEqual(new Set(['SYN true', 'other false']));
});

test('[MUST-69] our options fill whole words: no padding is left that could be anything but zero', () => {
  const t = tcpScript();
  const options: string[] = [];
  t.onFrame = (frame) => void options.push(readSegment(frame)?.options ?? '');
  t.connect();
  t.outbound('S 0:0(0)');
  t.inbound('S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK,TS val 5 ecr 0,nop,wscale 7>');
  t.inbound('. 100:200(100) ack 1 win 100 <nop,nop,TS val 6 ecr 0>');
  expect(options.length).toBeGreaterThan(2);
  for (const text of options) {
    expect(text.length % 8).toBe(0);
    // Walk to the end: a no-operation, or an option whose length stays inside; no end of list.
    let at = 0;
    while (at < text.length) {
      const kind = text.slice(at, at + 2);
      expect(kind).not.toBe('00');
      at += kind === '01' ? 2 : Number.parseInt(text.slice(at + 2, at + 4), 16) * 2;
    }
    expect(at).toBe(text.length);
  }
});
