/**
 * Zone files (RFC 1035 §5, $TTL of RFC 2308 §4, `\#` of RFC 3597, $GENERATE of BIND): text to records. Nothing stops at
 * the first mistake: every problem comes with file, line and column.
 *
 * Whether the records make a good zone is zone.ts's question.
 */
import type { ResourceRecord } from '../header/dns.ts';
import { DNS_ROOT, type DnsName, parseName } from '../header/dns-name.ts';
import { readSoa } from '../header/dns-rdata.ts';
import { parseRdata } from '../header/dns-text.ts';
import { parseTtl } from '../header/dns-text-codes.ts';
import { CLASS, formatClass, parseClass, parseType, TYPE } from '../header/dns-type.ts';
import { isMalformed } from '../header/malformed.ts';
import { generateLines } from './zone-generate.ts';
import { type ZoneLine, type ZoneToken, ZoneTokens } from './zone-tokens.ts';

/** $INCLUDE inside $INCLUDE, so far. */
const INCLUDE_DEPTH_MAX = 8;
/** More problems than this help nobody. */
const PROBLEMS_MAX = 50;
/** RFC 2181 §8. */
export const TTL_SECONDS_MAX = 0x7fff_ffff;

export interface FilePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface FileProblem extends FilePosition {
  readonly message: string;
}

export interface FileRecord extends FilePosition {
  readonly record: ResourceRecord;
}

export interface ZoneFile {
  readonly records: readonly FileRecord[];
  readonly problems: readonly FileProblem[];
}

export interface ZoneFileOptions {
  /** Its name in messages. */
  readonly file: string;
  /** What names without a final dot are relative to, until $ORIGIN. */
  readonly origin?: DnsName;
  /** For records before any TTL was given; without it that is a problem. */
  readonly defaultTtl?: number;
  /** The text of a file that is included; undefined when there is none. */
  readonly include?: (path: string) => string | undefined;
}

/** `zones/com.zone:3:9: "A" needs …`. */
export function formatProblem(problem: FileProblem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
}

export function parseZoneFile(text: string, options: ZoneFileOptions): ZoneFile {
  const parser = new Parser(options);
  parser.file(text, options.file, options.origin ?? DNS_ROOT, 0);
  return { records: parser.records, problems: parser.problems };
}

class Parser {
  readonly records: FileRecord[] = [];
  readonly problems: FileProblem[] = [];
  private readonly include: (path: string) => string | undefined;
  private origin: DnsName = DNS_ROOT;
  private owner: DnsName | undefined;
  private defaultTtl: number | undefined;
  private lastTtl: number | undefined;
  private path = '';

  constructor(options: ZoneFileOptions) {
    this.include = options.include ?? (() => undefined);
    this.lastTtl = options.defaultTtl;
  }

  file(text: string, path: string, origin: DnsName, depth: number): void {
    this.path = path;
    this.origin = origin;
    const tokens = new ZoneTokens(text);
    for (let line = tokens.next(); line !== undefined; line = tokens.next()) {
      this.line(line, depth);
      this.path = path;
      if (this.problems.length >= PROBLEMS_MAX) return;
    }
    for (const problem of tokens.problems) this.problems.push({ file: path, ...problem });
  }

  private line(line: ZoneLine, depth: number): void {
    const first = line.tokens[0];
    if (first === undefined) return;
    if (first.quoted || !first.text.startsWith('$')) return this.recordLine(line);
    const rest = line.tokens.slice(1);
    switch (first.text.toUpperCase()) {
      case '$ORIGIN':
        return this.originLine(first, rest);
      case '$TTL':
        return this.ttlLine(first, rest);
      case '$INCLUDE':
        return this.includeLine(first, rest, depth);
      case '$GENERATE':
        return this.generateLine(first, rest);
      default:
        this.problem(first, `${first.text} is no directive: $ORIGIN, $TTL, $INCLUDE and $GENERATE are`);
    }
  }

  private originLine(first: ZoneToken, [name, ...more]: readonly ZoneToken[]): void {
    if (name === undefined) return this.problem(first, '$ORIGIN needs a domain name');
    const origin = this.name(name);
    if (origin !== undefined) this.origin = origin;
    this.nothingAfter(more);
  }

  private ttlLine(first: ZoneToken, [value, ...more]: readonly ZoneToken[]): void {
    const ttl = parseTtl(value?.text ?? '');
    if (ttl === undefined) return this.problem(value ?? first, '$TTL needs a time in seconds or with units (1h30m)');
    this.defaultTtl = clampTtl(ttl);
    this.nothingAfter(more);
  }

