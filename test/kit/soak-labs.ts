/** The labs that a soak runs on, in a folder of the test's own: url-to-page with a file to fetch, and a ring of switches. */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SoakShape {
  readonly name: string;
  /** The path of the lab file. */
  readonly lab: string;
  /** Hosts whose programs fetch and ask; they are never killed by their own doing. */
  readonly clients: readonly string[];
  /** A file, its text, and a small one. */
  readonly url: string;
  readonly source: string;
  readonly small: string;
  readonly smallSource: string;
  /** What is asked for, and the answer. */
  readonly name4: string;
  readonly address: string;
  /** Wires of a ring of switches, one of which is always out: without a spanning tree a whole ring melts. */
  readonly ring: readonly string[];
}

export const SMALL_SITE = 'a small page\n';

/** Lines that differ, so that a piece in the wrong place shows. */
export function sourceText(bytes: number): string {
  const lines: string[] = [];
  for (let i = 0, length = 0; length < bytes; i++) {
    const line = `line ${i} ${(i * 2_654_435_761) >>> 0}\n`;
    lines.push(line);
    length += line.length;
  }
  return lines.join('');
}

/** A folder for httpd with a file of so many octets, and a small one. */
export function site(folder: string, bytes: number): string {
  const source = sourceText(bytes);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'soak.txt'), source);
  writeFileSync(join(folder, 'small.txt'), SMALL_SITE);
  return source;
}

export function urlToPageShape(bytes: number): SoakShape {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-soak-'));
  cpSync('labs/url-to-page', folder, { recursive: true });
  const source = site(join(folder, 'site'), bytes);
  return {
    name: 'url-to-page',
    lab: join(folder, 'lab.yaml'),
    clients: ['alice', 'bob', 'carol'],
    url: 'http://www.server.com/soak.txt',
    source,
    small: 'http://192.0.2.80/small.txt',
    smallSource: SMALL_SITE,
    name4: 'www.server.com',
    address: '192.0.2.80',
    ring: [],
  };
}

const RING = `
name: ring
seed: 1
devices:
  alice: { kind: host, eth0: 10.9.0.1/24, dns: 10.9.0.53 }
  bob:   { kind: host, eth0: 10.9.0.2/24, dns: 10.9.0.53 }
  web:   { kind: host, eth0: 10.9.0.80/24, run: [ httpd site/ ] }
  ns:    { kind: dns, role: authoritative, eth0: 10.9.0.53/24, zones: { ring.test: zones/ring.test.zone } }
  s1:    { kind: switch }
  s2:    { kind: switch }
  s3:    { kind: switch }
  s4:    { kind: switch }
wires:
  - alice:eth0 -- s1:p1
  - bob:eth0 -- s2:p1
  - web:eth0 -- s3:p1
  - ns:eth0 -- s4:p1
  - s1:p7 -- s2:p8
  - s2:p7 -- s3:p8
  - s3:p7 -- s4:p8
  - s4:p7 -- s1:p8
`;

const RING_ZONE = `$ORIGIN ring.test.
$TTL 300
@   IN SOA ns hostmaster ( 1 1800 900 604800 60 )
@   IN NS  ns
ns  IN A   10.9.0.53
web IN A   10.9.0.80
`;

export function ringShape(bytes: number): SoakShape {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-soak-'));
  const source = site(join(folder, 'site'), bytes);
  mkdirSync(join(folder, 'zones'));
  writeFileSync(join(folder, 'zones', 'ring.test.zone'), RING_ZONE);
  writeFileSync(join(folder, 'lab.yaml'), RING);
  return {
    name: 'ring',
    lab: join(folder, 'lab.yaml'),
    clients: ['alice', 'bob'],
    url: 'http://web.ring.test/soak.txt',
    source,
    small: 'http://10.9.0.80/small.txt',
    smallSource: SMALL_SITE,
    name4: 'web.ring.test',
    address: '10.9.0.80',
    ring: ['s1:p7--s2:p8', 's2:p7--s3:p8', 's3:p7--s4:p8', 's4:p7--s1:p8'],
  };
}
