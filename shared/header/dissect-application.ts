/** HTTP messages for people (dissect.ts): what stands in one segment; a body that goes on in the next is data. */
import type { Dissector, Field } from './dissection.ts';

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
    fields.push(lineField(line, fields.length === 0, from - size, size));
  }
  d.info = String(fields[0]?.value ?? '');
  d.add({
    protocol: 'http',
    title: `Hypertext Transfer Protocol, ${d.info}`,
    place: 'application',
    at,
    size: from - at,
    fields,
  });
  d.data(from, end);
}

function lineField(line: string, isFirst: boolean, at: number, size: number): Field {
  if (isFirst)
    return {
      name: line.startsWith('HTTP/') ? 'http.response.line' : 'http.request.line',
      label: line,
      value: line,
      at,
      size,
    };
  const colon = line.indexOf(':');
  const name = colon > 0 ? line.slice(0, colon).toLowerCase().replace(/-/g, '_') : 'unknown';
  return { name: `http.${name}`, label: line, value: colon > 0 ? line.slice(colon + 1).trim() : line, at, size };
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}
