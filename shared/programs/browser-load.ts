/**
 * Loading a page as a browser does: the URL is taken apart, the caches are asked, the name is looked up, connections are
 * opened (six a host at most) and kept for the page's other files, and closed in good order when all is there.
 *
 * Each step is marked for the trace (browser:parse_url, http_cache, dns_cache, request, response, page, error).
 */
import http from 'node:http';
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import { errorText } from '../net/errno.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { type Micros, SECOND } from '../platform.ts';
import { type DnsCache, type HttpCache, isFresh } from './browser-cache.ts';
import { readPage } from './browser-page.ts';
import { getaddrinfo } from './getaddrinfo.ts';
import { connectStream, type SocketStream } from './node.ts';
import { type ParsedUrl, parseUrl } from './url.ts';

/** As all browsers have it. */
const CONNECTIONS_PER_HOST_MAX = 6;
/** Chrome: kMaxRedirects. */
const REDIRECTS_MAX = 20;
/** One file; more would not fit a terminal or a test. */
const BODY_BYTES_MAX = 64 * 1_048_576;
/** How long a load waits for the peer to close its side, too. */
const CLOSE_WAIT: Micros = 1 * SECOND;
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) wirelab-browser/1.0';

/** One file of a page, as the network panel of a browser lists it. */
export interface LoadedFile {
  readonly url: string;
  readonly kind: 'document' | 'stylesheet' | 'script' | 'image';
  /** 0 when no answer came. */
  readonly status: number;
  readonly type: string;
  readonly bytes: number;
  /** From the cache untouched, from it after asking (304), or from the server. */
  readonly from: 'cache' | 'revalidated' | 'network';
  readonly address: string | undefined;
  /** Milliseconds of lab time from the start of the load, and how long it took. */
  readonly started: number;
  readonly milliseconds: number;
  readonly error?: string;
}

export interface LoadedPage {
  readonly ok: boolean;
  readonly url: string;
  readonly finalUrl: string;
  readonly status: number;
  readonly title: string;
  readonly text: string;
  /** Why there is no page, in Chrome's words. */
  readonly error?: string;
  readonly resources: readonly LoadedFile[];
  readonly bytes: number;
  readonly connections: number;
  readonly milliseconds: number;
}

export interface Caches {
  readonly dns: DnsCache;
  readonly http: HttpCache;
}

/** What went wrong, as Chrome's error page says it. */
class LoadError extends Error {}

const NET_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'ERR_CONNECTION_REFUSED',
  ECONNRESET: 'ERR_CONNECTION_RESET',
  EHOSTUNREACH: 'ERR_ADDRESS_UNREACHABLE',
  ENETUNREACH: 'ERR_INTERNET_DISCONNECTED',
  EPIPE: 'ERR_CONNECTION_CLOSED',
  ETIMEDOUT: 'ERR_CONNECTION_TIMED_OUT',
};

function explain(error: unknown): string {
  if (error instanceof LoadError) return error.message;
  const { code, message, reason } = error as { code?: string; message?: string; reason?: string };
  const known = NET_ERRORS[code ?? ''];
  if (known !== undefined) return `${known}: ${reason ?? errorText(code as 'ECONNRESET')}`;
  return `ERR_FAILED: ${message ?? String(error)}`;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Uint8Array;
  readonly address: string;
}

interface FileBody {
  readonly url: ParsedUrl;
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
  readonly from: LoadedFile['from'];
  readonly address: string | undefined;
}

/** One load: the connections that it opened, and the caches that all loads share. */
class Load {
  readonly streams: Set<SocketStream> = new Set();
  connections = 0;
  readonly startedAt: Micros;
  private readonly sys: Syscalls;
  private readonly caches: Caches;
  private readonly agent: http.Agent;
  /** Names being looked up now, so that six images ask once. */
  private readonly lookups: Map<string, Promise<readonly Ipv4[]>> = new Map();
  /** Where the next connection to a host goes. */
  private readonly chosen: Map<string, Ipv4> = new Map();

