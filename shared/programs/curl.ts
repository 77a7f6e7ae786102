/**
 * curl: HTTP from the command line, in the words and with the exit codes of curl 7.88, over the emulated TCP.
 *
 * Left out: https and every other scheme, proxies, cookies, uploads of files, several transfers at once, HTTP/2.
 */
import { once } from 'node:events';
import http from 'node:http';
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import { errorText, SyscallError } from '../net/errno.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { type Micros, SECOND, type Timer } from '../platform.ts';
import { type CurlOptions, parseCurl } from './curl-options.ts';
import { METER_HEAD, meterLine, type TransferReport, writeOut } from './curl-report.ts';
import { bodyOf, headersOf, requestText } from './curl-request.ts';
import { program } from './failure.ts';
import { getaddrinfo } from './getaddrinfo.ts';
import { connectStream, SocketStream } from './node.ts';
import { type ParsedUrl, parseUrl } from './url.ts';

const VERSION = 'curl 7.88.1 (wirelab) libcurl/7.88.1\nProtocols: http\n';
const HELP = `Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit
`;
/** DEFAULT_CONNECT_TIMEOUT. */
const CONNECT_TIMEOUT: Micros = 300 * SECOND;

/** A CURLcode with what `curl: (N)` says of it. */
class CurlError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export const curl = program(async (context) => {
  const { sys, argv, out, err } = context;
  const options = parseCurl(argv);
  if (options.help) return out(HELP).then(() => 0);
  if (options.version) return out(VERSION).then(() => 0);
  if (options.urls.length === 0) {
    await err("curl: no URL specified!\ncurl: try 'curl --help' or 'curl --manual' for more information\n");
    return 2;
  }
  const connections = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let status = 0;
  for (const url of options.urls) {
    const transfer = new Transfer(context, options, url, connections);
    const failed = await transfer.run();
    if (failed !== undefined) status = failed.code;
    if (failed !== undefined && (!options.silent || options.showError)) {
      await err(`curl: (${failed.code}) ${failed.message}\n`);
    }
    if (options.writeOut !== undefined) {
      const text = writeOut(options.writeOut, transfer.report(failed));
      if (text.err !== '') await err(text.err);
      await out(text.out);
    }
  }
  connections.destroy();
  // The last close must reach the wire before the process and its descriptors go.
  await sys.nanosleep(0);
  return status;
});

class Transfer {
  private readonly sys: Syscalls;
  private readonly context: ProgramContext;
  private readonly options: CurlOptions;
  private readonly agent: http.Agent;
  private readonly since: Micros;
  private readonly state: TransferReport;
  private readonly saved: Uint8Array[] = [];
  private readonly dumped: string[] = [];
  private stream: SocketStream | undefined;
  private request: http.ClientRequest | undefined;
  /** It has failed; what of it still waits for something must not go on. */
  private failed: CurlError | undefined;
  private expired: (error: CurlError) => void = () => {};
  private readonly limit: Timer;
  /** Rejects when --max-time is over. */
  private readonly timeUp: Promise<never>;

  constructor(context: ProgramContext, options: CurlOptions, url: string, agent: http.Agent) {
    this.context = context;
    this.sys = context.sys;
    this.options = options;
    this.agent = agent;
    this.since = this.sys.clockGettime();
    this.state = emptyReport(url);
    this.timeUp = new Promise((_resolve, reject) => {
      this.expired = reject;
    });
    this.timeUp.catch(() => {}); // Nobody may be waiting just then.
    this.limit = this.sys.timer(() => this.outOfTime());
  }

  /** What failed, if anything. */
  async run(): Promise<CurlError | undefined> {
    const { maxTimeSeconds } = this.options;
    if (maxTimeSeconds !== undefined && maxTimeSeconds > 0) this.limit.arm(maxTimeSeconds * SECOND);
    const metered = this.toFile && !this.options.silent;
    if (metered) await this.context.err(METER_HEAD);
    try {
      await Promise.race([this.follow(), this.timeUp]);
      this.save();
      return undefined;
    } catch (error) {
      if (error instanceof CurlError) this.failed = error;
      this.stream?.destroy();
      // Its answer may come yet, and nobody wants it any more.
      this.request?.destroy();
      if (!(error instanceof CurlError)) throw error;
      await this.say(`Closing connection 0`);
      return error;
    } finally {
      this.limit.stop();
      this.state.timeTotal = this.elapsed();
      const { contentLength, bodyBytes, uploadBytes, timeTotal } = this.state;
      if (metered) await this.context.err(`\r${meterLine(contentLength, bodyBytes, uploadBytes, timeTotal)}\n`);
    }
  }

