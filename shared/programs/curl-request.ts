/** What curl sends: the body of -d and its kin, the headers in curl's order, and the head as text for -v (lib/http.c). */
import type { Syscalls } from '../net/syscalls.ts';
import type { CurlOptions } from './curl-options.ts';
import type { ParsedUrl } from './url.ts';

const USER_AGENT = 'curl/7.88.1';

export interface RequestBody {
  readonly bytes: Uint8Array;
  readonly type: string;
}

export type Header = [name: string, value: string];

/** All of -d joined by `&`; `@file` is the file's content, without its line ends unless it is --data-binary. */
export function bodyOf(sys: Syscalls, options: CurlOptions): RequestBody | undefined {
  if (options.data.length === 0) return undefined;
  const parts = options.data.map(({ text, kind }) => {
    if (kind === 'raw' || !text.startsWith('@')) return text;
    const content = new TextDecoder('latin1').decode(sys.readFile(text.slice(1)));
    return kind === 'ascii' ? content.replace(/[\r\n\0]/g, '') : content;
  });
  const isJson = options.data.some(({ kind }) => kind === 'json');
  const type = isJson ? 'application/json' : 'application/x-www-form-urlencoded';
  return { bytes: new TextEncoder().encode(parts.join(isJson ? '' : '&')), type };
}

/** -H replaces what it names; `Name:` takes it away, `Name;` sends it empty. */
export function headersOf(options: CurlOptions, url: ParsedUrl, body: RequestBody | undefined): Header[] {
  const own = new Map<string, Header | undefined>();
  for (const text of options.headers) {
    const [, name = '', mark = '', value = ''] = /^([^:;]+)([:;])\s*(.*)$/.exec(text) ?? [];
    if (name !== '') own.set(name.toLowerCase(), mark === ':' && value === '' ? undefined : [name, value.trim()]);
  }
  const user = options.user ?? (url.user === '' ? undefined : `${url.user}:${url.password}`);
  const standard: Header[] = [['Host', url.authority]];
  if (user !== undefined) standard.push(['Authorization', `Basic ${base64(user)}`]);
  if (options.range !== undefined) standard.push(['Range', `bytes=${options.range}`]);
  if (options.userAgent !== '') standard.push(['User-Agent', options.userAgent ?? USER_AGENT]);
  standard.push(['Accept', body?.type === 'application/json' ? 'application/json' : '*/*']);
  if (options.referer !== undefined) standard.push(['Referer', options.referer]);
  const headers: Header[] = [];
  for (const header of standard) {
    const key = header[0].toLowerCase();
    // Host keeps its place at the top whoever sets it; the others go where curl puts its own headers.
    if (!own.has(key)) headers.push(header);
    else if (key === 'host') headers.push(own.get(key) ?? header);
  }
  for (const [key, header] of own) if (header !== undefined && key !== 'host') headers.push(header);
  if (body !== undefined) {
    if (!own.has('content-length')) headers.push(['Content-Length', String(body.bytes.length)]);
    if (!own.has('content-type')) headers.push(['Content-Type', body.type]);
  }
  return headers;
}

/** Of UTF-8 octets (RFC 4648 §4). */
function base64(text: string): string {
  let binary = '';
  for (const octet of new TextEncoder().encode(text)) binary += String.fromCharCode(octet);
  return btoa(binary);
}

export function requestText(method: string, path: string, headers: readonly Header[]): string {
  const lines = [`${method} ${path} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
