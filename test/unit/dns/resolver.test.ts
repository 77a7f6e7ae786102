import { beforeEach, describe, expect, test } from 'vitest';
import { Resolver, type ResolverOptions } from '../../../shared/dns/resolver.ts';
import { encodeReply } from '../../../shared/dns/respond.ts';
import { type Ipv4, parseIpv4 } from '../../../shared/header/address.ts';
import { encodeDns } from '../../../shared/header/dns.ts';
import { dnsName } from '../../../shared/header/dns-name.ts';
import { formatRdata } from '../../../shared/header/dns-text.ts';
import { formatRcode, formatType, parseType, RCODE } from '../../../shared/header/dns-type.ts';
import { SECOND } from '../../../shared/platform.ts';
import { ManualClock } from '../../kit/clock.ts';
import { DnsInternet } from '../../kit/dns-internet.ts';
import { runWith } from '../../kit/run-with.ts';

const SOA = '@ SOA ns h 1 1800 900 604800 60\n';
const big = Array.from({ length: 30 }, (_, i) => `big TXT "${String(i).padStart(60, 'x')}"`).join('\n');

let clock: ManualClock;
let internet: DnsInternet;

beforeEach(() => {
  clock = new ManualClock();
  internet = new DnsInternet(clock);
  internet.serve(
    '10.0.0.1',
    '.',
    `$TTL 86400\n${SOA}@ NS a.root.\na.root. A 10.0.0.1\ntest. NS ns.test.\nns.test. A 10.0.0.2\norg. NS ns.org.\nns.org. A 10.0.0.4\n`,
  );
  internet.serve(
    '10.0.0.2',
    'test.',
    `$TTL 3600\n${SOA}@ NS ns\nns A 10.0.0.2\nexample NS ns1.example\nexample NS ns2.example\nns1.example A 10.0.0.3\nns2.example A 10.0.0.5\nglueless NS ns.dns.org.\nlame NS ns.lame\nns.lame A 10.0.0.2\n`,
  );
  internet.serve('10.0.0.4', 'org.', `$TTL 3600\n${SOA}@ NS ns\nns A 10.0.0.4\ndns NS ns.dns\nns.dns A 10.0.0.3\n`);
  for (const address of ['10.0.0.3', '10.0.0.5']) {
    internet.serve(
      address,
      'example.test.',
      `$TTL 300\n${SOA}@ NS ns1\n@ NS ns2\nns1 A 10.0.0.3\nns2 A 10.0.0.5\nwww A 192.0.2.80\nalias CNAME www\next CNAME www.dns.org.\nl1 CNAME l2\nl2 CNAME l1\n${big}\n`,
    );
  }
  internet.serve('10.0.0.3', 'dns.org.', `$TTL 300\n${SOA}@ NS ns\nns A 10.0.0.3\nwww A 192.0.2.81\n`);
  internet.serve('10.0.0.3', 'glueless.test.', `$TTL 300\n${SOA}@ NS ns.dns.org.\nwww A 192.0.2.82\n`);
});

function makeResolver(options: Partial<ResolverOptions> = {}): Resolver {
  const hints = { servers: [{ name: dnsName('a.root.'), addresses: [parseIpv4('10.0.0.1') as Ipv4] }] };
  return new Resolver({ hints, now: () => clock.now(), ...options });
}

async function ask(resolver: Resolver, name: string, type = 'A') {
  internet.seen.length = 0;
  const question = { name: dnsName(name), type: parseType(type) ?? 0, class: 1 };
  const { rcode, answers, authorities } = await runWith(clock, resolver.resolve(question, internet.io()));
  const text = [...answers, ...authorities].flatMap((set) =>
    set.records.map((r) => `${r.name} ${r.ttl} ${formatType(r.type)} ${formatRdata(r.type, r.data)}`),
  );
  return {
    rcode: formatRcode(rcode),
    text,
    asked: internet.seen.map((seen) => `${seen.server} ${seen.name} ${seen.type}${seen.tcp ? ' tcp' : ''}`),
  };
}

describe('iterating from the root', () => {
  test('a cold question: priming, root, top-level domain, authoritative: four questions; a warm one: none', async () => {
    const resolver = makeResolver();
    const cold = await ask(resolver, 'www.example.test.');
    expect(cold.text).toEqual(['www.example.test. 300 A 192.0.2.80']);
    expect(cold.asked.slice(0, 3)).toEqual([
      '10.0.0.1 . NS',
      '10.0.0.1 www.example.test. A',
      '10.0.0.2 www.example.test. A',
    ]);
    expect(cold.asked).toHaveLength(4);
    clock.advance(5 * SECOND);
    expect(await ask(resolver, 'WWW.example.test.')).toEqual({
      rcode: 'NOERROR',
      text: ['www.example.test. 295 A 192.0.2.80'],
      asked: [],
    });
  });

  test('an alias inside the zone comes with its target; one into another zone starts again from the nearest server known', async () => {
    const resolver = makeResolver();
    const inside = await ask(resolver, 'alias.example.test.');
    expect(inside.text).toEqual([
      'alias.example.test. 300 CNAME www.example.test.',
      'www.example.test. 300 A 192.0.2.80',
    ]);
    const outside = await ask(resolver, 'ext.example.test.');
    expect(outside.text).toEqual(['ext.example.test. 300 CNAME www.dns.org.', 'www.dns.org. 300 A 192.0.2.81']);
    expect(outside.asked.slice(1)).toEqual([
      '10.0.0.1 www.dns.org. A',
      '10.0.0.4 www.dns.org. A',
      '10.0.0.3 www.dns.org. A',
    ]);
  });

  test('a server without glue is found by resolving its name first', async () => {
    expect((await ask(makeResolver(), 'www.glueless.test.')).text).toEqual(['www.glueless.test. 300 A 192.0.2.82']);
  });

  test('a loop of aliases is SERVFAIL after few questions', async () => {
    const { rcode, asked } = await ask(makeResolver(), 'l1.example.test.');
    expect(rcode).toBe('SERVFAIL');
    expect(asked.length).toBeLessThan(8);
  });

  test('a name that does not exist is remembered for all types and for what is below it, with the SOA counting down', async () => {
    const resolver = makeResolver();
    expect((await ask(resolver, 'nx.example.test.')).rcode).toBe('NXDOMAIN');
    clock.advance(10 * SECOND);
    const soa = 'example.test. 50 SOA ns.example.test. h.example.test. 1 1800 900 604800 60';
    expect(await ask(resolver, 'nx.example.test.', 'AAAA')).toEqual({ rcode: 'NXDOMAIN', text: [soa], asked: [] });
    expect(await ask(resolver, 'sub.nx.example.test.')).toEqual({ rcode: 'NXDOMAIN', text: [soa], asked: [] });
    clock.advance(51 * SECOND);
    expect((await ask(resolver, 'nx.example.test.')).asked).toHaveLength(1);
  });

  test('no data of a type is remembered for that type alone', async () => {
    const resolver = makeResolver();
    expect((await ask(resolver, 'www.example.test.', 'MX')).rcode).toBe('NOERROR');
    expect((await ask(resolver, 'www.example.test.', 'MX')).asked).toEqual([]);
    expect((await ask(resolver, 'www.example.test.', 'TXT')).asked).toHaveLength(1);
  });
});

