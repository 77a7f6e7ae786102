import { once } from 'node:events';
import http from 'node:http';
import { expect, test, vi } from 'vitest';
import { IPV4_LOOPBACK } from '../../../shared/header/address.ts';
import type { Program } from '../../../shared/net/syscalls.ts';
import { connectStream, listenStream, type SocketStream } from '../../../shared/programs/node.ts';
import { run, start, testHost } from '../../kit/loop-host.ts';
import { runWith } from '../../kit/run-with.ts';

const server =
  (port: number, handle: http.RequestListener): Program =>
  ({ sys }) => {
    const listener = http.createServer(handle);
    listenStream(sys, { port, allowHalfOpen: true }, (stream) => listener.emit('connection', stream));
    return new Promise(() => {});
  };

test("Node's http server and client talk over emulated sockets", async () => {
  const lab = testHost();
  start(
    lab.host,
    server(80, (request, response) => response.end(`you asked for ${request.url}`)),
    ['server'],
  );
  const client: Program = async ({ sys, out }) => {
    const request = http.request({
      path: '/x',
      headers: { host: 'bob' },
      createConnection: () => connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 80 } }),
    });
    request.end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let body = '';
    for await (const chunk of response) body += chunk;
    await out(`${response.statusCode} ${body}\n`);
    return 0;
  };
  expect(await run(lab, client, ['client'])).toEqual({ status: 0, out: '200 you asked for /x\n', err: '' });
});

test('an agent keeps the connection for the next request', async () => {
  const lab = testHost();
  let connections = 0;
  const serve: Program = ({ sys }) => {
    const listener = http.createServer((_request, response) => response.end('page'));
    listenStream(sys, { port: 80, allowHalfOpen: true }, (stream) => {
      connections++;
      listener.emit('connection', stream);
    });
    return new Promise(() => {});
  };
  start(lab.host, serve, ['server']);
  const client: Program = async ({ sys }) => {
    const agent = new http.Agent({ keepAlive: true });
    agent.createConnection = () => connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 80 } });
    for (let i = 0; i < 3; i++) {
      const request = http.get({ path: '/', headers: { host: 'bob' }, agent });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      response.resume();
      await once(response, 'end');
      await sys.nanosleep(1_000);
    }
    agent.destroy();
    return 0;
  };
  expect((await run(lab, client, ['client'])).status).toBe(0);
  expect(connections).toBe(1);
});

test('a slow reader holds the writer back, and every octet arrives', async () => {
  const lab = testHost();
  const size = 1_000_000;
  const serve: Program = ({ sys }) => {
    listenStream(sys, { port: 7 }, (stream) => stream.end(Buffer.alloc(size, 'x')));
    return new Promise(() => {});
  };
  start(lab.host, serve, ['server']);
  const client: Program = async ({ sys, out }) => {
    const stream = connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 7 } });
    let got = 0;
    for await (const chunk of stream) {
      got += chunk.length;
      await sys.nanosleep(10_000);
    }
    await out(`${got}`);
    return 0;
  };
  expect((await run(lab, client, ['client'])).out).toBe(String(size));
});

test('a refused connection is an error with the code and words of Node', async () => {
  const lab = testHost();
  const client: Program = async ({ sys, out }) => {
    const stream = connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 81 } });
    const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
    await out(`${error.code} ${error.message}`);
    return 0;
  };
  expect((await run(lab, client, ['client'])).out).toBe('ECONNREFUSED connect ECONNREFUSED 127.0.0.1:81');
});

test('a timeout runs on the lab clock and only while nothing moves', async () => {
  const lab = testHost();
  const serve: Program = ({ sys }) => {
    listenStream(sys, { port: 7 }, () => {});
    return new Promise(() => {});
  };
  start(lab.host, serve, ['server']);
  const client: Program = async ({ sys, out }) => {
    const stream = connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 7 } });
    await once(stream, 'connect');
    const since = sys.clockGettime();
    stream.setTimeout(3_000);
    await sys.nanosleep(1_000_000);
    stream.write('x');
    await once(stream, 'timeout');
    await out(String(sys.clockGettime() - since));
    return 0;
  };
  expect((await run(lab, client, ['client'])).out).toBe('4000000');
});

test('a client that is killed in its question lets go of the parser by which Node would hold its host', async () => {
  const lab = testHost();
  start(
    lab.host,
    server(80, () => {}),
    ['server'],
  );
  let stream: SocketStream | undefined;
  const client: Program = async ({ sys }) => {
    const createConnection = (): SocketStream =>
      (stream = connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 80 } }));
    await once(http.get({ headers: { host: 'bob' }, createConnection }), 'response');
    return 0;
  };
  const asked = start(lab.host, client, ['client']);
  await lab.clock.runAsync(10_000);
  expect(stream?.parser).toBeDefined();
  const close = vi.spyOn(stream!.parser!, 'close');
  asked.kill('SIGTERM');
  await lab.clock.runAsync(20_000);
  expect(close).toHaveBeenCalledOnce();
  expect(stream?.parser).toBeUndefined();
});

test('a killed server leaves no descriptor, and its streams fall silent', async () => {
  const lab = testHost();
  const started = start(
    lab.host,
    server(80, () => {}),
    ['server'],
  );
  const client: Program = async ({ sys, out }) => {
    const request = http.get({
      headers: { host: 'bob' },
      createConnection: () => connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: 80 } }),
    });
    const [error] = (await once(request, 'error')) as [Error];
    await out(error.message);
    return 0;
  };
  const asked = start(lab.host, client, ['client']);
  await lab.clock.runAsync(10_000);
  started.kill('SIGTERM');
  expect(await runWith(lab.clock, started.exited)).toBe(143);
  expect((await runWith(lab.clock, asked.outcome)).out).toMatch(/socket hang up|ECONNRESET/);
  expect(lab.host.processes.list()).toEqual([]);
});
