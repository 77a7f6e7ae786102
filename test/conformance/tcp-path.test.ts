/**
 * What lies between a connection and its path: a device queue that takes nothing, pacing, the metrics of a route, probes of
 * its MTU, and what is remembered of it. Scripts of our own, in packetdrill's language.
 */
import { test } from 'vitest';
import { expectScript } from '../kit/script.ts';

const OPEN = `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
  +.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <...>
  +.1 < . 1:1(0) ack 1 win 500
   +0 accept(3, ..., ...) = 4
`;

test('a queue of length 0 refuses data: asked again every 500 ms, until the user time-out', async () => {
  await expectScript(`${OPEN}
   +0 \`tc qdisc replace dev tun0 root pfifo limit 0\`
   +0 setsockopt(4, SOL_TCP, TCP_USER_TIMEOUT, [3000], 4) = 0
   +0 write(4, ..., 24) = 24
  +.1 %{ assert tcpi_probes == 0, tcpi_probes; assert tcpi_unacked == 0, tcpi_unacked; assert tcpi_ca_state == 2, tcpi_ca_state }%
 +1.1 %{ assert tcpi_probes == 2, tcpi_probes; assert tcpi_backoff == 0, tcpi_backoff }%
   +1 %{ assert tcpi_probes == 4, tcpi_probes }%
+1.5 write(4, ..., 24) = -1 ETIMEDOUT (timed out)
`);
});

test('what was refused goes out with the next attempt once there is room', async () => {
  await expectScript(`${OPEN}
   +0 \`tc qdisc replace dev tun0 root pfifo limit 0\`
   +0 write(4, ..., 1000) = 1000
   +0 \`tc qdisc replace dev tun0 root pfifo limit 10\`
 +.3~+.31 > P. 1:1001(1000) ack 1
   +0 < . 1:1(0) ack 1001 win 500
`);
});

test('a retransmission that our own queue refuses is tried again after 500 ms, without backing off', async () => {
  await expectScript(`\`sysctl -q net.ipv4.tcp_early_retrans=0\`${OPEN}
   +0 write(4, ..., 1000) = 1000
   +0 > P. 1:1001(1000) ack 1
   +0 \`tc qdisc replace dev tun0 root pfifo limit 0\`
  +.4 %{ assert tcpi_backoff == 0, tcpi_backoff; assert tcpi_retransmits == 1, tcpi_retransmits }%
   +0 \`tc qdisc replace dev tun0 root pfifo limit 10\`
+.4~+.42 > P. 1:1001(1000) ack 1
`);
});

test('SO_MAX_PACING_RATE without fq: TCP’s own timer spaces what goes out after the first ten segments', async () => {
  await expectScript(`\`sysctl -q net.ipv4.tcp_min_tso_segs=1\`${OPEN}
   +0 setsockopt(4, SOL_SOCKET, SO_MAX_PACING_RATE, [100000], 4) = 0
   +0 write(4, ..., 14000) = 14000
   +0 > . 1:10001(10000) ack 1
  +.1 < . 1:1(0) ack 10001 win 500
   +0 > . 10001:11001(1000) ack 1
 +.005 > . 11001:12001(1000) ack 1
 +.01 > . 12001:13001(1000) ack 1
 +.01 > P. 13001:14001(1000) ack 1
`);
});

test('advmss, initcwnd, quickack and hoplimit of a route hold for its connections', async () => {
  await expectScript(`\`ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 700 initcwnd 4 quickack 1\`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
  +.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss 700,nop,nop,sackOK,nop,wscale 7>
  +.1 < . 1:1(0) ack 1 win 500
   +0 accept(3, ..., ...) = 4
   +0 %{ assert tcpi_snd_cwnd == 4, tcpi_snd_cwnd }%
   +0 write(4, ..., 9000) = 9000
   +0 > P. 1:4001(4000) ack 1
   +0 < P. 1:101(100) ack 4001 win 500
   +0 > P. 4001:9001(5000) ack 101
   +0 < P. 101:201(100) ack 9001 win 500
   +0 > . 9001:9001(0) ack 201
`);
});

test('rto_min of a route is the floor of the time-out', async () => {
  await expectScript(`\`sysctl -q net.ipv4.tcp_early_retrans=0
ip route change 192.0.2.1 via 192.168.0.2 dev tun0 rto_min 50ms\`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
  +.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <...>
 +.01 < . 1:1(0) ack 1 win 500
   +0 accept(3, ..., ...) = 4
   +0 %{ assert 55000 <= tcpi_rto <= 65000, tcpi_rto }%
   +0 write(4, ..., 1000) = 1000
   +0 > P. 1:1001(1000) ack 1
+.06 > P. 1:1001(1000) ack 1
`);
});

test('congctl of a route is the congestion control of its connections', async () => {
  await expectScript(`\`ip route change 192.0.2.1 via 192.168.0.2 dev tun0 congctl reno\`${OPEN}
   +0 getsockopt(4, IPPROTO_TCP, TCP_CONGESTION, "reno", [16]) = 0
`);
});

test('an MTU probe that is lost costs no cwnd, and what it carried is sent again in smaller pieces', async () => {
  await expectScript(`--strict_segments
\`sysctl -q net.ipv4.tcp_mtu_probing=2
sysctl -q net.ipv4.tcp_base_mss=512
sysctl -q net.ipv4.tcp_early_retrans=0
ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11
ethtool -K tun0 gso off tso off\`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
  +.1 < S 0:0(0) win 50000 <mss 1460,sackOK,nop,nop>
   +0 > S. 0:0(0) ack 1 <mss 600,nop,nop,sackOK>
   +0 < . 1:1(0) ack 1 win 50000
   +0 accept(3, ..., ...) = 4
   +0 \`ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 1460 mtu lock 1500\`
   +0 write(4, ..., 4000) = 4000
   +0 > .  1:987(986) ack 1
   +0 > .  987:1587(600) ack 1
   +0 > .  1587:2187(600) ack 1
   +0 > .  2187:2787(600) ack 1
   +0 > .  2787:3387(600) ack 1
   +0 > P. 3387:3987(600) ack 1
   +0 > P. 3987:4001(14) ack 1
   +0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%
  +.1 < . 1:1(0) ack 1 win 50000 <sack 987:1587,nop,nop>
   +0 < . 1:1(0) ack 1 win 50000 <sack 987:2187,nop,nop>
   +0 < . 1:1(0) ack 1 win 50000 <sack 987:2787,nop,nop>
   +0 > .  1:513(512) ack 1
   +0 > P. 513:987(474) ack 1
   +0 %{ assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd }%
   +0 < . 1:1(0) ack 4001 win 50000
   +0 \`nstat | grep TcpExtTCPMTUPFail | grep -q " 1 "\`
`);
});

test('nothing gets through in full size: with tcp_mtu_probing 1 the MSS falls to tcp_base_mss', async () => {
  await expectScript(`\`sysctl -q net.ipv4.tcp_mtu_probing=1
sysctl -q net.ipv4.tcp_base_mss=512
sysctl -q net.ipv4.tcp_retries1=1
sysctl -q net.ipv4.tcp_early_retrans=0\`${OPEN}
   +0 write(4, ..., 1000) = 1000
   +0 > P. 1:1001(1000) ack 1
 +.3 > P. 1:1001(1000) ack 1
 +.6 %{ print(1) }%
 +.6 %{ assert tcpi_snd_mss == 512, tcpi_snd_mss }%
`);
});
