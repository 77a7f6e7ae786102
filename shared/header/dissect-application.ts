/** HTTP messages for people (dissect.ts): what stands in one segment; a body that goes on in the next is data. */

import type { Dissector, Field } from './dissection.ts';
import { HTTP_HEADERS } from './filter-fields.ts';

/** A header longer than this is shown cut. */
const HEADER_LINES_MAX = 64;

export function dissectHttp(d: Dissector, at: number, end: number): void {
  const head = ascii(d.bytes, at, Math.min(end, at + 8));
  const isMessage = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) |^HTTP\/1/.test(head);
  if (!isMessage) return d.data(at, end);
  d.protocol = 'HTTP';
  const fields: Field[] = [];
  let from = at;
  while (from < end && fields.length < HEADER_LINES_MAX) {
    let to = from;
    while (to < end && d.bytes[to] !== 0x0a) to++;
    const line = ascii(d.bytes, from, to).replace(/\r$/, '');
    const size = Math.min(end, to + 1) - from;
    from += size;
    if (line === '') break;
    if (fields.length === 0) fields.push(...firstLine(line, from - size, size));
    else fields.push(headerField(line, from - size, size));
  }
  d.info = fields[0]?.label ?? '';
  d.add(
    {
      protocol: 'http',
      title: `Hypertext Transfer Protocol, ${d.info}`,
      place: 'application',
      at,
      size: from - at,
      fields,
    },
    end,
  );
  d.body(from, end);
}

/** `GET / HTTP/1.1` and `HTTP/1.1 200 OK`, whole and in parts. */
function firstLine(line: string, at: number, size: number): Field[] {
  const isResponse = line.startsWith('HTTP/');
  const kind = isResponse ? 'response' : 'request';
  const [first = '', second = '', ...rest] = line.split(' ');
  const part = (name: string, label: string, value: string | number): Field => {
    return { name: `http.${kind}.${name}`, label: `${label}: ${value}`, value, at, size };
  };
  const parts = isResponse
    ? [part('version', 'Response Version', first), part('code', 'Status Code', Number(second) || 0)]
    : [part('method', 'Request Method', first), part('uri', 'Request URI', second)];
  const last = isResponse
    ? part('phrase', 'Response Phrase', rest.join(' '))
    : part('version', 'Request Version', rest.join(' '));
  return [{ name: `http.${kind}`, label: line, value: 1, at, size }, ...parts, last];
}

function headerField(line: string, at: number, size: number): Field {
  const colon = line.indexOf(':');
  const name = `http.${line.slice(0, Math.max(0, colon)).toLowerCase().replace(/-/g, '_')}`;
  const value = line.slice(colon + 1).trim();
  if (!HTTP_HEADERS.has(name)) return { name: 'http.unknown_header', label: line, value: line, at, size };
  return { name, label: line, value: name === 'http.content_length' ? Number(value) || 0 : value, at, size };
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}
