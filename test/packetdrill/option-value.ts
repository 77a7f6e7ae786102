/** The value of a socket option as a script writes it: `[1]`, `"cubic"`, `"\\xa1\\xb2"`, `{onoff=1, linger=0}`. */
import type { SockoptValue } from '../../shared/net/sock.ts';
import { type Expression, Unsupported } from './script.ts';
import { numberOf } from './values.ts';

/** Octets of a text such as "\\xa1\\xb2"; undefined for one without escapes. */
function escapedBytes(text: string): Uint8Array | undefined {
  if (!text.includes('\\x')) return undefined;
  const octets = text.match(/\\x[0-9a-fA-F]{2}|./gs) ?? [];
  return Uint8Array.from(octets, (octet) => (octet.length > 1 ? Number(`0x${octet.slice(2)}`) : octet.charCodeAt(0)));
}

export function optionValue(expression: Expression | undefined): SockoptValue {
  if (expression?.kind === 'list' && expression.items.length === 1) return optionValue(expression.items[0]);
  if (expression?.kind === 'text') {
    const bytes = escapedBytes(expression.text);
    return bytes ?? { text: expression.text };
  }
  if (expression?.kind === 'number' || expression?.kind === 'word' || expression?.kind === 'or') {
    return numberOf(expression) | 0;
  }
  if (expression?.kind === 'struct') {
    const on = expression.fields.get('onoff') ?? expression.fields.get('l_onoff');
    const seconds = expression.fields.get('linger') ?? expression.fields.get('l_linger');
    if (on !== undefined) return { on: numberOf(on) !== 0, seconds: seconds === undefined ? 0 : numberOf(seconds) };
  }
  throw new Unsupported('a socket option of this shape');
}
