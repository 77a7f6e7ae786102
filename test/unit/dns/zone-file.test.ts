import { describe, expect, test } from 'vitest';
import { formatProblem, parseZoneFile } from '../../../shared/dns/zone-file.ts';
import { dnsName } from '../../../shared/header/dns-name.ts';
import { formatRdata } from '../../../shared/header/dns-text.ts';
import { formatType } from '../../../shared/header/dns-type.ts';

function parse(text: string, include?: (path: string) => string | undefined) {
  const file = parseZoneFile(text, {
    file: 'z',
    origin: dnsName('example.'),
    ...(include === undefined ? {} : { include }),
  });
  return {
    records: file.records.map(
      ({ record: r }) => `${r.name} ${r.ttl} ${formatType(r.type)} ${formatRdata(r.type, r.data)}`,
    ),
    problems: file.problems.map(formatProblem),
  };
}

describe('zone files', () => {
  test('all of RFC 1035 §5: directives, parentheses, quotes, comments, blank owners, TTL and class in any order', () => {
    const text = [
      '$TTL 1h ; default',
      '@ IN SOA ns1 host\\.master ( 2024010101 ; serial',
      '      2h 15m 1w',
      '   5m )',
      '  NS ns1',
      '\tIN 300 NS ns2.other.',
      'ns1 60 IN A 192.0.2.1',
      'WWW IN 60 A 192.0.2.80',
      '$ORIGIN sub',
      'a A 192.0.2.2',
      '@ TXT "two words" one "semi;colon" "quo\\"te"',
      'unk TYPE65280 \\# 2 ( 0a',
      '  0b )',
    ].join('\r\n');
    expect(parse(text)).toEqual({
      records: [
        'example. 3600 SOA ns1.example. host\\.master.example. 2024010101 7200 900 604800 300',
        'example. 3600 NS ns1.example.',
        'example. 300 NS ns2.other.',
        'ns1.example. 60 A 192.0.2.1',
        'WWW.example. 60 A 192.0.2.80',
        'a.sub.example. 3600 A 192.0.2.2',
        'sub.example. 3600 TXT "two words" "one" "semi;colon" "quo\\"te"',
        'unk.sub.example. 3600 TYPE65280 \\# 2 0A0B',
      ],
      problems: [],
    });
  });

  test('$INCLUDE has an origin of its own, and ours comes back with the owner', () => {
    const include = (path: string) => (path === 'inc' ? 'h A 192.0.2.9\n$ORIGIN elsewhere.\n' : undefined);
    const { records, problems } = parse(
      '$TTL 1\na A 192.0.2.1\n$INCLUDE inc sub\n  A 192.0.2.2\nb A 192.0.2.3',
      include,
    );
    expect(records).toEqual([
      'a.example. 1 A 192.0.2.1',
      'h.sub.example. 1 A 192.0.2.9',
      'a.example. 1 A 192.0.2.2',
      'b.example. 1 A 192.0.2.3',
    ]);
    expect(problems).toEqual([]);
    expect(parse('$INCLUDE nosuch').problems).toEqual(['z:1:10: there is no file "nosuch"']);
    const loop = parse('$INCLUDE me', () => '$INCLUDE me');
    expect(loop.problems).toEqual(['me:1:1: $INCLUDE is nested more than 8 deep']);
  });

  test('$GENERATE', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is BIND's own notation.
    expect(parse('$TTL 1\n$GENERATE 8-10/2 host-${0,3} A 10.0.0.$').records).toEqual([
      'host-008.example. 1 A 10.0.0.8',
      'host-010.example. 1 A 10.0.0.10',
    ]);
  });

  test.each([
    ['$TTL 1\nwww A 192.0.2.256', 'z:2:7: "192.0.2.256" is not an IPv4 address'],
    ['$TTL 1\nwww MX mail', 'z:2:8: "mail" is not a number from 0 to 65535'],
    ['$TTL 1\nwww MX 10', 'z:2:10: MX needs a domain name here'],
    ['$TTL 1\nwww B 1', 'z:2:5: "B" is no record type'],
    ['$TTL 1\nwww', 'z:2:4: a record type should follow'],
    ['$TTL 1\n  A 192.0.2.1', 'z:2:3: the first record has no owner name'],
    ['www A 192.0.2.1', 'z:1:1: no TTL: give $TTL at the top, or one to this record'],
    ['$TTL soon', 'z:1:6: $TTL needs a time in seconds or with units (1h30m)'],
    ['$ORIGEN x.', 'z:1:1: $ORIGEN is no directive: $ORIGIN, $TTL, $INCLUDE and $GENERATE are'],
    ['$TTL 1\na..b A 1.2.3.4', 'z:2:1: "a..b" is no domain name (dns_empty_label)'],
    ['$TTL 1\nx TXT ( "a"\n', 'z:2:7: this parenthesis is never closed'],
    ['$TTL 1\nx TXT "a\n', 'z:2:7: this quote is never closed'],
    ['$TTL 1\nx A 1.2.3.4 )', 'z:2:13: a closing parenthesis without an opening one'],
    ['$TTL 1\nx CH A 1.2.3.4', 'z:2:3: class CH: only IN is served here'],
  ])('a mistake is named with line and column: %j', (text, problem) => {
    expect(parse(text).problems).toEqual([problem]);
  });
});
