/** Congestion windows, receive windows and send buffers. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, LISTENING } from './opened.ts';

test('ten segments at first, then twice as many', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 20000) = 20000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 257
+0 > P. 10001:20001(10000) ack 1
+.1 < . 1:1(0) ack 20001 win 257
+.05 close(4) = 0
+0 > F. 20001:20001(0) ack 1
+.1 < F. 1:1(0) ack 20002 win 257
+0 > . 20002:20002(0) ack 2
`));

test('a sender that has little to send grows only as far as it used its window', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 9000) = 9000
+0 > P. 1:9001(9000) ack 1
+.1 < . 1:1(0) ack 2001 win 257
+0 %{ assert tcpi_snd_cwnd == 12, tcpi_snd_cwnd }%
+0 < . 1:1(0) ack 4001 win 257
+0 < . 1:1(0) ack 6001 win 257
+0 < . 1:1(0) ack 8001 win 257
+0 %{ assert tcpi_snd_cwnd == 18, tcpi_snd_cwnd }%
+0 < . 1:1(0) ack 9001 win 257
+0 %{ assert tcpi_snd_cwnd == 18, tcpi_snd_cwnd }%
`));

test('slow start goes on after the window was shut', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 20000) = 20000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 0
+.05 < . 1:1(0) ack 10001 win 257
+0 > P. 10001:20001(10000) ack 1
+0 %{ assert tcpi_snd_cwnd == 20, tcpi_snd_cwnd }%
`));

test('after an idle time the window begins anew', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_slow_start_after_idle=1\`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 257
+0 %{ assert tcpi_snd_cwnd == 20, tcpi_snd_cwnd }%
+2 write(4, ..., 20000) = 20000
+0 > P. 10001:20001(10000) ack 1
`));

test('probes of a shut window, and data when it opens', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 0
+0 write(4, ..., 100) = 100
+.2~+.35 > . 10000:10000(0) ack 1
+.01 < . 1:1(0) ack 10001 win 0
+.4~+.7 > . 10000:10000(0) ack 1
+.01 < . 1:1(0) ack 10001 win 257
+0 > P. 10001:10101(100) ack 1
`));

test('TCP_NOTSENT_LOWAT bounds what waits', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_TCP, TCP_NOTSENT_LOWAT, [5000], 4) = 0
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 write(4, ..., 40000) = 26000
+0 > P. 1:10001(10000) ack 1
+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 0
`));

test('SO_RCVLOWAT holds POLLIN back', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_SOCKET, SO_RCVLOWAT, [2000], 4) = 0
+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0
+.01 < P. 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001
+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0
+.01 < P. 1001:2001(1000) ack 1 win 257
+0 > . 1:1(0) ack 2001
+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1
`));

test('TCP_QUICKACK 0 delays an ACK', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_TCP, TCP_QUICKACK, [0], 4) = 0
+.01 < P. 1:1001(1000) ack 1 win 257
+.04~+.045 > . 1:1(0) ack 1001
`));

test('tcp_workaround_signed_windows keeps unscaled windows below 32,768', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_workaround_signed_windows=1\`
${LISTENING}
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 win 32767 <mss 1460>
+.01 < P. 1:1001(1000) ack 1 win 1000
+0 > . 1:1(0) ack 1001 win 32767
`));

test('a route says how large our segments are to be', () =>
  expectScript(`
\`ip route replace 192.0.2.1 via 192.168.0.2 dev tun0 quickack 1 rto_min 50ms advmss 900\`
${LISTENING}
.1 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 900>
`));

test('TCP_MAXSEG out of bounds', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_TCP, TCP_MAXSEG, [87], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(4, SOL_TCP, TCP_MAXSEG, [40000], 4) = -1 EINVAL (Invalid argument)
+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0
+0 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1
`));