  /** The included file has an origin and an owner of its own; ours are back afterwards (RFC 1035 §5.1). */
  private includeLine(first: ZoneToken, [file, name, ...more]: readonly ZoneToken[], depth: number): void {
    if (file === undefined) return this.problem(first, '$INCLUDE needs a file name');
    if (depth >= INCLUDE_DEPTH_MAX)
      return this.problem(first, `$INCLUDE is nested more than ${INCLUDE_DEPTH_MAX} deep`);
    const origin = name === undefined ? this.origin : this.name(name);
    this.nothingAfter(more);
    if (origin === undefined) return;
    const text = this.include(file.text);
    if (text === undefined) return this.problem(file, `there is no file "${file.text}"`);
    const [ourOrigin, ourOwner] = [this.origin, this.owner];
    this.file(text, file.text, origin, depth + 1);
    [this.origin, this.owner] = [ourOrigin, ourOwner];
  }

  private generateLine(first: ZoneToken, rest: readonly ZoneToken[]): void {
    const lines = generateLines(first, rest);
    if (isMalformed(lines)) return this.problem(first, lines.malformed);
    for (const tokens of lines) this.recordLine({ tokens, indented: false, line: first.line });
  }

  private recordLine(line: ZoneLine): void {
    const [first] = line.tokens;
    if (first === undefined) return;
    let index = 0;
    if (!line.indented) {
      const owner = this.name(first);
      if (owner === undefined) return;
      this.owner = owner;
      index = 1;
    }
    if (this.owner === undefined) return this.problem(first, 'the first record has no owner name');
    const head = this.ttlClassAndType(line, index);
    if (head === undefined) return;
    const tokens = line.tokens.slice(head.index);
    const data = parseRdata(head.type, tokens, this.origin);
    if (isMalformed(data)) {
      return this.problem(
        tokens[data.token] ?? line.tokens.at(-1) ?? first,
        data.malformed,
        data.token >= tokens.length,
      );
    }
    const ttl = this.ttlFor(head.ttl, head.type, data);
    if (ttl === undefined) return this.problem(first, 'no TTL: give $TTL at the top, or one to this record');
    const record: ResourceRecord = { name: this.owner, type: head.type, class: head.class, ttl, data };
    this.records.push({ record, file: this.path, line: first.line, column: first.column });
  }

  /** `[TTL] [class] type`, TTL and class in either order. */
  private ttlClassAndType(
    line: ZoneLine,
    index: number,
  ): { ttl: number | undefined; class: number; type: number; index: number } | undefined {
    let ttl: number | undefined;
    let dnsClass: number | undefined;
    for (; index < line.tokens.length; index++) {
      const token = line.tokens[index];
      if (token === undefined) break;
      if (ttl === undefined && /^[0-9]/.test(token.text)) {
        ttl = parseTtl(token.text);
        if (ttl === undefined) return this.nothing(token, `"${token.text}" is neither a TTL nor a type`);
        continue;
      }
      const asClass = dnsClass === undefined ? parseClass(token.text) : undefined;
      // ANY is a type and a class: after an owner only a class makes sense when a type follows.
      if (asClass !== undefined && token.text.toUpperCase() !== 'ANY') {
        dnsClass = asClass;
        if (asClass !== CLASS.IN) return this.nothing(token, `class ${formatClass(asClass)}: only IN is served here`);
        continue;
      }
      const type = parseType(token.text);
      if (type === undefined) return this.nothing(token, `"${token.text}" is no record type`);
      if (type >= TYPE.TKEY && type <= TYPE.ANY) return this.nothing(token, `${token.text} is not for zone files`);
      return { ttl, class: dnsClass ?? CLASS.IN, type, index: index + 1 };
    }
    const last = line.tokens.at(-1);
    return last === undefined ? undefined : this.nothing(last, 'a record type should follow', true);
  }

  /** RFC 2308 §4: its own, else $TTL's, else the last one given, else the SOA's minimum (BIND). */
  private ttlFor(own: number | undefined, type: number, data: Uint8Array): number | undefined {
    const minimum = type === TYPE.SOA ? readSoa(data)?.minimum : undefined;
    const ttl = own ?? this.defaultTtl ?? this.lastTtl ?? minimum;
    if (ttl === undefined) return undefined;
    this.lastTtl = clampTtl(ttl);
    return this.lastTtl;
  }

  private name(token: ZoneToken): DnsName | undefined {
    const name = parseName(token.text, this.origin);
    if (typeof name === 'string') return name;
    return this.nothing(token, `"${token.text}" is no domain name (${name.malformed})`);
  }

  private nothingAfter([token]: readonly ZoneToken[]): void {
    if (token !== undefined) this.problem(token, `"${token.text}" is one word too many`);
  }

  private nothing(token: ZoneToken, message: string, after = false): undefined {
    this.problem(token, message, after);
  }

  private problem(token: ZoneToken, message: string, after = false): void {
    const column = token.column + (after ? token.text.length : 0);
    this.problems.push({ file: this.path, line: token.line, column, message });
  }
}

function clampTtl(seconds: number): number {
  return Math.min(seconds, TTL_SECONDS_MAX);
}
