/** RFC 7413 §4.2.1 and §4.1.3: the client's side of Fast Open, as scripts. */
import { test } from 'vitest';
import { expectScript } from '../../kit/script.ts';

/** A cookie of 1460 octets' MSS is known; timestamps are off so that options are short. */
const warm = (before = '') => `
\`./defaults.sh
sysctl -q net.ipv4.tcp_timestamps=0
${before}\`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation is now in progress)
   +0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8,FO,nop,nop>
 +.01 < S. 123:123(0) ack 1 win 5840 <mss 1460,nop,nop,sackOK,nop,wscale 6,FO abcd1234,nop,nop>
   +0 > . 1:1(0) ack 1
 +.01 close(3) = 0
   +0 > F. 1:1(0) ack 1
 +.01 < F. 1:1(0) ack 2 win 92
   +0 > . 2:2(0) ack 2
   +0 \`nstat -n\`
`;
const OPEN = `
   +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
   +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000
   +0 > S 0:1000(1000) <mss 1460,nop,nop,sackOK,nop,wscale 8,FO abcd1234,nop,nop>
`;

test('data acknowledged by the SYN-ACK: one exchange, and it is counted', () =>
  expectScript(`${warm()}${OPEN}
 +.01 < S. 0:0(0) ack 1001 win 5840 <mss 1460,nop,nop,sackOK,nop,wscale 6>
   +0 > . 1001:1001(0) ack 1
   +0 %{ assert (tcpi_options & TCPI_OPT_SYN_DATA) != 0; assert tcpi_fastopen_client_fail == 0 }%
   +0 \`nstat | grep TcpExtTCPFastOpenActive | grep -q " 1 "\`
`));

test('data that the SYN-ACK leaves out goes again at once, with the ACK', () =>
  expectScript(`${warm()}${OPEN}
 +.01 < S. 0:0(0) ack 1 win 5840 <mss 1460,nop,nop,sackOK,nop,wscale 6>
   +0 > P. 1:1001(1000) ack 1
   +0 %{ assert tcpi_fastopen_client_fail == 2, tcpi_fastopen_client_fail }%
   +0 \`nstat | grep TcpExtTCPFastOpenActiveFail | grep -q " 1 "\`
`));

test('a SYN that is repeated has neither data nor the option; the data follows the handshake', () =>
  expectScript(`${warm()}${OPEN}
   +1 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8>
 +.01 < S. 0:0(0) ack 1 win 5840 <mss 1460,nop,nop,sackOK,nop,wscale 6>
   +0 > P. 1:1001(1000) ack 1
   +0 %{ assert tcpi_fastopen_client_fail == 3, tcpi_fastopen_client_fail }%
`));

test('data in the SYN-ACK of an answer to our cookie is taken', () =>
  expectScript(`${warm()}${OPEN}
 +.01 < S. 0:500(500) ack 1001 win 5840 <mss 1460,nop,nop,sackOK,nop,wscale 6>
   +0 > . 1001:1001(0) ack 501
   +0 read(4, ..., 1000) = 500
`));

test('three time-outs in a row pause Fast Open on the whole host, for longer each time', () =>
  expectScript(`${warm('sysctl -q net.ipv4.tcp_fastopen_blackhole_timeout_sec=10')}${OPEN}
   +1 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8>
   +1 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8>
   +1 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8>
   +0 \`nstat | grep TcpExtTCPFastOpenBlackhole | grep -q " 1 "\`
   +0 close(4) = 0
   +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5
   +0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 sendto(5, ..., 1000, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation is now in progress)
   +0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8>
   +0 close(5) = 0
  +11 socket(..., SOCK_STREAM, IPPROTO_TCP) = 6
   +0 fcntl(6, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 sendto(6, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000
   +0 > S 0:1000(1000) <mss 1460,nop,nop,sackOK,nop,wscale 8,FO abcd1234,nop,nop>
`));

test('with TFO_CLIENT_NO_COOKIE or TCP_FASTOPEN_NO_COOKIE data goes without a cookie', async () => {
  const open = (option: string) => `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   ${option}
   +0 sendto(3, ..., 2000, MSG_FASTOPEN, ..., ...) = 1420
   +0 > S 0:1420(1420) <mss 1460,nop,nop,sackOK,nop,wscale 8>
`;
  const off = 'sysctl -q net.ipv4.tcp_timestamps=0';
  await expectScript(`\`./defaults.sh\n${off}\nsysctl -q net.ipv4.tcp_fastopen=5\`${open('')}`);
  await expectScript(
    `\`./defaults.sh\n${off}\`${open('+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, [1], 4) = 0')}`,
  );
});

test('a RST to the SYN is the answer to the next write, and after it the socket may connect again', () =>
  expectScript(`${warm()}${OPEN}
 +.01 < R. 0:0(0) ack 1001 win 0
   +0 write(4, ..., 10) = -1 ECONNREFUSED (Connection refused)
   +0 connect(4, AF_UNSPEC, ...) = 0
   +0 sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000
   +0 > S 0:1000(1000) <mss 1460,nop,nop,sackOK,nop,wscale 8,FO abcd1234,nop,nop>
`));
