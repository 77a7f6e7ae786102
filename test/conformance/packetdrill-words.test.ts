/** The packetdrill runner's language beyond TCP segments, in scripts of our own: datagrams, files, error queues, places. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectScript } from '../packetdrill/inline.ts';
import { runScript } from '../packetdrill/interpreter.ts';
import { lineOf, statusOf } from '../packetdrill/report.ts';

/** An accepted connection, descriptor 4. */
const CONNECTED = `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+.01 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4`;

test('datagrams go out and come in, with TOS and TTL, and an ICMP error about one is read', () =>
  expectScript(`
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 setsockopt(3, IPPROTO_IP, IP_TOS, [0x10], 4) = 0
+0 setsockopt(3, SOL_IP, IP_TTL, [9], 4) = 0
+0 setsockopt(3, SOL_IP, IP_RECVERR, [1], 4) = 0
+0 connect(3, ..., ...) = 0
+0 send(3, ..., 100, 0) = 100
+0 > [tos 0x10,ttl 9] udp (100)
+.1 < [ect0] udp (7)
+0 recv(3, ..., 20, MSG_DONTWAIT) = 7
+0 recv(3, ..., 20, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)
+.1 < icmp unreachable port_unreachable [udp (100)]
+0 poll([{fd=3, events=POLLERR, revents=POLLERR}], 1, 0) = 1
+0 recvmsg(3, {msg_name(...)={sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")},
              msg_iov(1)=[{...,0}],
              msg_flags=MSG_ERRQUEUE,
              msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR,
                            cmsg_data={ee_errno=ECONNREFUSED, ee_origin=SO_EE_ORIGIN_ICMP, ee_type=3, ee_code=3,
                                       ee_info=0, ee_data=0}}]}, MSG_ERRQUEUE) = 0
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
`));

test('a datagram to a socket that is bound, received with its TTL and TOS, and answered', () =>
  expectScript(`
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0 setsockopt(3, SOL_IP, IP_RECVTTL, [1], 4) = 0
+0 setsockopt(3, SOL_IP, IP_RECVTOS, [1], 4) = 0
+0...0.1 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{...,10}], msg_flags=MSG_TRUNC,
              msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_TTL, cmsg_data=33},
                           {cmsg_level=SOL_IP, cmsg_type=IP_TOS, cmsg_data=0x20}]}, 0) = 10
+.1 < (tos 0x20,ttl 33) udp (1000)
+0 sendto(3, ..., 5, 0, ..., ...) = 5
+0 > udp (5)
`));

test('a SYN that a router refuses is in the error queue of a socket that asked for nothing', () =>
  expectScript(`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.1 < icmp time_exceeded exc_ttl [0:0(0)]
+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_ERRQUEUE|MSG_TRUNC,
              msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR,
                            cmsg_data={ee_errno=EHOSTUNREACH, ee_origin=SO_EE_ORIGIN_ICMP, ee_type=11, ee_code=0,
                                       ee_info=0, ee_data=0}}]}, MSG_ERRQUEUE) = 0
`));

test('sendfile sends a file that dd made, splice takes what came into a pipe', () =>
  expectScript(`
\`dd bs=1 count=5012 if=/dev/zero of=/tmp/testfile status=none\`
${CONNECTED}
+0 open("/tmp/testfile", O_RDONLY) = 5
+0 sendfile(4, 5, [0], 5012) = 5012
+0 > P. 1:5013(5012) ack 1
+.01 < . 1:1(0) ack 5013 win 257
+0 sendfile(4, 5, [5000], 5012) = 12
+0 > P. 5013:5025(12) ack 1
+.01 < P. 1:1001(1000) ack 5025 win 257
+0 > . 5025:5025(0) ack 1001
+0 pipe([6, 7]) = 0
+0 splice(4, NULL, 7, NULL, 99999, SPLICE_F_MOVE) = 1000
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 splice(4, NULL, 7, NULL, 99999, SPLICE_F_MOVE) = -1 EAGAIN (Resource temporarily unavailable)
+0 splice(6, NULL, 4, NULL, 99999, 0) = 1000
+0 > P. 5025:6025(1000) ack 1001
+0 \`rm /tmp/testfile\`
`));

