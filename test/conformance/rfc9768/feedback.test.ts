/** RFC 9768 §3.2.2: the ACE field, in both directions; what a sender makes of it. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';

/** A server without timestamps, option as asked; `4` is its socket. */
function server(option: number, more = ''): string {
  return `\`sysctl -q net.ipv4.tcp_ecn=3\`
\`sysctl -q net.ipv4.tcp_ecn_option=${option}\`
${more}
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < SEWA 0:0(0) win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 8>
 +0 > SW. 0:0(0) ack 1 <...>
+.05 < [ect0] W. 1:1(0) ack 1 win 264 <ECN e0b 1 ceb 0 e1b 1,nop>
 +0 accept(3, ..., ...) = 4`;
}

test('every segment but that of the handshake counts, those without data too (r.cep)', async () => {
  await expectScript(`${server(0)}
+.01 < [ce] .5 1:1(0) ack 1 win 264
+.01 < [ce] .5 1:1(0) ack 1 win 264
+0 write(4, ..., 100) = 100
+0 > [ect0] P.7 1:101(100) ack 1
+0 %{ assert tcpi_received_ce == 2, tcpi_received_ce }%`);
});

test('the field turns over after eight marks, the count goes on', async () => {
  const marked = (i: number, ace: string): string =>
    `+.01 < [ce] EAP. ${i * 100 + 1}:${i * 100 + 101}(100) ack 1 win 264
+0 > [ect0] .${ace} 1:1(0) ack ${i * 100 + 101}`;
  await expectScript(`${server(0)}
${['6', '7', '0', '1', '2', '3', '4', '5', '6'].map((ace, i) => marked(i, ace)).join('\n')}
+0 %{ assert tcpi_received_ce == 9, tcpi_received_ce }%`);
});

test('ECT(0) is on every segment: data, pure ACKs and what is sent again', async () => {
  await expectScript(`${server(0)}
+0 write(4, ..., 100) = 100
+0 > [ect0] P.5 1:101(100) ack 1
+.1~+.4 > [ect0] P.5 1:101(100) ack 1
+.01 < [ect0] EAP. 1:1001(1000) ack 101 win 264
+0 > [ect0] .5 101:101(0) ack 1001`);
});

test('a mark that the receiver reports takes cwnd down once a round trip, and no CWR flag says so', async () => {
  await expectScript(`${server(0)}
+0 write(4, ..., 14600) = 14600
+0 > [ect0] P.5 1:14601(14600) ack 1
+.05 < .6 1:1(0) ack 1461 win 264
+0 %{
assert tcpi_ca_state == 2, tcpi_ca_state
assert tcpi_snd_ssthresh == 7, tcpi_snd_ssthresh
assert tcpi_delivered_ce == 1
}%
+.01 < .7 1:1(0) ack 14601 win 264
+0 %{
assert tcpi_snd_ssthresh == 7, tcpi_snd_ssthresh
}%
+0 write(4, ..., 100) = 100
+0 > [ect0] P.5 14601:14701(100) ack 1`);
});

test('an ACK that was overtaken is not counted, unless its timestamp is newer (§3.2.2.5.2)', async () => {
  await expectScript(`${server(0)}
+.01 < .6 1:1(0) ack 1 win 264
+0 %{ assert tcpi_delivered_ce == 0, tcpi_delivered_ce }%
+0 write(4, ..., 100) = 100
+0 > P.5 1:101(100) ack 1
+.01 < .6 1:1(0) ack 101 win 264
+0 %{ assert tcpi_delivered_ce == 1, tcpi_delivered_ce }%`);
  await expectScript(`\`sysctl -q net.ipv4.tcp_ecn=3\`
\`sysctl -q net.ipv4.tcp_ecn_option=0\`
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < SEWA 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
 +0 > SW. 0:0(0) ack 1 <mss 1460,sackOK,TS val 10 ecr 100,nop,wscale 8>
+.05 < W. 1:1(0) ack 1 win 264 <nop,nop,TS val 150 ecr 10>
 +0 accept(3, ..., ...) = 4
+.01 < .6 1:1(0) ack 1 win 264 <nop,nop,TS val 160 ecr 10>
+0 %{ assert tcpi_delivered_ce == 1, tcpi_delivered_ce }%`);
});

