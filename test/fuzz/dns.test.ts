/** Any bytes into the codec and any text into the zone parser: an answer, never an exception. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { receiveQuery } from '../../shared/dns/respond.ts';
import { Zone } from '../../shared/dns/zone.ts';
import { parseZoneFile } from '../../shared/dns/zone-file.ts';
import { ZoneTokens } from '../../shared/dns/zone-tokens.ts';
import { decodeDns, encodeDns } from '../../shared/header/dns.ts';
import { dnsName, nameOctets, parseName } from '../../shared/header/dns-name.ts';
import { readRdata } from '../../shared/header/dns-rdata.ts';
import { formatRdata, parseRdata } from '../../shared/header/dns-text.ts';
import { TYPE } from '../../shared/header/dns-type.ts';
import { isMalformed } from '../../shared/header/malformed.ts';

const seed = Number(process.env['WIRELAB_SEED'] ?? 20261122);
const options = { seed, numRuns: 3000 };
const SECTIONS = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2));

/** Messages that are nearly right: a header with small counts before bytes of which many are small. */
const nearly = fc
  .tuple(
    fc.nat(0xffff),
    fc.nat(0xffff),
    SECTIONS,
    fc.array(fc.oneof(fc.nat(255), fc.nat(16), fc.constantFrom(0, 0xc0, 12, 1)), { maxLength: 80 }),
  )
  .map(([id, flags, counts, rest]) =>
    Uint8Array.from([id >> 8, id & 255, flags >> 8, flags & 255, ...counts.flatMap((n) => [0, n]), ...rest]),
  );

test(`any bytes are decoded or malformed, and what is decoded is encoded the same again (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), nearly), (bytes) => {
      const message = decodeDns(bytes);
      receiveQuery(bytes, { recursionAvailable: true, tcp: false });
      if (isMalformed(message)) return;
      // The reserved bit Z is not kept.
      expect(decodeDns(encodeDns(message))).toEqual(message);
    }),
    options,
  );
});

test(`record data of any type survives text and back (seed ${seed})`, () => {
  const types = fc.oneof(fc.nat(70), fc.constantFrom(99, 256, 257, 65280));
  fc.assert(
    fc.property(types, fc.uint8Array({ maxLength: 40 }), (type, octets) => {
      const data = readRdata(new DataView(octets.buffer, octets.byteOffset, octets.length), 0, octets.length, type);
      formatRdata(type, octets);
      if (isMalformed(data)) return;
      const text = formatRdata(type, data);
      const back = parseRdata(type, new ZoneTokens(text).next()?.tokens ?? []);
      // A known key with a value that is not of its kind has no text that would be accepted.
      if (type === TYPE.SVCB || type === TYPE.HTTPS) return;
      if (isMalformed(back)) throw new Error(`${text}: ${back.malformed}`);
      expect(formatRdata(type, back)).toBe(text);
      // NSEC's bit maps may have trailing zero octets, which are not written.
      if (type !== TYPE.NSEC && type !== TYPE.NSEC3) expect(back).toEqual(data);
    }),
    options,
  );
});

test(`any text is a zone file or a list of problems (seed ${seed})`, () => {
  const words = fc.constantFrom(
    '@',
    'IN',
    'A',
    'MX',
    'TXT',
    '$TTL',
    '$ORIGIN',
    '$INCLUDE',
    '$GENERATE',
    '1-3',
    '10',
    '1h',
    '\\#',
    '"',
    '(',
    ')',
    ';',
    '\n',
    '\n ',
    'a.b.',
    'x',
    '\\',
    '1.2.3.4',
    '"q"',
    'SOA',
    'NS',
    'CNAME',
    'host$',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(words, { maxLength: 60 }).map((w) => w.join(' ')),
      ),
      (text) => {
        const file = parseZoneFile(text, {
          file: 'f',
          origin: dnsName('example.'),
          include: () => text.slice(0, text.length >> 1),
        });
        Zone.load(dnsName('example.'), file);
        const name = parseName(text);
        if (typeof name === 'string') expect(nameOctets(name)).toBeLessThanOrEqual(255);
      },
    ),
    { ...options, numRuns: 1000 },
  );
});