  report(failed: CurlError | undefined): TransferReport {
    return { ...this.state, exitCode: failed?.code ?? 0, errorMessage: failed?.message ?? '' };
  }

  private get toFile(): boolean {
    return this.options.remoteName || (this.options.output !== undefined && this.options.output !== '-');
  }

  private async follow(): Promise<void> {
    let url = parseUrl(this.state.url);
    if (url === undefined) throw new CurlError(3, 'URL using bad/illegal format or missing URL');
    let body = bodyOf(this.sys, this.options);
    let method = this.options.method ?? (this.options.head ? 'HEAD' : body === undefined ? 'GET' : 'POST');
    if (this.options.createGet && body !== undefined) {
      const glue = url.path.includes('?') ? '&' : '?';
      url = parseUrl(url.href + glue + new TextDecoder().decode(body.bytes)) ?? url;
      body = undefined;
      method = this.options.method ?? 'GET';
    }
    for (;;) {
      const next = await this.exchange(url, method, body);
      if (next === undefined) return;
      if (++this.state.redirects > this.options.redirectsMax) {
        throw new CurlError(47, `Maximum (${this.options.redirectsMax}) redirects followed`);
      }
      this.state.timeRedirect = this.elapsed();
      await this.say(`Issue another request to this URL: '${next.href}'`);
      // As browsers do it (and RFC 9110 §15.4 allows): a POST becomes a GET, unless told otherwise.
      const { status } = this.state;
      if (status === 303 ? method !== 'HEAD' : method === 'POST' && status <= 302) {
        if (this.options.method === undefined) method = 'GET';
        body = undefined;
      }
      url = next;
    }
  }

  /** One request and its response; answers the URL to go on with. */
  private async exchange(
    url: ParsedUrl,
    method: string,
    body: ReturnType<typeof bodyOf>,
  ): Promise<ParsedUrl | undefined> {
    if (url.scheme !== 'http') throw new CurlError(1, `Protocol "${url.scheme}" not supported or disabled in libcurl`);
    Object.assign(this.state, { effectiveUrl: url.href, method, redirectUrl: '' });
    const stream = await this.connection(url);
    if (this.failed !== undefined) {
      stream.destroy();
      throw this.failed;
    }
    const headers = headersOf(this.options, url, body);
    const text = requestText(method, url.path, headers);
    await this.talk('> ', text);
    this.state.timePretransfer = this.elapsed();
    this.state.requestBytes += text.length;
    this.agent.createConnection = () => stream;
    const request = http.request({
      agent: this.agent,
      host: url.host,
      port: url.port,
      method,
      path: url.path,
      headers: Object.fromEntries(headers),
    });
    this.request = request;
    // What Node adds by itself; what the user gave stays.
    for (const name of ['connection', 'host', 'user-agent', 'accept']) {
      if (!headers.some(([given]) => given.toLowerCase() === name)) request.removeHeader(name);
    }
    if (body !== undefined) this.state.uploadBytes += body.bytes.length;
    request.end(body?.bytes);
    const response = await this.responseTo(request);
    return this.receive(url, response);
  }

