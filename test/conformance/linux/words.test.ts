/** Words of the runner: ports, pipes, values of all kinds. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, LISTENING } from './opened.ts';

test('ports in packets tell connections apart', () =>
  expectScript(`
${LISTENING}
+0 < 5001 > 8080 S 0:0(0) win 32792 <mss 1000>
+0 > 8080 > 5001 S. 0:0(0) ack 1 <mss 1460>
+0 < 5002 > 8080 S 7:7(0) win 32792 <mss 1000>
+0 > 8080 > 5002 S. 0:0(0) ack 8 <mss 1460>
+0 < 5002 > 8080 . 1:1(0) ack 1 win 1000
+0 < 5001 > 8080 . 1:1(0) ack 1 win 1000
+0 accept(3, ..., ...) = 4
+0 accept(3, ..., ...) = 5
+0 write(4, ..., 100) = 100
+0 write(5, ..., 200) = 200
+0 > 8080 > 5001 P. 1:201(200) ack 1
+0 > 8080 > 5002 P. 1:101(100) ack 1
`));

test('pipes, files, numbers worked out, and what a shell forgives', () =>
  expectScript(`
\`nstat -n\`
\`false || true\`
\`sysctl -q net.ipv4.tcp_rmem="4096 131072 $[4*1024*1024]"\`
${LISTENING}
.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+0 \`grep " 01 " /proc/net/tcp /proc/net/missing | grep -v ":1F91" | grep -c ":1F90"\`
+0 \`nstat -s | grep -w TcpPassiveOpens | grep -q " 1 "\`
+0 \`false; echo "1" > /proc/sys/net/ipv4/tcp_ecn\`
+0 \`sysctl net.ipv4.tcp_ecn | grep -q "= 1"\`
+0 \`ifconfig tun0 192.168.0.10/16; ifconfig tun0 192.168.0.1/16 mtu 1400\`
+0 \`ip link show tun0 | head -1 | grep -E -q "mtu (1400|9000)"\`
`));

test('flags of descriptors and of files, and more Python', () =>
  expectScript(`
${ACCEPTED}
+0 fcntl(4, F_GETFD) = 0
+0 fcntl(4, F_SETFD, FD_CLOEXEC) = 0
+0 fcntl(4, F_GETFD) = FD_CLOEXEC
+0 ioctl(4, FIONBIO, [1]) = 0
+0 fcntl(4, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)
+0 read(4, ..., 1) = -1 EAGAIN (Resource temporarily unavailable)
+0 %{
assert tcpi_ca_state in (TCP_CA_Open, TCP_CA_Disorder), 'state={}'.format(tcpi_ca_state)
x = 4
x //= 2
assert x == 2, f"x is {x}"
}%
`));

test('--bind_port, and echoes that are reckoned', () =>
  expectScript(`
--tcp_ts_ecr_scaled
--bind_port=9090
${LISTENING}
.1 < S 0:0(0) win 32792 <mss 1012,sackOK,TS val 1000 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 2000 ecr 1000,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 1100 ecr 2050>
+0 accept(3, ..., ...) = 4
`));

test('queues, features, metrics', () =>
  expectScript(`
\`tc qdisc replace dev tun0 root fq maxrate 10mbit\`
\`tc qdisc replace dev tun0 root fq_codel\`
\`tc qdisc replace dev tun0 root pfifo_fast\`
\`tc qdisc del dev tun0 root\`
\`ethtool -K tun0 gso off tso off gro off\`
\`ip tcp_metrics flush all\`
\`ip tcp_metrics flush 192.0.2.1\`
\`ip -s link show tun0\`
\`ss -tin\`
${LISTENING}
.1 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
`));
