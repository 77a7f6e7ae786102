/** Calls that block: when they end, and with what. Scripts of our own, by what Linux does. */
import { test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';
import { ACCEPTED, CLIENT, CONNECTED, LISTENING } from './opened.ts';

test('accept waits for the handshake to end', () =>
  expectScript(`
${LISTENING}
+0...0.200 accept(3, ..., ...) = 4
+.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+.1 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1
`));

test('connect waits for the SYN-ACK', () =>
  expectScript(`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+.1...0.200 connect(3, ..., ...) = 0
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.1 < S. 0:0(0) ack 1 win 5792 <mss 1460,nop,wscale 2,nop,nop,sackOK>
+0 > . 1:1(0) ack 1
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
`));

test('SO_RCVTIMEO ends a read; structs and names are values of options', () =>
  expectScript(`
${ACCEPTED}
+0 getsockopt(4, SOL_SOCKET, SO_TYPE, [SOCK_STREAM], [4]) = 0
+0 getsockopt(4, SOL_SOCKET, SO_DOMAIN, [AF_INET], [4]) = 0
+0 getsockopt(4, SOL_SOCKET, SO_PROTOCOL, [IPPROTO_TCP], [4]) = 0
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0
+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, [8]) = 0
+0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, 16) = 0
+0 getsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, [16]) = 0
+0...0.2 read(4, ..., 100) = -1 EWOULDBLOCK (Resource temporarily unavailable)
`));

test('data that comes with the last step of a handshake is acknowledged and can be read', () =>
  expectScript(`
${LISTENING}
0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < P. 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001
+0 accept(3, ..., ...) = 4
+0 read(4, ..., 2000) = 1000
`));

test('data in a SYN-ACK is left to be sent again', () =>
  expectScript(`
${CLIENT}
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
+.1 < S. 0:1000(1000) ack 1 win 5792 <mss 1460,nop,wscale 2,nop,nop,sackOK>
+0 > . 1:1(0) ack 1
+0 read(3, ..., 2000) = -1 EAGAIN (Resource temporarily unavailable)
+.1 < P. 1:1001(1000) ack 1 win 5792
+0 > . 1:1(0) ack 1001
+0 read(3, ..., 2000) = 1000
`));

test('a SYN is sent again five times at the same pace, then backs off', () =>
  expectScript(`
${CLIENT}
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 8>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 2000 ecr 0,nop,wscale 8>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 3000 ecr 0,nop,wscale 8>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 4000 ecr 0,nop,wscale 8>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 5000 ecr 0,nop,wscale 8>
+2 > S 0:0(0) <mss 1460,sackOK,TS val 6000 ecr 0,nop,wscale 8>
`));

test('a SYN-ACK backs off from the first', () =>
  expectScript(`
${LISTENING}
0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+1 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+2 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+4 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+8 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+16 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
`));

test('TCP_USER_TIMEOUT ends a handshake', () =>
  expectScript(`
${CLIENT}
+0 setsockopt(3, SOL_TCP, TCP_USER_TIMEOUT, [1500], 4) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 8>
+1 > S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 8>
+.6 poll([{fd=3, events=POLLERR|POLLHUP|POLLIN|POLLOUT, revents=POLLERR|POLLHUP|POLLIN|POLLOUT}], 1, 0) = 1
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ETIMEDOUT], [4]) = 0
`));

test('TCP_SYNCNT counts by the time that so many backed-off tries would take', () =>
  expectScript(`
${CLIENT}
+0 setsockopt(3, SOL_TCP, TCP_SYNCNT, [1], 4) = 0
+0 setsockopt(3, SOL_TCP, TCP_SYNCNT, [0], 4) = -1 EINVAL (Invalid argument)
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+1 > S 0:0(0) <...>
+1 > S 0:0(0) <...>
+1.1 getsockopt(3, SOL_SOCKET, SO_ERROR, [ETIMEDOUT], [4]) = 0
`));

test('connect(2) says how it went once, and a socket that was connected is so until it is disconnected', () =>
  expectScript(`
${CLIENT}
+0 connect(3, ..., ...) = -1 EINPROGRESS (x)
+0 connect(3, ..., ...) = -1 EALREADY (Operation already in progress)
+0 > S 0:0(0) <...>
+.01 < R. 0:0(0) ack 1 win 0
+0 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.01 < S. 0:0(0) ack 1 win 1000 <mss 1000>
+0 > . 1:1(0) ack 1
+0 connect(3, ..., ...) = 0
+0 connect(3, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
+.01 < R. 1:1(0) ack 1 win 0
+0 connect(3, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
+0 connect(3, {sa_family=AF_UNSPEC, ...}, ...) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
`));

test('a connection that is reset before connect(2) asked again answers with the error', () =>
  expectScript(`
${CONNECTED}
+.01 < R. 1:1(0) ack 1 win 0
+0 connect(3, ..., ...) = -1 ECONNRESET (Connection reset by peer)
`));

test('an accepted socket stays connected for connect(2) after a reset', () =>
  expectScript(`
${ACCEPTED}
+.01 < R. 1:1(0) ack 1 win 0
+0 connect(4, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
`));

test('an ICMP error about a SYN is the error of the next call', () =>
  expectScript(`
${CLIENT}
+0 connect(3, ..., ...) = -1 EINPROGRESS (x)
+0 > S 0:0(0) <...>
+0 < icmp unreachable net_unreachable [0:0(0)]
+0 write(3, ..., 1) = -1 ENETUNREACH (Network is unreachable)
`));

test('TCP_DEFER_ACCEPT waits for data', () =>
  expectScript(`
${LISTENING}
+0 setsockopt(3, SOL_TCP, TCP_DEFER_ACCEPT, [5], 4) = 0
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = -1 EAGAIN (x)
+.01 < P. 1:11(10) ack 1 win 257
+0 > . 1:1(0) ack 11
+0 accept(3, ..., ...) = 4
`));
