/**
 * httpd: a web server for a folder of the lab, Node's own http over the emulated TCP.
 *
 *   httpd [FOLDER] [-p PORT]
 *
 * A path that names a folder means its default document, /index.html, then /default.html. GET and HEAD; ranges; ETag and
 * If-None-Match, so that a browser may keep what it has; connections stay open for more requests. One line of access log
 * per request on standard output, with the second of lab time in place of a date.
 *
 * Left out: several ranges, listings of folders, compression.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import { SyscallError } from '../net/errno.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import { Failure, program } from './failure.ts';
import { httpDate } from './lab-date.ts';
import { listenStream, SocketStream } from './node.ts';
import { getopt } from './options.ts';

const PORT_DEFAULT = 80;
/** Apache's TimeOut: a connection on which nothing happens for so long is closed; its client may be no more. */
const IDLE_MS_MAX = 60_000;
const DEFAULT_DOCUMENTS = ['index.html', 'default.html'] as const;
const USAGE = 'Usage: httpd [FOLDER] [-p PORT]';

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  gif: 'image/gif',
  htm: 'text/html; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webp: 'image/webp',
  woff2: 'font/woff2',
  xml: 'application/xml',
};

/** A page is asked for again each time (304 if it is the same); what it shows may be kept for an hour. */
const KEEP_PAGE = 'no-cache';
const KEEP_FILE = 'public, max-age=3600';

export const httpd = program(async (context) => {
  const { sys, argv, out } = context;
  const line = getopt(argv, 'p:h', { port: 'p:', help: 'h' });
  if (line.error !== undefined) throw new Failure(2, `${line.error}\n${USAGE}`);
  if (line.options.some(({ name }) => name === 'h')) {
    await out(`${USAGE}\n`);
    return 0;
  }
  const port = Number(line.options.find(({ name }) => name === 'p')?.value ?? PORT_DEFAULT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Failure(2, `httpd: no such port\n${USAGE}`);
  const folder = (line.operands[0] ?? '.').replace(/\/+$/, '') || '/';
  if (sys.stat(folder)?.kind !== 'directory') throw new Failure(1, `httpd: ${folder}: No such directory`);
  const server = http.createServer((request, response) => answer(context, folder, request, response));
  server.timeout = IDLE_MS_MAX;
  listenStream(sys, { port, allowHalfOpen: true }, (stream) => server.emit('connection', stream));
  await out(`httpd: serving ${folder} on port ${port}\n`);
  // It serves until it is killed.
  return new Promise<number>(() => {});
});

interface Found {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** What was served, for the trace. */
  readonly path: string;
}

function answer(
  context: ProgramContext,
  folder: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  const { method = 'GET', url = '/' } = request;
  // The connection's own thread: what it sends belongs to the journey that asked.
  const sys = request.socket instanceof SocketStream ? request.socket.sys : context.sys;
  sys.mark('httpd:request', { method, path: url });
  const found = find(sys, folder, method, url, request.headers);
  sys.mark('httpd:file', { path: found.path, bytes: found.bytes.length, status: found.status });
  // Node would read the machine's clock; the lab has its own.
  response.sendDate = false;
  response.writeHead(found.status, {
    Date: httpDate(sys.clockRealtime()),
    Server: 'wirelab-httpd',
    ...found.headers,
    ...(found.status === 304 ? {} : { 'Content-Length': String(found.bytes.length) }),
  });
  response.end(method === 'HEAD' || found.status === 304 ? undefined : found.bytes);
  const seconds = (sys.clockGettime() / SECOND).toFixed(3);
  const from = request.socket.remoteAddress ?? '-';
  const size = method === 'HEAD' || found.status === 304 ? '-' : found.bytes.length;
  // Nobody waits for the log; when its reader is gone, the pages still go out.
  context
    .out(`${from} - - [${seconds}] "${method} ${url} HTTP/${request.httpVersion}" ${found.status} ${size}\n`)
    .catch(() => {});
}

function find(sys: Syscalls, folder: string, method: string, url: string, headers: http.IncomingHttpHeaders): Found {
  if (method !== 'GET' && method !== 'HEAD') return page(405, url, 'Method Not Allowed', { Allow: 'GET, HEAD' });
  const path = pathOf(url);
  if (path === undefined) return page(400, url, 'Bad Request');
  // Nothing outside the folder, whatever the file system would say to it.
  if (path.split('/').includes('..')) return page(403, url, 'Forbidden');
  const at = folder + path;
  const kind = sys.stat(at)?.kind;
  if (kind === 'directory' && !path.endsWith('/')) return page(301, url, 'Moved Permanently', { Location: `${path}/` });
  if (kind === 'directory') {
    for (const name of DEFAULT_DOCUMENTS) {
      if (sys.stat(at + name)?.kind === 'file') return file(sys, folder, path + name, headers);
    }
    return page(403, url, 'Forbidden');
  }
  if (kind === undefined || path.endsWith('/')) return page(404, url, 'Not Found');
  return file(sys, folder, path, headers);
}

/** The path of a request's target (origin-form, or absolute-form as for a proxy), decoded; undefined when it is none. */
function pathOf(url: string): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/, '');
  try {
    const decoded = decodeURIComponent(path === '' ? '/' : path);
    return decoded.startsWith('/') && !decoded.includes('\0') ? decoded : undefined;
  } catch {
    return undefined;
  }
}

