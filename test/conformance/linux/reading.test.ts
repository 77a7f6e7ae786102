/** What a receiver says and a program reads, call by call. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, ACCEPTED_TIMESTAMPS, CLIENT, LISTENING } from './opened.ts';

test('TCP_MAXSEG before and after a handshake; calls that cannot be', () =>
  expectScript(`
${LISTENING}
+0 getsockopt(3, SOL_TCP, TCP_MAXSEG, [536], [4]) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0
+0 shutdown(4, 5) = -1 EINVAL (Invalid argument)
+0 setsockopt(4, SOL_SOCKET, 9999, [1], 4) = -1 ENOPROTOOPT (Protocol not available)
`));

test('time stamps take twelve octets of every segment', () =>
  expectScript(`
${ACCEPTED_TIMESTAMPS}
+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0
+0 %{ assert tcpi_snd_mss == 1000, tcpi_snd_mss; assert tcpi_advmss == 1448, tcpi_advmss }%
`));

test('TCP_MAXSEG of a client', () =>
  expectScript(`
${CLIENT}
+0 setsockopt(3, SOL_TCP, TCP_MAXSEG, [1100], 4) = 0
+0 getsockopt(3, SOL_TCP, TCP_MAXSEG, [1100], [4]) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (x)
+0 > S 0:0(0) <mss 1100,sackOK,TS val 0 ecr 0,nop,wscale 8>
+0 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
+0 > . 1:1(0) ack 1 <...>
+0 getsockopt(3, SOL_TCP, TCP_MAXSEG, [1088], [4]) = 0
`));

test('shutdown(SHUT_RDWR), then close', () =>
  expectScript(`
${ACCEPTED}
+0 shutdown(4, SHUT_RDWR) = 0
+0 > F. 1:1(0) ack 1
+.01 < . 1:1(0) ack 2 win 257
+0 read(4, ..., 10) = 0
+0 write(4, ..., 10) = -1 EPIPE (Broken pipe)
+.01 close(4) = 0
+.01 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
`));

test('what comes after both directions are closed is reset', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 257
+0 shutdown(4, SHUT_RDWR) = 0
+0 > F. 10001:10001(0) ack 1
+.01 close(4) = 0
+.01 < . 1:1(0) ack 10002 win 257
+.01 < P. 1:11(10) ack 10002 win 257
+0 > R 10002:10002(0)
`));

test('data that nobody read makes close() a reset, also after shutdown(SHUT_RD)', () =>
  expectScript(`
${ACCEPTED}
+0 shutdown(4, SHUT_RD) = 0
+.01 < P. 1:1001(1000) ack 1 win 257
* > . 1:1(0) ack 1001
+0 close(4) = 0
+0 > R. 1:1(0) ack 1001
`));

test('a short answer, and FIN behind it', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 4000) = 4000
+0 > P. 1:4001(4000) ack 1
+0 close(4) = 0
+0 > F. 4001:4001(0) ack 1
+.1 < . 1:1(0) ack 4002 win 257
+0 < F. 1:1(0) ack 4002 win 257
+0 > . 4002:4002(0) ack 2
`));

test('a recovery by CUBIC, and what TCP_INFO says of it', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 1001:2001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 1001:3001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 1001:4001,nop,nop>
+0 > . 1:1001(1000) ack 1
+0 %{ assert tcpi_ca_state == TCP_CA_Recovery, tcpi_ca_state; assert tcpi_snd_ssthresh == 7, tcpi_snd_ssthresh; assert tcpi_lost == 1, tcpi_lost; assert tcpi_retrans == 1, tcpi_retrans; assert tcpi_sacked == 3, tcpi_sacked }%
`));

test('a recovery by Reno halves', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_congestion_control=reno\`
${ACCEPTED}
+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, "reno", [16]) = 0
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 1001:4001,nop,nop>
+0 > . 1:1001(1000) ack 1
+0 %{ assert tcpi_snd_ssthresh == 5, tcpi_snd_ssthresh }%
`));

test('a FIN ahead of data is SACKed', () =>
  expectScript(`
${ACCEPTED}
+.01 < F. 1001:1001(0) ack 1 win 257
+0 > . 1:1(0) ack 1 <nop,nop,sack 1001:1002>
+.01 < . 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1002
+0 read(4, ..., 2000) = 1000
+0 read(4, ..., 2000) = 0
`));

test('duplicates are told by DSACK, whole and in part', () =>
  expectScript(`
${ACCEPTED}
+.01 < . 1:1001(1000) ack 1 win 257
* > . 1:1(0) ack 1001
+.01 < . 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001 <nop,nop,sack 1:1001>
+.01 < . 501:1501(1000) ack 1 win 257
+0 > . 1:1(0) ack 1501 <nop,nop,sack 501:1001>
`));

test('TIME-WAIT answers a FIN that comes again', () =>
  expectScript(`
${ACCEPTED}
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+.01 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
+.01 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
+.01 < R 2:2(0) win 0
+.01 < . 2:2(0) ack 2 win 257
`));

test('three SACK blocks beside time stamps, the newest first', () =>
  expectScript(`
${ACCEPTED_TIMESTAMPS}
+0 < . 1001:2001(1000) ack 1 win 257 <nop,nop,TS val 1200 ecr 2000>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 2100 ecr 1100,nop,nop,sack 1001:2001>
+0 < . 3001:4001(1000) ack 1 win 257 <nop,nop,TS val 1200 ecr 2000>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 2100 ecr 1100,nop,nop,sack 3001:4001 1001:2001>
+0 < . 5001:6001(1000) ack 1 win 257 <nop,nop,TS val 1200 ecr 2000>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 2100 ecr 1100,nop,nop,sack 5001:6001 3001:4001 1001:2001>
+0 < . 7001:8001(1000) ack 1 win 257 <nop,nop,TS val 1200 ecr 2000>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 2100 ecr 1100,nop,nop,sack 7001:8001 5001:6001 3001:4001>
`));