  private async responseTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
    try {
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      request.on('error', () => {}); // From here on the response tells.
      return response;
    } catch (error) {
      throw receiveError(error);
    }
  }

  private async receive(url: ParsedUrl, response: http.IncomingMessage): Promise<ParsedUrl | undefined> {
    const { options, state } = this;
    const { statusCode: status = 0, headers } = response;
    state.status = status;
    state.httpVersion = response.httpVersion;
    state.contentType = headers['content-type'] ?? '';
    state.timeStartTransfer = this.elapsed();
    const head = headText(response);
    state.headerBytes += head.length;
    this.dumped.push(head);
    await this.talk('< ', head);
    const location = status >= 300 && status < 400 ? headers.location : undefined;
    const next = location === undefined ? undefined : parseUrl(location, url.href);
    state.redirectUrl = next?.href ?? '';
    const follows = options.follow && next !== undefined;
    if (options.failOnError && status >= 400) {
      response.resume();
      throw new CurlError(22, `The requested URL returned error: ${status}`);
    }
    if (options.include || options.head) await this.put(new TextEncoder().encode(head));
    if (follows) await this.say('Ignoring the response-body');
    await this.readBody(response, !follows);
    await this.say(`Connection #0 to host ${url.host} left intact`);
    return follows ? next : undefined;
  }

  private async readBody(response: http.IncomingMessage, wanted: boolean): Promise<void> {
    const { state } = this;
    const length = response.headers['content-length'];
    state.contentLength = length === undefined ? undefined : Number(length);
    state.bodyBytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        state.bodyBytes += chunk.length;
        if (wanted) await this.put(chunk);
      }
    } catch (error) {
      if (error instanceof CurlError || error instanceof SyscallError) throw error;
      const reason = (error as { code?: string }).code;
      if (reason !== 'ECONNRESET' || this.stream?.errored) throw receiveError(this.stream?.errored ?? error);
      const left = (state.contentLength ?? 0) - state.bodyBytes;
      if (state.contentLength === undefined) {
        throw new CurlError(18, 'transfer closed with outstanding read data remaining');
      }
      throw new CurlError(18, `transfer closed with ${left} bytes remaining to read`);
    }
  }

  /** A connection to the URL's server: the one at hand, or a new one to the first address that takes it. */
  private async connection(url: ParsedUrl): Promise<SocketStream> {
    const { agent, state } = this;
    const kept = agent.freeSockets[agent.getName({ host: url.host, port: url.port })]?.[0];
    if (kept instanceof SocketStream && !kept.destroyed) {
      this.stream = kept;
      await this.say(`Re-using existing connection #0 with host ${url.host}`);
      return kept;
    }
    const addresses = await this.addressesOf(url);
    state.timeNameLookup = this.elapsed();
    const since = this.sys.clockGettime();
    let last: { code?: string; reason?: string } = {};
    for (const address of addresses) {
      if (this.failed !== undefined) throw this.failed;
      await this.say(`  Trying ${formatIpv4(address)}:${url.port}...`);
      const stream = connectStream(this.sys, { peer: { address, port: url.port } });
      this.stream = stream;
      try {
        await this.withinConnectTime(once(stream, 'connect'), since);
      } catch (error) {
        stream.destroy();
        if (error instanceof CurlError) throw error;
        last = error as { code?: string; reason?: string };
        await this.say(`connect to ${formatIpv4(address)} port ${url.port} failed: ${last.reason ?? last.code}`);
        continue;
      }
      state.timeConnect = this.elapsed();
      state.connections++;
      state.remoteIp = formatIpv4(address);
      state.remotePort = url.port;
      state.localIp = stream.localAddress ?? '';
      state.localPort = stream.localPort ?? 0;
      await this.say(`Connected to ${url.host} (${state.remoteIp}) port ${url.port} (#0)`);
      return stream;
    }
    const took = Math.round((this.sys.clockGettime() - since) / 1_000);
    const text = `Failed to connect to ${url.host} port ${url.port} after ${took} ms: Couldn't connect to server`;
    await this.say(text);
    throw new CurlError(last.code === 'ETIMEDOUT' ? 28 : 7, text);
  }

  private async withinConnectTime(connected: Promise<unknown>, since: Micros): Promise<void> {
    const { connectTimeoutSeconds } = this.options;
    const limit = connectTimeoutSeconds ? connectTimeoutSeconds * SECOND : CONNECT_TIMEOUT;
    connected.catch(() => {});
    await new Promise<void>((resolve, reject) => {
      const timer = this.sys.timer(() => {
        const took = Math.round((this.sys.clockGettime() - since) / 1_000);
        reject(new CurlError(28, `Connection timeout after ${took} ms`));
      });
      timer.arm(limit);
      connected.then(
        () => {
          timer.stop();
          resolve();
        },
        (error: unknown) => {
          timer.stop();
          reject(error);
        },
      );
    });
  }

  private async addressesOf(url: ParsedUrl): Promise<readonly Ipv4[]> {
    for (const entry of this.options.resolve) {
      const match = /^[+]?([^:]+):([0-9]+):(.+)$/.exec(entry);
      if (match === null) throw new CurlError(49, `Couldn't parse CURLOPT_RESOLVE entry '${entry}'`);
      if (match[1]?.toLowerCase() !== url.host || Number(match[2]) !== url.port) continue;
      return (match[3] ?? '').split(',').flatMap((text) => parseIpv4(text) ?? []);
    }
    if (url.address !== undefined) return [url.address];
    try {
      return (await getaddrinfo(this.sys, url.host)).addresses;
    } catch {
      await this.say(`Could not resolve host: ${url.host}`);
      throw new CurlError(6, `Could not resolve host: ${url.host}`);
    }
  }

  private outOfTime(): void {
    const { bodyBytes, contentLength, connections } = this.state;
    const took = Math.round(this.elapsed() * 1_000);
    const of = contentLength === undefined ? `${bodyBytes}` : `${bodyBytes} out of ${contentLength}`;
    const text =
      connections === 0 && this.request === undefined
        ? `Connection timed out after ${took} milliseconds`
        : `Operation timed out after ${took} milliseconds with ${of} bytes received`;
    this.expired(new CurlError(28, text));
  }

  /** Response bytes, to standard output or kept for the file. */
  private async put(bytes: Uint8Array): Promise<void> {
    if (this.failed !== undefined) throw this.failed;
    if (this.toFile) this.saved.push(bytes);
    else await this.sys.write(1, bytes);
  }

  private save(): void {
    const { output, dumpHeader } = this.options;
    if (dumpHeader !== undefined) this.writeFile(dumpHeader, [new TextEncoder().encode(this.dumped.join(''))]);
    if (!this.toFile) return;
    const name = this.options.remoteName ? (parseUrl(this.state.url)?.path ?? '').replace(/\?.*$/, '') : output;
    const file = this.options.remoteName ? (name?.split('/').pop() ?? '') : (name ?? '');
    if (file === '') throw new CurlError(23, 'Failed writing received data to disk/application');
    this.state.filename = file;
    this.writeFile(file, this.saved);
  }

  private writeFile(path: string, parts: readonly Uint8Array[]): void {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    try {
      this.sys.writeFile(path, whole);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      throw new CurlError(23, `Failed to open the file ${path}: ${errorText(error.code)}`);
    }
  }

  /** Seconds since the transfer began. */
  private elapsed(): number {
    return (this.sys.clockGettime() - this.since) / SECOND;
  }

  private async say(text: string): Promise<void> {
    if (this.options.verbose) await this.context.err(`* ${text}\n`);
  }

  private async talk(prefix: string, head: string): Promise<void> {
    if (!this.options.verbose) return;
    const lines = head.split('\r\n').slice(0, -1);
    await this.context.err(lines.map((line) => `${prefix}${line}\n`).join(''));
  }
}

