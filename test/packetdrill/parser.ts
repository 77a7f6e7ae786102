/**
 * Reads a packetdrill script (packetdrill's parser.y and lexer.l, the part that TCP over IPv4 uses). Left out: GRE, MPLS,
 * UDP, nested IP headers.
 */
import type { Micros } from '../../shared/platform.ts';
import { Cursor } from './cursor.ts';
import { parseCall } from './parse-call.ts';
import { parsePacket } from './parse-packet.ts';
import { type Action, ParseError, type Script, type ScriptEvent, type When } from './script.ts';

const NUMBER = /\d+\.\d+|\d+|\.\d+/;

/** `--mss=1000`; `-D NAME=value` and `--define=NAME=value` are words to put in place. */
function takeOptions(cursor: Cursor, options: Map<string, string>, defines: Map<string, string>): void {
  for (;;) {
    const define = cursor.match(/(?:-D\s*|--define[= ]\s*)(\w+)=("[^"]*"|`[^`]*`|\S+)/);
    if (define !== undefined) {
      defines.set(define[1]!, define[2]!);
      continue;
    }
    const option = cursor.match(/--(\w+)(?:=(\S+))?/);
    if (option === undefined) return;
    options.set(option[1]!, option[2] ?? '');
  }
}

/** What the testers of the kernel define for every script: the names have these values in IPv4. */
export const DEFINES_DEFAULT: ReadonlyMap<string, string> = new Map([
  ['CODE', 'host_unreachable'],
  ['CMSG_LEVEL_IP', 'SOL_IP'],
  ['CMSG_TYPE_RECVERR', 'IP_RECVERR'],
  ['TFO_COOKIE', '3021b9d889017eeb'],
  ['TFO_COOKIE_ZERO', 'b7c12350a90dc8f5'],
]);

function substitute(text: string, defines: ReadonlyMap<string, string>): string {
  let out = text;
  for (const [name, value] of defines) out = out.replace(new RegExp(`\\b${name}\\b`, 'g'), value);
  return out;
}

/** `defines`: words of whoever runs it, beside those of the testers. */
export function parseScript(text: string, defines: ReadonlyMap<string, string> = new Map()): Script {
  const options = new Map<string, string>();
  const own = new Map([...DEFINES_DEFAULT, ...defines]);
  takeOptions(new Cursor(text), options, own);
  const cursor = new Cursor(substitute(text, own));
  takeOptions(cursor, options, own);
  const init = cursor.take('`') ? cursor.until('`') : undefined;
  const events: ScriptEvent[] = [];
  let cleanup: string | undefined;
  while (!cursor.ended) {
    if (cleanup !== undefined) throw cursor.error('nothing may follow the clean-up command');
    if (cursor.take('`')) cleanup = cursor.until('`');
    else events.push(parseEvent(cursor));
  }
  if (events.length === 0) throw new ParseError('a script without events');
  return { options, init, events, cleanup };
}

function micros(text: string): Micros {
  return Math.round(Number(text) * 1e6);
}

function takeTime(cursor: Cursor): { relative: boolean; at: Micros } {
  const relative = cursor.take('+');
  return { relative, at: micros(cursor.must(NUMBER, 'a time')[0]) };
}

function takeWhen(cursor: Cursor): When {
  if (cursor.take('*')) return { kind: 'any' };
  const { relative, at } = takeTime(cursor);
  const until = cursor.take('~') ? takeTime(cursor).at : undefined;
  return { kind: relative ? 'relative' : 'absolute', at, until };
}

function parseEvent(cursor: Cursor): ScriptEvent {
  cursor.skip();
  const { line, column } = cursor.place;
  const start = cursor.at;
  const when = takeWhen(cursor);
  const blocksUntil = cursor.take('...') ? takeTime(cursor) : undefined;
  const action = parseAction(cursor, blocksUntil);
  const source = cursor.text.slice(start, cursor.at).replace(/\s+/g, ' ').trim();
  const ranged = when.kind === 'any' || when.until !== undefined;
  if (ranged && action.kind !== 'out') throw cursor.error('only what is sent may have a range of times');
  return { when, action, line, column, source };
}

function parseAction(cursor: Cursor, blocksUntil: { relative: boolean; at: Micros } | undefined): Action {
  if (cursor.take('%{')) return { kind: 'python', text: cursor.until('}%') };
  if (cursor.take('`')) return { kind: 'shell', text: cursor.until('`') };
  if (cursor.take('<')) return { kind: 'in', packet: parsePacket(cursor, 'in') };
  if (cursor.take('>')) return { kind: 'out', packet: parsePacket(cursor, 'out') };
  return parseCall(cursor, blocksUntil);
}