  constructor(sys: Syscalls, caches: Caches) {
    this.sys = sys;
    this.caches = caches;
    this.startedAt = sys.clockGettime();
    this.agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS_PER_HOST_MAX });
    this.agent.createConnection = (options) => {
      const { host, port } = options as { host: string; port: number };
      return this.open(host, port);
    };
  }

  /** A file of the page, from cache or network, redirects followed. Throws LoadError and Node's errors. */
  async fetch(first: ParsedUrl): Promise<FileBody> {
    let url = first;
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const kept = this.caches.http.get(url.href);
      const fresh = kept !== undefined && isFresh(kept, this.sys.clockGettime());
      this.sys.mark('browser:http_cache', { url: url.href, hit: kept !== undefined, fresh });
      if (kept !== undefined && fresh) {
        return { url, status: 200, type: kept.type, body: kept.body, from: 'cache', address: undefined };
      }
      const check = kept?.etag === undefined ? {} : { 'If-None-Match': kept.etag };
      const answer = await this.request(url, check);
      const { status, headers, address } = answer;
      const now = this.sys.clockGettime();
      if (status === 304 && kept !== undefined) {
        this.caches.http.refresh(kept, headers, now);
        return { url, status: 200, type: kept.type, body: kept.body, from: 'revalidated', address };
      }
      const location = status >= 301 && status <= 308 && status !== 304 ? headers.location : undefined;
      if (location === undefined) {
        if (status === 200) this.caches.http.put(url.href, answer.body, headers, now);
        return { url, status, type: headers['content-type'] ?? '', body: answer.body, from: 'network', address };
      }
      url = parseUrl(location, url.href) ?? fail(`ERR_INVALID_REDIRECT: ${location}`);
      checkScheme(url);
    }
    throw new LoadError('ERR_TOO_MANY_REDIRECTS');
  }

  /** Close what is left of the connections, and wait until the far ends have closed, too: FIN, ACK, FIN, ACK. */
  async close(): Promise<void> {
    const open = [...this.streams];
    if (open.length > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.sys.timer(resolve);
        timer.arm(CLOSE_WAIT);
        let left = open.length;
        for (const stream of open) {
          stream.once('close', () => {
            if (--left > 0) return;
            timer.stop();
            resolve();
          });
          stream.on('error', () => {});
          stream.resume();
          stream.end();
        }
      });
    }
    this.agent.destroy();
    for (const stream of this.streams) stream.destroy();
  }

  private open(host: string, port: number): SocketStream {
    const address = this.chosen.get(host) ?? fail(`ERR_NAME_NOT_RESOLVED: ${host}`);
    const stream = connectStream(this.sys, { peer: { address, port } });
    this.streams.add(stream);
    this.connections++;
    stream.once('close', () => this.streams.delete(stream));
    return stream;
  }

  /** To the first of the host's addresses that takes the connection. */
  private async request(url: ParsedUrl, extra: Readonly<Record<string, string>>): Promise<Answer> {
    const addresses = await this.addressesOf(url);
    for (const [i, address] of addresses.entries()) {
      this.chosen.set(url.host, address);
      try {
        return await this.exchange(url, address, extra);
      } catch (error) {
        const { syscall } = error as { syscall?: string };
        if (syscall !== 'connect' || i === addresses.length - 1) throw error;
      }
    }
    throw new LoadError(`ERR_NAME_NOT_RESOLVED: ${url.host}`);
  }

  private exchange(url: ParsedUrl, address: Ipv4, extra: Readonly<Record<string, string>>): Promise<Answer> {
    const { sys } = this;
    const written = (): void => sys.mark('browser:request', { method: 'GET', host: url.authority, path: url.path });
    return new Promise((resolve, reject) => {
      const request = http.request({
        agent: this.agent,
        host: url.host,
        port: url.port,
        path: url.path,
        headers: { Host: url.authority, 'User-Agent': USER_AGENT, Accept: '*/*', ...extra },
      });
      request.on('error', reject);
      request.on('socket', (socket) => (socket.connecting ? socket.once('connect', written) : written()));
      request.on('response', (response) => {
        const chunks: Uint8Array[] = [];
        let bytes = 0;
        response.on('data', (chunk: Uint8Array) => {
          bytes += chunk.length;
          chunks.push(chunk);
          if (bytes > BODY_BYTES_MAX) response.destroy(new LoadError('ERR_FILE_TOO_BIG'));
        });
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const type = headers['content-type'] ?? '';
          sys.mark('browser:response', { status, bytes, type });
          resolve({ status, headers, body: concat(chunks, bytes), address: formatIpv4(address) });
        });
      });
      request.end();
    });
  }

  private addressesOf(url: ParsedUrl): Promise<readonly Ipv4[]> {
    if (url.address !== undefined) return Promise.resolve([url.address]);
    const under = this.lookups.get(url.host);
    if (under !== undefined) return under;
    const lookup = this.lookUp(url.host).finally(() => this.lookups.delete(url.host));
    this.lookups.set(url.host, lookup);
    return lookup;
  }

  private async lookUp(name: string): Promise<readonly Ipv4[]> {
    const kept = this.caches.dns.get(name, this.sys.clockGettime());
    if (kept !== undefined) {
      this.sys.mark('browser:dns_cache', { name, hit: true, ttl: kept.ttl });
      return kept.addresses;
    }
    this.sys.mark('browser:dns_cache', { name, hit: false });
    try {
      const { addresses } = await getaddrinfo(this.sys, name);
      this.caches.dns.put(name, addresses, this.sys.clockGettime());
      return addresses;
    } catch (error) {
      throw new LoadError(`ERR_NAME_NOT_RESOLVED: ${name}: ${(error as Error).message}`);
    }
  }
}

