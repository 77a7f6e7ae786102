/**
 * YAML text to a small tree of our own in which every node knows where it stands. The rest of this room never sees the
 * YAML library. YAML 1.2 core schema; scalars keep the text as it was written (`1.10` stays `1.10`), because what a
 * value means is its key's business. Left out: merge keys (`<<`), which YAML 1.2 dropped.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
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
  ['MISSING_CHAR', ['a character is missing here', 'a closing bracket or quote, a comma, or ": " after a key']],
  ['MULTILINE_IMPLICIT_KEY', ['a key goes over several lines', '": " after the key, on the line where it starts']],
  ['MULTIPLE_DOCS', ['a second document starts here', 'one lab a file, without "---" in between']],
  ['TAG_RESOLVE_FAILED', ['an unknown tag', 'a plain value without "!…"']],
  ['UNEXPECTED_TOKEN', ['this does not belong here', 'a key, a value or the end of what came before']],
]);

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
    if (addSyntaxProblems(document, text, problems)) return { root: undefined, broken: true };
    const root = document.contents === null ? undefined : new TreeBuilder(document, problems).build(document.contents);
    return { root, broken: problems.count > 0 };
  } catch (error) {
    // The library recurses: a file of brackets can exhaust its stack.
    const why = error instanceof RangeError ? 'the file is nested too deeply' : 'the file cannot be read as YAML';
    problems.add(START, why, 'a YAML mapping with name, devices and wires');
    return { root: undefined, broken: true };
  }
}

function addSyntaxProblems(document: Document, text: string, problems: Problems): boolean {
  const lines = new Set<number>();
  for (const error of [...document.errors, ...document.warnings]) {
    // One slip often upsets the parser several times; the first on a line is the one that means something.
    const start = Math.min(error.pos[0], text.length);
    const line = text.lastIndexOf('\n', Math.max(0, start - 1));
    if (lines.has(line)) continue;
    lines.add(line);
    const [what, expected] = SYNTAX.get(error.code) ?? [plainly(error.message), 'YAML'];
    const message = error.code === 'MISSING_CHAR' || error.code === 'UNEXPECTED_TOKEN' ? plainly(error.message) : what;
    problems.add({ start, end: Math.min(error.pos[1], start + 40) }, `not YAML: ${message}`, expected);
  }
  return lines.size > 0;
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
      return target === undefined ? emptyAt(span) : this.build(target, span, depth + 1);
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
