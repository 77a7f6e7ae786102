/** Beside BIND's own tools (bind9-dnsutils, bind9-utils, bind9), where they are installed: columns, zone files. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Zone } from '../../shared/dns/zone.ts';
import { parseZoneFile } from '../../shared/dns/zone-file.ts';
import { dnsName, nameKey } from '../../shared/header/dns-name.ts';
import { formatRdata } from '../../shared/header/dns-text.ts';
import { formatType } from '../../shared/header/dns-type.ts';
import { testLab } from '../kit/lab.ts';
import { sharedData } from '../kit/shared-data.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;

const TRICKY = `$TTL 1h
@ IN SOA ns1 host\\.master ( 1 2h 15m 1w 5m )
 NS ns1
ns1 1d IN A 192.0.2.1
 IN 300 AAAA 2001:db8::1
a.b.c TXT "x;y" "q\\"uote" plain \\065bc
$ORIGIN sub.example.
www CNAME @
@ A 192.0.2.9
unk TYPE65280 \\# 3 ( 0a 0b
 0c )
srv SRV 1 2 3 target.example.
nap NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
caa CAA 0 issue "ca.example.net"
$GENERATE 1-3 gen$ A 10.0.0.$
`;

/** Records in the canonical way of \`named-compilezone -s full\`. */
function ours(text: string, origin: string): string[] {
  const loaded = Zone.load(dnsName(origin), parseZoneFile(text, { file: 'zone', origin: dnsName(origin) }));
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
  return [
    ...new Set(
      [...loaded.zone.records()].map(
        (r) => `${nameKey(r.name)} ${r.ttl} IN ${formatType(r.type)} ${formatRdata(r.type, r.data)}`,
      ),
    ),
  ].sort();
}

function theirs(file: string, origin: string): string[] {
  const { stdout, stderr } = spawnSync(
    'named-compilezone',
    ['-k', 'ignore', '-i', 'none', '-f', 'text', '-F', 'text', '-s', 'full', '-o', '-', origin, file],
    { encoding: 'utf8' },
  );
  const lines = stdout.split('\n').filter((line) => /\sIN\s/.test(line));
  if (lines.length === 0) throw new Error(stderr);
  const fields = lines.map((line) => /^(\S+)\s+(\d+)\s+IN\s+(\S+)\s+(.*)$/.exec(line));
  return fields
    .filter((m) => m !== null)
    .map((m) => `${m[1]?.toLowerCase()} ${m[2]} IN ${m[3]} ${m[4]}`)
    .sort();
}

describe.skipIf(!has('named-compilezone'))('zone files beside named-compilezone', () => {
  const folder = fileURLToPath(new URL('../../labs/url-to-page/zones/', import.meta.url));
  const labZones = readdirSync(folder)
    .filter((name) => name.endsWith('.zone'))
    .map((name) => [name === 'root.zone' ? '.' : `${name.replace(/\.zone$/, '')}.`, join(folder, name)] as const);
  const corpus = sharedData('conformance/dns/auth/example.zone');
  const cases = corpus === undefined ? labZones : [...labZones, ['example.', corpus] as const];
  test.each(cases)('%s has the same records', (origin, file) => {
    expect(ours(readFileSync(file, 'latin1'), origin)).toEqual(theirs(file, origin));
  });

  test('one with all that is tricky has the same records', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'wirelab-zone-')), 'zone');
    writeFileSync(file, TRICKY);
    expect(ours(TRICKY, 'example.')).toEqual(theirs(file, 'example.'));
  });
});

/** What differs without meaning: versions, IDs, times, cookies, who was asked. */
const steady = (text: string): string[] =>
  text
    .replace(/DiG \S+/, 'DiG V')
    .replace(/id: \d+/g, 'id: N')
    .replace(/Query time: \d+/g, 'Query time: N')
    .replace(/WHEN: .*/g, 'WHEN: T')
    .replace(/rcvd: \d+/g, 'rcvd: N')
    .replace(/; COOKIE: .*\n/g, '')
    .replace(/@192\.0\.2\.12/g, '@S')
    .replace(/@127\.0\.0\.1/g, '@S')
    .replace(/192\.0\.2\.12#53\(192\.0\.2\.12\)/g, 'S')
    .replace(/127\.0\.0\.1#53\(127\.0\.0\.1\)/g, 'S')
    .replace(/; EDE: .*\n/g, '')
    .split('\n');

const inNamespace = spawnSync('unshare', ['-rn', 'true']).status === 0;

describe.skipIf(!has('named') || !has('dig') || !inNamespace)('dig beside the real dig, each at its own named', () => {
  const lines = [
    'www.server.com',
    '+norecurse www.server.com',
    'web.server.com A',
    'nosuch.server.com',
    'www.server.com MX',
    '+short web.server.com',
    '+noall +answer web.server.com',
    '+multiline server.com SOA',
    '+nocomments www.server.com',
    '+noedns +nocmd www.server.com',
    '+noquestion +nostats www.server.com',
    '+ttlunits +noclass short.server.com',
    'www.server.com +bufsize=512 +noall +comments',
    'any.shops.server.com +noall +answer +question',
  ];
  const folder = fileURLToPath(new URL('../../labs/url-to-page/zones/', import.meta.url));

  test('every line of output agrees', async () => {
    const real = await realDigs(lines, folder);
    const lab = testLab('url-to-page');
    for (const [index, line] of lines.entries()) {
      const { out } = await lab.run('server-dns', `dig @192.0.2.12 ${line}`);
      expect(steady(out), line).toEqual(steady(real[index] ?? ''));
    }
    lab.lab.stop();
  });
});

/** Run named and dig in a network namespace of their own; the output of each line. */
async function realDigs(lines: readonly string[], folder: string): Promise<string[]> {
  const place = mkdtempSync(join(tmpdir(), 'wirelab-named-'));
  writeFileSync(
    join(place, 'named.conf'),
    `options { directory "${place}"; listen-on { any; }; listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none; };
controls { };
zone "server.com" { type primary; file "${folder}server.com.zone"; };\n`,
  );
  const script = [
    'ip link set lo up',
    `named -c ${place}/named.conf -g >${place}/log 2>&1 & server=$!`,
    'for i in $(seq 50); do dig +short +tries=1 +time=1 @127.0.0.1 server.com SOA | grep -q ns1 && break; sleep 0.1; done',
    ...lines.map((line) => `dig @127.0.0.1 ${line}; echo '=== end'`),
    'kill $server; wait',
  ].join('\n');
  const child = spawn('unshare', ['-rn', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.on('close', resolve));
  return text.split('=== end\n');
}
