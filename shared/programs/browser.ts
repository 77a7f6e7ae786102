/**
 * browser: a web browser without a screen. Started without a URL it stays resident, with a DNS cache and an HTTP cache of
 * its own, and listens on 127.0.0.1:9222; `browser URL` asks the resident to load a page and prints what came. When no
 * resident runs, it loads the page itself, with caches that are empty.
 *
 *   browser                    stay resident
 *   browser [--json] URL       load a page: title, text, files with their sizes and times
 *   browser --cache [--json]   what the caches hold, with ages and what is left of their time
 *   browser --flush-cache      forget it all
 *
 * Resident and client speak a line of JSON each way.
 */
import { once } from 'node:events';
import { formatIpv4, IPV4_LOOPBACK } from '../header/address.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { DnsCache, HttpCache } from './browser-cache.ts';
import { type Caches, type LoadedFile, type LoadedPage, loadPage } from './browser-load.ts';
import { Failure, program } from './failure.ts';
import { connectStream, listenStream, type SocketStream } from './node.ts';
import { getopt } from './options.ts';

export const BROWSER_PORT = 9_222;
/** A question is a URL and a word. */
const QUESTION_BYTES_MAX = 16_384;
const USAGE = 'Usage: browser [--json] URL | --cache [--json] | --flush-cache';

type Question = { readonly load: string } | { readonly cache: true } | { readonly flush: true };

interface CacheListing {
  readonly dns: readonly { name: string; addresses: readonly string[]; ttl: number }[];
  readonly http: readonly { url: string; bytes: number; type: string; age: number; ttl: number }[];
}

interface Reply {
  readonly page?: LoadedPage;
  readonly cache?: CacheListing;
}

export const browser = program(async (context) => {
  const { sys, argv, out } = context;
  const line = getopt(argv, 'jh', { json: 'j', cache: 'c', 'flush-cache': 'f', help: 'h' });
  if (line.error !== undefined) throw new Failure(2, `${line.error}\n${USAGE}`);
  const given = new Set(line.options.map(({ name }) => name));
  if (given.has('h')) {
    await out(`${USAGE}\n`);
    return 0;
  }
  if (given.has('f')) {
    await ask(sys, { flush: true });
    return 0;
  }
  if (given.has('c')) return showCache(context, await ask(sys, { cache: true }), given.has('j'));
  const [url, ...rest] = line.operands;
  if (rest.length > 0) throw new Failure(2, USAGE);
  if (url === undefined) return reside(sys);
  const { page } = await ask(sys, { load: url });
  if (page === undefined) throw new Failure(1, 'browser: the resident browser went away');
  await out(given.has('j') ? `${JSON.stringify(page, undefined, 2)}\n` : pageText(page));
  return page.ok ? 0 : 1;
});

/** Serve questions until killed. */
function reside(sys: Syscalls): Promise<number> {
  const caches: Caches = { dns: new DnsCache(), http: new HttpCache() };
  listenStream(sys, { port: BROWSER_PORT, address: IPV4_LOOPBACK, allowHalfOpen: true }, (stream) => {
    stream.on('error', () => {});
    readLine(stream).then(
      async (text) => {
        const question = parseQuestion(text);
        // The asker's journey goes on with what is loaded for it.
        const reply = question === undefined ? {} : await answer(stream.sys.thread(), caches, question);
        stream.end(`${JSON.stringify(reply)}\n`);
      },
      () => stream.destroy(),
    );
  });
  return new Promise(() => {});
}

async function answer(sys: Syscalls, caches: Caches, question: Question): Promise<Reply> {
  if ('load' in question) return { page: await loadPage(sys, question.load, caches) };
  if ('flush' in question) {
    caches.dns.clear();
    caches.http.clear();
    return {};
  }
  const now = sys.clockGettime();
  const dns = caches.dns.list(now).map((entry) => ({ ...entry, addresses: entry.addresses.map(formatIpv4) }));
  return { cache: { dns, http: caches.http.list(now) } };
}

function parseQuestion(text: string): Question | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    if ('load' in value && typeof value.load === 'string') return { load: value.load };
    if ('cache' in value) return { cache: true };
    return 'flush' in value ? { flush: true } : undefined;
  } catch {
    return undefined;
  }
}

/** Up to the first newline, or the end. */
async function readLine(stream: SocketStream, bytesMax = QUESTION_BYTES_MAX): Promise<string> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString('utf8');
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
    if (text.length > bytesMax) break;
  }
  return text;
}

/** Ask the resident; without one, do it here. */
async function ask(sys: Syscalls, question: Question): Promise<Reply> {
  const stream = connectStream(sys, { peer: { address: IPV4_LOOPBACK, port: BROWSER_PORT } });
  try {
    await once(stream, 'connect');
  } catch {
    return answer(sys, { dns: new DnsCache(), http: new HttpCache() }, question);
  }
  stream.write(`${JSON.stringify(question)}\n`);
  const text = await readLine(stream, Number.POSITIVE_INFINITY);
  stream.destroy();
  return text === '' ? {} : (JSON.parse(text) as Reply);
}

const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
const milliseconds = (n: number): string => `${n.toFixed(1)} ms`;

function pageText(page: LoadedPage): string {
  if (!page.ok) return `This site can't be reached\n${page.finalUrl}\n${page.error ?? 'ERR_FAILED'}\n`;
  const rule = '='.repeat(Math.min(78, Math.max(page.title.length, page.finalUrl.length)));
  const lines = [page.title, page.finalUrl, rule, '', page.text, '', ...page.resources.map(fileLine)];
  const files = `${page.resources.length} file${page.resources.length === 1 ? '' : 's'}`;
  const connections = `${page.connections} connection${page.connections === 1 ? '' : 's'}`;
  lines.push('', `${files}, ${count(page.bytes)} bytes, ${connections}, ${milliseconds(page.milliseconds)}`);
  return `${lines.join('\n')}\n`;
}

function fileLine(file: LoadedFile): string {
  const from = file.from === 'network' ? (file.address ?? '-') : file.from;
  const status = file.status === 0 ? '---' : String(file.status);
  const size = `${count(file.bytes).padStart(10)} B`;
  const trouble = file.error === undefined ? '' : `  (${file.error})`;
  const type = (file.type.split(';')[0] ?? '').padEnd(16);
  return `${status} ${type} ${size} ${milliseconds(file.milliseconds).padStart(11)}  ${from.padEnd(15)} ${file.url}${trouble}`;
}

async function showCache({ out }: ProgramContext, reply: Reply, json: boolean): Promise<number> {
  const cache = reply.cache ?? { dns: [], http: [] };
  if (json) {
    await out(`${JSON.stringify(cache, undefined, 2)}\n`);
    return 0;
  }
  const lines = ['DNS (name, addresses, seconds left)'];
  for (const { name, addresses, ttl } of cache.dns) lines.push(`  ${name}  ${addresses.join(' ')}  ${ttl}`);
  lines.push('HTTP (address, bytes, age, seconds left)');
  for (const { url, bytes, age, ttl } of cache.http) {
    lines.push(`  ${url}  ${count(bytes)}  ${age} s  ${ttl === 0 ? 'ask again' : `${ttl} s`}`);
  }
  await out(`${lines.join('\n')}\n`);
  return 0;
}
