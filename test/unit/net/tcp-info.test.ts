/** What the kernel tells of its connections: struct tcp_info, and /proc/net/tcp. */
import { expect, test } from 'vitest';
import { tcpClose } from '../../../shared/net/tcp-close.ts';
import { tcpOf } from '../../../shared/net/tcp-host.ts';
import { procNetTcp, tcpInfo } from '../../../shared/net/tcp-info.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { comesToRest } from '../../kit/mid-flight.ts';
import { connectTo, listenOn, pattern, pumpOut, tcpPair } from '../../kit/tcp-pair.ts';

const SECOND = 1_000_000;

test('tcpi_data_segs_in counts segments with data: neither SYN nor FIN is one', () => {
  const { clock, alice, bob } = tcpPair();
  const accepted: TcpSock[] = [];
  listenOn(bob, 80, (child) => void accepted.push(child));
  const sk = connectTo(alice, '10.0.0.2', 80);
  clock.advance(SECOND);
  const [child] = accepted;
  expect(tcpInfo(sk)).toMatchObject({ segs_in: 1, data_segs_in: 0 });
  pumpOut(sk, pattern(100, 1), () => {});
  clock.advance(SECOND);
  expect(tcpInfo(child!)).toMatchObject({ segs_in: 2, data_segs_in: 1 });
  tcpClose(sk);
  clock.advance(SECOND);
  expect(child!.state).toBe('CLOSE_WAIT');
  expect(tcpInfo(child!)).toMatchObject({ segs_in: 3, data_segs_in: 1 });
  tcpClose(child!);
  comesToRest(clock);
});

test('/proc/net/tcp has nothing in the send queue of a listener; what it may hold is ss -l to say', () => {
  const { bob } = tcpPair();
  listenOn(bob, 80, () => {}, 10);
  expect(procNetTcp(tcpOf(bob))).toContain('0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000');
});
