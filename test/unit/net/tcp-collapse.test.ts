import { expect, test } from 'vitest';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { attach, Cable, makeHost, newClock } from '../../kit/cable.ts';
import { auditHost } from '../../kit/tcp-audit.ts';
import { connectTo, listenOn, pattern, pumpIn, type Sink } from '../../kit/tcp-pair.ts';

const PIECES = 5;
const PIECE_BYTES = 10;
const HEADERS_BYTES_MIN = 14 + 20 + 20;

test('small segments that are joined when they are sent again leave the count of duplicate ACKs too (no SACK)', () => {
  const clock = newClock();
  const cable = new Cable(clock);
  const [alice, bob] = [makeHost('alice', clock), makeHost('bob', clock)];
  attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  for (const name of ['sack', 'timestamps']) bob.sysctl.set(`net.ipv4.tcp_${name}`, '0');
  let sink: Sink | undefined;
  listenOn(bob, 80, (child) => {
    sink = pumpIn(child);
  });
  const sk: TcpSock = connectTo(alice, '10.0.0.2', 80);
  clock.advance(1_000);
  expect(sk.state).toBe('ESTABLISHED');
  setSocketOption(sk, 'IPPROTO_TCP', 'TCP_NODELAY', 1);
  let lost = 0;
  cable.lose = ({ from, bytes }) => from === 'alice:eth0' && bytes.length > HEADERS_BYTES_MIN && lost++ === 0;
  const bytes = pattern(PIECES * PIECE_BYTES, 1);
  let retransmitted = 0;
  alice.trace.listen(({ point }) => {
    if (point === 'tcp_retransmit_skb') retransmitted++;
    expect(auditHost(alice)).toEqual([]);
  });
  for (let i = 0; i < PIECES; i++) {
    tcpProto.sendmsg(sk, bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES), {});
    clock.advance(1_000);
  }
  expect(retransmitted).toBe(1);
  expect(Buffer.concat(sink?.parts ?? [])).toEqual(Buffer.from(bytes));
});
