/** Fast Open on both sides. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { CLIENT, LISTENING } from './opened.ts';

test('a cookie without data opens a connection, too', () =>
  expectScript(`
${LISTENING}
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [1], 4) = 0
+0 < S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
+0 accept(3, ..., ...) = 4
+0 %{ assert tcpi_options & (TCPI_OPT_SYN_DATA | TCPI_OPT_TFO_CHILD) == TCPI_OPT_TFO_CHILD, tcpi_options }%
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 read(4, ..., 512) = -1 EAGAIN (Resource temporarily unavailable)
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+0 close(4) = 0
+0 > F. 101:101(0) ack 1
`));

test('a SYN-ACK is sent again while its ACK is missing', () =>
  expectScript(`
${LISTENING}
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [1], 4) = 0
+0 < S 0:1000(1000) win 40000 <mss 1020,sackOK,FO TFO_COOKIE,nop,nop>
+0 > S. 0:0(0) ack 1001 <mss 1460,nop,nop,sackOK>
+0 accept(3, ..., ...) = 4
+0 read(4, ..., 1024) = 1000
+0 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1001
+1 > S. 0:0(0) ack 1001 <mss 1460,nop,nop,sackOK>
+2 > S. 0:0(0) ack 1001 <mss 1460,nop,nop,sackOK>
+.1 < . 1001:1001(0) ack 1 win 400
`));

test('data without a cookie where none is asked for', () =>
  expectScript(`
\`sysctl -q net.ipv4.tcp_fastopen=0x602\`
${LISTENING}
+0 < S 0:1000(1000) win 40000 <mss 1020,sackOK>
+0 > S. 0:0(0) ack 1001 <mss 1460,nop,nop,sackOK>
+0 accept(3, ..., ...) = 4
+0 read(4, ..., 1024) = 1000
`));

test('a cookie is given', () =>
  expectScript(`
${LISTENING}
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [5], 4) = 0
+0 < S 0:0(0) win 40000 <mss 1020,sackOK,FO,nop,nop>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,FO TFO_COOKIE,nop,nop>
`));

test('TCP_FASTOPEN_CONNECT', () =>
  expectScript(`
${CLIENT}
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_CONNECT, [1], 4) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO,nop,nop>
+.01 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7,FO 1234567812345678,nop,nop>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 110 ecr 700>
+0 close(3) = 0
+0 > F. 1:1(0) ack 1 <...>
+.01 < F. 1:1(0) ack 2 win 92 <nop,nop,TS val 710 ecr 110>
+0 > . 2:2(0) ack 2 <...>
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 setsockopt(4, SOL_TCP, TCP_FASTOPEN_CONNECT, [1], 4) = 0
+0 connect(4, ..., ...) = 0
+0 write(4, ..., 10) = 10
+0 > S 0:10(10) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO 1234567812345678,nop,nop>
+.01 < S. 0:0(0) ack 11 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
+0 > . 11:11(0) ack 1 <...>
+0 %{ assert (tcpi_options & TCPI_OPT_SYN_DATA) != 0, tcpi_options }%
`));

test('a SYN that is sent again asks for no cookie', () =>
  expectScript(`
${CLIENT}
+0 sendto(3, ..., 1000, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO,nop,nop>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 1100 ecr 0,nop,wscale 8>
+.01 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 1100,nop,wscale 7>
+0 > . 1:1(0) ack 1 <...>
+0 write(3, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1 <...>
`));

test('data of a lost SYN goes after the handshake', () =>
  expectScript(`
\`ip tcp_metrics flush all > /dev/null 2>&1\`
${CLIENT}
+0 sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO,nop,nop>
+.01 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7,FO 1234567812345678,nop,nop>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 110 ecr 700>
+0 close(3) = 0
+0 > F. 1:1(0) ack 1 <...>
+.01 < F. 1:1(0) ack 2 win 92 <nop,nop,TS val 710 ecr 110>
+0 > . 2:2(0) ack 2 <...>
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000
+0 > S 0:1000(1000) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO 1234567812345678,nop,nop>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 1100 ecr 0,nop,wscale 8>
+.01 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 1100,nop,wscale 7>
+0 > P. 1:1001(1000) ack 1 <...>
+.01 < . 1:1(0) ack 1001 win 257 <nop,nop,TS val 710 ecr 1100>
`));

test('a SYN-ACK that leaves the data out', () =>
  expectScript(`
${CLIENT}
+0 sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO,nop,nop>
+.01 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7,FO 1234567812345678,nop,nop>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 110 ecr 700>
+0 close(3) = 0
+0 > F. 1:1(0) ack 1 <...>
+.01 < F. 1:1(0) ack 2 win 92 <nop,nop,TS val 710 ecr 110>
+0 > . 2:2(0) ack 2 <...>
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000
+0 > S 0:1000(1000) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,FO 1234567812345678,nop,nop>
+.01 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
+0 > P. 1:1001(1000) ack 1 <...>
`));

test('a refused SYN that asked for a cookie', () =>
  expectScript(`
${CLIENT}
+0 sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.01 < R. 0:0(0) ack 1 win 0
+0 write(3, ..., 10) = -1 ECONNREFUSED (Connection refused)
`));

test('zerocopy on a child of Fast Open', () =>
  expectScript(`
--send_omit_free
${LISTENING}
+0 setsockopt(3, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [1], 4) = 0
+0 < S 0:500(500) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
+0 > S. 0:0(0) ack 501 <mss 1460,nop,nop,sackOK>
+0 accept(3, ..., ...) = 4
+0 %{ assert (tcpi_options & TCPI_OPT_SYN_DATA) != 0, tcpi_options }%
+0 read(4, ..., 1024) = 500
+0 send(4, ..., 500, MSG_ZEROCOPY) = 500
+0 > P. 1:501(500) ack 501
+.05 < . 501:501(0) ack 501 win 32792
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_ERRQUEUE,
  msg_control=[{cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR,
   cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0, ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info=0, ee_data=0}}]}, MSG_ERRQUEUE) = 0
`));

test('MSG_ZEROCOPY counts once the option is on', () =>
  expectScript(`
--send_omit_free
${LISTENING}
+0 setsockopt(3, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+0 send(4, ..., 4000, MSG_ZEROCOPY) = 4000
+0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+0 send(4, ..., 1, MSG_ZEROCOPY) = 1
+0 > P. 1:4001(4000) ack 1
`));

test('edge-triggered epoll hears of every completion', () =>
  expectScript(`
--send_omit_free
${LISTENING}
+0 setsockopt(3, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1
+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
+0 send(4, ..., 4000, MSG_ZEROCOPY) = 4000
+0 > P. 1:4001(4000) ack 1
+0 < . 1:1(0) ack 4001 win 257
+0 send(4, ..., 4000, MSG_ZEROCOPY) = 4000
+0 > P. 4001:8001(4000) ack 1
+0 < . 1:1(0) ack 8001 win 257
+0 epoll_wait(5, {events=EPOLLERR|EPOLLOUT, fd=4}, 1, 0) = 1
+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
+0 send(4, ..., 4000, MSG_ZEROCOPY) = 4000
+0 > P. 8001:12001(4000) ack 1
+0 < . 1:1(0) ack 12001 win 257
+0 epoll_wait(5, {events=EPOLLERR|EPOLLOUT, fd=4}, 1, 0) = 1
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_ERRQUEUE,
  msg_control=[{cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR,
   cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0, ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info=0, ee_data=2}}]}, MSG_ERRQUEUE) = 0
`));