describe('servers that misbehave', () => {
  test('an answer that was cut short is asked for again over TCP', async () => {
    const { text, asked } = await ask(makeResolver(), 'big.example.test.', 'TXT');
    expect(text).toHaveLength(30);
    expect(asked.slice(-2).map((line) => line.replace(/10\.0\.0\.[35]/, 'NS'))).toEqual([
      'NS big.example.test. TXT',
      'NS big.example.test. TXT tcp',
    ]);
  });

  test('a server that answers FORMERR to EDNS is asked without, and from then on always', async () => {
    const resolver = makeResolver();
    for (const server of ['10.0.0.3', '10.0.0.5']) {
      internet.bend(server, ({ query }) =>
        query.edns === undefined
          ? undefined
          : encodeDns({ ...query, response: true, rcode: RCODE.FORMERR, edns: undefined as never }).subarray(
              0,
              12 + 22,
            ),
      );
    }
    expect((await ask(resolver, 'www.example.test.')).rcode).toBe('NOERROR');
    expect(internet.seen.slice(-2).map((seen) => seen.edns)).toEqual([true, false]);
  });

  test('a silent server is given up for another one', async () => {
    internet.silence('10.0.0.3');
    const resolver = makeResolver();
    expect((await ask(resolver, 'www.example.test.')).rcode).toBe('NOERROR');
  });

  test('when nobody answers it is SERVFAIL within ten seconds, three questions to a server at most, and remembered', async () => {
    internet.silence('10.0.0.3');
    internet.silence('10.0.0.5');
    const resolver = makeResolver();
    const started = clock.now();
    const { rcode, asked } = await ask(resolver, 'www.example.test.');
    expect(rcode).toBe('SERVFAIL');
    expect(clock.now() - started).toBeLessThanOrEqual(11 * SECOND);
    for (const server of ['10.0.0.3', '10.0.0.5'])
      expect(asked.filter((line) => line.startsWith(server)).length).toBeLessThanOrEqual(3);
    expect((await ask(resolver, 'www.example.test.')).asked).toEqual([]);
  });

  test('a lame delegation is SERVFAIL', async () => {
    expect((await ask(makeResolver(), 'www.lame.test.')).rcode).toBe('SERVFAIL');
  });

  test('a reply with another ID or another question is not taken', async () => {
    internet.bend('10.0.0.1', ({ query }) =>
      encodeReply({ ...query, id: query.id ^ 1 }, { rcode: RCODE.NXDOMAIN }, false),
    );
    expect((await ask(makeResolver(), 'www.example.test.')).rcode).toBe('SERVFAIL');
  });

  test('mixed letter case must come back as it was sent', async () => {
    const resolver = makeResolver({ mixCase: true });
    expect((await ask(resolver, 'www.example.test.')).text).toHaveLength(1);
    expect(internet.seen.some((seen) => seen.name !== seen.name.toLowerCase())).toBe(true);
    internet.bend('10.0.0.1', ({ query }) =>
      encodeReply(
        { ...query, questions: query.questions.map((q) => ({ ...q, name: dnsName(q.name.toLowerCase()) })) },
        { rcode: RCODE.NXDOMAIN },
        false,
      ),
    );
    expect((await ask(makeResolver({ mixCase: true }), 'abcdefghijklmnop.example.test.')).rcode).toBe('SERVFAIL');
  });
});

test('identical questions at once are one question, and every message has an ID of its own', async () => {
  const resolver = makeResolver();
  const question = { name: dnsName('www.example.test.'), type: 1, class: 1 };
  const all = Promise.all([1, 2, 3].map(() => resolver.resolve(question, internet.io())));
  await runWith(clock, all);
  expect(internet.seen).toHaveLength(4);
  expect(new Set(internet.seen.map((seen) => seen.id)).size).toBe(4);
});

test('minimised names: each server sees only the label that it needs', async () => {
  const { asked, text } = await ask(makeResolver({ minimiseNames: true }), 'www.example.test.');
  expect(text).toEqual(['www.example.test. 300 A 192.0.2.80']);
  expect(asked.slice(0, 3)).toEqual(['10.0.0.1 . NS', '10.0.0.1 test. A', '10.0.0.2 example.test. A']);
});
