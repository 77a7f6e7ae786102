/** The DNS tree of labs/url-to-page, asked with the tools that people use. Expected columns are BIND 9.18's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TraceEvent } from '../../shared/net/trace.ts';
import { type TestLab, testLab } from '../kit/lab.ts';

/** Text with what differs from run to run made equal. */
const steady = (text: string): string =>
  text
    .replace(/id: \d+/g, 'id: N')
    .replace(/Query time: \d+ msec/g, 'Query time: N msec')
    .replace(/WHEN: .*/g, 'WHEN: T')
    .replace(/in \d+ ms/g, 'in N ms');

describe('the DNS tree of url-to-page', () => {
  let lab: TestLab;
  beforeAll(() => {
    lab = testLab('url-to-page');
  });
  afterAll(() => lab.lab.stop());

  test('dig prints what BIND 9.18 prints, and the local server finds the answer from the root down', async () => {
    const { out, status } = await lab.run('www', 'dig www.server.com');
    expect(status).toBe(0);
    expect(steady(out)).toBe(`
; <<>> DiG 9.18.49-wirelab <<>> www.server.com
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: N
;; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;www.server.com.			IN	A

;; ANSWER SECTION:
www.server.com.		300	IN	A	192.0.2.80

;; Query time: N msec
;; SERVER: 198.51.100.18#53(198.51.100.18) (UDP)
;; WHEN: T
;; MSG SIZE  rcvd: 59

`);
  });

  test('a cold question costs priming and one question for each level; a warm one none; TTLs count down', async () => {
    const asked: string[] = [];
    const device = lab.lab.device('local-dns');
    const stop = device.host.trace.listen((event: TraceEvent) => {
      if (event.point === 'named:iterate') asked.push(`${event.fields['server']} ${event.fields['name']}`);
    });
    await lab.run('www', 'dig +short short.server.com');
    expect(asked).toEqual(['192.0.2.12 short.server.com']);
    asked.length = 0;
    await lab.advance(3_000_000);
    const { out } = await lab.run('www', 'dig +noall +answer short.server.com');
    expect(out).toMatch(/^short\.server\.com\.\t[67]\tIN\tA\t192\.0\.2\.80\n$/);
    expect(asked).toEqual([]);
    await lab.advance(8_000_000);
    expect((await lab.run('www', 'dig +noall +answer short.server.com')).out).toContain('\t10\tIN\tA');
    expect(asked).toEqual(['192.0.2.12 short.server.com']);
    stop();
  });

  test('dig +trace asks the root, the top-level domain and the authoritative server itself', async () => {
    const { out, status } = await lab.run('www', 'dig +trace +nodnssec web.server.com');
    expect(status).toBe(0);
    const lines = steady(out)
      .split('\n')
      .filter((line) => line.startsWith(';; Received'));
    expect(lines).toEqual([
      ';; Received 59 bytes from 198.51.100.18#53(198.51.100.18) in N ms',
      ';; Received 91 bytes from 192.0.2.10#53(a.root-servers.net) in N ms',
      ';; Received 77 bytes from 192.0.2.11#53(a.gtld-servers.net) in N ms',
      expect.stringMatching(/^;; Received \d+ bytes from 192\.0\.2\.12#53\(ns1\.server\.com\) in N ms$/),
    ]);
    expect(out).toContain('web.server.com.\t\t300\tIN\tCNAME\twww.server.com.\n');
  });

  test('servers refuse what they do not serve, answer their own with authority, and refer for the rest', async () => {
    expect((await lab.run('www', 'dig @192.0.2.12 +norec example.org')).out).toContain('status: REFUSED');
    expect((await lab.run('www', 'dig @192.0.2.12 +norec www.server.com')).out).toContain('flags: qr aa;');
    const referral = (await lab.run('www', 'dig @192.0.2.11 +norec www.server.com')).out;
    expect(referral).toContain('flags: qr; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2');
    expect(referral).toContain('server.com.\t\t172800\tIN\tNS\tns1.server.com.\n');
  });

  test('getent asks resolved, which keeps the answer; a name that is not there is not found, and that is kept, too', async () => {
    const marks: string[] = [];
    const stop = lab.lab.device('www').host.trace.listen((event) => {
      if (event.point.startsWith('resolved:')) marks.push(`${event.point} ${event.fields['hit'] ?? ''}`.trim());
    });
    expect(await lab.run('www', 'getent ahosts www.server.com')).toMatchObject({
      status: 0,
      out: '192.0.2.80      STREAM www.server.com\n192.0.2.80      DGRAM  \n192.0.2.80      RAW    \n',
    });
    expect(marks).toEqual(['resolved:cache false', 'resolved:hosts false', 'resolved:query', 'resolved:answer']);
    marks.length = 0;
    await lab.run('www', 'getent hosts www.server.com');
    expect(marks).toEqual(['resolved:cache true']);
    marks.length = 0;
    expect((await lab.run('www', 'getent hosts nosuch.server.com')).status).toBe(2);
    expect((await lab.run('www', 'getent hosts nosuch.server.com')).status).toBe(2);
    expect(marks).toEqual([
      'resolved:cache false',
      'resolved:hosts false',
      'resolved:query',
      'resolved:answer',
      'resolved:cache true',
    ]);
    stop();
  });

  test('a changed hosts file empties the cache, and comes before the servers', async () => {
    const { host } = lab.lab.device('www');
    host.filesystem.writeText('/etc/hosts', '127.0.0.1 localhost\n10.9.8.7 www.server.com printer\n');
    expect((await lab.run('www', 'getent hosts www.server.com')).out).toBe('10.9.8.7        www.server.com\n');
    expect((await lab.run('www', 'dig +short www.server.com')).out).toBe('192.0.2.80\n');
    expect((await lab.run('www', 'getent hosts printer')).status).toBe(0);
  });

  test('nslookup and host speak as BIND’s', async () => {
    expect((await lab.run('www', 'nslookup web.server.com')).out).toBe(
      'Server:\t\t198.51.100.18\nAddress:\t198.51.100.18#53\n\nNon-authoritative answer:\nweb.server.com\tcanonical name = www.server.com.\nName:\twww.server.com\nAddress: 192.0.2.80\n\n',
    );
    expect(await lab.run('www', 'nslookup nosuch.server.com')).toMatchObject({
      status: 1,
      out: "Server:\t\t198.51.100.18\nAddress:\t198.51.100.18#53\n\n** server can't find nosuch.server.com: NXDOMAIN\n\n",
    });
    expect((await lab.run('www', 'host 192.0.2.80')).out).toBe(
      '80.2.0.192.in-addr.arpa domain name pointer www.server.com.\n',
    );
    expect((await lab.run('www', 'host web.server.com')).out).toBe(
      'web.server.com is an alias for www.server.com.\nwww.server.com has address 192.0.2.80\n',
    );
    expect((await lab.run('www', 'host -t mx server.com')).out).toBe('server.com has no MX record\n');
  });

  test('dig tells silence, refusal and bad use apart by its exit status', async () => {
    const silent = await lab.run('www', 'dig @203.0.113.99 +time=1 +tries=2 www.server.com');
    expect(silent.status).toBe(9);
    expect(silent.out).toContain(';; no servers could be reached\n');
    const closed = await lab.run('www', 'dig @192.0.2.65 +tries=1 www.server.com');
    expect(closed).toMatchObject({ status: 9 });
    expect(closed.out).toContain(';; communications error to 192.0.2.65#53: connection refused\n');
    expect((await lab.run('www', 'dig +bogus x.')).status).toBe(1);
    expect(await lab.run('www', 'dig bad..name')).toMatchObject({
      status: 10,
      err: "dig: 'bad..name' is not a legal name (empty label)\n",
    });
  });

  test('named says where a zone file is wrong, and does not start', async () => {
    const { host } = lab.lab.device('www');
    host.filesystem.writeText('/etc/bad.zone', '$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 1.2.3.400\n');
    expect(await lab.run('www', 'named -z bad.=/etc/bad.zone')).toMatchObject({
      status: 1,
      err: '/etc/bad.zone:4:6: "1.2.3.400" is not an IPv4 address\nnamed: zone bad/IN: not loaded due to errors.\n',
    });
  });

  test('an answer longer than 512 octets is cut, and asked for again over TCP', async () => {
    const { out } = await lab.run('www', 'dig +noedns big.server.com TXT');
    expect(out).toMatch(/^;; Truncated, retrying in TCP mode\.\n/);
    expect(out).toContain('flags: qr rd ra; QUERY: 1, ANSWER: 6, AUTHORITY: 0, ADDITIONAL: 0');
    expect(out).toContain(';; SERVER: 198.51.100.18#53(198.51.100.18) (TCP)');
    const cut = await lab.run('www', 'dig +noedns +ignore +noall +comments big.server.com TXT');
    expect(cut.out).toContain('flags: qr tc rd ra; QUERY: 1, ANSWER: 0');
  });

  test('a zone is transferred with its SOA at both ends; others are refused', async () => {
    const { out } = await lab.run('www', 'dig @192.0.2.12 axfr server.com');
    const rows = out.split('\n').filter((line) => line.includes('\tIN\t'));
    expect(rows).toHaveLength(15);
    expect(rows[0]).toBe(rows.at(-1));
    expect(out).toContain(';; XFR size: 15 records (messages 1, bytes 947)');
    expect((await lab.run('www', 'dig @192.0.2.12 axfr nosuch.com')).out).toContain('; Transfer failed.');
  });

  test('rndc shows what named remembers, and makes it forget', async () => {
    await lab.run('www', 'dig +short www.server.com');
    const seconds = async (): Promise<number> => {
      const { out } = await lab.run('local-dns', 'rndc dumpdb -cache');
      return Number(/^www\.server\.com\.\s+(\d+)\tIN A\t192\.0\.2\.80$/m.exec(out)?.[1] ?? -1);
    };
    const before = await seconds();
    await lab.advance(5_000_000);
    expect(before - (await seconds())).toBe(5);
    expect((await lab.run('local-dns', 'rndc flush')).status).toBe(0);
    expect(await seconds()).toBe(-1);
    expect(await lab.run('alice', 'rndc status')).toMatchObject({
      status: 1,
      err: 'rndc: connect failed: 127.0.0.1#953: connection refused\n',
    });
  });

  test('resolvectl shows what the host remembers, counting down, and empties it', async () => {
    await lab.run('alice', 'getent hosts web.server.com');
    await lab.advance(4_000_000);
    const { out } = await lab.run('alice', 'resolvectl show-cache');
    expect(out).toMatch(
      /^web\.server\.com IN CNAME www\.server\.com\. \(ttl 29[0-6]s\)\nwww\.server\.com IN A 192\.0\.2\.80 \(ttl 29[0-6]s\)$/m,
    );
    expect((await lab.run('alice', 'resolvectl query web.server.com')).out).toMatch(
      /^web\.server\.com: 192\.0\.2\.80\n {16}\(www\.server\.com\)\n/,
    );
    await lab.run('alice', 'resolvectl flush-caches');
    expect((await lab.run('alice', 'resolvectl show-cache')).out).toBe('Scope protocol=dns\n');
    expect(await lab.run('alice', 'resolvectl query nosuch.server.com')).toMatchObject({
      status: 1,
      err: "nosuch.server.com: resolve call failed: Name 'nosuch.server.com' not found\n",
    });
  });

  test('questions of two hosts at once keep their causes apart, down to the authoritative server', async () => {
    const causes = new Map<string, Set<number>>();
    const stop = lab.lab.device('server-dns').host.trace.listen((event) => {
      const name = String(event.fields['name'] ?? '');
      if (event.point === 'named:query') causes.set(name, (causes.get(name) ?? new Set()).add(event.cause));
    });
    const sink = { stdout: () => {}, stderr: () => {} };
    const started = [101, 102].map((cause) =>
      lab.lab.device('www').host.processes.spawn('dig', ['dig', `c${cause}.shops.server.com`], { ...sink, cause }),
    );
    let ended = 0;
    for (const { exited } of started) void exited.then(() => ended++);
    await lab.clock.until(() => ended === 2, 30_000_000);
    expect([...causes]).toEqual([
      ['c101.shops.server.com', new Set([101])],
      ['c102.shops.server.com', new Set([102])],
    ]);
    stop();
  });
});
