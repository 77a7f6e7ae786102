/** Reading an iptables command line word by word, with iptables' own complaints. */
export class IptablesError extends Error {
  /** 1: the kernel would not; 2: bad use. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

const VERSION = 'iptables v1.8.9 (nf_tables)';

/** Bad use, as the program itself finds it. */
export function badUse(message: string): IptablesError {
  const hint = "\nTry `iptables -h' or 'iptables --help' for more information.";
  return new IptablesError(`${VERSION}: ${message}${hint}`, 2);
}

/** Found while loading something; no hint. */
export function badParameter(message: string): IptablesError {
  return new IptablesError(`${VERSION}: ${message}`, 2);
}

/** An option that a module cannot do without. */
export function missing(module: string, option: string): IptablesError {
  return badUse(`${module}: option "${option}" must be specified\n`);
}

export function outOfRange(module: string, option: string, range: string): IptablesError {
  return badUse(`${module}: bad value for option "${option}", or out of range (${range}).\n`);
}

/** The kernel's refusal. */
export function refused(message: string): IptablesError {
  return new IptablesError(`iptables: ${message}`, 1);
}

/** The kernel took exception to a rule; `what` is filled in by the command (RULE_APPEND, RULE_INSERT, RULE_REPLACE). */
export class RuleRefused extends IptablesError {
  constructor(chain: string, command = 'RULE_APPEND') {
    super(`${VERSION}:  ${command} failed (Invalid argument): rule in chain ${chain}`, 4);
  }
}

export function kernelRefused(chain: string): IptablesError {
  return new RuleRefused(chain);
}

/** A chain that cannot go. */
export function busyChain(chain: string): IptablesError {
  return new IptablesError(`${VERSION}:  CHAIN_DEL failed (Device or resource busy): chain ${chain}`, 4);
}

/** The words still to be read. */
export class Words {
  private readonly words: readonly string[];
  private at = 0;
  /** `!` came before the option in hand. */
  negated = false;

  constructor(words: readonly string[]) {
    this.words = words;
  }

  get done(): boolean {
    return this.at >= this.words.length;
  }

  peek(): string | undefined {
    return this.words[this.at];
  }

  next(): string | undefined {
    return this.words[this.at++];
  }

  /** The value that an option needs. */
  value(option: string): string {
    const word = this.next();
    if (word === undefined) throw badUse(`option "${option}" requires an argument`);
    return word;
  }

  /** A value that may be left out: a word that is no option. */
  optional(): string | undefined {
    const word = this.peek();
    return word === undefined || word.startsWith('-') || word === '!' ? undefined : this.next();
  }

  /** The next option, its `!` noted. */
  option(): string | undefined {
    this.negated = false;
    let word = this.next();
    if (word === '!') {
      this.negated = true;
      word = this.next();
      if (word === undefined || !word.startsWith('-')) throw badUse('unexpected ! flag before --table');
    }
    return word;
  }

  /** An option that cannot be negated. */
  plain(option: string): void {
    if (this.negated) throw badUse(`unexpected ! flag before ${option}`);
  }
}

/** Service names that rules may use instead of numbers (/etc/services, the usual ones). */
const SERVICES: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  http: 80,
  pop3: 110,
  ntp: 123,
  imap2: 143,
  https: 443,
  'http-alt': 8080,
};

/** A port by number or name. */
export function parsePort(text: string): number {
  const number = /^[0-9]+$/.test(text) ? Number(text) : SERVICES[text];
  if (number === undefined || number > 65_535) throw badUse(`invalid port/service \`${text}' specified`);
  return number;
}

/** `80`, `80:90`, `:90`, `80:`. */
export function parsePorts(text: string): [number, number] {
  const colon = text.indexOf(':');
  if (colon < 0) {
    const port = parsePort(text);
    return [port, port];
  }
  const low = colon === 0 ? 0 : parsePort(text.slice(0, colon));
  const high = colon === text.length - 1 ? 65_535 : parsePort(text.slice(colon + 1));
  if (low > high) throw badUse(`invalid portrange (min > max)`);
  return [low, high];
}

/** An unsigned number in decimal or hex. */
export function parseNumber(text: string, option: string, max = 0xffff_ffff): number {
  const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(number <= max)) throw badParameter(`Bad value for "${option}" option: "${text}"`);
  return number;
}
