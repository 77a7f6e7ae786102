import { expect, test } from 'vitest';
import { IPV4_LOOPBACK } from '../../../shared/header/address.ts';
import type { Program } from '../../../shared/net/syscalls.ts';
import { start, testHost } from '../../kit/loop-host.ts';
import { runWith } from '../../kit/run-with.ts';

const SITE = {
  'site/index.html': '<title>Home</title>',
  'site/a b.txt': 'spaces',
  'site/sub/default.html': '<title>Sub</title>',
  'site/empty/x': 'x',
  'secret.txt': 'not for the web',
};

/** One request as bytes; the whole answer as text. */
async function ask(requestText: string, args: string[] = ['site']) {
  const lab = testHost(SITE);
  const server = start(lab.host, 'httpd', ['httpd', ...args]);
  await lab.clock.runAsync(1_000);
  const client: Program = async ({ sys, out }) => {
    const fd = sys.socket('inet', 'stream');
    await sys.connect(fd, { address: IPV4_LOOPBACK, port: 80 });
    await sys.send(fd, new TextEncoder().encode(requestText.replaceAll('\n', '\r\n')));
    const buffer = new Uint8Array(4_096);
    for (;;) {
      const { length } = await sys.recv(fd, buffer);
      if (length === 0) return 0;
      await out(new TextDecoder().decode(buffer.subarray(0, length)));
    }
  };
  const asked = start(lab.host, client, ['client']);
  const { out } = await runWith(lab.clock, asked.outcome);
  return { answer: out, log: server.text.out, status: Number(out.split(' ')[1]) };
}

const get = (path: string, headers = '') => ask(`GET ${path} HTTP/1.1\nHost: bob\n${headers}Connection: close\n\n`);

test('the default document is /index.html, then /default.html', async () => {
  expect((await get('/')).answer).toContain('<title>Home</title>');
  expect((await get('/sub/')).answer).toContain('<title>Sub</title>');
});

test('a folder without its slash is redirected, one without a document forbidden', async () => {
  expect((await get('/sub')).answer).toMatch(/^HTTP\/1.1 301 .*\r\n[\s\S]*Location: \/sub\/\r\n/);
  expect((await get('/empty/')).status).toBe(403);
});

test('what is not there is 404, what cannot be done 405', async () => {
  expect((await get('/nope.html')).status).toBe(404);
  expect((await ask('POST / HTTP/1.1\nHost: bob\nContent-Length: 0\nConnection: close\n\n')).answer).toMatch(
    /^HTTP\/1.1 405 [\s\S]*Allow: GET, HEAD\r\n/,
  );
});

test.each(['/../secret.txt', '/sub/../../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt'])(
  'no path leads out of the folder: %s',
  async (path) => {
    const { status, answer } = await get(path);
    expect([403, 404]).toContain(status);
    expect(answer).not.toContain('not for the web');
  },
);

test('percent-encoding is undone, a broken one is 400', async () => {
  expect((await get('/a%20b.txt')).answer).toContain('spaces');
  expect((await get('/%zz')).status).toBe(400);
});

test('HEAD is the same without the bytes', async () => {
  const { answer } = await ask('HEAD / HTTP/1.1\nHost: bob\nConnection: close\n\n');
  expect(answer).toContain('Content-Length: 19\r\n');
  expect(answer.endsWith('\r\n\r\n')).toBe(true);
});

test('a range is 206, one beyond the end 416', async () => {
  const part = (await get('/', 'Range: bytes=0-6\n')).answer;
  expect(part).toMatch(/^HTTP\/1.1 206 [\s\S]*Content-Range: bytes 0-6\/19\r\n[\s\S]*\r\n\r\n<title>$/);
  expect((await get('/', 'Range: bytes=-8\n')).answer).toMatch(/\r\n\r\n<\/title>$/);
  expect((await get('/', 'Range: bytes=100-\n')).status).toBe(416);
});

test('who has it already is told so', async () => {
  const etag = /ETag: (.*)\r\n/.exec((await get('/')).answer)?.[1] ?? '';
  const { answer } = await get('/', `If-None-Match: ${etag}\n`);
  expect(answer).toMatch(/^HTTP\/1.1 304 /);
  expect(answer.endsWith('\r\n\r\n')).toBe(true);
});

test('each request is a line in the log', async () => {
  expect((await get('/')).log).toMatch(/127\.0\.0\.1 - - \[[0-9.]+\] "GET \/ HTTP\/1.1" 200 19\n/);
});

test('a folder that is not there, or a port that is none, ends it at once', async () => {
  const lab = testHost(SITE);
  const missing = await runWith(lab.clock, start(lab.host, 'httpd', ['httpd', 'nowhere']).outcome);
  expect(missing).toMatchObject({ status: 1, err: 'httpd: nowhere: No such directory\n' });
  const port = await runWith(lab.clock, start(lab.host, 'httpd', ['httpd', 'site', '-p', '99999']).outcome);
  expect(port.status).toBe(2);
});

test('bytes that are no request are answered 400 and nothing else suffers', async () => {
  expect((await ask('hello\n\n')).status).toBe(400);
});
