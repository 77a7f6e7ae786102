import { createServer, type RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import type { Program } from '../../../shared/net/syscalls.ts';
import { listenStream } from '../../../shared/programs/node.ts';
import { start, testHost } from '../../kit/loop-host.ts';
import { runWith } from '../../kit/run-with.ts';

const SITE = { 'site/index.html': '<title>Home</title>\n', 'post.txt': 'a=1\nb=2\n' };

async function site(handle?: RequestListener) {
  const lab = testHost(SITE);
  const program: Program = ({ sys }) => {
    const server = createServer(handle);
    listenStream(sys, { port: 80, allowHalfOpen: true }, (stream) => server.emit('connection', stream));
    return new Promise(() => {});
  };
  if (handle === undefined) start(lab.host, 'httpd', ['httpd', 'site']);
  else start(lab.host, program, ['server']);
  await lab.clock.runAsync(1_000);
  const curl = (...args: string[]) => runWith(lab.clock, start(lab.host, 'curl', ['curl', ...args]).outcome);
  return { ...lab, curl };
}

/** Answers with what it was asked. */
const mirror: RequestListener = (request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    const pairs = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      pairs.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    response.end(`${request.method} ${request.url}\n${pairs.join('\n')}\n\n${body}`);
  });
};

test('the page goes to standard output, and nothing else', async () => {
  const { curl } = await site();
  expect(await curl('127.0.0.1')).toEqual({ status: 0, out: '<title>Home</title>\n', err: '' });
});

test('-v tells the connection, the request and the response in curl’s words', async () => {
  const { curl } = await site();
  const { err } = await curl('-v', 'http://127.0.0.1/');
  expect(err).toMatch(
    /^\* {3}Trying 127\.0\.0\.1:80\.\.\.\n\* Connected to 127\.0\.0\.1 \(127\.0\.0\.1\) port 80 \(#0\)\n> GET \/ HTTP\/1\.1\n> Host: 127\.0\.0\.1\n> User-Agent: curl\/7\.88\.1\n> Accept: \*\/\*\n> \n< HTTP\/1\.1 200 OK\n/,
  );
  expect(err).toMatch(/\n< \n\* Connection #0 to host 127\.0\.0\.1 left intact\n$/);
});

test('what -v shows of the request is what is sent', async () => {
  const { curl } = await site(mirror);
  const { out } = await curl('-u', 'me:secret', '-A', 'me', '-H', 'X-One: 1', '-H', 'Accept:', '127.0.0.1/a?b');
  expect(out).toBe('GET /a?b\nHost: 127.0.0.1\nAuthorization: Basic bWU6c2VjcmV0\nUser-Agent: me\nX-One: 1\n\n');
});

test('-d posts, joined and from files', async () => {
  const { curl } = await site(mirror);
  const { out } = await curl('-d', 'x=1', '-d', '@post.txt', '127.0.0.1/form');
  expect(out).toMatch(
    /^POST \/form\n[\s\S]*Content-Length: 10\nContent-Type: application\/x-www-form-urlencoded\n\nx=1&a=1b=2$/,
  );
  expect((await curl('-X', 'PUT', '--data-raw', '@x', '127.0.0.1/')).out).toMatch(/^PUT \/\n[\s\S]*\n\n@x$/);
  expect((await curl('-G', '-d', 'q=1', '127.0.0.1/s')).out).toMatch(/^GET \/s\?q=1\n/);
});

test('-I asks for the head, -i shows it before the page', async () => {
  const { curl } = await site();
  const head = (await curl('-I', '127.0.0.1')).out;
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 20\r\n[\s\S]*\r\n\r\n$/);
  expect((await curl('-i', '127.0.0.1')).out).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n<title>Home/);
});

test('-L follows over the same connection, up to a limit', async () => {
  const { curl } = await site((request, response) => {
    if (request.url === '/end') return void response.end('there\n');
    response.writeHead(302, { Location: request.url === '/loop' ? '/loop' : '/end' }).end('moved');
  });
  const { out, err } = await curl('-sLv', '127.0.0.1/start');
  expect(out).toBe('there\n');
  expect(err).toContain("* Issue another request to this URL: 'http://127.0.0.1/end'\n");
  expect(err).toContain('* Re-using existing connection #0 with host 127.0.0.1\n');
  expect(await curl('-L', '--max-redirs', '3', '127.0.0.1/loop')).toMatchObject({
    status: 47,
    err: 'curl: (47) Maximum (3) redirects followed\n',
  });
});

