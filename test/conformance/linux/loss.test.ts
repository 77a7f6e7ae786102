/** What a sender does about losses that are none, and those that are. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, ACCEPTED_NO_SACK } from './opened.ts';

test('three SACKs of four segments begin a fast retransmission', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 4000) = 4000
+0 > P. 1:4001(4000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 1001:2001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 1001:3001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 1001:4001,nop,nop>
+0 > . 1:1001(1000) ack 1
+.1 < . 1:1(0) ack 4001 win 257
+0 %{ assert tcpi_snd_cwnd == 7, tcpi_snd_cwnd; assert tcpi_snd_ssthresh == 7, tcpi_snd_ssthresh }%
`));

test('three duplicate ACKs without SACK do, too', () =>
  expectScript(`
${ACCEPTED_NO_SACK}
+0 write(4, ..., 6000) = 6000
+0 > P. 1:6001(6000) ack 1
+.1 < . 1:1(0) ack 1 win 257
+0 < . 1:1(0) ack 1 win 257
+0 < . 1:1(0) ack 1 win 257
+0 > . 1:1001(1000) ack 1
+.1 < . 1:1(0) ack 6001 win 257
+0 %{ assert tcpi_ca_state == TCP_CA_Recovery or tcpi_ca_state == TCP_CA_Open, tcpi_ca_state }%
`));

test('a SACK of the last alone: the others are lost when the reordering timer says so', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 4000) = 4000
+0 > P. 1:4001(4000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 3001:4001,nop,nop>
+.02~+.04 > . 1:1001(1000) ack 1
+.1 < . 1:1(0) ack 4001 win 257
+0 %{ assert tcpi_ca_state == TCP_CA_Open, tcpi_ca_state }%
`));

test('two segments, the second SACKed: the first goes again after a quarter of the round trip', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 1001:2001,nop,nop>
+.02~+.03 > . 1:1001(1000) ack 1
`));

test('the probe for one segment waits for a delayed ACK', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+.3~+.5 > P. 1:1001(1000) ack 1
`));

test('the probe for several sends the last again', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.2~+.21 > P. 9001:10001(1000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 9001:10001,nop,nop>
`));

test('a probe sends new data when there is some', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 12000) = 12000
+0 > P. 1:10001(10000) ack 1
+.2~+.21 > . 10001:11001(1000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 10001:11001,nop,nop>
+0 > . 1:1001(1000) ack 1
`));

test('a probe that was not needed costs nothing', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.2~+.21 > P. 9001:10001(1000) ack 1
+.05 < . 1:1(0) ack 10001 win 257
+0 < . 1:1(0) ack 10001 win 257 <sack 9001:10001,nop,nop>
+0 %{ assert tcpi_snd_cwnd == 20, tcpi_snd_cwnd }%
`));

test('without tcp_early_retrans there is no probe', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_early_retrans=0\`
${ACCEPTED}
+0 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1
+.28~+.31 > . 1:1001(1000) ack 1
`));

test('after a time-out F-RTO waits for the first ACK', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.2~+.21 > P. 9001:10001(1000) ack 1
+.29~+.31 > . 1:1001(1000) ack 1
+.1 < . 1:1(0) ack 1001 win 257
+0 %{ assert tcpi_ca_state == TCP_CA_Loss, tcpi_ca_state }%
`));

test('F-RTO: an ACK of what was not sent again undoes the time-out', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.2~+.21 > P. 9001:10001(1000) ack 1
+.29~+.31 > . 1:1001(1000) ack 1
+0 write(4, ..., 5000) = 5000
+.01 < . 1:1(0) ack 1001 win 257
+0 > . 10001:12001(2000) ack 1
+.01 < . 1:1(0) ack 3001 win 257
+0 %{ assert tcpi_ca_state == TCP_CA_Open, tcpi_ca_state; assert tcpi_snd_cwnd == 10 or 1, tcpi_snd_cwnd }%
`));

test('F-RTO: a duplicate makes the loss real', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.2~+.21 > P. 9001:10001(1000) ack 1
+.29~+.31 > . 1:1001(1000) ack 1
+0 write(4, ..., 5000) = 5000
+.01 < . 1:1(0) ack 1001 win 257
+0 > . 10001:12001(2000) ack 1
+.01 < . 1:1(0) ack 1001 win 257 <sack 10001:11001,nop,nop>
+0 > . 1001:2001(1000) ack 1
`));

test('time-outs double', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_early_retrans=0\`
${ACCEPTED}
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+.29~+.31 > P. 1:1001(1000) ack 1
+.58~+.62 > P. 1:1001(1000) ack 1
+1.16~+1.24 > P. 1:1001(1000) ack 1
+0 %{ assert tcpi_backoff == 3, tcpi_backoff; assert tcpi_retransmits == 3, tcpi_retransmits; assert tcpi_snd_cwnd == 1, tcpi_snd_cwnd }%
`));

test('a DSACK undoes a fast retransmission', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 4000) = 4000
+0 > P. 1:4001(4000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 1001:2001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 1001:3001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 1001:4001,nop,nop>
+0 > . 1:1001(1000) ack 1
+.01 < . 1:1(0) ack 4001 win 257
+0 %{ assert tcpi_snd_cwnd == 7 or 1, tcpi_snd_cwnd }%
+.05 < . 1:1(0) ack 4001 win 257 <sack 1:1001,nop,nop>
+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd
assert tcpi_ca_state == TCP_CA_Open, tcpi_ca_state
assert tcpi_snd_ssthresh == 2147483647, tcpi_snd_ssthresh }%
`));

test('limited transmit with SACK, and reordering', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 15000) = 15000
+0 > P. 1:10001(10000) ack 1
+.11 < . 1:1(0) ack 1 win 320 <sack 1001:2001,nop,nop>
+0 > . 10001:11001(1000) ack 1
+.01 < . 1:1(0) ack 1 win 320 <sack 1001:3001,nop,nop>
+0 > . 11001:12001(1000) ack 1
+.01 < . 1:1(0) ack 3001 win 320
+0 > P. 12001:14001(2000) ack 1
`));

test('SACKs that grow in several places', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 2001:3001,nop,nop>
+.001 < . 1:1(0) ack 1 win 257 <sack 2001:3001 6001:7001,nop,nop>
+.001 < . 1:1(0) ack 1 win 257 <sack 2001:3001 6001:7001 8001:9001,nop,nop>
+0 > . 1:1001(1000) ack 1
+.001 < . 1:1(0) ack 1 win 257 <sack 2001:4001 6001:7001 8001:9001,nop,nop>
+0~+.1 > . 1001:2001(1000) ack 1
+.001 < . 1:1(0) ack 1 win 257 <sack 2001:4001 6001:7001 8001:10001,nop,nop>
+0 %{ assert tcpi_sacked == 5, tcpi_sacked }%
`));

test('an unreachable host is a soft error of a connection', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+.01 < icmp unreachable host_unreachable [1:1001(1000)]
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [EHOSTUNREACH], [4]) = 0
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+.1 < . 1:1(0) ack 1001 win 257
+0 write(4, ..., 10) = 10
+0 > P. 1001:1011(10) ack 1
`));
