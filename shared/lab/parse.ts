/**
 * YAML text to a small tree of our own in which every node knows where it stands. The rest of this room never sees the
 * YAML library. YAML 1.2 core schema; scalars keep the text as it was written (`1.10` stays `1.10`), because what a
 * value means is its key's business. Left out: merge keys (`<<`), which YAML 1.2 dropped.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, visit } from 'yaml';
import type { Problems, Span } from './problem.ts';

export interface ScalarNode {
  readonly what: 'scalar';
  readonly text: string;
  /** Nothing was written, or `null` or `~`. */
  readonly empty: boolean;
  readonly span: Span;
}

export interface ListNode {
  readonly what: 'list';
  readonly items: readonly LabNode[];
  readonly span: Span;
}

export interface MappingEntry {
  readonly key: ScalarNode;
  readonly value: LabNode;
}

/** Entries in the order of the file; a key written twice is there twice. */
export interface MappingNode {
  readonly what: 'mapping';
  readonly entries: readonly MappingEntry[];
  readonly span: Span;
}

export type LabNode = ScalarNode | ListNode | MappingNode;

/** A lab file is nowhere near; a file that is, is something else. */
export const LAB_BYTES_MAX = 1_000_000;
/** lab, devices, alice, eth0, address, item: six. */
const DEPTH_MAX = 16;
/** Aliases may repeat a node; this many nodes in all. */
const NODES_MAX = 100_000;
/** A syntax error may go on to the end of the file. */
const CARETS_MAX = 40;

const START: Span = { start: 0, end: 1 };

/** YAML's error codes in plain words: what is wrong, and what was expected. */
const SYNTAX: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['TAB_AS_INDENT', ['a tab is used as indentation', 'spaces: YAML allows no tabs there']],
  ['BAD_INDENT', ['the indentation does not fit', 'the entries of one list or mapping to start in the same column']],
  ['BAD_ALIAS', ['an alias that names no anchor', 'an anchor (&name) above the alias (*name)']],
  [
    'BAD_DQ_ESCAPE',
    ['an unknown escape in a double-quoted text', "\\n, \\t, \\\\, \\\" or a text in single quotes ('…')"],
  ],
  ['BAD_SCALAR_START', ['a value cannot start with this character', 'the value in quotes']],
  ['BLOCK_AS_IMPLICIT_KEY', ['a second ": " on one line', 'one "key: value" a line, or the value in quotes']],
  [
    'BLOCK_IN_FLOW',
    ['a ": " inside brackets where a value ends', 'a comma between values: { key: value, key: value }'],
  ],
  ['BAD_DIRECTIVE', ['a line that starts with %', 'the value in quotes']],
  ['MISSING_CHAR', ['a character is missing here', 'a closing bracket or quote, a comma, or ": " after a key']],
  ['MULTILINE_IMPLICIT_KEY', ['a key without its ": "', '": " after the key, on the line where it starts']],
  ['MULTIPLE_DOCS', ['a second document starts here', 'one lab a file, without "---" in between']],
  ['TAG_RESOLVE_FAILED', ['an unknown tag', 'a plain value without "!…"']],
  ['UNEXPECTED_TOKEN', ['this does not belong here', 'a key, a value or the end of what came before']],
]);

/** Sentences of the library that have a plainer one. */
const SENTENCES: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['Implicit map keys need to be followed by map values', ['a key without its ": "', 'key: value']],
  [
    'Missing , or : between flow map items',
    ['two things in brackets with nothing between', 'a comma, or ": " after a key'],
  ],
  ['Missing , between flow sequence items', ['two things in brackets with nothing between', 'a comma']],
]);
/** Codes of many mistakes, whose own sentence says more than the code. */
const VAGUE: ReadonlySet<string> = new Set(['MISSING_CHAR', 'UNEXPECTED_TOKEN']);

export interface Parsed {
  /** Undefined when the file holds nothing, or is not YAML. */
  readonly root: LabNode | undefined;
  /** Syntax problems have been added. */
  readonly broken: boolean;
}

export function parseLab(text: string, problems: Problems): Parsed {
  if (text.length > LAB_BYTES_MAX) {
    problems.add(START, `the file is ${text.length} characters long`, `a lab file of at most ${LAB_BYTES_MAX}`);
    return { root: undefined, broken: true };
  }
  let document: Document;
  try {
    document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
    if (addSyntaxProblems(document, problems)) return { root: undefined, broken: true };
    const root = document.contents === null ? undefined : new TreeBuilder(document, problems).build(document.contents);
    return { root, broken: problems.count > 0 };
  } catch (error) {
    // The library recurses: a file of brackets can exhaust its stack.
    const why = error instanceof RangeError ? 'the file is nested too deeply' : 'the file cannot be read as YAML';
    problems.add(START, why, 'a YAML mapping with name, devices and wires');
    return { root: undefined, broken: true };
  }
}