test('an ACK for more segments than the field can count means as many marks as there may have been (Appendix A.1)', async () => {
  await expectScript(`${server(0)}
+0 write(4, ..., 14600) = 14600
+0 > P.5 1:14601(14600) ack 1
+.05 < .5 1:1(0) ack 1461 win 264
+.05 < .6 1:1(0) ack 14601 win 264
+0 %{ assert tcpi_delivered_ce == 9, tcpi_delivered_ce }%`);
});

test('the octets of the option tell one mark from nine (Appendix A.2)', async () => {
  await expectScript(`${server(2)}
+0 write(4, ..., 14480) = 14480
+0 > P.5 1:14481(14480) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
+.05 < .5 1:1(0) ack 1449 win 264 <ECN e0b 1449 ceb 0 e1b 1,nop>
+.05 < .6 1:1(0) ack 14481 win 264 <ECN e0b 13033 ceb 1448 e1b 1,nop>
+0 %{
assert tcpi_delivered_ce == 1, tcpi_delivered_ce
assert tcpi_delivered_ce_bytes == 1448, tcpi_delivered_ce_bytes
assert tcpi_delivered_e0_bytes == 13032, tcpi_delivered_e0_bytes
}%`);
});

test('where ACKs are thinned a large one means no more marks than it says', async () => {
  await expectScript(`${server(0)}
+0 write(4, ..., 14600) = 14600
+0 > P.5 1:14601(14600) ack 1
+.05 < .6 1:1(0) ack 14601 win 264
+0 %{ assert tcpi_delivered_ce == 1, tcpi_delivered_ce }%`);
});

test('a change of the mark is acknowledged at once, no change is not (§3.2.2.5.1)', async () => {
  await expectScript(`${server(0)}
+.01 < [ect0] EAP. 1:101(100) ack 1 win 264
+0 > .5 1:1(0) ack 101
+0 write(4, ..., 100) = 100
+0 > P.5 1:101(100) ack 101
+.01 < [ect0] EAP. 101:201(100) ack 101 win 264
+.04 > .5 101:101(0) ack 201
+0 write(4, ..., 100) = 100
+0 > P.5 101:201(100) ack 201
+.01 < [ect1] EAP. 201:301(100) ack 201 win 264
+0 > .5 201:201(0) ack 301`);
});

test('a RST carries the count as well, and TIME-WAIT keeps ECT but not for what lies out of its window', async () => {
  await expectScript(`${server(0)}
+.01 < [ce] EAP. 1:101(100) ack 1 win 264
+0 > .6 1:1(0) ack 101
+0 close(4) = 0
+0 > [ect0] R.6 1:1(0) ack 101`);
  await expectScript(`${server(0)}
+0 close(4) = 0
+0 > [ect0] F.5 1:1(0) ack 1
+.01 < [ect0] F.5 1:1(0) ack 2 win 264
+0 > [ect0] .5 2:2(0) ack 2
+.6 < [ect0] P.5 90001:90101(100) ack 2 win 264
+0 > [noecn] . 2:2(0) ack 2`);
});

test('a SYN-ACK that comes again is challenged with its own mark in the field', async () => {
  await expectScript(`\`sysctl -q net.ipv4.tcp_ecn=3\`
\`sysctl -q net.ipv4.tcp_ecn_option=0\`
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
 +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
 +0 connect(4, ..., ...) = -1 EINPROGRESS (Operation now in progress)
 +0 > SEWA 0:0(0) <...>
+.05 < [noecn] SW. 0:0(0) ack 1 win 32767 <mss 1460>
 +0 > W. 1:1(0) ack 1
+.6 < [ect1] SW. 0:0(0) ack 1 win 32767 <mss 1460>
 +0 > [ect0] EW. 1:1(0) ack 1`);
});

test('segments that the card or the stack cuts keep all of the count (SKB_GSO_TCP_ACCECN)', async () => {
  await expectScript(`--strict_segments
${server(0, '`ethtool -K tun0 tso off gso off`')}
+.01 < [ce] EAP. 1:101(100) ack 1 win 264
+0 > .6 1:1(0) ack 101
+0 write(4, ..., 4380) = 4380
+0 > [ect0] .6 1:1461(1460) ack 101
+0 > [ect0] P.6 1461:2921(1460) ack 101
+0 > [ect0] P.6 2921:4381(1460) ack 101`);
});
