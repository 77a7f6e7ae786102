/** RFC 9768 §3.1: accurate ECN asked for, agreed on and given up in the handshake, as Linux does it. */
import { describe, test } from 'vitest';
import { expectScript } from '../../packetdrill/inline.ts';

const LISTEN = `
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0`;
const CONNECT = `
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
 +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
 +0 connect(4, ..., ...) = -1 EINPROGRESS (Operation now in progress)`;
const OFFER = '<mss 1460,nop,nop,sackOK,nop,wscale 8>';
const ANSWER = '<mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>';
const sysctl = (...words: string[]): string => words.map((word) => `\`sysctl -q net.ipv4.${word}\``).join('\n');
const OURS = '<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>';

describe('a server (§3.1.2, Table 2)', () => {
  for (const [mark, flags] of [
    ['noecn', 'SW.'],
    ['ect1', 'SEW.'],
    ['ect0', 'SA.'],
    ['ce', 'SWA.'],
  ] as const) {
    test(`says in its SYN-ACK that the SYN came with ${mark}`, async () => {
      await expectScript(`${sysctl('tcp_ecn=3')}${LISTEN}
+0 < [${mark}] SEWA 0:0(0) win 32792 ${OFFER}
+0 > [noecn] ${flags} 0:0(0) ack 1 ${ANSWER}`);
    });
  }

  for (const flags of ['SE', 'SW', 'SA', 'SEA', 'SWA', 'SEWA']) {
    test(`takes ${flags} as a wish for accurate ECN`, async () => {
      await expectScript(`${sysctl('tcp_ecn=5')}${LISTEN}
+0 < ${flags} 0:0(0) win 32792 ${OFFER}
+0 > SW. 0:0(0) ack 1 ${ANSWER}`);
    });
  }

  test('gives what RFC 3168 has to a SYN with ECE and CWR alone, and nothing to one without flags', async () => {
    await expectScript(`${sysctl('tcp_ecn=4')}${LISTEN}
+0 < SEW 0:0(0) win 32792 ${OFFER}
+0 > SE. 0:0(0) ack 1 ${OFFER}`);
    await expectScript(`${sysctl('tcp_ecn=3')}${LISTEN}
+0 < S 0:0(0) win 32792 ${OFFER}
+0 > S. 0:0(0) ack 1 ${OFFER}`);
  });

  test('answers a wish for accurate ECN with RFC 3168 by default (tcp_ecn=2), and with nothing when tcp_ecn is 0', async () => {
    await expectScript(`${sysctl('tcp_ecn=2')}${LISTEN}
+0 < [ce] SEWA 0:0(0) win 32792 ${OFFER}
+0 > SE. 0:0(0) ack 1 ${OFFER}`);
    await expectScript(`${LISTEN}
+0 < SEWA 0:0(0) win 32792 ${OFFER}
+0 > S. 0:0(0) ack 1 ${OFFER}`);
  });

  test('puts the option between timestamps and window scale, and leaves it out when tcp_ecn_option is 0', async () => {
    await expectScript(`${sysctl('tcp_ecn=3')}${LISTEN}
+0 < SEWA 0:0(0) win 32792 <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 8>
+0 > SW. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 5,ECN e1b 1 ceb 0 e0b 1,nop,nop,wscale 8>`);
    await expectScript(`${sysctl('tcp_ecn=3')}${LISTEN}
+0 < SEWA 0:0(0) win 32792 <mss 1460>
+0 > SW. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop>`);
    await expectScript(`${sysctl('tcp_ecn=3', 'tcp_ecn_option=0')}${LISTEN}
+0 < SEWA 0:0(0) win 32792 ${OFFER}
+0 > SW. 0:0(0) ack 1 ${OFFER}`);
  });

  test('sends no ECT to a client whose last ACK has no flags, and goes on counting for it (§3.2.2.1)', async () => {
    await expectScript(`${sysctl('tcp_ecn=3')}${LISTEN}
+0 < SEWA 0:0(0) win 32792 ${OFFER}
+0 > SW. 0:0(0) ack 1 <...>
+.01 < . 1:1(0) ack 1 win 320
+0 accept(3, ..., ...) = 4
+0 %{ assert tcpi_accecn_fail_mode == 10, tcpi_accecn_fail_mode }%
+.01 < [ce] EAP. 1:1001(1000) ack 1 win 320
+0 > [noecn] WA. 1:1(0) ack 1001`);
  });

  test('does not believe that its SYN-ACK, sent without ECT, came with CE; unless tcp_ecn_fallback is 0', async () => {
    const script = (data: string): string => `${LISTEN}
+0 < SEWA 0:0(0) win 32792 ${OFFER}
+0 > [noecn] SW. 0:0(0) ack 1 <...>
+.01 < WA. 1:1(0) ack 1 win 320
+0 accept(3, ..., ...) = 4
${data}`;
    await expectScript(
      `${sysctl('tcp_ecn=3')}${script(`+0 write(4, ..., 100) = 100
+0 > [noecn] EAP. 1:101(100) ack 1
+0 %{ assert tcpi_delivered_ce == 0; assert tcpi_accecn_fail_mode == 2 }%`)}`,
    );
    await expectScript(
      `${sysctl('tcp_ecn=3', 'tcp_ecn_fallback=0')}${script(`+0 write(4, ..., 100) = 100
+0 > [ect0] EAP. 1:101(100) ack 1
+0 %{ assert tcpi_delivered_ce == 1; assert tcpi_accecn_fail_mode == 0 }%`)}`,
    );
  });

  test('goes together with Fast Open: data in the SYN is served, and counted with its mark', async () => {
    await expectScript(`${sysctl('tcp_ecn=3', 'tcp_fastopen=0x202')}
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 bind(3, ..., ...) = 0
 +0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [10], 4) = 0
 +0 listen(3, 1) = 0
 +0 < [ect0] SEWA 0:100(100) win 32792 ${OFFER}
 +0 > SA. 0:0(0) ack 101 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>
 +0 accept(3, ..., ...) = 4
 +0 %{
assert tcpi_ecn_mode == 2, tcpi_ecn_mode
assert tcpi_received_e0_bytes == 100, tcpi_received_e0_bytes
}%
+.01 < [ect0] W. 101:101(0) ack 1 win 320
 +0 write(4, ..., 100) = 100
 +0 > [ect0] P.5 1:101(100) ack 101`);
  });

  test('knows from the last ACK that a SYN cookie was given with accurate ECN (§5.1)', async () => {
    await expectScript(
      `${sysctl('tcp_ecn=3', 'tcp_syncookies=2')}${LISTEN}
+0 < SEWA 0:0(0) win 32792 <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 8>
+0 > SW. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 5,ECN e1b 1 ceb 0 e0b 1,nop,nop,wscale 8>
+.01 < [ect0] W. 1:1(0) ack 1 win 320 <nop,nop,TS val 6 ecr 100>
+0 accept(3, ..., ...) = 4
+0 %{ assert tcpi_ecn_mode == 2, tcpi_ecn_mode }%
+0 write(4, ..., 100) = 100
+0 > [ect0] P.5 1:101(100) ack 1 <...>`,
    );
  });

  test('answers an out-of-window segment for a half-open connection without ECT', async () => {
    await expectScript(`${sysctl('tcp_ecn=3')}${LISTEN}
+0 < SEWA 0:0(0) win 32792 ${OFFER}
+0 > SW. 0:0(0) ack 1 <...>
+.6 < [ect0] EAP. 90001:90002(1) ack 1 win 320
+0 > [noecn] . 1:1(0) ack 1`);
  });
});

