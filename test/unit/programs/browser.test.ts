import { expect, test } from 'vitest';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { readPage } from '../../../shared/programs/browser-page.ts';
import { parseUrl } from '../../../shared/programs/url.ts';
import { start, testHost } from '../../kit/loop-host.ts';
import { runWith } from '../../kit/run-with.ts';

const SITE = {
  'site/index.html': `<!doctype html><html><head><title>A &amp; B</title>
    <link rel="stylesheet" href="style.css"></head>
    <body><h1>Hello</h1><p>One <b>line</b>.</p><ul><li>first<li>second</ul><img src="/logo.png" alt="logo"></body></html>`,
  'site/style.css': 'body { color: black }',
  'site/logo.png': new Uint8Array(200_000),
};

async function labWithSite() {
  const lab = testHost(SITE);
  start(lab.host, 'httpd', ['httpd', 'site']);
  const resident = start(lab.host, 'browser', ['browser'], 0);
  await lab.clock.runAsync(10_000);
  const browse = (...argv: string[]) => runWith(lab.clock, start(lab.host, 'browser', ['browser', ...argv], 9).outcome);
  return { ...lab, resident, browse };
}

test('a page comes with its title, its text and its files', async () => {
  const { browse } = await labWithSite();
  const { status, out, err } = await browse('127.0.0.1');
  expect(err).toBe('');
  expect(status).toBe(0);
  expect(out).toContain('A & B\nhttp://127.0.0.1/\n');
  expect(out).toContain('# Hello\n\nOne line.\n\n* first\n* second\n\n[logo]');
  expect(out).toMatch(/200 image\/png {8,}200,000 B/);
  expect(out).toMatch(/3 files, 200,\d+ bytes, 2 connections/);
});

test('--json lists every file with where it came from', async () => {
  const { browse } = await labWithSite();
  const first = JSON.parse((await browse('--json', 'http://127.0.0.1/')).out);
  expect(first).toMatchObject({ ok: true, status: 200, title: 'A & B', finalUrl: 'http://127.0.0.1/' });
  expect(first.resources.map((file: { from: string }) => file.from)).toEqual(['network', 'network', 'network']);
  const second = JSON.parse((await browse('--json', 'http://127.0.0.1/')).out);
  // The page is asked for again, what it shows is kept.
  expect(second.resources.map((file: { from: string }) => file.from)).toEqual(['revalidated', 'cache', 'cache']);
  expect(second.text).toBe(first.text);
});

test('the caches are shown, and forgotten when told', async () => {
  const { browse } = await labWithSite();
  await browse('127.0.0.1');
  expect((await browse('--cache')).out).toContain('http://127.0.0.1/logo.png  200,000');
  await browse('--flush-cache');
  expect((await browse('--cache')).out).not.toContain('logo.png');
});

test('each step is marked with the cause of who asked', async () => {
  const { host, browse } = await labWithSite();
  const events: TraceEvent[] = [];
  host.trace.listen((event) => events.push(event));
  await browse('127.0.0.1');
  const marks = events.filter(({ point }) => /^(browser|httpd):/.test(point));
  expect(marks.slice(0, 6).map(({ point }) => point)).toEqual([
    'browser:parse_url',
    'browser:http_cache',
    'browser:request',
    'httpd:request',
    'httpd:file',
    'browser:response',
  ]);
  expect(marks.at(-1)).toMatchObject({ point: 'browser:page', fields: { title: 'A & B', resources: 3 } });
  expect(new Set(marks.map(({ cause }) => cause))).toEqual(new Set([9]));
});

test('a server that is not there is an error page and status 1', async () => {
  const { browse } = await labWithSite();
  const { status, out } = await browse('127.0.0.1:81');
  expect(status).toBe(1);
  expect(out).toContain("This site can't be reached\nhttp://127.0.0.1:81/\nERR_CONNECTION_REFUSED");
});

test('without a resident, the page is loaded all the same', async () => {
  const lab = testHost(SITE);
  start(lab.host, 'httpd', ['httpd', 'site']);
  await lab.clock.runAsync(1_000);
  const { out } = await runWith(lab.clock, start(lab.host, 'browser', ['browser', '127.0.0.1']).outcome);
  expect(out).toContain('# Hello');
});

test('a URL is taken apart: scheme http, path /, the port of the scheme, unless it says otherwise', () => {
  expect(parseUrl('www.server.com')).toMatchObject({ scheme: 'http', host: 'www.server.com', port: 80, path: '/' });
  expect(parseUrl('localhost:8080/a?b#c')).toMatchObject({ port: 8080, path: '/a?b', authority: 'localhost:8080' });
  expect(parseUrl('https://Server.COM')).toMatchObject({ scheme: 'https', host: 'server.com', port: 443 });
  expect(parseUrl('http://10.0.0.1/')?.address).toBe(0x0a00_0001);
  expect(parseUrl('http://[')).toBeUndefined();
  expect(parseUrl('')).toBeUndefined();
});

test('a page that is badly written is read all the same', () => {
  const page = readPage(
    '<title>T</title><p>a<p>b<script>if (a<b) "</p>"</script><img src=x.png>c &nosuch; &#x41;',
    'http://h/',
  );
  expect(page).toEqual({
    title: 'T',
    text: 'a\n\nb[image]c &nosuch; A',
    resources: [{ url: 'http://h/x.png', kind: 'image' }],
  });
});
