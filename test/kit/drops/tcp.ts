/** Drops of TCP, in the notation of packet scripts. */
import { PROTOCOL } from '../../../shared/header/ipv4.ts';
import { TCP } from '../../../shared/header/tcp.ts';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { receiveWindow, type TcpSock } from '../../../shared/net/tcp-sock.ts';
import { ip } from '../cable.ts';
import { type ScriptOptions, type TcpScript, tcpScript } from '../tcp.ts';
import { DropBench, type DropRecipes, NO_COUNTER, nstat, type Watch } from './bench.ts';

function script(watch: Watch, options?: ScriptOptions): TcpScript {
  const t = tcpScript(options);
  watch(t.host, t.clock);
  return t;
}

/** An established connection and the script that goes on with it. */
function established(watch: Watch, syn?: string, ack?: string): { t: TcpScript; sk: TcpSock } {
  const t = script(watch);
  const sk = t.established({ ...(syn === undefined ? {} : { syn }), ...(ack === undefined ? {} : { ack }) });
  return { t, sk };
}

/** A bare TCP header on a wire, its offset field `words`. */
function header(watch: Watch, words: number): void {
  const bytes = new Uint8Array(TCP.SIZE);
  bytes[TCP.OFFSET] = words << 4;
  new DropBench(watch).ip(bytes, { protocol: PROTOCOL.TCP });
}

/** A child of a listener whose receive buffer is small, so that its queue fills up. */
function tight(watch: Watch, bytes: number): { t: TcpScript; sk: TcpSock } {
  const t = script(watch);
  const listener = t.listen(8_080, 1);
  setSocketOption(listener, 'SOL_SOCKET', 'SO_RCVBUF', bytes);
  t.inbound('S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>');
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 320');
  return { t, sk: t.accept(listener) };
}

/** A connection whose buffer was made so small that the next segment had to be refused, within the window as it was. */
function squeezed(watch: Watch): TcpScript {
  const { t, sk } = tight(watch, 5_000);
  for (let at = 1; at < 3_001; at += 1_000) t.inbound(`P. ${at}:${at + 1_000}(1000) ack 1 win 320`);
  setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVBUF', 0);
  t.inbound('P. 3001:4001(1000) ack 1 win 320');
  return t;
}

/** The listener expects signatures of the script's peer (RFC 2385). */
function signedBy(listener: TcpSock): void {
  const md5 = { address: ip('192.0.2.1'), key: Uint8Array.of(1, 2, 3) };
  setSocketOption(listener, 'SOL_TCP', 'TCP_MD5SIG', { md5 });
}

