/** TIME-WAIT and orphans (RFC 9293 §3.6.1, RFC 6191, RFC 1337) under Linux's sysctls; TCP_SAVE_SYN. */
import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { ip } from '../../kit/cable.ts';
import { type TcpScript, tcpScript } from '../../kit/tcp.ts';
import { leftovers } from '../../kit/tcp-pair.ts';

const STAMPS = { syn: 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 100 ecr 0>', ack: '. 1:1(0) ack 1 win 320' };

/** We connect and close first; the peer's end is over, too. */
function waiting(t: TcpScript, stamped: boolean): TcpSock {
  const sk = t.socket();
  t.connect(sk);
  t.outbound(stamped ? 'S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>' : 'S 0:0(0)');
  t.inbound(stamped ? 'S. 0:0(0) ack 1 win 1000 <mss 1000,TS val 500 ecr 0>' : 'S. 0:0(0) ack 1 win 1000 <mss 1000>');
  t.outbound('. 1:1(0) ack 1');
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound(stamped ? 'F. 1:1(0) ack 2 win 1000 <nop,nop,TS val 501 ecr 0>' : 'F. 1:1(0) ack 2 win 1000');
  t.outbound('. 2:2(0) ack 2');
  expect(leftovers(t.host)['timeWaits']).toBe(1);
  return sk;
}

/** Connect to the same peer with one port to choose from. */
function again(t: TcpScript): string | undefined {
  const answer = tcpProto.connect(t.socket(), { address: ip('192.0.2.1'), port: 51_000 });
  t.drain();
  return answer;
}

const one = (mode: string, delay = '1000') => ({
  sysctls: {
    'net.ipv4.ip_local_port_range': '40000 40000',
    'net.ipv4.tcp_tw_reuse': mode,
    'net.ipv4.tcp_tw_reuse_delay': delay,
  },
});

test('tcp_tw_reuse 1: after the delay a connection with timestamps gives way to connect()', () => {
  const t = tcpScript(one('1'));
  waiting(t, true);
  expect(again(t)).toBe('EADDRNOTAVAIL');
  t.wait(1.1);
  expect(again(t)).toBe('EINPROGRESS');
  expect(t.host.snmp.TcpExtTWRecycled).toBe(1);
});

test('tcp_tw_reuse_delay says how long that is', () => {
  const t = tcpScript(one('1', '5000'));
  waiting(t, true);
  t.wait(4.9);
  expect(again(t)).toBe('EADDRNOTAVAIL');
  t.wait(0.2);
  expect(again(t)).toBe('EINPROGRESS');
});

test('without timestamps, with tcp_tw_reuse 0, or with 2 and a peer that is not on this host it does not', () => {
  for (const [mode, stamped] of [
    ['1', false],
    ['0', true],
    ['2', true],
  ] as const) {
    const t = tcpScript(one(mode));
    waiting(t, stamped);
    t.wait(5);
    expect(again(t), mode).toBe('EADDRNOTAVAIL');
  }
});

test('tcp_max_tw_buckets: with no room for one more the connection just ends', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_max_tw_buckets': '0' } });
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.inbound('F. 1:1(0) ack 2 win 320');
  expect([leftovers(t.host)['timeWaits'], t.host.snmp.TcpExtTCPTimeWaitOverflow]).toEqual([0, 1]);
  t.drain();
});

test('a RST ends TIME-WAIT unless tcp_rfc1337', () => {
  for (const [rfc1337, left] of [
    ['0', 0],
    ['1', 1],
  ] as const) {
    const t = tcpScript({ sysctls: { 'net.ipv4.tcp_rfc1337': rfc1337 } });
    waiting(t, false);
    t.inbound('R 2:2(0) win 0');
    expect(leftovers(t.host)['timeWaits'], rfc1337).toBe(left);
  }
});

test('tcp_orphan_retries: a closed socket with data left gives up after so many tries', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_orphan_retries': '2' } });
  const sk = t.established();
  t.write(sk, 100);
  t.close(sk);
  t.wait(10);
  expect(leftovers(t.host)).toMatchObject({ socks: 0, orphans: 0 });
  t.drain();
});

test('tcp_max_orphans: one too many is reset at its close', () => {
  const t = tcpScript({ sysctls: { 'net.ipv4.tcp_max_orphans': '0' } });
  const sk = t.established();
  t.close(sk);
  t.outbound('F. 1:1(0) ack 1');
  t.outbound('R. 2:2(0) ack 1');
  expect([t.host.snmp.TcpExtTCPAbortOnMemory, leftovers(t.host)['socks']]).toEqual([1, 0]);
});

test('TCP_SAVE_SYN keeps the headers of the SYN for whoever accepts; they are told once', () => {
  const t = tcpScript();
  const listener = t.listen();
  const option = (sk: TcpSock, name: string) => tcpProto.getsockopt(sk, 'SOL_TCP', name);
  expect(tcpProto.setsockopt(listener, 'SOL_TCP', 'TCP_SAVE_SYN', 3)).toBe('EINVAL');
  expect(tcpProto.setsockopt(listener, 'SOL_TCP', 'TCP_SAVE_SYN', 1)).toBeUndefined();
  t.inbound(STAMPS.syn);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound(STAMPS.ack);
  const child = t.accept(listener);
  const syn = option(child, 'TCP_SAVED_SYN') as Uint8Array;
  expect([syn[0], syn.length, (syn[33] ?? 0) & 0x3f]).toEqual([0x45, 56, 2]);
  expect((option(child, 'TCP_SAVED_SYN') as Uint8Array).length).toBe(0);
});