function file(sys: Syscalls, folder: string, path: string, headers: http.IncomingHttpHeaders): Found {
  let bytes: Uint8Array;
  try {
    bytes = sys.readFile(folder + path);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return page(404, path, 'Not Found');
  }
  const type = TYPES[/\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? ''] ?? 'application/octet-stream';
  const tag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
  const common = {
    'Content-Type': type,
    ETag: tag,
    'Cache-Control': type.startsWith('text/html') ? KEEP_PAGE : KEEP_FILE,
    'Accept-Ranges': 'bytes',
  };
  if (matches(headers['if-none-match'], tag)) return { status: 304, bytes: new Uint8Array(), headers: common, path };
  const range = headers['if-range'] === undefined || headers['if-range'] === tag ? headers.range : undefined;
  const part = rangeOf(range, bytes.length);
  if (part === 'unsatisfiable') {
    return page(416, path, 'Range Not Satisfiable', { 'Content-Range': `bytes */${bytes.length}` });
  }
  if (part === undefined) return { status: 200, bytes, headers: common, path };
  const [first, last] = part;
  const where = { 'Content-Range': `bytes ${first}-${last}/${bytes.length}` };
  return { status: 206, bytes: bytes.subarray(first, last + 1), headers: { ...common, ...where }, path };
}

/** RFC 9110 §13.1.2: weak comparison. */
function matches(asked: string | undefined, tag: string): boolean {
  if (asked === undefined) return false;
  return asked.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag);
}

/** First and last octet of a single range; undefined for the whole (RFC 9110 §14.2: what is not understood is ignored). */
function rangeOf(range: string | undefined, size: number): [number, number] | 'unsatisfiable' | undefined {
  const match = /^bytes=([0-9]*)-([0-9]*)$/.exec(range ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const length = Math.min(size, Number(match[2]));
    return length === 0 ? 'unsatisfiable' : [size - length, size - 1];
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(size - 1, Number(match[2]));
  if (first > last && match[2] !== '' && Number(match[2]) < first) return undefined;
  return first >= size ? 'unsatisfiable' : [first, last];
}

function page(status: number, path: string, reason: string, headers: Readonly<Record<string, string>> = {}): Found {
  const text = `<!doctype html>\n<html><head><title>${status} ${reason}</title></head>\n<body><h1>${status} ${reason}</h1></body></html>\n`;
  const bytes = new TextEncoder().encode(text);
  return { status, bytes, headers: { 'Content-Type': 'text/html; charset=utf-8', ...headers }, path };
}