describe('a client (§3.1.2, Table 2)', () => {
  for (const [mark, flags] of [
    ['noecn', 'W.'],
    ['ect1', 'EW.'],
    ['ect0', 'A.'],
  ] as const) {
    test(`says in its ACK that the SYN-ACK came with ${mark}`, async () => {
      await expectScript(`${sysctl('tcp_ecn=3')}${CONNECT}
+0 > [noecn] SEWA 0:0(0) ${OURS}
+.05 < [${mark}] SW. 0:0(0) ack 1 win 32767 ${OFFER}
+0 > [ect0] ${flags} 1:1(0) ack 1
+0 %{ assert tcpi_ecn_mode == 2, tcpi_ecn_mode }%`);
    });
  }

  test('counts the CE of a SYN-ACK, from its first data on', async () => {
    await expectScript(`${sysctl('tcp_ecn=3')}${CONNECT}
+0 > SEWA 0:0(0) ${OURS}
+.05 < [ce] SW. 0:0(0) ack 1 win 32767 ${OFFER}
+0 > [ect0] WA. 1:1(0) ack 1
+0 write(4, ..., 100) = 100
+0 > [ect0] WAP. 1:101(100) ack 1
+0 %{ assert tcpi_received_ce == 1, tcpi_received_ce }%`);
  });

  test('sends no ECT when a SYN-ACK with CE claims that the SYN, sent without ECT, came with CE', async () => {
    await expectScript(`${sysctl('tcp_ecn=3')}${CONNECT}
+0 > SEWA 0:0(0) ${OURS}
+.05 < [ce] SWA. 0:0(0) ack 1 win 32767 ${OFFER}
+0 > [noecn] WA. 1:1(0) ack 1
+0 %{ assert tcpi_received_ce == 0; assert tcpi_accecn_fail_mode == 2 }%`);
  });

  for (const [flags, mode] of [
    ['S.', 0],
    ['SE.', 1],
    ['SW.', 2],
    ['SEW.', 2],
    ['SA.', 2],
    ['SEA.', 2],
    ['SWA.', 2],
    ['SEWA.', 0],
  ] as const) {
    test(`is in ECN mode ${mode} after ${flags}`, async () => {
      await expectScript(`${sysctl('tcp_ecn=3')}${CONNECT}
+0 > SEWA 0:0(0) ${OURS}
+0 %{ assert tcpi_ecn_mode == 3, tcpi_ecn_mode }%
+.05 < ${flags} 0:0(0) ack 1 win 32767 ${OFFER}
+0 %{ assert tcpi_ecn_mode == ${mode}, tcpi_ecn_mode }%`);
    });
  }

  test('that asked for RFC 3168 takes no other answer', async () => {
    await expectScript(`${sysctl('tcp_ecn=1')}${CONNECT}
+0 > SEW 0:0(0) ${OURS}
+.05 < SW. 0:0(0) ack 1 win 32767 ${OFFER}
+0 > [noecn] . 1:1(0) ack 1
+0 %{ assert tcpi_ecn_mode == 0, tcpi_ecn_mode }%`);
  });

  test('asks twice with flags, and then without; the flags stay when tcp_ecn_fallback is 0 (§3.1.4.1)', async () => {
    await expectScript(`${sysctl('tcp_ecn=3', 'tcp_ecn_fallback=0')}${CONNECT}
+0 > SEWA 0:0(0) ${OURS}
+1 > SEWA 0:0(0) <...>
+1 > SEWA 0:0(0) <...>`);
  });

  test('agrees on accurate ECN when two SYNs cross, with the option in the SYN-ACK', async () => {
    await expectScript(`${sysctl('tcp_ecn=3')}${CONNECT}
+0 > SEWA 0:0(0) ${OURS}
+.05 < [ect0] SEWA 0:0(0) win 32767 ${OFFER}
+0 > SA. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>
+.05 < [noecn] SW. 0:0(0) ack 1 win 32767 ${OFFER}
+0 %{ assert tcpi_ecn_mode == 2, tcpi_ecn_mode }%`);
    await expectScript(`${sysctl('tcp_ecn=3')}${CONNECT}
+0 > SEWA 0:0(0) ${OURS}
+.05 < SEW 0:0(0) win 32767 ${OFFER}
+0 > SE. 0:0(0) ack 1 ${OFFER}
+0 %{ assert tcpi_ecn_mode == 1, tcpi_ecn_mode }%`);
  });
});
