/** Corks, records, flags of send and recv. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, CLIENT, LISTENING } from './opened.ts';

test('what was corked goes as one', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0
+0 write(4, ..., 300) = 300
+0 write(4, ..., 300) = 300
+0 setsockopt(4, SOL_TCP, TCP_CORK, [0], 4) = 0
+0 > P. 1:601(600) ack 1
`));

test('a cork gives way after a retransmission time-out', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0
+0 write(4, ..., 300) = 300
+.29~+.31 > P. 1:301(300) ack 1
`));

test('Nagle holds what is small, TCP_NODELAY does not', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 300) = 300
+0 > P. 1:301(300) ack 1
+0 write(4, ..., 300) = 300
+0 write(4, ..., 300) = 300
+.1 < . 1:1(0) ack 301 win 257
+0 > P. 301:901(600) ack 1
+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 write(4, ..., 10) = 10
+0 > P. 901:911(10) ack 1
`));

test('nothing is appended to a record', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10400) = 10400
+0 send(4, ..., 400, MSG_EOR) = 400
+0 send(4, ..., 400, MSG_EOR) = 400
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.01 < . 1:1(0) ack 10001 win 514
+0 > P. 10001:10801(800) ack 1
+0 > P. 10801:11201(400) ack 1
+0 > P. 11201:21201(10000) ack 1
`));

test('a large record keeps its end', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 10400) = 10400
+0 send(4, ..., 10400, MSG_EOR) = 10400
+0 write(4, ..., 10000) = 10000
+0 > P. 1:10001(10000) ack 1
+.01 < . 1:1(0) ack 10001 win 514
+0 > P. 10001:20801(10800) ack 1
+0 > . 20801:29801(9000) ack 1
+.01 < . 1:1(0) ack 29801 win 514
+0 > P. 29801:30801(1000) ack 1
`));

test('MSG_PEEK, MSG_TRUNC, several buffers', () =>
  expectScript(`
${ACCEPTED}
+.01 < P. 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001
+0 recv(4, ..., 2000, MSG_PEEK) = 1000
+0 recv(4, ..., 10, MSG_PEEK|MSG_TRUNC) = 10
+0 recv(4, ..., 500, MSG_TRUNC) = 500
+0 ioctl(4, SIOCINQ, [500]) = 0
+0 recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 100},{..., 100}], msg_flags=0}, 0) = 200
+0 readv(4, [{..., 100},{..., 1000}], 2) = 300
+0 recv(4, ..., 100, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)
`));

test('empty and bad buffers', () =>
  expectScript(`
${ACCEPTED}
+0 sendmsg(4, {msg_name(...)=..., msg_iov(0)=[], msg_flags=0}, 0) = 0
+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0}, 0) = 0
+0 write(4, ..., 0) = 0
+0 write(4, NULL, 1000) = -1 EFAULT (Bad address)
+0 sendto(4, ..., 100, 0, ..., ...) = 100
+0 > P. 1:101(100) ack 1
`));

test('MSG_FASTOPEN with no buffer at all', () =>
  expectScript(`
${CLIENT}
+0 sendto(3, NULL, 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (x)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO,nop,nop>
`));

test('SO_OOBINLINE and the mark', () =>
  expectScript(`
${ACCEPTED}
+0 setsockopt(4, SOL_SOCKET, SO_OOBINLINE, [1], 4) = 0
+.01 < PU. 1:11(10) ack 1 win 257 urg 5
+0 > . 1:1(0) ack 11
+0 ioctl(4, SIOCATMARK, [0]) = 0
+0 read(4, ..., 20) = 4
+0 ioctl(4, SIOCATMARK, [1]) = 0
+0 read(4, ..., 20) = 6
`));

test('the last octet of MSG_OOB is the urgent one', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 1) = 1
+0 > P. 1:2(1) ack 1
+0 send(4, ..., 3, MSG_OOB) = 3
+0 > PU. 2:5(3) ack 1 urg 3
`));

test('IP_TOS during recovery', () =>
  expectScript(`
${ACCEPTED}
+0 write(4, ..., 11000) = 11000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 1 win 257 <sack 5001:6001,nop,nop>
+0 > P. 10001:11001(1000) ack 1
+0 setsockopt(4, SOL_IP, IP_TOS, [4], 1) = 0
+0 setsockopt(4, IPPROTO_IP, IP_TOS, [16], 4) = 0
+0 < . 1:1(0) ack 1 win 257 <sack 5001:7001,nop,nop>
+0 < . 1:1(0) ack 1 win 257 <sack 5001:8001,nop,nop>
+0 > [tos 0x10] . 1:1001(1000) ack 1
`));

test('tcp_reflect_tos answers with the TOS of the SYN, without its ECN bits', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_reflect_tos=1\`
${LISTENING}
+0 < [tos 0x13] S 0:0(0) win 32792 <mss 1000>
+0 > [tos 0x10] S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 1000
+0 accept(3, ..., ...) = 4
+0 getsockopt(4, SOL_IP, IP_TOS, [0x10], [4]) = 0
+0 write(4, ..., 100) = 100
+0 > [tos 0x10] P. 1:101(100) ack 1
`));

test('sendfile sends what is there', () =>
  expectScript(`
\`/bin/dd bs=1 count=5000 if=/dev/zero of=/tmp/testfile status=none\`
${LISTENING}
+.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+0 open("/tmp/testfile", O_RDONLY) = 5
+0 sendfile(4, 5, [0], 5) = 5
+0 > P. 1:6(5) ack 1
+.01 < . 1:1(0) ack 6 win 257
+0 sendfile(4, 5, [0], 3000) = 3000
+0 > P. 6:3006(3000) ack 1
+0 \`/bin/rm /tmp/testfile\`
`));

test('tcpi_last_data_recv', () =>
  expectScript(`
${ACCEPTED}
+.01 < P. 1:101(100) ack 1 win 257
+0 > . 1:1(0) ack 101
+0 read(4, ..., 100) = 100
+1 %{ assert 990 <= tcpi_last_data_recv <= 1010, tcpi_last_data_recv }%
`));
