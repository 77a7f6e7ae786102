/** RFC 7413 §4.2.2 and §5.1: the server's side of Fast Open, as scripts. The keys and addresses give the cookie 3021b9d889017eeb. */
import { test } from 'vitest';
import { expectScript } from '../../kit/script.ts';

const listening = (before = '', queue = 1) => `
\`./defaults.sh
${before}\`
    0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 8) = 0
   +0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [${queue}], 4) = 0
   +0 \`nstat -n\`
`;
const OPENED = `
   +0 < S 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
   +0 > S. 0:0(0) ack 11 <mss 1460,nop,nop,sackOK>
`;

test('data in a SYN with a good cookie is read, and answered, before the handshake ends', () =>
  expectScript(`${listening()}${OPENED}
   +0 accept(3, ..., ...) = 4
   +0 %{ assert tcpi_state == TCP_SYN_RECV, tcpi_state }%
   +0 read(4, ..., 100) = 10
   +0 write(4, ..., 1000) = 1000
   +0 > P. 1:1001(1000) ack 11
  +.1 < . 11:11(0) ack 1001 win 32792
   +0 %{ assert tcpi_state == TCP_ESTABLISHED; assert tcpi_unacked == 0; assert tcpi_rtt > 90000 }%
   +0 \`nstat | grep TcpExtTCPFastOpenPassive | grep -q " 1 "\`
`));

test('the SYN-ACK alone is repeated, one time more than of other handshakes, then the child ends', () =>
  expectScript(`${listening('sysctl -q net.ipv4.tcp_synack_retries=1')}${OPENED}
   +0 accept(3, ..., ...) = 4
   +0 write(4, ..., 1000) = 1000
   +0 > P. 1:1001(1000) ack 11
   +1 > S. 0:0(0) ack 11 <mss 1460,nop,nop,sackOK>
   +2 > S. 0:0(0) ack 11 <mss 1460,nop,nop,sackOK>
 +4.1 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%
   +0 read(4, ..., 100) = 10
   +0 read(4, ..., 100) = -1 ETIMEDOUT (Connection timed out)
`));

test('a second SYN of the same client is answered with the SYN-ACK again', () =>
  expectScript(`${listening()}${OPENED}
  +.1 < S 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
   +0 > S. 0:0(0) ack 11 <mss 1460,nop,nop,sackOK>
   +0 accept(3, ..., ...) = 4
   +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 read(4, ..., 100) = 10
   +0 read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)
`));

test('a segment without ACK and without news is dropped while the SYN-ACK waits', () =>
  expectScript(`${listening()}${OPENED}
   +0 < P 11:21(10) win 32792
   +0 < . 11:21(10) ack 1 win 32792
   +0 > . 1:1(0) ack 21
   +0 accept(3, ..., ...) = 4
   +0 read(4, ..., 100) = 20
`));

test('closed with all read in SYN-RECEIVED, FIN goes out and the handshake still ends', () =>
  expectScript(`${listening()}${OPENED}
   +0 accept(3, ..., ...) = 4
   +0 read(4, ..., 100) = 10
   +0 close(4) = 0
   +0 > F. 1:1(0) ack 11
  +.1 < . 11:11(0) ack 1 win 32792
  +.1 < F. 11:11(0) ack 2 win 32792
   +0 > . 2:2(0) ack 12
`));

test('a SYN with FIN opens nothing, whatever its cookie', () =>
  expectScript(`${listening()}
   +0 < SF 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
  +.1 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)
`));

test('a cookie that is wrong opens nothing, and the right one comes with the SYN-ACK', () =>
  expectScript(`${listening()}
   +0 < S 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO 0011223344556677,nop,nop>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,FO TFO_COOKIE,nop,nop>
   +0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)
   +0 \`nstat | grep TcpExtTCPFastOpenPassiveFail | grep -q " 1 "\`
   +1 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
`));

test('a request for a cookie is counted, and answered in the form in which it was made', () =>
  expectScript(`${listening()}
   +0 < S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,FOEXP>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,FOEXP TFO_COOKIE>
   +0 \`nstat | grep TcpExtTCPFastOpenCookieReqd | grep -q " 1 "\`
`));

test('a cookie under the older key opens, and the new one comes with the SYN-ACK', () =>
  expectScript(`${listening('sysctl -q net.ipv4.tcp_fastopen_key=0-0-0-0,a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4')}
   +0 < S 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
   +0 > S. 0:0(0) ack 11 <mss 1460,nop,nop,sackOK,FO TFO_COOKIE_ZERO,nop,nop>
   +0 \`nstat | grep TcpExtTCPFastOpenPassiveAltKey | grep -q " 1 "\`
`));

test('a full queue falls back to three packets; a RST keeps its place taken for a minute', async () => {
  const reset = `${listening()}${OPENED}
   +0 accept(3, ..., ...) = 4
   +0 < R. 11:11(0) win 32792
   +0 close(4) = 0
`;
  const again = (ack: number) => `
   +0 listen(3, 8) = 0
   +0 < S 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
   +0 > S. 0:0(0) ack ${ack} <mss 1460,nop,nop,sackOK>
`;
  await expectScript(`${reset}${again(1)}   +0 \`nstat | grep TcpExtTCPFastOpenListenOverflow | grep -q " 1 "\`\n`);
  await expectScript(`${reset}   +61 \`true\`${again(11)}`);
});

test('without the option of the listener, or the bit of the sysctl, data in a SYN waits for the third packet', async () => {
  const ignored = `
   +0 < S 0:10(10) win 32792 <mss 1460,sackOK,nop,nop,FO TFO_COOKIE,nop,nop>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
`;
  await expectScript(`${listening('', 0)}${ignored}`);
  await expectScript(`${listening('sysctl -q net.ipv4.tcp_fastopen=0x1')}${ignored}`);
});

test('TCP_FASTOPEN_NO_COOKIE on the listener takes data from anybody', () =>
  expectScript(`${listening()}
   +0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, [1], 4) = 0
   +0 < S 0:10(10) win 32792 <mss 1460,sackOK>
   +0 > S. 0:0(0) ack 11 <mss 1460,nop,nop,sackOK>
`));
