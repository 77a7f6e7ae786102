/** Accurate ECN and ECN, as they are agreed. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { CLIENT, LISTENING } from './opened.ts';

test('a listener that speaks AccECN', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=3\`
${LISTENING}
+0 < SEWA 0:0(0) win 32792 <mss 1050,nop,nop,sackOK,nop,wscale 8>
+.002 > SW. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.05 < [ect0] W. 1:1(0) ack 1 win 257 <ECN e0b 1 ceb 0 e1b 1,nop>
+.002 accept(3, ..., ...) = 4
+.01 write(4, ..., 1000) = 1000
+.002 > [ect0] EAP. 1:1001(1000) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
+.05 < [ect0] EAP. 1:1(0) ack 1001 win 257 <ECN e0b 1001 ceb 0 e1b 0,nop>
+.01 %{ assert tcpi_delivered_ce == 0, tcpi_delivered_ce; assert tcpi_delivered_e0_bytes == 1000, tcpi_delivered_e0_bytes; assert tcpi_delivered_ce_bytes == 0, tcpi_delivered_ce_bytes }%
+.01 write(4, ..., 1000) = 1000
+.002 > [ect0] EAP. 1001:2001(1000) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
`));

test('a SYN-ACK with ECT(1) is reflected', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=3\`
${CLIENT}
+.002 connect(3, ..., ...) = -1 EINPROGRESS (x)
+.002 > SEWA 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.05 < [ect1] SW. 0:0(0) ack 1 win 32767 <mss 1460,ECN e0b 1 ceb 0 e1b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.002 > [ect0] EW. 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
`));

test('a SYN with ECT(0) is reflected', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=3\`
${LISTENING}
+0 < [ect0] SEWA 0:0(0) win 32792 <mss 1050,nop,nop,sackOK,nop,wscale 8>
+.002 > SA. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.05 < [ect0] W. 1:1(0) ack 1 win 257 <ECN e0b 1 ceb 0 e1b 1,nop>
+.002 accept(3, ..., ...) = 4
`));

test('tcp_ecn=5: AccECN when asked', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=5\`
${LISTENING}
+0 < SEWA 0:0(0) win 32792 <mss 1050,nop,nop,sackOK,nop,wscale 8>
+.002 > SW. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.05 < [ect0] W. 1:1(0) ack 1 win 257 <ECN e0b 1 ceb 0 e1b 1,nop>
+.002 accept(3, ..., ...) = 4
+.01 write(4, ..., 1000) = 1000
+.002 > [ect0] EAP. 1:1001(1000) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
`));

test('tcp_ecn=0: none', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=0\`
${LISTENING}
+0 < SEWA 0:0(0) win 32792 <mss 1050,nop,nop,sackOK,nop,wscale 8>
+.002 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.05 < . 1:1(0) ack 1 win 257
+.002 accept(3, ..., ...) = 4
+.01 write(4, ..., 1000) = 1000
+.002 > [noecn] P. 1:1001(1000) ack 1
`));

test('the first that arrives is data with CE', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=3\`
${LISTENING}
+0 < SEWA 0:0(0) win 32792 <mss 1050,nop,nop,sackOK,nop,wscale 8>
+.002 > SW. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.05 < [ce] WAP. 1:1001(1000) ack 1 win 257 <ECN e0b 1 ceb 0 e1b 1,nop>
+.002 > [ect0] WA. 1:1(0) ack 1001 <ECN e1b 1 ceb 1000 e0b 1,nop>
+.002 accept(3, ..., ...) = 4
`));

test('classic ECN echoes CE until CWR', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_ecn=1\`
${LISTENING}
+0 < SEW 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > SE. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+.01 < [ce] P. 1:1001(1000) ack 1 win 257
+0 > [noecn] E. 1:1(0) ack 1001
+0 write(4, ..., 1000) = 1000
+0 > [ect0] PE. 1:1001(1000) ack 1001
+.01 < [ect0] WP. 1001:2001(1000) ack 1001 win 257
+0 > [noecn] . 1001:1001(0) ack 2001
`));

test('a SYN cookie keeps the options in its time stamp', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_syncookies=2\`
\`ip link set dev tun0 mtu 9000\`
${LISTENING}
+0 < S 0:0(0) win 32792 <mss 8960,sackOK,TS val 100 ecr 0,nop,wscale 10>
+0 > S. 0:0(0) ack 1 <mss 8960,sackOK,TS val 4000 ecr 100,nop,wscale 8>
+.01 < . 1:1(0) ack 1 win 1024 <nop,nop,TS val 110 ecr 4000>
+0 accept(3, ..., ...) = 4
+0 %{ assert tcpi_snd_mss == 1460 - 12, tcpi_snd_mss; \\
 assert tcpi_snd_wscale == 10, tcpi_snd_wscale; \\
 assert (tcpi_options & TCPI_OPT_SACK) != 0, tcpi_options }%
`));
