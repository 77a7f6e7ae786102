import { expect, test } from 'vitest';
import { dissect } from '../../../shared/header/dissect.ts';
import { INTERNET, OSI, placeOf } from '../../../shared/header/layers.ts';

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

const syn = bytesOf(`
  02 00 00 00 00 02  02 00 00 00 00 01  08 00
  45 00 00 3c 00 00 40 00 40 06 26 ba  0a 00 00 01 0a 00 00 02
  c0 00 00 50 00 00 03 e8 00 00 00 00 a0 02 fa f0 00 00 00 00
  02 04 05 b4 04 02 08 0a 00 00 00 01 00 00 00 00 01 03 03 07`);

test('a SYN shows its layers, its options and where each stands', () => {
  const { layers, protocol, source, target, info } = dissect(syn, { fcs: false });
  expect(layers.map((layer) => [layer.protocol, layer.place])).toEqual([
    ['cable', 'physical'],
    ['eth', 'link'],
    ['ip', 'network'],
    ['tcp', 'transport'],
  ]);
  expect([protocol, source, target]).toEqual(['TCP', '10.0.0.1', '10.0.0.2']);
  expect(info).toBe('49152 → 80 [SYN] Seq=1000 Win=64240 Len=0 MSS=1460 SACK_PERM=1 WS=7');
  const ttl = layers.flatMap((layer) => layer.fields).find((field) => field.name === 'ip.ttl');
  expect(ttl).toEqual({ name: 'ip.ttl', label: 'Time to Live: 64', value: 64, at: 22, size: 1 });
});

test('accurate ECN reads as in Wireshark: AE among the flags, ACE after the handshake, the counters of the option', () => {
  // AE, CWR, ACK and an option of order 1 with 257, 2 and 1 octets.
  const feedback = bytesOf(`
    02 00 00 00 00 02  02 00 00 00 00 01  08 00
    45 00 00 34 00 00 40 00 40 06 26 c2  0a 00 00 01 0a 00 00 02
    c0 00 00 50 00 00 03 e8 00 00 00 00 81 90 fa f0 00 00 00 00
    ae 0b 00 01 01 00 00 02 00 00 01 01`);
  const { info, layers } = dissect(feedback, { fcs: false });
  expect(info).toBe('49152 → 80 [ACK, CWR, AE] Seq=1000 Ack=0 Win=64240 Len=0 EE1B=257 ECEB=2 EE0B=1');
  const fields = new Map(layers.flatMap((layer) => layer.fields).map((field) => [field.name, field]));
  expect(fields.get('tcp.flags')).toMatchObject({ value: 0x190, at: 46, size: 2 });
  expect(fields.get('tcp.flags.ae')?.value).toBe(1);
  expect(fields.get('tcp.flags.ace')?.value).toBe(6);
  expect(fields.get('tcp.options.acc_ecn')).toMatchObject({ value: 1, at: 54, size: 11 });
  expect(fields.get('tcp.options.acc_ecn.ee1b')).toMatchObject({ value: 257, at: 56, size: 3 });
  expect(fields.get('tcp.options.acc_ecn.eceb')?.label).toBe('Accurate ECN Echo CE Byte Counter: 2');
  expect(fields.get('tcp.options.acc_ecn.ee0b')?.value).toBe(1);
});

test('a wrong FCS and a wrong header checksum are said to be wrong', () => {
  const frame = new Uint8Array([...syn, 0, 0, 0, 0]);
  frame[24] = 0;
  const labels = dissect(frame).layers.flatMap((layer) => layer.fields.map((field) => field.label));
  expect(labels).toContain('[FCS status: Bad]');
  expect(labels.find((label) => label.startsWith('Header Checksum'))).toMatch(/\[wrong\]$/);
});

test('an ARP question reads as tcpdump and Wireshark say it', () => {
  const arp = bytesOf(
    'ff ff ff ff ff ff 02 00 00 00 00 01 08 06 00 01 08 00 06 04 00 01 02 00 00 00 00 01 0a 00 00 01 00 00 00 00 00 00 0a 00 00 02',
  );
  expect(dissect(arp, { fcs: false }).info).toBe('Who has 10.0.0.2? Tell 10.0.0.1');
});

test('every place stands in both models', () => {
  expect(OSI.map((layer) => layer.number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(INTERNET.map((layer) => layer.unit)).toEqual(['message', 'segment', 'packet', 'frame']);
  expect(placeOf('transport').osi.name).toBe('Transport');
  expect(placeOf('physical').internet.name).toBe('Link');
});
