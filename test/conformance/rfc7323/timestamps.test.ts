/** RFC 7323: timestamps and what they protect from, window scaling. */
import { describe, expect, test } from 'vitest';
import { testLab } from '../../kit/lab.ts';
import { tcpScript } from '../../kit/tcp.ts';
import { connectTo, listenOn, tcpPair } from '../../kit/tcp-pair.ts';

const STAMPED = {
  syn: 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 5000 ecr 0,nop,wscale 7>',
  synAck: 'S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 5000,nop,wscale 7>',
  ack: '. 1:1(0) ack 1 win 320 <nop,nop,TS val 5100 ecr 100>',
};

test('§3.2: every segment carries the time, and the echo of the newest in order', () => {
  const t = tcpScript();
  const sk = t.established(STAMPED);
  t.write(sk, 100);
  t.outbound('P. 1:101(100) ack 1 <nop,nop,TS val 200 ecr 5100>');
  t.wait(0.1);
  t.inbound('P. 1:101(100) ack 101 win 320 <nop,nop,TS val 5300 ecr 200>');
  t.write(sk, 100);
  t.outbound('. 101:101(0) ack 101 <nop,nop,TS val 300 ecr 5300>');
  t.outbound('P. 101:201(100) ack 101 <nop,nop,TS val 300 ecr 5300>');
});

test('§5.3 (PAWS): an older timestamp is answered with an ACK, and the segment is dropped', () => {
  const t = tcpScript();
  const sk = t.established(STAMPED);
  t.inbound('P. 1:101(100) ack 1 win 320 <nop,nop,TS val 4000 ecr 100>');
  t.outbound('. 1:1(0) ack 1 <nop,nop,TS val 200 ecr 5100>');
  expect(t.read(sk, 100)).toBe('EAGAIN');
  expect(t.host.snmp.TcpExtPAWSEstab).toBe(1);
});

test('§5.2: a RST is not judged by its timestamp', () => {
  const t = tcpScript();
  const sk = t.established(STAMPED);
  t.inbound('R. 1:1(0) ack 1 win 0 <nop,nop,TS val 4000 ecr 100>');
  expect(sk.state).toBe('CLOSE');
});

test('§2.2: the window of a SYN is never scaled, that of every other segment is', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound('S 0:0(0) win 1000 <mss 1000,nop,wscale 10>');
  t.outbound('S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>');
  t.inbound('. 1:1(0) ack 1 win 10');
  expect(t.accept(listener).sndWnd).toBe(10_240);
});

test('§2.3: without an offer of scaling from the peer no window is larger than 65535', () => {
  const t = tcpScript();
  const sk = t.established({ syn: 'S 0:0(0) win 65535 <mss 1000>', ack: '. 1:1(0) ack 1 win 65535' });
  expect(sk.sndWnd).toBe(65_535);
  expect(sk.rcvWscale).toBe(0);
});

describe('§5.4: what timestamps are off the clock by', () => {
  /** tsval of two SYNs to one peer at one moment, from different ports. */
  function twoSyns(sysctls: Record<string, string>): number[] {
    const { clock, alice, bob } = tcpPair();
    for (const [name, value] of Object.entries(sysctls)) expect(alice.sysctl.set(name, value)).toBeUndefined();
    listenOn(bob, 80, () => {});
    const socks = [connectTo(alice, '10.0.0.2', 80), connectTo(alice, '10.0.0.2', 80)];
    clock.advance(1_000_000);
    expect(socks.map((sk) => sk.state)).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    return socks.map((sk) => sk.tsOffset);
  }

  test('another amount for each connection', () => {
    const [first, second] = twoSyns({});
    expect(first).not.toBe(second);
  });
  test('wirelab.ts_offset=pair: the same for all between two addresses; tcp_timestamps=2: nothing', () => {
    const [first, second] = twoSyns({ 'wirelab.ts_offset': 'pair' });
    expect(first).toBe(second);
    expect(first).not.toBe(0);
    expect(twoSyns({ 'net.ipv4.tcp_timestamps': '2' })).toEqual([0, 0]);
  });
  test('a lab file sets it', async () => {
    const lab = testLab(
      'name: one\ndevices:\n  alice: { kind: host, eth0: 10.0.0.1/24, sysctl: { wirelab.ts_offset: pair } }\n',
    );
    expect((await lab.run('alice', 'sysctl wirelab.ts_offset')).out).toBe('wirelab.ts_offset = pair\n');
  });
  test('sysctl -w sets it, and takes no other word', async () => {
    const { run } = testLab('two-hosts');
    expect((await run('alice', 'sysctl -w wirelab.ts_offset=pair')).out).toBe('wirelab.ts_offset = pair\n');
    expect((await run('alice', 'sysctl -w wirelab.ts_offset=never')).status).not.toBe(0);
    expect((await run('alice', 'cat /proc/sys/wirelab/ts_offset')).out).toBe('pair\n');
  });
});
