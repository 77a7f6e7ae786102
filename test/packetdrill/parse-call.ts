/** System calls of a script: `write(4, ..., 1000) = 1000`, `recvmsg(3, {msg_iov(1)=[{..., 10}], …}, 0) = -1 EAGAIN (…)`. */
import type { Cursor } from './cursor.ts';
import type { CallEvent, Expression } from './script.ts';

export function parseCall(cursor: Cursor, blocksUntil: CallEvent['blocksUntil']): CallEvent {
  const name = cursor.must(/[a-z_][a-z_0-9]*/, 'a packet, a command or a system call')[0];
  cursor.expect('(');
  const args = parseItems(cursor, ')');
  let result: Expression | undefined;
  let errno: string | undefined;
  if (cursor.take('=')) {
    result = parseExpression(cursor);
    errno = cursor.match(/E[A-Z0-9]+/)?.[0];
    // The note: `(Bad address)`, `(flags O_RDWR|O_NONBLOCK)`.
    if (cursor.take('(')) cursor.until(')');
  }
  return { kind: 'call', name, args, result, errno, blocksUntil };
}

function parseItems(cursor: Cursor, end: string): Expression[] {
  const items: Expression[] = [];
  if (cursor.take(end)) return items;
  do items.push(parseExpression(cursor));
  while (cursor.take(','));
  cursor.expect(end);
  return items;
}

export function parseExpression(cursor: Cursor): Expression {
  const first = parseOne(cursor);
  if (!cursor.peek('|')) return first;
  const parts = [first];
  while (cursor.take('|')) parts.push(parseOne(cursor));
  return { kind: 'or', parts };
}

function parseOne(cursor: Cursor): Expression {
  if (cursor.take('...')) return { kind: 'ellipsis' };
  if (cursor.take('[')) return { kind: 'list', items: parseItems(cursor, ']') };
  if (cursor.take('{')) return parseStruct(cursor);
  if (cursor.take('(')) {
    const inside = parseExpression(cursor);
    cursor.expect(')');
    return inside;
  }
  if (cursor.peek('"')) {
    let text = '';
    while (cursor.take('"')) text += cursor.until('"');
    return { kind: 'text', text };
  }
  const number = cursor.match(/-?0[xX][0-9a-fA-F]+|-?\d+(?:\.\d+)?/);
  if (number !== undefined) {
    const negative = number[0].startsWith('-');
    const value = Number(negative ? number[0].slice(1) : number[0]);
    return { kind: 'number', value: negative ? -value : value };
  }
  const name = cursor.must(/[A-Za-z_][A-Za-z_0-9]*/, 'an expression')[0];
  if (cursor.take('(')) return { kind: 'call', name, items: parseItems(cursor, ')') };
  return { kind: 'word', text: name };
}

function parseStruct(cursor: Cursor): Expression {
  const fields = new Map<string, Expression>();
  const items: Expression[] = [];
  while (!cursor.take('}')) {
    const field = cursor.match(/([A-Za-z_][A-Za-z_0-9]*)\s*(?:\([^)]*\)\s*)?=/);
    if (field === undefined) items.push(parseExpression(cursor));
    else fields.set(field[1]!, parseExpression(cursor));
    if (!cursor.take(',') && !cursor.peek('}')) throw cursor.error('expected , or }');
  }
  return { kind: 'struct', fields, items };
}