function addSyntaxProblems(document: Document, problems: Problems): boolean {
  const told = new Set<string>();
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    // One slip often upsets the parser many times in the same way; the first is the one that means something.
    if (told.has(code)) continue;
    told.add(code);
    const quote = /^Missing closing (.)quote/.exec(message)?.[1];
    if (quote !== undefined) {
      const span = unclosedQuote(document, pos[0]);
      problems.add(span, `not YAML: a ${quote} quote is opened and never closed`, `${quote} at the end of the text`);
    } else if (message.startsWith('Flow ')) {
      const closing = /[}\]]/.exec(message)?.[0] ?? '}';
      const what = `not YAML: a bracket above is not closed before this line, or the line stands too far left`;
      problems.add({ start: pos[0], end: pos[1] }, what, `"${closing}" before it`);
    } else {
      const [what, expected] = SENTENCES.get(message) ?? SYNTAX.get(code) ?? [plainly(message), 'YAML 1.2'];
      const exact = SENTENCES.has(message) || !VAGUE.has(code) ? what : plainly(message);
      problems.add({ start: pos[0], end: Math.min(pos[1], pos[0] + CARETS_MAX) }, `not YAML: ${exact}`, expected);
    }
  }
  return told.size > 0;
}

/** Where the text starts whose closing quote was looked for up to `end`. */
function unclosedQuote(document: Document, end: number): Span {
  let found: Span = { start: end, end: end + 1 };
  visit(document, {
    Scalar(_, node) {
      const range = node.range;
      if (node.type?.startsWith('QUOTE') && range && range[0] < end && range[2] >= end) {
        found = { start: range[0], end: range[0] + 1 };
      }
    },
  });
  return found;
}

/** The library's sentence as the middle of ours. */
function plainly(message: string): string {
  const line = (message.split('\n')[0] ?? '').replace(/[.:]$/, '');
  return line.charAt(0).toLowerCase() + line.slice(1);
}

class TreeBuilder {
  private readonly document: Document;
  private readonly problems: Problems;
  private nodes = 0;

  constructor(document: Document, problems: Problems) {
    this.document = document;
    this.problems = problems;
  }

  build(node: unknown, near: Span = START, depth = 0): LabNode {
    const span = spanOf(node) ?? near;
    if (depth > DEPTH_MAX || ++this.nodes > NODES_MAX) {
      this.problems.add(span, 'the file is nested too deeply', 'a mapping with name, devices and wires');
      return emptyAt(span);
    }
    if (isAlias(node)) {
      const target = node.resolve(this.document);
      if (target !== undefined) return this.build(target, span, depth + 1);
      this.problems.add(span, `the alias *${node.source} names no anchor`, `an anchor &${node.source} above it`);
      return emptyAt(span);
    }
    if (isMap(node)) {
      const entries = node.items.map((pair): MappingEntry => {
        const key = this.key(pair.key, span, depth);
        const after = { start: key.span.end, end: key.span.end + 1 };
        return { key, value: pair.value === null ? emptyAt(key.span) : this.build(pair.value, after, depth + 1) };
      });
      return { what: 'mapping', entries, span };
    }
    if (isSeq(node)) {
      return { what: 'list', items: node.items.map((item) => this.build(item, span, depth + 1)), span };
    }
    if (isScalar(node)) return scalar(node.value, node.type, node.source, span);
    return emptyAt(span);
  }

  private key(node: unknown, near: Span, depth: number): ScalarNode {
    const key = this.build(node, near, depth + 1);
    if (key.what === 'scalar') return key;
    this.problems.add(key.span, `a ${key.what} is used as a key`, 'a word as the key');
    return emptyAt(key.span);
  }
}

function scalar(value: unknown, type: string | undefined, source: string | undefined, span: Span): ScalarNode {
  const plain = type === undefined || type === 'PLAIN';
  const text = plain ? (source ?? (value === null ? '' : String(value))) : String(value);
  return { what: 'scalar', text, empty: plain && value === null, span };
}

function emptyAt(span: Span): ScalarNode {
  return { what: 'scalar', text: '', empty: true, span };
}

function spanOf(node: unknown): Span | undefined {
  const range = (node as Node | null)?.range;
  return range === undefined || range === null ? undefined : { start: range[0], end: range[1] };
}
