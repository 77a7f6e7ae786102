import { describe, expect, test } from 'vitest';
import { type DnsMessage, decodeDns, dnsQuery, encodeDns, type ResourceRecord } from '../../../shared/header/dns.ts';
import {
  compareNames,
  dnsName,
  isAtOrBelow,
  isBelow,
  labelCount,
  nameOctets,
  parentName,
  parseName,
} from '../../../shared/header/dns-name.ts';
import { formatRdata, parseRdata } from '../../../shared/header/dns-text.ts';
import { formatTime, parseTime, parseTtl } from '../../../shared/header/dns-text-codes.ts';
import { CLASS, parseType, RCODE, TYPE } from '../../../shared/header/dns-type.ts';
import { isMalformed } from '../../../shared/header/malformed.ts';

const words = (text: string) => text.split(' ').map((word) => ({ text: word, quoted: false }));

function record(name: string, type: number, text: string, ttl = 300): ResourceRecord {
  const data = parseRdata(type, words(text));
  if (isMalformed(data)) throw new Error(data.malformed);
  return { name: dnsName(name), type, class: CLASS.IN, ttl, data };
}

const query = dnsQuery(
  { name: dnsName('www.server.com.'), type: TYPE.A, class: CLASS.IN },
  { id: 0x1234, recursionDesired: true },
);

const answer: DnsMessage = {
  ...query,
  response: true,
  answers: [
    record('www.server.com.', TYPE.CNAME, 'web.server.com.'),
    record('web.server.com.', TYPE.A, '203.0.113.80'),
  ],
  authorities: [record('server.com.', TYPE.NS, 'ns1.server.com.')],
  additionals: [record('ns1.server.com.', TYPE.A, '203.0.113.53')],
};

describe('messages', () => {
  test('a question is the 32 octets of RFC 1035', () => {
    const bytes = encodeDns(query);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '123401000001000000000000' + '0377777706736572766572' + '03636f6d0000010001',
    );
  });

  test('names are compressed, in record data of RFC 1035 types too', () => {
    const bytes = encodeDns(answer);
    // 12 + 20 question + (2+10+6 web+ptr) + (2+10+4) + (2+10+6 ns1+ptr) + (2+10+4), `server.com` a pointer.
    expect(bytes.length).toBe(12 + 20 + 18 + 16 + 18 + 16);
    expect(decodeDns(bytes)).toEqual(answer);
  });

  test('names in SRV are written in full (RFC 3597) and read when compressed', () => {
    const srv = { ...query, answers: [record('www.server.com.', TYPE.SRV, '0 5 80 www.server.com.')] };
    expect(encodeDns(srv).length).toBe(32 + 2 + 10 + 6 + 16);
    const compressed = Buffer.concat([
      encodeDns(query),
      Buffer.from('c00c' + '0021' + '0001' + '0000012c' + '0008' + '000000050050' + 'c00c', 'hex'),
    ]);
    compressed[7] = 1;
    expect(decodeDns(compressed)).toMatchObject({ answers: srv.answers });
  });

  test('the letter case of a question comes back untouched', () => {
    const name = dnsName('wWw.SerVer.coM.');
    const odd = dnsQuery({ name, type: TYPE.A, class: CLASS.IN }, { id: 1, recursionDesired: false });
    const decoded = decodeDns(encodeDns({ ...odd, answers: [record('www.server.com.', TYPE.A, '1.2.3.4')] }));
    if (isMalformed(decoded)) throw new Error(decoded.malformed);
    expect(decoded.questions[0]?.name).toBe(name);
    expect(decoded.answers[0]?.name).toBe(name); // A pointer to the question.
  });

  test('what does not fit is cut whole: additionals silently, answers with TC', () => {
    const withoutGlue = decodeDns(encodeDns(answer, { limit: 90 }));
    expect(withoutGlue).toMatchObject({ truncated: false, additionals: [], answers: answer.answers });
    const glueNeeded = decodeDns(encodeDns(answer, { limit: 90, requiredAdditionals: 1 }));
    expect(glueNeeded).toMatchObject({ truncated: true, additionals: [], answers: answer.answers });
    const nothing = decodeDns(encodeDns(answer, { limit: 60 }));
    expect(nothing).toMatchObject({ truncated: true, answers: [], authorities: [], additionals: [] });
  });

  test('EDNS carries size, DO, options and the upper bits of the rcode', () => {
    const edns = {
      udpSize: 1232,
      version: 0,
      dnssecOk: true,
      reserved: 0,
      options: [{ code: 10, data: Uint8Array.of(1, 2) }],
    };
    const message = { ...query, rcode: RCODE.BADVERS, edns };
    expect(decodeDns(encodeDns(message))).toEqual(message);
  });

  test('two OPT records are malformed', () => {
    const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };
    const bytes = encodeDns({ ...query, edns });
    const twice = Buffer.concat([bytes, bytes.subarray(-11)]);
    twice[11] = 2;
    expect(decodeDns(twice)).toEqual({ malformed: 'dns_bad_opt' });
  });

  test.each([
    ['a pointer to itself', '000000000001000000000000' + 'c00c' + '00010001', 'dns_pointer_not_backwards'],
    ['a pointer forwards', '000000000001000000000000' + 'c010' + '00010001' + '00', 'dns_pointer_not_backwards'],
    ['a label that overruns', '000000000001000000000000' + '3f6161', 'dns_name_overruns'],
    ['a label type that is not defined', '000000000001000000000000' + '4061' + '00010001', 'dns_bad_label_type'],
    ['a count without records', '000000000000000500000000', 'dns_name_overruns'],
    ['eleven octets', '0000000000010000000000', 'dns_too_short'],
  ])('%s is malformed', (_, hex, reason) => {
    expect(decodeDns(Buffer.from(hex, 'hex'))).toEqual({ malformed: reason });
  });
});

