/** RFC 2385: every segment of a connection with a key is signed, and a segment that is not as it should be is not there. */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { ip } from '../../kit/cable.ts';
import { platform } from '../../kit/cards.ts';
import { expectScript } from '../../kit/script.ts';
import { tcpScript } from '../../kit/tcp.ts';
import {
  leftovers,
  NOTHING_LEFT,
  newSock,
  type Pair,
  pattern,
  pumpIn,
  pumpOut,
  type Sink,
  tcpPair,
} from '../../kit/tcp-pair.ts';

const key = (text: string): Uint8Array => new TextEncoder().encode(text);

function sign(sk: TcpSock, peer: string, secret: string, prefix?: number): ReturnType<typeof tcpProto.setsockopt> {
  const md5 = { address: ip(peer), key: key(secret), ...(prefix === undefined ? {} : { prefix }) };
  return tcpProto.setsockopt(sk, 'SOL_TCP', prefix === undefined ? 'TCP_MD5SIG' : 'TCP_MD5SIG_EXT', { md5 });
}

interface Signed {
  readonly client: TcpSock;
  readonly listener: TcpSock;
  sink: Sink | undefined;
}

/** Alice connects to bob, each with a key for the other; none for ''. */
function connect({ alice, bob }: Pair, keys: { alice: string; bob: string }): Signed {
  const listener = newSock(bob);
  tcpProto.bind(listener, { address: ip('0.0.0.0'), port: 179 });
  if (keys.bob !== '') expect(sign(listener, '10.0.0.0', keys.bob, 24)).toBeUndefined();
  tcpProto.listen!(listener, 8);
  const client = newSock(alice);
  const run: Signed = { client, listener, sink: undefined };
  listener.wait.add(() => {
    const child = tcpProto.accept!(listener);
    if (typeof child !== 'string') run.sink = pumpIn(child as TcpSock, () => tcpProto.close(child));
  });
  if (keys.alice !== '') expect(sign(client, '10.0.0.2', keys.alice)).toBeUndefined();
  expect(tcpProto.connect(client, { address: ip('10.0.0.2'), port: 179 })).toBe('EINPROGRESS');
  return run;
}

test('with the same key at both ends bytes arrive whole, through loss, and the end is signed as well', () => {
  const impairment = { delay: 5_000, loss: 0.03 };
  const pair = tcpPair((clock, direction) => ({ clock, platform, seed: 40 + direction, impairment }));
  const run = connect(pair, { alice: 'secret', bob: 'secret' });
  const bytes = pattern(200_000, 7);
  const started = (): void => {
    if (run.client.state !== 'ESTABLISHED' || run.client.bytesSent > 0) return;
    pumpOut(run.client, bytes, () => tcpProto.close(run.client));
  };
  run.client.wait.add(started);
  pair.clock.advance(120_000_000);
  expect(run.sink?.end).toBe('end');
  expect(Buffer.concat(run.sink?.parts ?? []).equals(bytes)).toBe(true);
  expect([pair.bob.snmp.TcpExtTCPMD5Failure, pair.bob.snmp.TcpExtTCPMD5NotFound]).toEqual([0, 0]);
  // 20 octets of signature leave less for data; no timestamps.
  expect(run.client.tstampOk).toBe(false);
  tcpProto.close(run.listener);
  pair.clock.advance(130_000_000);
  expect([leftovers(pair.alice), leftovers(pair.bob)]).toEqual([NOTHING_LEFT, NOTHING_LEFT]);
});

test('another key, no key, or a key that nobody asked for: SYNs are dropped in silence, and counted', () => {
  const counts = (keys: { alice: string; bob: string }): number[] => {
    const pair = tcpPair();
    const { client, listener } = connect(pair, keys);
    pair.clock.advance(500_000);
    expect(client.state).toBe('SYN_SENT');
    const { TcpExtTCPMD5Failure, TcpExtTCPMD5NotFound, TcpExtTCPMD5Unexpected } = pair.bob.snmp;
    tcpProto.close(client);
    tcpProto.close(listener);
    return [TcpExtTCPMD5Failure, TcpExtTCPMD5NotFound, TcpExtTCPMD5Unexpected];
  };
  expect(counts({ alice: 'wrong', bob: 'secret' })).toEqual([1, 0, 0]);
  expect(counts({ alice: '', bob: 'secret' })).toEqual([0, 1, 0]);
  expect(counts({ alice: 'secret', bob: '' })).toEqual([0, 0, 1]);
});

test('a signed SYN has the option first, and no timestamps', () => {
  const t = tcpScript();
  const sk = t.socket();
  expect(sign(sk, '192.0.2.1', 'secret')).toBeUndefined();
  t.connect(sk);
  t.outbound('S 0:0(0) <nop,nop,kind 19,mss 1460,nop,nop,sackOK,nop,wscale 7>');
  // An unsigned answer is not heard.
  t.inbound('S. 0:0(0) ack 1 win 1000 <mss 1460>');
  expect(sk.state).toBe('SYN_SENT');
  t.close(sk);
});

test('a signed ACK on a connection without keys is dropped; the unsigned one completes the handshake', () =>
  expectScript(`
\`./defaults.sh\`
    0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 10>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
 +.01 < . 1:1(0) ack 1 win 514 <md5 000102030405060708090a0b0c0d0e0f,nop,nop>
   +0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)
   +1 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
 +.01 < . 1:1(0) ack 1 win 514
   +0 accept(3, ..., ...) = 4
`));

test('the longest prefix has the key; an empty key takes it away; what is no key is refused', () => {
  const t = tcpScript();
  const sk = t.socket();
  expect(sign(sk, '192.0.2.0', 'net', 24)).toBeUndefined();
  expect(sign(sk, '192.0.2.1', 'host')).toBeUndefined();
  expect(sk.md5Keys.length).toBe(2);
  expect(sign(sk, '192.0.2.1', '')).toBeUndefined();
  expect(sign(sk, '192.0.2.1', '')).toBe('ENOENT');
  expect(sign(sk, '192.0.2.1', 'x'.repeat(81))).toBe('EINVAL');
  expect(sign(sk, '192.0.2.1', 'x', 33)).toBe('EINVAL');
  expect(tcpProto.setsockopt(sk, 'SOL_TCP', 'TCP_MD5SIG', 1)).toBe('EINVAL');
});