export const TCP_DROPS: DropRecipes = {
  tcp_header: [
    { when: 'its offset field is below five words', counter: nstat('TcpInErrs'), make: (watch) => header(watch, 4) },
  ],
  tcp_bad_checksum: [
    { when: 'its sum is wrong', counter: nstat('TcpInCsumErrors'), make: (watch) => header(watch, 5) },
  ],
  tcp_flags: [
    {
      when: 'a listener gets SYN and FIN together',
      counter: NO_COUNTER,
      make: (watch) => {
        const t = script(watch);
        t.listen();
        t.inbound('FS 0:0(0) win 32792');
      },
    },
    {
      when: 'a segment without any flag comes to a connection',
      place: 'tcp_rcv_established',
      counter: NO_COUNTER,
      make: (watch) => established(watch).t.inbound('- 1:1(0) win 320'),
    },
  ],
  tcp_old_data: [
    {
      when: 'it is repeated after its acknowledgement',
      place: 'tcp_validate_incoming',
      counter: nstat('TcpExtDelayedACKLost'),
      make: (watch) => {
        const { t } = established(watch);
        t.inbound('P. 1:1001(1000) ack 1 win 320');
        t.inbound('. 1001:2001(1000) ack 1 win 320');
        t.wait(0.5);
        t.inbound('P. 1:1001(1000) ack 1 win 320');
      },
    },
    {
      when: 'it is repeated just before its acknowledgement',
      counter: nstat('TcpExtDelayedACKLost'),
      make: (watch) => {
        const { t, sk } = established(watch);
        t.inbound('P. 1:1001(1000) ack 1 win 320');
        sk.rcvWup = (sk.rcvWup - 1_000) >>> 0;
        t.inbound('P. 1:1001(1000) ack 1 win 320');
      },
    },
  ],
  tcp_overwindow: [
    {
      when: 'it begins where our window ends',
      counter: NO_COUNTER,
      make: (watch) => {
        const { t, sk } = established(watch);
        const end = 1 + receiveWindow(sk);
        t.inbound(`. ${end}:${end + 1_000}(1000) ack 1 win 320`);
      },
    },
  ],
  tcp_out_of_order_full: [
    {
      when: 'the buffer is full of what came out of order, and what fills the gap needs its room',
      counter: nstat('TcpExtOfoPruned'),
      // An eighth of the buffer at a time: two packets.
      counts: 1,
      make: (watch) => {
        const { t, sk } = tight(watch, 6_000);
        for (let at = 981; at > 100 && sk.host.skbs.counters.drops.size === 0; at -= 20)
          t.inbound(`. ${at}:${at + 10}(10) ack 1 win 320`);
      },
    },
  ],
  tcp_invalid_sequence: [
    {
      when: 'its number lies beyond our window',
      counter: NO_COUNTER,
      make: (watch) => established(watch).t.inbound('. 5000001:5001001(1000) ack 1 win 320'),
    },
  ],
  tcp_invalid_end_sequence: [
    {
      when: 'it begins in the window, ends beyond it, and something waits to be read',
      counter: nstat('TcpExtBeyondWindow'),
      make: (watch) => {
        const { t } = tight(watch, 5_000);
        t.inbound('P. 1:1001(1000) ack 1 win 320');
        t.inbound('P. 1001:9001(8000) ack 1 win 320');
      },
    },
  ],
  tcp_invalid_ack: [
    {
      when: 'it acknowledges what was never sent',
      place: 'tcp_rcv_established',
      counter: nstat('TcpExtTCPChallengeACK'),
      make: (watch) => established(watch).t.inbound('. 1:1(0) ack 5001 win 320'),
    },
  ],
  tcp_paws: [
    {
      when: 'its timestamp is older than the last',
      counter: nstat('TcpExtPAWSEstab'),
      make: (watch) => {
        const syn = 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1000 ecr 0,nop,wscale 7>';
        const { t } = established(watch, syn, '. 1:1(0) ack 1 win 320 <nop,nop,TS val 1001 ecr 0>');
        t.inbound('P. 1:1001(1000) ack 1 win 320 <nop,nop,TS val 500 ecr 0>');
      },
    },
  ],
  tcp_invalid_syn: [
    {
      when: 'a SYN comes in the middle of a connection',
      counter: nstat('TcpExtTCPSYNChallenge'),
      make: (watch) => established(watch).t.inbound('S 1:1(0) win 320'),
    },
  ],
  tcp_reset: [
    {
      when: 'it is a RST with the exact number',
      counter: nstat('TcpEstabResets'),
      make: (watch) => established(watch).t.inbound('R. 1:1(0) ack 1 win 320'),
    },
  ],
  tcp_closed: [
    {
      when: 'data comes after the FIN',
      counter: NO_COUNTER,
      make: (watch) => {
        const { t } = established(watch);
        t.inbound('F. 1:1(0) ack 1 win 320');
        t.inbound('P. 2:1002(1000) ack 1 win 320');
      },
    },
  ],
  tcp_listen_overflow: [
    {
      when: 'nobody accepts the connections that are ready',
      counter: nstat('TcpExtListenOverflows'),
      make: (watch) => {
        const t = script(watch);
        t.listen(8_080, 0);
        for (let n = 0; n < 2; n++) {
          t.inbound('S 0:0(0) win 32792 <mss 1000>');
          if (n === 1) return;
          t.outbound('S. 0:0(0) ack 1');
          t.inbound('. 1:1(0) ack 1 win 320');
          t.nextPeer();
        }
      },
    },
  ],
  tcp_syn_queue_full: [
    {
      when: 'nobody completes the handshakes that began',
      counter: nstat('TcpExtTCPReqQFullDrop'),
      make: (watch) => {
        const t = script(watch, { sysctls: { 'net.ipv4.tcp_syncookies': '0' } });
        t.listen(8_080, 1);
        for (let n = 0; n < 3; n++) {
          t.inbound('S 0:0(0) win 32792 <mss 1000>');
          t.nextPeer();
        }
      },
    },
  ],
  tcp_md5_not_found: [
    {
      when: 'a peer whose key is known does not sign',
      counter: nstat('TcpExtTCPMD5NotFound'),
      make: (watch) => {
        const t = script(watch);
        signedBy(t.listen());
        t.inbound('S 0:0(0) win 32792 <mss 1000>');
      },
    },
  ],
  tcp_md5_unexpected: [
    {
      when: 'a peer signs that was not asked to',
      counter: nstat('TcpExtTCPMD5Unexpected'),
      make: (watch) => {
        const t = script(watch);
        t.listen();
        t.inbound('S 0:0(0) win 32792 <mss 1000,nop,nop,md5>');
      },
    },
  ],
  tcp_md5_failure: [
    {
      when: 'a signature is wrong',
      counter: nstat('TcpExtTCPMD5Failure'),
      make: (watch) => {
        const t = script(watch);
        signedBy(t.listen());
        t.inbound('S 0:0(0) win 32792 <mss 1000,nop,nop,md5>');
      },
    },
  ],
  tcp_fastopen: [
    {
      when: 'a Fast Open child gets a segment without ACK before the one that it waits for',
      counter: NO_COUNTER,
      make: (watch) => {
        const t = script(watch, { sysctls: { 'net.ipv4.tcp_fastopen': '0x602' } });
        t.listen();
        t.inbound('S 0:10(10) win 32792 <mss 1000>');
        t.outbound('S. 0:0(0) ack 11');
        t.inbound('P 11:21(10) win 320');
      },
    },
  ],
  tcp_rcvbuf: [
    {
      when: 'the buffer is full and nobody reads',
      counter: nstat('TcpExtTCPRcvQDrop'),
      make: (watch) => void squeezed(watch),
    },
  ],
  tcp_zero_window: [
    {
      when: 'memory was out, and what is sent again comes before there is more',
      counter: nstat('TcpExtTCPZeroWindowDrop'),
      make: (watch) => squeezed(watch).inbound('P. 3001:4001(1000) ack 1 win 320'),
    },
  ],
  tcp_time_wait: [
    {
      when: 'the connection is over and something late comes',
      counter: NO_COUNTER,
      make: (watch) => {
        const { t, sk } = established(watch);
        t.close(sk);
        t.outbound('F. 1:1(0) ack 1');
        t.inbound('F. 1:1(0) ack 2 win 320');
        t.inbound('. 1:1(0) ack 2 win 320');
      },
    },
  ],
};
