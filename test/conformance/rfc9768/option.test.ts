/** RFC 9768 §3.2.3: the AccECN option: when it is sent, what it says, and paths that drop or clear it. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';

/** A server whose client's last ACK has the options given; `4` is its socket. */
function server(sysctls: readonly string[], lastOptions = '<ECN e0b 1 ceb 0 e1b 1,nop>'): string {
  return `\`sysctl -q net.ipv4.tcp_ecn=3\`
${sysctls.map((word) => `\`sysctl -q net.ipv4.${word}\``).join('\n')}
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < SEWA 0:0(0) win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 8>
 +0 > SW. 0:0(0) ack 1 <...>
+.05 < W. 1:1(0) ack 1 win 264 ${lastOptions}
 +0 accept(3, ..., ...) = 4`;
}

test('who saw none from the peer sends none; the first that comes later changes that', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'], '')}
+0 %{ assert tcpi_accecn_opt_seen == 0, tcpi_accecn_opt_seen }%
+0 write(4, ..., 100) = 100
+0 > P.5 1:101(100) ack 1
+.01 < .5 1:1(0) ack 101 win 264 <ECN e0b 101 ceb 0 e1b 1,nop>
+0 %{
assert tcpi_accecn_opt_seen == 2, tcpi_accecn_opt_seen
assert tcpi_delivered_e0_bytes == 100, tcpi_delivered_e0_bytes
}%
+0 write(4, ..., 100) = 100
+0 > P.5 101:201(100) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>`);
});

test('either order is read: kind 172 begins with ECT(0), kind 174 with ECT(1)', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'])}
+0 write(4, ..., 100) = 100
+0 > P.5 1:101(100) ack 1 <...>
+.01 < .5 1:1(0) ack 101 win 264 <ECN e1b 101 ceb 0 e0b 1,nop>
+0 %{
assert tcpi_delivered_e1_bytes == 100, tcpi_delivered_e1_bytes
assert tcpi_delivered_e0_bytes == 0, tcpi_delivered_e0_bytes
}%`);
});

test('an option cut short tells of its first counters only, an empty one of none', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'])}
+0 write(4, ..., 100) = 100
+0 > P.5 1:101(100) ack 1 <...>
+.01 < .5 1:1(0) ack 101 win 264 <ECN e0b 101,nop,nop,nop>
+0 %{ assert tcpi_delivered_e0_bytes == 100, tcpi_delivered_e0_bytes }%
+0 write(4, ..., 100) = 100
+0 > P.5 101:201(100) ack 1 <...>
+.01 < .6 1:1(0) ack 201 win 264 <ECN e0b 101 ceb 100>
+0 %{ assert tcpi_delivered_ce_bytes == 100, tcpi_delivered_ce_bytes }%`);
});

test('counters that come as zero were cleared on the way: they are believed no more (§3.2.3.2.4)', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'], '<ECN e0b 0 ceb 0 e1b 0,nop>')}
+0 %{
assert tcpi_accecn_opt_seen == 3, tcpi_accecn_opt_seen
assert tcpi_accecn_fail_mode == 8, tcpi_accecn_fail_mode
}%
+0 write(4, ..., 100) = 100
+0 > [ect0] P.5 1:101(100) ack 1 <...>
+.01 < .5 1:1(0) ack 101 win 264 <ECN e0b 101 ceb 0 e1b 1,nop>
+0 %{ assert tcpi_delivered_e0_bytes == 0, tcpi_delivered_e0_bytes }%`);
});

test('an estimate that was wrong is put right by the next option', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'])}
+0 write(4, ..., 100) = 100
+0 > P.5 1:101(100) ack 1 <...>
+.01 < .5 1:1(0) ack 101 win 264 <ECN e0b 101 ceb 0 e1b 1,nop>
+0 write(4, ..., 100) = 100
+0 > P.5 101:201(100) ack 1 <...>
+.01 < .6 1:1(0) ack 201 win 264
+0 %{ assert tcpi_delivered_e0_bytes == 200, tcpi_delivered_e0_bytes }%
+0 write(4, ..., 100) = 100
+0 > P.5 201:301(100) ack 1 <...>
+.01 < .6 1:1(0) ack 301 win 264 <ECN e0b 201 ceb 100 e1b 1,nop>
+0 %{
assert tcpi_delivered_e0_bytes == 200, tcpi_delivered_e0_bytes
assert tcpi_delivered_ce_bytes == 100, tcpi_delivered_ce_bytes
}%`);
});

