/**
 * Command lines as getopt_long(3) reads them: clusters of letters, arguments attached or following, long names that may
 * be cut short, operands in between, `--` ends the options. Error texts are glibc's, without the program's usage.
 * Left out: optional arguments of short options, POSIXLY_CORRECT.
 */

/** One option as it stood on the line; `value` is empty when it takes none. */
export interface ParsedOption {
  readonly name: string;
  readonly value: string;
}

export interface ParsedLine {
  readonly options: readonly ParsedOption[];
  readonly operands: readonly string[];
  /** What getopt would have printed for the first bad option, and nothing after it was read. */
  readonly error: string | undefined;
}

/**
 * `short` is a getopt string (`ac:n`). `long` maps a long name to what it is reported as, with `:` behind it when it
 * takes an argument (`{ count: 'c:', numeric: 'n' }`).
 */
export function getopt(
  argv: readonly string[],
  short: string,
  long: Readonly<Record<string, string>> = {},
  operandsEnd = false,
): ParsedLine {
  const options: ParsedOption[] = [];
  const operands: string[] = [];
  const program = argv[0] ?? '';
  const words = argv.slice(1);
  while (words.length > 0) {
    const word = words.shift() ?? '';
    if (word === '--') {
      operands.push(...words);
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      if (operandsEnd) {
        operands.push(...words);
        break;
      }
      continue;
    }
    const problem = word.startsWith('--')
      ? takeLong(word.slice(2), words, long, options)
      : takeCluster(word.slice(1), words, short, options);
    if (problem !== undefined) return { options, operands, error: `${program}: ${problem}` };
  }
  return { options, operands, error: undefined };
}

function takeCluster(letters: string, words: string[], short: string, options: ParsedOption[]): string | undefined {
  for (let i = 0; i < letters.length; i++) {
    const letter = letters.charAt(i);
    const at = letter === ':' ? -1 : short.indexOf(letter);
    if (at < 0) return `invalid option -- '${letter}'`;
    if (short.charAt(at + 1) !== ':') {
      options.push({ name: letter, value: '' });
      continue;
    }
    const value = i + 1 < letters.length ? letters.slice(i + 1) : words.shift();
    if (value === undefined) return `option requires an argument -- '${letter}'`;
    options.push({ name: letter, value });
    return undefined;
  }
  return undefined;
}

function takeLong(
  text: string,
  words: string[],
  long: Readonly<Record<string, string>>,
  options: ParsedOption[],
): string | undefined {
  const equals = text.indexOf('=');
  const given = equals < 0 ? text : text.slice(0, equals);
  const names = Object.keys(long).filter((name) => name === given || name.startsWith(given));
  const name = names.includes(given) ? given : names[0];
  if (name === undefined) return `unrecognized option '--${given}'`;
  if (names.length > 1 && name !== given) {
    const choices = names.map((choice) => `'--${choice}'`).join(' ');
    return `option '--${given}' is ambiguous; possibilities: ${choices}`;
  }
  const key = long[name] ?? '';
  if (!key.endsWith(':')) {
    if (equals >= 0) return `option '--${name}' doesn't allow an argument`;
    options.push({ name: key, value: '' });
    return undefined;
  }
  const value = equals >= 0 ? text.slice(equals + 1) : words.shift();
  if (value === undefined) return `option '--${name}' requires an argument`;
  options.push({ name: key.slice(0, -1), value });
  return undefined;
}

/** A whole number in decimal, 0x or 0 notation, as strtol(…, 0); undefined for anything else. */
export function parseInteger(text: string): number | undefined {
  if (/^[-+]?0[xX][0-9a-fA-F]+$/.test(text)) {
    const digits = text.replace(/^[-+]/, '');
    return text.startsWith('-') ? -Number(digits) : Number(digits);
  }
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^[-+]?[0-9]+$/.test(text) ? Number(text) : undefined;
}