test('urgent data in both directions, and what MSG_ flags do to a stream', () =>
  expectScript(`${CONNECTED}
+0 send(4, ..., 1, MSG_OOB) = 1
+0 > PU. 1:2(1) ack 1 urg 1
+.01 < . 1:1(0) ack 2 win 257
+0 recv(4, ..., 10, MSG_OOB) = -1 EINVAL (Invalid argument)
+.01 < PU. 1:11(10) ack 2 win 257 urg 10
+0 > . 2:2(0) ack 11
+0 poll([{fd=4, events=POLLIN|POLLPRI, revents=POLLIN|POLLPRI}], 1, 0) = 1
+0 recv(4, ..., 4, MSG_PEEK) = 4
+0 recv(4, ..., 4, MSG_TRUNC) = 4
+0 recv(4, ..., 100, 0) = 5
+0 recv(4, ..., 1, MSG_OOB) = 1
+0 recv(4, ..., 1, MSG_OOB) = -1 EINVAL (Invalid argument)
+0 recv(4, ..., 100, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)
+0 send(4, ..., 5, MSG_MORE) = 5
+0 send(4, ..., 5, 0) = 5
+0 > P. 2:12(10) ack 11
`));

test('MSG_WAITALL and SO_RCVLOWAT block until there is enough; SO_RCVTIMEO ends it', () =>
  expectScript(`${CONNECTED}
+0...0.2 recv(4, ..., 2000, MSG_WAITALL) = 2000
+.1 < P. 1:1001(1000) ack 1 win 257
*  > . 1:1(0) ack 1001
+.1 < P. 1001:2001(1000) ack 1 win 257
*  > . 1:1(0) ack 2001
`));

test('a time stamp for one call, asked for by a control message', () =>
  expectScript(`${CONNECTED}
+0 setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING, [SOF_TIMESTAMPING_SOFTWARE|SOF_TIMESTAMPING_OPT_TSONLY], 4) = 0
+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 300}, {..., 700}], msg_flags=0,
              msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SO_TIMESTAMPING,
                            cmsg_data=SOF_TIMESTAMPING_TX_ACK}]}, 0) = 1000
+0 > P. 1:1001(1000) ack 1
+.05 < . 1:1(0) ack 1001 win 257
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_ERRQUEUE,
              msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING,
                            cmsg_data={scm_sec=0,scm_nsec=60000000}},
                           {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR,
                            cmsg_data={ee_errno=ENOMSG, ee_origin=SO_EE_ORIGIN_TIMESTAMPING, ee_type=0, ee_code=0,
                                       ee_info=SCM_TSTAMP_ACK, ee_data=0}}]}, MSG_ERRQUEUE) = 0
+0 write(4, ..., 10) = 10
+0 > P. 1001:1011(10) ack 1
+.05 < . 1:1(0) ack 1011 win 257
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=0, msg_control=[]}, MSG_ERRQUEUE) = -1 EAGAIN (none)
`));

test('asserts on SO_MEMINFO are worked out', () =>
  expectScript(`${CONNECTED}
+0 setsockopt(4, SOL_SOCKET, SO_RCVBUF, [20000], 4) = 0
+0 %{ assert SK_MEMINFO_RCVBUF == 40000, SK_MEMINFO_RCVBUF }%
`));

test.each([
  ['a flag', 'ee_code=3', 'ee_code=4', 'ee_code: expected 4, got 3'],
  ['a level', 'cmsg_level=SOL_IP', 'cmsg_level=SOL_TCP', 'cmsg_level: expected 6, got 0'],
  ['msg_flags', 'msg_flags=MSG_ERRQUEUE|MSG_TRUNC', 'msg_flags=MSG_ERRQUEUE', 'msg_flags: expected'],
  ['a message too many', 'msg_control=[', 'msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_TTL},', 'number of control'],
])('what recvmsg filled in is compared strictly: %s', async (_, from, to, message) => {
  const script = `
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 setsockopt(3, SOL_IP, IP_RECVERR, [1], 4) = 0
+0 connect(3, ..., ...) = 0
+0 send(3, ..., 9, 0) = 9
+0 > udp (9)
+0 < icmp unreachable port_unreachable [udp (9)]
+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_ERRQUEUE|MSG_TRUNC,
              msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_code=3}}]}, MSG_ERRQUEUE) = 0
`;
  // The quoted packet is cut after eight octets of its transport header: there is no payload to cut.
  const right = script.replace('MSG_ERRQUEUE|MSG_TRUNC,', 'MSG_ERRQUEUE,');
  expect(await runScript(right)).toMatchObject({ outcome: 'pass' });
  const changed = from.startsWith('msg_flags') ? script : right.replace(from, to);
  const verdict = await runScript(changed);
  expect(verdict).toMatchObject({ outcome: 'fail', place: { line: 8, column: 1 } });
  expect(verdict.message).toContain(message);
});

