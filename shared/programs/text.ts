/** printf's corner of the programs: columns, and C's number formats where JavaScript's differ. */

export const left = (value: string | number, width: number): string => String(value).padEnd(width);
export const right = (value: string | number, width: number): string => String(value).padStart(width);

/** `%g` with the usual six significant digits. */
export function formatG(value: number, digits = 6): string {
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
  const [mantissa = '', power = '0'] = value.toExponential(digits - 1).split('e');
  const sign = power.startsWith('-') ? '-' : '+';
  return `${Number(mantissa)}e${sign}${power.replace(/^[-+]/, '').padStart(2, '0')}`;
}

/** The lines of a file, without the newline; none for a file that is not there. */
export function linesOf(sys: { readFile(path: string): Uint8Array }, path: string): readonly string[] {
  try {
    return decodeText(sys.readFile(path)).split('\n');
  } catch {
    return [];
  }
}

export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
