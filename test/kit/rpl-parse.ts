/** Reads the replay scenarios of unbound's testbound and of Deckard (.rpl). */
import { parseZoneFile } from '../../shared/dns/zone-file.ts';
import type { Question, ResourceRecord } from '../../shared/header/dns.ts';
import { dnsName } from '../../shared/header/dns-name.ts';
import { parseClass, parseType } from '../../shared/header/dns-type.ts';

export interface RplEntry {
  readonly match: ReadonlySet<string>;
  readonly adjust: ReadonlySet<string>;
  /** Flags and rcode, upper case. */
  readonly reply: ReadonlySet<string>;
  readonly questions: readonly Question[];
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  readonly raw: Uint8Array | undefined;
}

export interface RplRange {
  readonly from: number;
  readonly to: number;
  /** None: any server. */
  readonly addresses: readonly string[];
  readonly entries: readonly RplEntry[];
}

export interface RplStep {
  readonly number: number;
  readonly type: string;
  readonly args: readonly string[];
  readonly entry: RplEntry | undefined;
}

export interface Rpl {
  readonly config: readonly { readonly key: string; readonly value: string }[];
  readonly ranges: readonly RplRange[];
  readonly steps: readonly RplStep[];
}

/** Without its comment; a quote hides `;`. */
function stripped(line: string): string {
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '"') quoted = !quoted;
    if (line[i] === ';' && !quoted) return line.slice(0, i).trim();
  }
  return line.trim();
}

export function parseRpl(text: string): Rpl {
  const [before = '', after = ''] = text.split(/^CONFIG_END.*$/m, 2);
  const config = before
    .split('\n')
    .map((line) => stripped(line.replace(/(^|\s)#.*$/, '')))
    .map((line) => /^([\w-]+):\s*(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ key: match[1] ?? '', value: (match[2] ?? '').replace(/^"|"$/g, '') }));
  return { config, ...new Reader(after.split(/\r?\n/).map(stripped)).scenario() };
}

class Reader {
  private readonly lines: readonly string[];
  private at = 0;
  private origin = '.';
  private ttl = 3600;

  constructor(lines: readonly string[]) {
    this.lines = lines;
  }

  private next(): string[] | undefined {
    while (this.at < this.lines.length) {
      const line = this.lines[this.at++] ?? '';
      if (line !== '') return line.split(/\s+/);
    }
    return undefined;
  }

  scenario(): { ranges: RplRange[]; steps: RplStep[] } {
    const ranges: RplRange[] = [];
    const steps: RplStep[] = [];
    for (let words = this.next(); words !== undefined; words = this.next()) {
      if (words[0] === 'RANGE_BEGIN') ranges.push(this.range(words));
      if (words[0] === 'STEP') steps.push(this.step(Number(words[1]), words[2] ?? '', words.slice(3)));
      if (words[0] === 'SCENARIO_END') break;
    }
    return { ranges, steps };
  }

  private range(start: readonly string[]): RplRange {
    const [from, to] = [Number(start[1]), Number(start[2])];
    const addresses = start.slice(3);
    const entries: RplEntry[] = [];
    for (let words = this.next(); words !== undefined && words[0] !== 'RANGE_END'; words = this.next()) {
      if (words[0] === 'ADDRESS') addresses.push(words[1] ?? '');
      if (words[0] === 'ENTRY_BEGIN') entries.push(this.entry());
    }
    return { from, to, addresses, entries };
  }

  private step(number: number, type: string, args: string[]): RplStep {
    const start = this.at;
    const words = this.next();
    if (words?.[0] === 'ENTRY_BEGIN') return { number, type, args, entry: this.entry() };
    this.at = start;
    return { number, type, args, entry: undefined };
  }

  private entry(): RplEntry {
    const sets = { MATCH: new Set<string>(), ADJUST: new Set<string>(), REPLY: new Set<string>() };
    const sections: Record<string, ResourceRecord[]> = { ANSWER: [], AUTHORITY: [], ADDITIONAL: [] };
    const questions: Question[] = [];
    let raw: Uint8Array | undefined;
    let section = '';
    for (let words = this.next(); words !== undefined && words[0] !== 'ENTRY_END'; words = this.next()) {
      const [first = '', ...rest] = words;
      if (first === 'MATCH') for (const word of rest) sets.MATCH.add(word.toLowerCase());
      else if (first === 'ADJUST') for (const word of rest) sets.ADJUST.add(word);
      else if (first === 'REPLY' || first === 'FLAGS') for (const word of rest) sets.REPLY.add(word.toUpperCase());
      else if (first === 'SECTION') section = rest[0] ?? '';
      else if (first === 'RAW') raw = Buffer.from(this.next()?.join('') ?? '', 'hex');
      else if (first === 'HEX_ANSWER_BEGIN') raw = this.hex('HEX_ANSWER_END');
      else if (first === 'HEX_EDNSDATA_BEGIN') this.hex('HEX_EDNSDATA_END');
      else if (first === '$ORIGIN') this.origin = rest[0] ?? '.';
      else if (first === '$TTL') this.ttl = Number(rest[0]);
      else if (section === 'QUESTION') questions.push(question(words));
      else if (section in sections) sections[section]?.push(...this.records(this.lines[this.at - 1] ?? ''));
    }
    return {
      match: sets.MATCH,
      adjust: sets.ADJUST,
      reply: sets.REPLY,
      questions,
      answer: sections['ANSWER'] ?? [],
      authority: sections['AUTHORITY'] ?? [],
      additional: sections['ADDITIONAL'] ?? [],
      raw,
    };
  }

  private hex(end: string): Uint8Array {
    let text = '';
    for (let words = this.next(); words !== undefined && words[0] !== end; words = this.next()) text += words.join('');
    return Buffer.from(text, 'hex');
  }

  private records(line: string): ResourceRecord[] {
    const options = { file: 'rpl', origin: dnsName(this.origin), defaultTtl: this.ttl };
    const { records, problems } = parseZoneFile(line, options);
    if (problems[0] !== undefined) throw new Error(`${line}: ${problems[0].message}`);
    return records.map(({ record }) => record);
  }
}

function question(words: readonly string[]): Question {
  const [name = '.', ...rest] = words;
  const type = parseType(rest.at(-1) ?? '');
  const dnsClass = rest.length > 1 ? parseClass(rest[0] ?? '') : 1;
  if (type === undefined || dnsClass === undefined) throw new Error(`question ${words.join(' ')}`);
  return { name: dnsName(name), type, class: dnsClass };
}
