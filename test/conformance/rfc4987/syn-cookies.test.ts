/** RFC 4987 §3.6: SYN cookies as Linux makes them: what an ACK may bring back, and for how long. */
import { expect, test } from 'vitest';
import { expectScript } from '../../kit/script.ts';
import { tcpScript } from '../../kit/tcp.ts';

const always = (before = '') => `
\`./defaults.sh
sysctl -q net.ipv4.tcp_syncookies=2
${before}\`
    0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 8) = 0
   +0 \`nstat -n\`
`;
const PLAIN = `
   +0 < S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss 1460>
`;
const STAMPED = `
   +0 < S 0:0(0) win 32792 <mss 1400,sackOK,TS val 100 ecr 0,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1000 ecr 100,nop,wscale 8>
`;

test('without timestamps the MSS alone comes back, and the SYN-ACK is never repeated', () =>
  expectScript(`${always()}${PLAIN}
  +50 < . 1:1(0) ack 1 win 8000
   +0 accept(3, ..., ...) = 4
   +0 %{ assert tcpi_options == 0, tcpi_options; assert tcpi_snd_mss == 1460, tcpi_snd_mss }%
   +0 write(4, ..., 2000) = 2000
   +0 > P. 1:2001(2000) ack 1
   +0 \`nstat | grep TcpExtSyncookiesSent | grep -q " 1 "\`
`));

test('with timestamps SACK and the window scale come back in their low bits', () =>
  expectScript(`${always()}${STAMPED}
  +.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 200 ecr 1000>
   +0 accept(3, ..., ...) = 4
   +0 %{ assert (tcpi_options & 7) == 7, tcpi_options; assert tcpi_snd_wscale == 7; assert tcpi_snd_mss == 1288, tcpi_snd_mss }%
   +0 \`nstat | grep TcpExtSyncookiesRecv | grep -q " 1 "\`
`));

test('ECN comes back as well', () =>
  expectScript(`${always('sysctl -q net.ipv4.tcp_ecn=1')}
   +0 < SEW 0:0(0) win 32792 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
   +0 > SE. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1000 ecr 100,nop,wscale 8>
  +.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 200 ecr 1000>
   +0 accept(3, ..., ...) = 4
   +0 %{ assert (tcpi_options & TCPI_OPT_ECN) != 0, tcpi_options }%
`));

test('data may come with the ACK', () =>
  expectScript(`${always()}${PLAIN}
  +.1 < P. 1:101(100) ack 1 win 8000
   +0 > . 1:1(0) ack 101
   +0 accept(3, ..., ...) = 4
   +0 read(4, ..., 1000) = 100
`));

test('a number that is no cookie of ours is reset, and counted', () =>
  expectScript(`${always()}${PLAIN}
  +.1 < . 1:1(0) ack 5000001 win 8000
   +0 > R 5000001:5000001(0) win 0
   +0 \`nstat | grep TcpExtSyncookiesFailed | grep -q " 1 "\`
`));

test('two minutes later it is too late', () =>
  expectScript(`${always()}${PLAIN}
 +121 < . 1:1(0) ack 1 win 8000
   +0 > R 1:1(0) win 0
`));

test('MSSs are rounded down to those of the table', async () => {
  const told = async (mss: number, kept: number): Promise<void> =>
    expectScript(`${always()}
   +0 < S 0:0(0) win 32792 <mss ${mss}>
   +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 32792
   +0 accept(3, ..., ...) = 4
   +0 %{ assert tcpi_snd_mss == ${kept}, tcpi_snd_mss }%
`);
  for (const [mss, kept] of [
    [500, 536],
    [1_299, 536],
    [1_300, 1_300],
    [1_459, 1_440],
    [9_000, 1_460],
  ] as const) {
    await told(mss, kept);
  }
});

test('tcp_syncookies 1: only a full queue answers with cookies; what is in it stays', () => {
  const t = tcpScript();
  const listener = t.listen(8_080, 1);
  for (let n = 0; n < 2; n++) {
    t.inbound('S 0:0(0) win 32792 <mss 1460,sackOK>');
    t.outbound('S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>');
    t.nextPeer();
  }
  t.inbound('S 0:0(0) win 32792 <mss 1460,sackOK>');
  t.outbound('S. 0:0(0) ack 1 <mss 1460>');
  expect([listener.accept?.requests.size, t.host.snmp.TcpExtTCPReqQFullDoCookies]).toEqual([2, 1]);
  t.inbound('. 1:1(0) ack 1 win 1000');
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});

test('tcp_syncookies 0: a full queue drops', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_syncookies': '0' } });
  t.listen(8_080, 1);
  for (let n = 0; n < 3; n++) {
    t.inbound('S 0:0(0) win 32792 <mss 1460>');
    t.nextPeer();
  }
  expect([t.host.snmp.TcpExtTCPReqQFullDrop, t.host.snmp.TcpExtListenDrops]).toEqual([1, 1]);
});

test('with no room to accept it a good cookie is dropped, not reset', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_syncookies': '2' } });
  const listener = t.listen(8_080, 1);
  t.inbound('S 0:0(0) win 32792 <mss 1460>');
  t.outbound('S. 0:0(0) ack 1 <mss 1460>');
  // The queue has filled up meanwhile.
  listener.accept!.max = -1;
  t.inbound('. 1:1(0) ack 1 win 1000');
  t.silence(1);
  expect([t.host.snmp.TcpExtSyncookiesRecv, t.host.snmp.TcpExtListenOverflows]).toEqual([1, 1]);
  listener.accept!.max = 1;
  t.inbound('. 1:1(0) ack 1 win 1000');
  expect(t.accept(listener).state).toBe('ESTABLISHED');
});
