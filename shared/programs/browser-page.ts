/**
 * What a browser makes of an HTML page: its title, its text laid out for a terminal, and what else it needs (style
 * sheets, scripts, images). A tokenizer of tags and text, forgiving as browsers are; no tree, no scripts run, no layout.
 */
import { parseUrl } from './url.ts';

/** Files that one page may pull in. */
const RESOURCES_MAX = 100;
/** Of one page; what follows is not read. */
const HTML_CHARACTERS_MAX = 1_048_576;
const COLUMNS = 78;

export interface PageResource {
  readonly url: string;
  readonly kind: 'stylesheet' | 'script' | 'image';
}

export interface Page {
  readonly title: string;
  readonly text: string;
  /** Each once, in the order of the page. */
  readonly resources: readonly PageResource[];
}

const BLOCKS = new Set(
  'address article aside blockquote body div dl dt dd fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul'.split(
    ' ',
  ),
);
/** What stands in these is not for reading. */
const SILENT = new Set(['script', 'style', 'template', 'noscript', 'head']);
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  apos: "'",
  copy: '©',
  gt: '>',
  hellip: '…',
  laquo: '«',
  larr: '←',
  lt: '<',
  mdash: '—',
  middot: '·',
  nbsp: '\u00a0',
  ndash: '–',
  quot: '"',
  raquo: '»',
  rarr: '→',
  times: '×',
};

interface Tag {
  readonly name: string;
  readonly closing: boolean;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Comments, declarations, tags with their attributes, text. Each repetition has a bound, so that no page takes for ever. */
const TOKEN =
  /<!--[\s\S]*?(?:-->|$)|<[!?][^>]{0,1000}>|<(\/?)([a-zA-Z][a-zA-Z0-9-]{0,30})((?:"[^"]{0,4000}"|'[^']{0,4000}'|[^"'>]){0,1000})>|([^<]+|<)/g;

export function readPage(source: string, base: string): Page {
  const html = source.slice(0, HTML_CHARACTERS_MAX);
  const lower = html.toLowerCase();
  const reader = new PageReader(base);
  const token = new RegExp(TOKEN);
  for (let match = token.exec(html); match !== null; match = token.exec(html)) {
    const [, slash = '', name, attributes = '', text] = match;
    if (text !== undefined) reader.text(text);
    if (name === undefined) continue;
    const tag = { name: name.toLowerCase(), closing: slash === '/', attributes: readAttributes(attributes) };
    reader.tag(tag);
    // Nothing inside these is markup.
    if (!tag.closing && (tag.name === 'script' || tag.name === 'style')) {
      const end = lower.indexOf(`</${tag.name}`, token.lastIndex);
      token.lastIndex = end < 0 ? html.length : end;
    }
  }
  return reader.page();
}

class PageReader {
  private readonly base: string;
  private readonly resources: Map<string, PageResource> = new Map();
  private title = '';
  private inTitle = false;
  private silent = 0;
  private preformatted = false;
  private line = '';
  private readonly lines: string[] = [];

  constructor(base: string) {
    this.base = base;
  }

  text(raw: string): void {
    const text = decodeEntities(raw);
    if (this.inTitle) this.title += text;
    else if (this.silent === 0) this.line += this.preformatted ? text : text.replace(/[ \t\r\n\f]+/g, ' ');
  }

  tag({ name, closing, attributes }: Tag): void {
    if (name === 'title') this.inTitle = !closing;
    if (SILENT.has(name)) this.silent = Math.max(0, this.silent + (closing ? -1 : 1));
    if (name === 'body' && !closing) this.silent = 0; // A head that was never closed ends here.
    if (BLOCKS.has(name)) this.breakLine(/^(h[1-6]|p|pre|ul|ol|table|blockquote)$/.test(name));
    if (name === 'pre') this.preformatted = !closing;
    if (name === 'br') this.breakLine(false);
    if (closing) return;
    if (name === 'li') this.line = '* ';
    if (/^h[1-6]$/.test(name)) this.line += `${'#'.repeat(Number(name.slice(1)))} `;
    if (name === 'hr') this.lines.push('-'.repeat(COLUMNS));
    if (name === 'td' || name === 'th') this.line += ' ';
    if (name === 'img') this.image(attributes);
    if (name === 'script') this.need(attributes.get('src'), 'script');
    const rel = (attributes.get('rel') ?? '').toLowerCase().split(/\s+/);
    if (name === 'link' && rel.includes('stylesheet')) this.need(attributes.get('href'), 'stylesheet');
    if (name === 'link' && rel.includes('icon')) this.need(attributes.get('href'), 'image');
  }

  page(): Page {
    this.breakLine(false);
    const text = this.lines
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim();
    return { title: this.title.replace(/\s+/g, ' ').trim(), text, resources: [...this.resources.values()] };
  }

  private image(attributes: ReadonlyMap<string, string>): void {
    const alt = attributes.get('alt');
    if (alt !== '' && this.silent === 0) this.line += `[${alt ?? 'image'}]`;
    this.need(attributes.get('src'), 'image');
  }

  private need(reference: string | undefined, kind: PageResource['kind']): void {
    if (reference === undefined || this.resources.size >= RESOURCES_MAX) return;
    const url = parseUrl(reference, this.base);
    if (url === undefined || (url.scheme !== 'http' && url.scheme !== 'https')) return;
    if (!this.resources.has(url.href)) this.resources.set(url.href, { url: url.href, kind });
  }

  private breakLine(blank: boolean): void {
    // A list's star waits for the item's first text, whatever blocks it stands in.
    if (this.line === '* ') return;
    if (this.preformatted) this.lines.push(...this.line.split('\n'));
    else if (this.line.trim() !== '') this.lines.push(...wrap(this.line.trim()));
    this.line = '';
    if (blank) this.lines.push('');
  }
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function readAttributes(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const match of text.matchAll(/([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    const [, name = '', double, single, bare] = match;
    const value = decodeEntities(double ?? single ?? bare ?? '');
    if (!attributes.has(name.toLowerCase())) attributes.set(name.toLowerCase(), value);
  }
  return attributes;
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}