function headText(response: http.IncomingMessage): string {
  const lines = [`HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}`];
  const { rawHeaders } = response;
  for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function receiveError(error: unknown): CurlError {
  const { code, reason, message } = error as { code?: string; reason?: string; message?: string };
  if (message === 'socket hang up') return new CurlError(52, 'Empty reply from server');
  if (code?.startsWith('HPE_')) return new CurlError(1, 'Received HTTP/0.9 when not allowed');
  return new CurlError(56, `Recv failure: ${reason ?? message ?? 'unknown'}`);
}

function emptyReport(url: string): TransferReport {
  const times = { timeNameLookup: 0, timeConnect: 0, timePretransfer: 0, timeStartTransfer: 0, timeRedirect: 0 };
  const sizes = { headerBytes: 0, requestBytes: 0, bodyBytes: 0, uploadBytes: 0, contentLength: undefined };
  const ends = { remoteIp: '', remotePort: 0, localIp: '', localPort: 0 };
  const texts = { method: 'GET', httpVersion: '0', contentType: '', redirectUrl: '', errorMessage: '', filename: '' };
  const counts = { status: 0, redirects: 0, connections: 0, exitCode: 0, timeTotal: 0 };
  return { url, effectiveUrl: url, ...times, ...sizes, ...ends, ...texts, ...counts };
}
