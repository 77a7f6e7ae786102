/** RFC 9293 §3.1 (checksum), §3.4.1 (initial sequence numbers), on a wire where every octet can be seen. */
import { expect, test } from 'vitest';
import { fold, pseudoHeaderSum, sumBytes } from '../../../shared/header/checksum.ts';
import { IPV4 } from '../../../shared/header/ipv4.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpOf } from '../../../shared/net/tcp-host.ts';
import { secureIsn } from '../../../shared/net/tcp-secure.ts';
import { ip } from '../../kit/cable.ts';
import { rawPeer } from '../../kit/raw-peer.ts';
import { listenOn, newSock } from '../../kit/tcp-pair.ts';
import { readSegment, tcpSegment } from '../../kit/tcp-raw.ts';

test('[MUST-2] every segment that leaves has its sum right: with options, with data, of odd length', async () => {
  const { host, link } = await rawPeer();
  const sk = newSock(host);
  expect(tcpProto.connect(sk, { address: link.address, port: 99 })).toBe('EINPROGRESS');
  await link.wait(1_000);
  const syn = readSegment(link.arrived[0]!.packet, 0)!;
  const ends = { source: link.address, target: link.target, sourcePort: 99, targetPort: sk.localPort };
  const ack = syn.sequence + 1;
  link.send(
    tcpSegment({ ...ends, sequence: 7, ack, flags: TCP_FLAG.SYN | TCP_FLAG.ACK, window: 60_000, options: '020405b4' }),
  );
  await link.wait(1_000);
  tcpProto.sendmsg(
    sk,
    Uint8Array.from({ length: 4_001 }, (_, i) => i * 7),
    {},
  );
  tcpProto.close(sk);
  await link.wait(1_000);
  const sums = link.arrived.map(({ packet }) => {
    const segment = new Uint8Array(
      packet.buffer,
      packet.byteOffset + IPV4.SIZE,
      packet.getUint16(IPV4.TOTAL_LENGTH) - IPV4.SIZE,
    );
    return fold(sumBytes(segment, 0, segment.length, pseudoHeaderSum(link.target, link.address, 6, segment.length)));
  });
  expect(sums.length).toBeGreaterThan(4);
  expect(new Set(sums)).toEqual(new Set([0xffff]));
});

test('[MUST-3] a segment whose sum is wrong is thrown away without an answer, and counted', async () => {
  const { host, link } = await rawPeer();
  listenOn(host, 80, () => {});
  const ends = { source: link.address, target: link.target, sourcePort: 99, targetPort: 80 };
  link.send(tcpSegment({ ...ends, flags: TCP_FLAG.SYN, tcpChecksumError: 1 }));
  await link.wait(1_000);
  expect(link.arrived).toEqual([]);
  expect(host.snmp.TcpInCsumErrors).toBe(1);
  link.send(tcpSegment({ ...ends, flags: TCP_FLAG.SYN }));
  await link.wait(1_000);
  expect(link.arrived).toHaveLength(1);
});

const FOUR = { localAddress: ip('10.0.0.2'), localPort: 80, remoteAddress: ip('10.0.0.9'), remotePort: 1_000 };

test('[MUST-8] the initial sequence number of one four-tuple goes up by one every 64 ns', async () => {
  const { host, link } = await rawPeer();
  const first = secureIsn(tcpOf(host), FOUR);
  await link.wait(1_000_000);
  expect((secureIsn(tcpOf(host), FOUR) - first) >>> 0).toBe(15_625_000);
});

test('[MUST-9, SHLD-1] what is added to the clock depends on the four-tuple and on a secret of the host', async () => {
  const one = await rawPeer({}, 'one');
  const two = await rawPeer({}, 'two');
  const isns = [
    secureIsn(tcpOf(one.host), FOUR),
    secureIsn(tcpOf(two.host), FOUR),
    ...[1_001, 1_002, 1_003].map((remotePort) => secureIsn(tcpOf(one.host), { ...FOUR, remotePort })),
  ];
  // At one moment, so only the hash differs: and by no step that could be guessed.
  const steps = isns.slice(1).map((isn, i) => (isn - isns[i]!) >>> 0);
  expect(new Set(steps).size).toBe(steps.length);
  expect(Math.min(...steps)).toBeGreaterThan(1_000);
});