function fail(reason: string): never {
  throw new LoadError(reason);
}

function checkScheme(url: ParsedUrl): void {
  if (url.scheme !== 'http') throw new LoadError(`ERR_UNKNOWN_URL_SCHEME: ${url.scheme}`);
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Load a page and everything on it. Never throws: what went wrong is in the answer. */
export async function loadPage(sys: Syscalls, text: string, caches: Caches): Promise<LoadedPage> {
  const load = new Load(sys, caches);
  const files: LoadedFile[] = [];
  let url: ParsedUrl | undefined;
  try {
    url = parseUrl(text) ?? fail(`ERR_INVALID_URL: ${text}`);
    const { href, scheme, host, port, path } = url;
    sys.mark('browser:parse_url', { url: href, scheme, host, port, path });
    checkScheme(url);
    const document = await loadFile(sys, load, url, 'document', files);
    const isHtml = /^text\/html|^application\/xhtml/.test(document.type) || document.type === '';
    const source = new TextDecoder().decode(document.body);
    const page = isHtml ? readPage(source, document.url.href) : plainPage(document, source);
    const others = page.resources.map(async (resource) => {
      const target = parseUrl(resource.url);
      // A picture that does not come leaves a gap, not an error page.
      if (target !== undefined) await loadFile(sys, load, target, resource.kind, files).catch(() => {});
    });
    await Promise.all(others);
    await load.close();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const title = page.title || document.url.href;
    sys.mark('browser:page', { url: document.url.href, title, bytes, resources: files.length });
    return {
      ...summary(sys, load, files, text),
      ok: true,
      finalUrl: document.url.href,
      status: document.status,
      title,
      text: page.text,
    };
  } catch (error) {
    const reason = explain(error);
    sys.mark('browser:error', { reason, url: url?.href ?? text });
    await load.close();
    return { ...summary(sys, load, files, text), ok: false, finalUrl: url?.href ?? text, error: reason };
  }
}

function summary(sys: Syscalls, load: Load, files: readonly LoadedFile[], url: string) {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const milliseconds = (sys.clockGettime() - load.startedAt) / 1_000;
  return { url, status: 0, title: '', text: '', resources: files, bytes, connections: load.connections, milliseconds };
}

function plainPage(document: FileBody, source: string) {
  const text = /^(text\/|application\/(json|xml))/.test(document.type) ? source : `[${document.type}]`;
  return { title: '', text, resources: [] };
}

async function loadFile(
  sys: Syscalls,
  load: Load,
  url: ParsedUrl,
  kind: LoadedFile['kind'],
  files: LoadedFile[],
): Promise<FileBody> {
  const since = sys.clockGettime();
  const started = (since - load.startedAt) / 1_000;
  const took = (): number => (sys.clockGettime() - since) / 1_000;
  try {
    const file = await load.fetch(url);
    const { status, type, from, address } = file;
    files.push({
      url: url.href,
      kind,
      status,
      type,
      bytes: file.body.length,
      from,
      address,
      started,
      milliseconds: took(),
    });
    return file;
  } catch (error) {
    const none = { status: 0, type: '', bytes: 0, from: 'network', address: undefined } as const;
    files.push({ url: url.href, kind, ...none, started, milliseconds: took(), error: explain(error) });
    throw error;
  }
}