describe('names', () => {
  test('any octet has one spelling', () => {
    expect(parseName('a\\.b.c')).toBe('a\\.b.c.');
    expect(parseName('a\\046b.c.')).toBe('a\\.b.c.');
    expect(parseName('\\097b.c.')).toBe('ab.c.');
    expect(parseName('x\\032y.')).toBe('x\\032y.');
    expect(labelCount(dnsName('a\\.b.c.'))).toBe(2);
    expect(parentName(dnsName('a\\.b.c.'))).toBe('c.');
  });

  test('relative names end in the origin, @ is the origin', () => {
    expect(parseName('www', dnsName('server.com.'))).toBe('www.server.com.');
    expect(parseName('@', dnsName('server.com.'))).toBe('server.com.');
  });

  test('an escaped dot is no boundary', () => {
    expect(isAtOrBelow(dnsName('x\\.com.'), dnsName('com.'))).toBe(false);
    expect(isAtOrBelow(dnsName('x\\\\.com.'), dnsName('com.'))).toBe(true);
    expect(isAtOrBelow(dnsName('xcom.'), dnsName('com.'))).toBe(false);
    expect(isBelow(dnsName('COM.'), dnsName('com.'))).toBe(false);
    expect(isBelow(dnsName('a.'), dnsName('.'))).toBe(true);
    expect(isBelow(dnsName('.'), dnsName('.'))).toBe(false);
  });

  test('limits of 63 and 255 octets hold', () => {
    expect(parseName(`${'a'.repeat(64)}.`)).toEqual({ malformed: 'dns_label_too_long' });
    const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}.`;
    expect(nameOctets(dnsName(longest))).toBe(255);
    expect(parseName(`x.${longest}`)).toEqual({ malformed: 'dns_name_too_long' });
    expect(parseName('a..b.')).toEqual({ malformed: 'dns_empty_label' });
  });

  test('the order of RFC 4034 §6.1', () => {
    const ordered = [
      'example.',
      'a.example.',
      'yljkjljk.a.example.',
      'Z.a.example.',
      'zABC.a.EXAMPLE.',
      'z.example.',
      '\\001.z.example.',
      '*.z.example.',
      '\\200.z.example.',
    ];
    expect(ordered.map(dnsName).toSorted(compareNames)).toEqual(ordered.map(dnsName));
  });
});

describe('record data as text', () => {
  test.each([
    ['A', '192.0.2.1'],
    ['AAAA', '2001:db8::1'],
    ['AAAA', '::'],
    ['SOA', 'ns1.example. hostmaster.example. 2024010101 7200 900 604800 300'],
    ['MX', '10 mail.example.'],
    ['SRV', '0 5 53 ns1.example.'],
    ['NAPTR', '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .'],
    ['DS', '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118'],
    [
      'DNSKEY',
      '256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+BBZH4b/0PY1kxkmvHjcZc8no kfzj31GajIQKY+5CptLr3buXA10h'.replace(
        ' kfz',
        'kfz',
      ),
    ],
    ['RRSIG', 'A 5 3 86400 20030322173103 20030220173103 2642 example.com. AAAA'],
    ['NSEC', 'host.example.com. A MX RRSIG NSEC TYPE1234'],
    ['CAA', '0 issue "ca.example.net"'],
    ['TXT', '"hello" "wor\\"ld\\\\" "\\000\\255"'],
    ['HTTPS', '1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.80'],
    ['TYPE65280', '\\# 4 0A0B0C0D'],
    ['NSEC3', '1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG'],
    ['TLSA', '3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B9'],
    ['HINFO', '"PDP-11" "UNIX"'],
  ])('%s %s reads and prints the same', (typeText, text) => {
    const type = parseType(typeText) ?? 0;
    const tokens = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|[^\s"]+/g)].map((m) => ({
      text: m[1] ?? m[0],
      quoted: m[1] !== undefined,
    }));
    const data = parseRdata(type, tokens);
    if (isMalformed(data)) throw new Error(data.malformed);
    expect(formatRdata(type, data)).toBe(text);
  });

  test('known types may be given as octets (RFC 3597 §5)', () => {
    const data = parseRdata(TYPE.A, words('\\# 4 c0000201'));
    expect(isMalformed(data) ? data : formatRdata(TYPE.A, data)).toBe('192.0.2.1');
    expect(parseRdata(TYPE.A, words('\\# 3 c00002'))).toMatchObject({ token: 2 });
  });

  test('what is wrong names the word that is', () => {
    expect(parseRdata(TYPE.MX, words('ten mail'))).toEqual({
      malformed: '"ten" is not a number from 0 to 65535',
      token: 0,
    });
    expect(parseRdata(TYPE.MX, words('10'))).toEqual({ malformed: 'MX needs a domain name here', token: 1 });
    expect(parseRdata(TYPE.A, words('1.2.3.4 5'))).toEqual({ malformed: 'A has more data than expected', token: 1 });
  });

  test('times and TTLs', () => {
    expect(parseTtl('1h30m')).toBe(5400);
    expect(parseTtl('2W')).toBe(1_209_600);
    expect(parseTtl('1x')).toBeUndefined();
    expect(parseTime('20030322173103')).toBe(1_048_354_263);
    expect(formatTime(1_048_354_263)).toBe('20030322173103');
    expect(formatTime(parseTime('20240229235959') ?? 0)).toBe('20240229235959');
  });
});
