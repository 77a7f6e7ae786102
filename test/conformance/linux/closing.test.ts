/** How connections end, call by call. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, ACCEPTED_TIMESTAMPS, CLIENT } from './opened.ts';

test('a SYN-ACK after close() is reset', () =>
  expectScript(`
${CLIENT}
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
+.1 close(3) = 0
+.0 < S. 0:0(0) ack 1 win 5792 <mss 1460,nop,wscale 2,nop,nop,sackOK>
+0 > R 1:1(0)
`));

test('both ends close at once', () =>
  expectScript(`
${ACCEPTED}
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+.01 < F. 1:1(0) ack 1 win 257
+0 > . 2:2(0) ack 2
+.01 < . 2:2(0) ack 2 win 257
+.1 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
`));

test('shutdown(SHUT_WR) and what poll says after each step', () =>
  expectScript(`
${ACCEPTED}
+0 poll([{fd=4, events=POLLIN|POLLOUT|POLLHUP|POLLRDHUP, revents=POLLOUT}], 1, 0) = 1
+0 shutdown(4, SHUT_WR) = 0
+0 > F. 1:1(0) ack 1
+0 poll([{fd=4, events=POLLIN|POLLOUT|POLLHUP|POLLRDHUP, revents=POLLOUT}], 1, 0) = 1
+.01 < . 1:1(0) ack 2 win 257
+0 %{ assert tcpi_state == TCP_FIN_WAIT2, tcpi_state }%
+0 write(4, ..., 1) = -1 EPIPE (Broken pipe)
+.01 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
+0 poll([{fd=4, events=POLLIN|POLLOUT|POLLHUP|POLLRDHUP, revents=POLLIN|POLLOUT|POLLHUP|POLLRDHUP}], 1, 0) = 1
+0 read(4, ..., 10) = 0
+0 close(4) = 0
`));

test('shutdown(SHUT_RD) ends reading, and what comes all the same can be read', () =>
  expectScript(`
${ACCEPTED}
+0 shutdown(4, SHUT_RD) = 0
+0 poll([{fd=4, events=POLLIN|POLLOUT|POLLHUP|POLLRDHUP, revents=POLLIN|POLLOUT|POLLRDHUP}], 1, 0) = 1
+0 read(4, ..., 10) = 0
+.01 < P. 1:1001(1000) ack 1 win 257
+0~+.05 > . 1:1(0) ack 1001
+0 read(4, ..., 2000) = 1000
+0 read(4, ..., 2000) = 0
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1001
+0 shutdown(4, SHUT_WR) = 0
+0 > F. 1001:1001(0) ack 1001
+0 poll([{fd=4, events=POLLIN|POLLOUT|POLLHUP|POLLRDHUP, revents=POLLIN|POLLOUT|POLLHUP|POLLRDHUP}], 1, 0) = 1
`));

test('in SYN-SENT only a reset that acknowledges the SYN counts; another makes the SYN go again soon', () =>
  expectScript(`
${CLIENT}
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.01 < R. 0:0(0) ack 5 win 0
+.001~+.004 > S 0:0(0) <...>
+.01 < . 0:0(0) ack 5 win 0
+0 > R 5:5(0)
+.01 < R. 0:0(0) ack 1 win 0
+0 poll([{fd=3, events=POLLIN|POLLOUT|POLLHUP|POLLERR, revents=POLLIN|POLLOUT|POLLHUP|POLLERR}], 1, 0) = 1
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0
`));

test('challenge ACKs for a reset, a SYN and an acknowledgement out of place, and the reset that is right', () =>
  expectScript(`
${ACCEPTED}
+.1 < R 10:10(0) win 0
+0 > . 1:1(0) ack 1
+.6 < S 100:100(0) win 0
+0 > . 1:1(0) ack 1
+.6 < . 1:1(0) ack 100000 win 10
+0 > . 1:1(0) ack 1
+.6 < R 1:1(0) win 0
+0 write(4, ..., 10) = -1 ECONNRESET (Connection reset by peer)
`));

test('TCP_LINGER2 below 0 gives FIN-WAIT-2 up at once', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_TCP, TCP_LINGER2, [-1], 4) = 0
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+.01 < . 1:1(0) ack 2 win 257
+0 > R 2:2(0)
`));

test('keepalive probes, and the reset when none is answered', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0
+0 setsockopt(4, SOL_TCP, TCP_KEEPIDLE, [2], 4) = 0
+0 setsockopt(4, SOL_TCP, TCP_KEEPINTVL, [1], 4) = 0
+0 setsockopt(4, SOL_TCP, TCP_KEEPCNT, [2], 4) = 0
+2 > . 0:0(0) ack 1
+1 > . 0:0(0) ack 1
+1 > R. 1:1(0) ack 1
+0 read(4, ..., 10) = -1 ETIMEDOUT (Connection timed out)
`));

test('FIN goes on the last segment that waits', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 20000) = 20000
+0 > P. 1:10001(10000) ack 1
+0 close(4) = 0
+.1 < . 1:1(0) ack 10001 win 257
+0 > FP. 10001:20001(10000) ack 1
`));

test('FIN takes a segment along that Nagle held', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+0 write(4, ..., 100) = 100
+0 close(4) = 0
+0 > FP. 101:201(100) ack 1
`));

test('FIN waits with data for the window', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 0
+0 write(4, ..., 100) = 100
+0 shutdown(4, SHUT_WR) = 0
+.01 < . 1:1(0) ack 10001 win 257
+0 > FP. 10001:10101(100) ack 1
`));

test('a reset has time stamps', () =>
  expectScript(`
${ACCEPTED_TIMESTAMPS}
+.01 < P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1200 ecr 2000>
+0 > . 1:1(0) ack 1001 <nop,nop,TS val 2200 ecr 1200>
+0 close(4) = 0
+0 > R. 1:1(0) ack 1001 <nop,nop,TS val 2200 ecr 1200>
`));

test('an old time stamp is answered and dropped', () =>
  expectScript(`
${ACCEPTED_TIMESTAMPS}
+.1 < P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1200 ecr 2000>
+0 > . 1:1(0) ack 1001 <nop,nop,TS val 2100 ecr 1200>
+.6 < P. 1001:2001(1000) ack 1 win 257 <nop,nop,TS val 900 ecr 2000>
+0 > . 1:1(0) ack 1001 <nop,nop,TS val 2200 ecr 1200>
`));