test('-f makes an error of status 400 and above', async () => {
  const { curl } = await site();
  expect(await curl('-f', '127.0.0.1/nope')).toEqual({
    status: 22,
    out: '',
    err: 'curl: (22) The requested URL returned error: 404\n',
  });
});

test('a refused connection is 7, a name without address 6, a strange scheme 1, no URL 2', async () => {
  const { curl } = await site();
  expect(await curl('127.0.0.1:81')).toEqual({
    status: 7,
    out: '',
    err: "curl: (7) Failed to connect to 127.0.0.1 port 81 after 0 ms: Couldn't connect to server\n",
  });
  expect(await curl('ftp://127.0.0.1/')).toMatchObject({
    status: 1,
    err: 'curl: (1) Protocol "ftp" not supported or disabled in libcurl\n',
  });
  expect((await curl()).status).toBe(2);
  expect((await curl('--nosuch')).err).toContain('curl: option --nosuch: is unknown\n');
  expect((await curl('-sS', '-m')).err).toContain('curl: option -m: requires parameter\n');
});

test('--max-time ends a transfer that hangs', async () => {
  const { curl } = await site((_request, response) => void response.write('half'));
  expect(await curl('-m', '2', '127.0.0.1')).toMatchObject({
    status: 28,
    err: 'curl: (28) Operation timed out after 2000 milliseconds with 4 bytes received\n',
  });
});

test('several URLs share a connection, unless the user says close', async () => {
  const { curl } = await site((request, response) => void response.end(`${request.socket.remotePort} `));
  const urls = ['127.0.0.1/1', '127.0.0.1/2', '127.0.0.1/3'];
  const ports = async (...options: string[]): Promise<number> =>
    new Set((await curl(...options, ...urls)).out.trim().split(' ')).size;
  expect(await ports()).toBe(1);
  expect(await ports('-H', 'Connection: close')).toBe(3);
  expect((await curl('-w', '%{num_connects} ', ...urls)).out.match(/ [0-9] /g)).toEqual([' 1 ', ' 0 ', ' 0 ']);
});

test('a transfer that runs out of time does not disturb the next', async () => {
  const { curl } = await site((request, response) => {
    if (request.url === '/fast') response.end('fast');
  });
  const { out, err } = await curl('-sS', '-m', '1', '127.0.0.1/fast', '127.0.0.1/never', '127.0.0.1/fast');
  expect(out).toBe('fastfast');
  expect(err).toMatch(/^curl: \(28\) Operation timed out after 1000 milliseconds with 0 bytes received\n$/);
});

test('a server that closes without a word is 52, one that closes too early 18', async () => {
  const silent = await site((request) => void request.socket.destroy());
  expect(await silent.curl('127.0.0.1')).toMatchObject({ status: 52, err: 'curl: (52) Empty reply from server\n' });
  const early = await site((request, response) => {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('0123456789', () => request.socket.end());
  });
  expect(await early.curl('127.0.0.1')).toMatchObject({
    status: 18,
    err: 'curl: (18) transfer closed with 90 bytes remaining to read\n',
  });
});

test('-o keeps the page in a file and shows the meter, -s does not', async () => {
  const { curl, host } = await site();
  const { out, err } = await curl('-o', '/tmp/page', '127.0.0.1');
  expect(out).toBe('');
  expect(err).toMatch(/^ {2}% Total {4}% Received[\s\S]*\n\r100 {4}20 {2}100 {4}20 {4}0 {5}0 /);
  expect(new TextDecoder().decode(host.filesystem.readFile('/tmp/page') as Uint8Array)).toBe('<title>Home</title>\n');
  expect((await curl('-sO', '127.0.0.1/index.html')).err).toBe('');
  expect(host.filesystem.stat('index.html')?.size).toBe(20);
});

test('--resolve and -w', async () => {
  const { curl } = await site();
  const { out } = await curl(
    '-s',
    '--resolve',
    'www.x:80:127.0.0.1',
    '-w',
    '%{http_code} %{remote_ip} %{size_download}\\n',
    '-o',
    '/tmp/x',
    'www.x',
  );
  expect(out).toBe('200 127.0.0.1 20\n');
});
