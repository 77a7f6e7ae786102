/** What the kernel tells of its connections: struct tcp_info, and /proc/net/tcp. */
import { expect, test } from 'vitest';
import { tcpClose } from '../../../shared/net/tcp-close.ts';
import { tcpOf } from '../../../shared/net/tcp-host.ts';
import { tcpInfo } from '../../../shared/net/tcp-info.ts';
import { procNetTcp } from '../../../shared/net/tcp-proc.ts';
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

/** From the timeout column on: timeout, inode, references, pointer, and the five that only sockets have. */
const columnsOf = (tcp: ReturnType<typeof tcpOf>, state: string): string[] => {
  const line = procNetTcp(tcp)
    .split('\n')
    .find((text) => text.split(/ +/)[4] === state);
  return (
    line
      ?.trim()
      .split(/ +/)
      .slice(8)
      .map((word, i) => (i === 1 && word !== '0' ? 'INODE' : word)) ?? []
  );
};

test('/proc/net/tcp ends with what Linux says of a socket: references, RTO, ATO, turns, window, threshold', () => {
  const { clock, alice, bob } = tcpPair();
  const accepted: TcpSock[] = [];
  listenOn(bob, 80, (child) => void accepted.push(child));
  const sk = connectTo(alice, '10.0.0.2', 80);
  clock.advance(SECOND);
  const zeros = '0'.repeat(16);
  // As read on Linux: a listener, and a connection that has not sent yet.
  expect(columnsOf(tcpOf(bob), '0A').join(' ')).toBe(`0 INODE 1 ${zeros} 100 0 0 10 0`);
  expect(columnsOf(tcpOf(alice), '01').join(' ')).toBe(`0 INODE 1 ${zeros} 20 0 0 10 -1`);
  // After data came the receiver has an ATO of 40 ms, and has used up some of its quick ACKs.
  pumpOut(sk, pattern(100, 1), () => {});
  clock.advance(100);
  const [, , references, , rto, ato, turns] = columnsOf(tcpOf(bob), '01');
  expect([references, rto, ato, Number(turns) & 1]).toEqual(['1', '20', '4', 0]);
  expect(Number(turns) >> 1).toBeGreaterThan(0);
  // Closed with data unread: reset at once. The next one ends in order.
  for (const end of [sk, ...accepted]) tcpClose(end);
  clock.advance(SECOND);
  const next = connectTo(alice, '10.0.0.2', 80);
  clock.advance(SECOND);
  tcpClose(next);
  clock.advance(SECOND);
  tcpClose(accepted[1]!);
  clock.advance(SECOND);
  expect(columnsOf(tcpOf(alice), '06').join(' ')).toBe(`0 0 3 ${zeros}`);
  // Lines are as long as Linux's, whatever is in them.
  expect(
    new Set(
      procNetTcp(tcpOf(alice))
        .slice(0, -1)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toEqual(new Set([149]));
  comesToRest(clock);
});