test.each([
  ['0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < Q 0:0(0) win 5', 2, 6, 'expected flags'],
  ['0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n  +0 ?', 2, 6, 'expected a packet, a command or a system call'],
  ['0 bind(3, ..., ...', 1, 19, 'expected )'],
  ['0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < icmp unreachable [x]', 2, 23, '[START:END(LENGTH)]'],
])('a script that is none says where and what was expected: %j', async (text, line, column, expected) => {
  const verdict = await runScript(text);
  expect(verdict).toMatchObject({ outcome: 'unsupported', place: { line, column } });
  expect(verdict.message).toContain(expected);
  const result = { ...verdict, path: 'a/b.pkt', name: 'a/b.pkt' };
  expect(lineOf(result, false)).toContain(`a/b.pkt:${line}:${column}: cannot parse`);
  expect(statusOf([result])).toBe(2);
});

test('words are defined in the script, or by whoever runs it', async () => {
  const text = '-D SIZE=100\n0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 connect(3, ..., ...) = 0\n';
  const send = '+0 send(3, ..., SIZE, 0) = SIZE\n+0 > udp (SIZE)\n';
  expect(await runScript(text + send)).toMatchObject({ outcome: 'pass' });
  const body = text.split('\n').slice(1).join('\n') + send;
  expect(await runScript(body)).toMatchObject({ outcome: 'unsupported' });
  expect(await runScript(body, undefined, new Map([['SIZE', '9']]))).toMatchObject({ outcome: 'pass' });
});

test('the command takes -D, and refuses a definition without a value with status 2', () => {
  const folder = mkdtempSync(join(tmpdir(), 'packetdrill-'));
  const path = join(folder, 'one.pkt');
  writeFileSync(path, '0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = FD\n');
  const main = new URL('../packetdrill/main.ts', import.meta.url).pathname;
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8', stdio: 'pipe' });
  expect(run('-D', 'FD=3', path)).toContain('1 passed, 0 failed, 0 unsupported');
  expect(() => run('-D', 'FD', path)).toThrow(expect.objectContaining({ status: 2 }));
});

test('a splice stops at the urgent octet and answers 0 for as long as reading stands there', () =>
  expectScript(`${CONNECTED}
+0 pipe([5, 6]) = 0
+0 < PU. 1:101(100) ack 1 win 457 urg 100
*  > . 1:1(0) ack 101
+0 < . 101:201(100) ack 1 win 457
*  > . 1:1(0) ack 201
+.1 splice(4, NULL, 6, NULL, 99, 0) = 99
+0 splice(4, NULL, 6, NULL, 1, 0) = 0
+0 splice(4, NULL, 6, NULL, 100, 0) = 0
+0 recv(4, ..., 1, MSG_OOB) = 1
+0 read(4, ..., 1000) = 100
`));

test('with TCP_THIN_LINEAR_TIMEOUTS a stream of few segments does not back off, once it has left slow start', () =>
  expectScript(`${CONNECTED}
+0 setsockopt(4, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, [2], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(4, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, [1], 4) = 0
+0 getsockopt(4, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, [1], [4]) = 0
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+.21~+.26 > P. 1:1001(1000) ack 1
+.21~+.26 > P. 1:1001(1000) ack 1
+.21~+.26 > P. 1:1001(1000) ack 1
`));

test('connect to AF_UNSPEC ends an association, and the next datagram needs an address', () =>
  expectScript(`
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 connect(3, ..., ...) = 0
+0 getpeername(3, ..., ...) = 0
+0 connect(3, {sa_family=AF_UNSPEC}, ...) = 0
+0 getpeername(3, ..., ...) = -1 ENOTCONN (Transport endpoint is not connected)
+0 poll([{fd=3, events=POLLIN|POLLOUT|POLLWRNORM, revents=POLLOUT|POLLWRNORM}], 1, 0) = 1
`));