test('with tcp_ecn_option=1 it is sent when a mark changes, twice, and else by the beacon', async () => {
  await expectScript(`${server(['tcp_ecn_option=1', 'tcp_ecn_option_beacon=0'])}
+.01 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <ECN e1b 1 ceb 0 e0b 1001,nop>
+.01 < [ect0] EAP. 1001:2001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 2001 <ECN e1b 1 ceb 0 e0b 2001,nop>
+.01 < [ect0] EAP. 2001:3001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 3001
+.01 < [ect1] EAP. 3001:4001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 4001 <ECN e1b 1001 ceb 0 e0b 3001,nop>`);
  await expectScript(`${server(['tcp_ecn_option=1', 'tcp_ecn_option_beacon=1'])}
+.01 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <ECN e1b 1 ceb 0 e0b 1001,nop>
+.01 < [ect0] EAP. 1001:2001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 2001 <ECN e1b 1 ceb 0 e0b 2001,nop>
+.01 < [ect0] EAP. 2001:3001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 3001
+.06 < [ect0] EAP. 3001:4001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 4001 <ECN e1b 1 ceb 0 e0b 4001,nop>`);
});

test('an ACK with it that does not arrive, twice, means that it is dropped: no more of them, unless told to persist', async () => {
  const lost = (third: string): string => `
+.05 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <ECN e1b 1 ceb 0 e0b 1001,nop>
+.2 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <ECN e1b 1 ceb 0 e0b 2001,nop,nop,nop,sack 1:1001>
+.2 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <${third}nop,nop,sack 1:1001>`;
  await expectScript(`${server(['tcp_ecn_option=2'])}${lost('')}
+0 %{ assert tcpi_accecn_fail_mode == 4, tcpi_accecn_fail_mode }%`);
  await expectScript(`${server(['tcp_ecn_option=3'])}${lost('ECN e1b 1 ceb 0 e0b 3001,nop,')}`);
});

test('a full segment is shorter by the option that it carries', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'])}
+0 write(4, ..., 2896) = 2896
+0 > P.5 1:2897(2896) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
+0 %{ assert tcpi_unacked == 2, tcpi_unacked }%`);
});

test('one ACK with it that is lost does not stop it: new data came in between', async () => {
  await expectScript(`${server(['tcp_ecn_option=2'])}
+.05 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <ECN e1b 1 ceb 0 e0b 1001,nop>
+.2 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001 <ECN e1b 1 ceb 0 e0b 2001,nop,nop,nop,sack 1:1001>
+.05 < [ect0] EAP. 1001:2001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 2001 <ECN e1b 1 ceb 0 e0b 3001,nop>
+.2 < [ect0] EAP. 1001:2001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 2001 <ECN e1b 1 ceb 0 e0b 4001,nop,nop,nop,sack 1001:2001>
+0 %{ assert tcpi_accecn_fail_mode == 0, tcpi_accecn_fail_mode }%`);
});

test('it comes and goes with tcp_ecn_option while the connection lives', async () => {
  await expectScript(`${server(['tcp_ecn_option=0'])}
+.01 < [ect0] EAP. 1:1001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 1001
+0 \`sysctl -q net.ipv4.tcp_ecn_option=2\`
+.01 < [ect0] EAP. 1001:2001(1000) ack 1 win 264
+0 > .5 1:1(0) ack 2001 <ECN e1b 1 ceb 0 e0b 2001,nop>`);
});

test('a client that hears of its second segment first counts both, in SACK and in the option', async () => {
  await expectScript(`\`sysctl -q net.ipv4.tcp_ecn=3\`
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+.002...0.052 connect(4, ..., ...) = 0
+.002 > [noecn] SEWA 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.05 < [ect1] SW. 0:0(0) ack 1 win 32767 <mss 1012,ECN e0b 1 ceb 0 e1b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.002 > [ect0] EW. 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
+.01 write(4, ..., 2000) = 2000
+.002 > [ect0] P.5 1:2001(2000) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>
+.05 < [ect0] .5 1:1(0) ack 1 win 264 <ECN e0b 1001 ceb 0 e1b 1,nop,nop,nop,sack 1001:2001>
+.01 < [ect0] .6 1:1(0) ack 2001 win 264 <ECN e0b 1001 ceb 1000 e1b 1,nop>
+0 %{
assert tcpi_delivered_ce == 1, tcpi_delivered_ce
assert tcpi_delivered_e0_bytes == 1000, tcpi_delivered_e0_bytes
assert tcpi_delivered_ce_bytes == 1000, tcpi_delivered_ce_bytes
}%`);
});
