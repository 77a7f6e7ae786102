/** Odd packets (RFC 8906 §8): something sensible comes back to everything that is a question. */
import { describe, expect, test } from 'vitest';
import { answerFromZones } from '../../../shared/dns/answer.ts';
import { encodeReply, NOT_AUTHORITATIVE, receiveQuery } from '../../../shared/dns/respond.ts';
import { Zone, Zones } from '../../../shared/dns/zone.ts';
import { parseZoneFile } from '../../../shared/dns/zone-file.ts';
import { type DnsMessage, decodeDns, dnsQuery, type Edns, encodeDns } from '../../../shared/header/dns.ts';
import { dnsName } from '../../../shared/header/dns-name.ts';
import { formatRcode, TYPE } from '../../../shared/header/dns-type.ts';
import { isMalformed } from '../../../shared/header/malformed.ts';

const TEXT = `$TTL 300\n@ SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.80\n${Array.from({ length: 40 }, (_, i) => `forty A 10.0.0.${i}`).join('\n')}\n`;
const loaded = Zone.load(dnsName('example.'), parseZoneFile(TEXT, { file: 'z', origin: dnsName('example.') }));
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
const zones = new Zones();
zones.add(loaded.zone);

function serve(bytes: Uint8Array, tcp = false): Uint8Array | undefined {
  const incoming = receiveQuery(bytes, { recursionAvailable: false, tcp });
  if (incoming.kind === 'ignore') return undefined;
  if (incoming.kind === 'reply') return incoming.bytes;
  const answer = answerFromZones(zones, incoming.question, incoming.query);
  return encodeReply(
    incoming.query,
    { ...answer, ...(answer.kind === 'refused' ? { ede: NOT_AUTHORITATIVE } : {}) },
    tcp,
  );
}

/** rcode, flags, counts and octets, as the edge-case listings of real servers have them. */
function say(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return 'nothing';
  const reply = decodeDns(bytes);
  if (isMalformed(reply)) return reply.malformed;
  const flags = `${reply.authoritative ? ' AA' : ''}${reply.truncated ? ' TC' : ''}${reply.recursionDesired ? ' RD' : ''}${reply.recursionAvailable ? ' RA' : ''}${reply.authenticData ? ' AD' : ''}`;
  const additional = reply.additionals.length + (reply.edns === undefined ? 0 : 1);
  return `${formatRcode(reply.rcode)}${flags} ${reply.questions.length}/${reply.answers.length}/${reply.authorities.length}/${additional}`;
}

const query = (over: Partial<DnsMessage> = {}, name = 'www.example.', type: number = TYPE.A): DnsMessage => ({
  ...dnsQuery({ name: dnsName(name), type, class: 1 }, { id: 7, recursionDesired: false }),
  ...over,
});
const edns = (over: Partial<Edns> = {}): Edns => ({ udpSize: 1232, version: 0, dnssecOk: false, options: [], ...over });
const raw = (hex: string) => Buffer.from(hex, 'hex');

describe('odd packets', () => {
  test.each([
    ['a plain question', encodeDns(query()), 'NOERROR AA 1/1/1/1'],
    [
      'one that wants recursion: minimal, RA clear',
      encodeDns(query({ recursionDesired: true })),
      'NOERROR AA RD 1/1/0/0',
    ],
    [
      'AD and CD set: AD comes back clear',
      encodeDns(query({ authenticData: true, checkingDisabled: true })),
      'NOERROR AA 1/1/1/1',
    ],
    ['a response', encodeDns(query({ response: true })), 'nothing'],
    ['eleven octets', raw('0007000000010000000000'), 'nothing'],
    ['opcode STATUS', encodeDns(query({ opcode: 2 })), 'NOTIMP 0/0/0/0'],
    ['opcode NOTIFY', encodeDns(query({ opcode: 4 })), 'NOTIMP 0/0/0/0'],
    ['opcode 15', encodeDns(query({ opcode: 15 })), 'NOTIMP 0/0/0/0'],
    ['no question', encodeDns(query({ questions: [] })), 'FORMERR 0/0/0/0'],
    ['two questions', encodeDns(query({ questions: [...query().questions, ...query().questions] })), 'FORMERR 0/0/0/0'],
    ['a header that promises a question', raw('000700000001000000000000'), 'FORMERR 0/0/0/0'],
    ['a pointer loop', raw('000700000001000000000000c00c00010001'), 'FORMERR 0/0/0/0'],
    ['octets after the end', Buffer.concat([encodeDns(query()), raw('deadbeef')]), 'NOERROR AA 1/1/1/1'],
    [
      'class CH',
      encodeDns(query({ questions: [{ name: dnsName('www.example.'), type: 1, class: 3 }] })),
      'REFUSED 1/0/0/0',
    ],
    ['a name of no zone here', encodeDns(query({}, 'www.elsewhere.')), 'REFUSED 1/0/0/0'],
    ['an unknown type', encodeDns(query({}, 'www.example.', 1000)), 'NOERROR AA 1/0/1/0'],
    ['AXFR over UDP', encodeDns(query({}, 'example.', TYPE.AXFR)), 'NOTIMP 1/0/0/0'],
    ['EDNS version 1', encodeDns(query({ edns: edns({ version: 1 }) })), 'BADVERS 1/0/0/1'],
    [
      'EDNS with an unknown option',
      encodeDns(query({ edns: edns({ options: [{ code: 65_001, data: raw('00') }] }) })),
      'NOERROR AA 1/1/1/2',
    ],
    ['forty addresses without EDNS', encodeDns(query({}, 'forty.example.')), 'NOERROR AA TC 1/0/0/0'],
    ['forty addresses with EDNS 1232', encodeDns(query({ edns: edns() }, 'forty.example.')), 'NOERROR AA 1/40/1/2'],
    [
      'forty addresses with EDNS 100, which means 512',
      encodeDns(query({ edns: edns({ udpSize: 100 }) }, 'forty.example.')),
      'NOERROR AA TC 1/0/0/1',
    ],
  ])('%s', (_, bytes, expected) => {
    expect(say(serve(bytes))).toBe(expected);
  });

  test('an unknown EDNS flag and unknown options are not echoed; DO is', () => {
    const asked = edns({ reserved: 0x40, dnssecOk: true, options: [{ code: 100, data: raw('0102') }] });
    const reply = decodeDns(serve(encodeDns(query({ edns: asked }))) ?? new Uint8Array(0));
    expect(reply).toMatchObject({ edns: { version: 0, udpSize: 1232, dnssecOk: true, reserved: 0, options: [] } });
  });

  test('over TCP nothing is cut', () => {
    expect(say(serve(encodeDns(query({}, 'forty.example.')), true))).toBe('NOERROR AA 1/40/1/1');
  });

  test('REFUSED says why to those who understand EDNS (EDE 20)', () => {
    const reply = decodeDns(serve(encodeDns(query({ edns: edns() }, 'www.elsewhere.'))) ?? new Uint8Array(0));
    expect(reply).toMatchObject({ edns: { options: [{ code: 15, data: Uint8Array.of(0, 20) }] } });
  });
});
