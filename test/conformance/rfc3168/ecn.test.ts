/** RFC 3168 §6.1: what sender and receiver do about a mark. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';

const SERVER = `\`sysctl -q net.ipv4.tcp_ecn=1\`
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < SEW 0:0(0) win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 8>
 +0 > SE. 0:0(0) ack 1 <...>
+.05 < . 1:1(0) ack 1 win 264
 +0 accept(3, ..., ...) = 4`;

test('§6.1.2: an ACK with ECE takes cwnd down, and the first new data after it says CWR', async () => {
  await expectScript(`${SERVER}
+0 write(4, ..., 14600) = 14600
+0 > [ect0] P. 1:14601(14600) ack 1
+.05 < E. 1:1(0) ack 1461 win 264
+0 %{
assert tcpi_ca_state == 2, tcpi_ca_state
assert tcpi_snd_ssthresh == 7, tcpi_snd_ssthresh
assert tcpi_delivered_ce == 1, tcpi_delivered_ce
}%
+.01 < . 1:1(0) ack 14601 win 264
+0 write(4, ..., 2920) = 2920
+0 > [ect0] WP. 14601:17521(2920) ack 1
+.05 < . 1:1(0) ack 17521 win 264
+0 write(4, ..., 1460) = 1460
+0 > [ect0] P. 17521:18981(1460) ack 1`);
});

test('[SHLD-8] §6.1.3: a mark is echoed with ECE on every ACK until CWR comes', async () => {
  await expectScript(`${SERVER}
+0 < [ce] P. 1:1001(1000) ack 1 win 264
+0 > [noecn] E. 1:1(0) ack 1001
+0 < [ect0] P. 1001:2001(1000) ack 1 win 264
+0 > E. 1:1(0) ack 2001
+0 < [ect0] WP. 2001:3001(1000) ack 1 win 264
+0 > . 1:1(0) ack 3001
+0 %{ assert tcpi_options & TCPI_OPT_ECN_SEEN }%`);
});

test('§6.1.5: what is sent again is not ECT', async () => {
  await expectScript(`${SERVER}
+0 write(4, ..., 100) = 100
+0 > [ect0] P. 1:101(100) ack 1
+.1~+.4 > [noecn] P. 1:101(100) ack 1`);
});
