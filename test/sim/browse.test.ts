/** labs/url-to-page from the browser's side: names, caches, the page and its files, through NAT and every router. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TraceEvent } from '../../shared/net/trace.ts';
import { type TestLab, testLab } from '../kit/lab.ts';

const URL_OF_PAGE = 'http://www.server.com/';

let lab: TestLab;
beforeAll(async () => {
  lab = testLab('url-to-page');
  await lab.advance(1_000_000);
});
afterAll(() => lab.lab.stop());

test('a URL becomes a page, by name: each cache is asked in order, then the server', async () => {
  const marks: string[] = [];
  const stop = ['alice', 'www'].map((name) =>
    lab.lab.device(name).host.trace.listen(({ point, fields }: TraceEvent) => {
      if (!/^(browser|resolved|httpd):/.test(point)) return;
      marks.push(fields['hit'] === undefined ? point : `${point} ${fields['hit']}`);
    }),
  );
  const { status, out } = await lab.run('alice', `browser --json ${URL_OF_PAGE}`);
  for (const end of stop) end();
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ ok: true, status: 200, finalUrl: URL_OF_PAGE });
  expect(marks.slice(0, 11)).toEqual([
    'browser:parse_url',
    'browser:http_cache false',
    'browser:dns_cache false',
    'resolved:cache false',
    'resolved:hosts false',
    'resolved:query',
    'resolved:answer',
    'browser:request',
    'httpd:request',
    'httpd:file',
    'browser:response',
  ]);
  expect(marks.at(-1)).toBe('browser:page');
});

test('the second time the name is known, the page is checked, and its files are kept', async () => {
  const { out } = await lab.run('alice', `browser --json ${URL_OF_PAGE}`);
  const page = JSON.parse(out);
  expect(page.resources.map((file: { from: string }) => file.from)).toEqual(['revalidated', 'cache', 'cache']);
  expect(page.connections).toBe(1);
  expect((await lab.run('alice', 'browser --cache')).out).toContain('www.server.com  192.0.2.80  ');
});

test('a name that does not exist is said to be so', async () => {
  const { status, out } = await lab.run('alice', 'browser http://nope.server.com/');
  expect(status).toBe(1);
  expect(out).toContain('ERR_NAME_NOT_RESOLVED: nope.server.com');
});

test('curl fetches the same page, and says how', async () => {
  const { status, err } = await lab.run('alice', `curl -sv -o /dev/null ${URL_OF_PAGE}`);
  expect(status).toBe(0);
  expect(err).toContain('* Connected to www.server.com (192.0.2.80) port 80 (#0)\n> GET / HTTP/1.1\n');
  expect(err).toMatch(/\* Connection #0 to host www\.server\.com left intact\n$/);
});
