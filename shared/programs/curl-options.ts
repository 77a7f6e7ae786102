/**
 * curl's command line, as 7.88 reads it: letters in clusters, long names that may be cut short, operands in between.
 * Only options that change something here are known; any other is "unknown", as it is for a curl built without it.
 */
import { Failure } from './failure.ts';

export interface CurlOptions {
  readonly urls: string[];
  verbose: boolean;
  silent: boolean;
  showError: boolean;
  include: boolean;
  head: boolean;
  follow: boolean;
  failOnError: boolean;
  insecure: boolean;
  remoteName: boolean;
  createGet: boolean;
  output: string | undefined;
  dumpHeader: string | undefined;
  method: string | undefined;
  readonly data: { readonly text: string; readonly kind: 'ascii' | 'raw' | 'binary' | 'json' }[];
  readonly headers: string[];
  userAgent: string | undefined;
  referer: string | undefined;
  user: string | undefined;
  range: string | undefined;
  writeOut: string | undefined;
  readonly resolve: string[];
  maxTimeSeconds: number | undefined;
  connectTimeoutSeconds: number | undefined;
  redirectsMax: number;
  help: boolean;
  version: boolean;
}

/** CURLOPT_MAXREDIRS of the tool. */
const REDIRECTS_MAX_DEFAULT = 50;

type Apply = (options: CurlOptions, value: string, name: string) => void;
interface Option {
  readonly letter?: string;
  readonly long: string;
  readonly takes: boolean;
  readonly apply: Apply;
}

const flag = (long: string, letter: string | undefined, apply: Apply): Option => ({
  long,
  takes: false,
  apply,
  ...(letter === undefined ? {} : { letter }),
});
const value = (long: string, letter: string | undefined, apply: Apply): Option => ({
  ...flag(long, letter, apply),
  takes: true,
});

const seconds = (text: string, name: string): number => {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number;
  throw usage(`option ${name}: expected a proper numerical parameter`);
};

const OPTIONS: readonly Option[] = [
  flag('verbose', 'v', (o) => (o.verbose = true)),
  flag('silent', 's', (o) => (o.silent = true)),
  flag('show-error', 'S', (o) => (o.showError = true)),
  flag('include', 'i', (o) => (o.include = true)),
  flag('head', 'I', (o) => (o.head = true)),
  flag('location', 'L', (o) => (o.follow = true)),
  flag('fail', 'f', (o) => (o.failOnError = true)),
  flag('insecure', 'k', (o) => (o.insecure = true)),
  flag('remote-name', 'O', (o) => (o.remoteName = true)),
  flag('get', 'G', (o) => (o.createGet = true)),
  flag('help', 'h', (o) => (o.help = true)),
  flag('version', 'V', (o) => (o.version = true)),
  // What is the case anyway.
  flag('no-buffer', 'N', () => {}),
  flag('ipv4', '4', () => {}),
  flag('http1.1', undefined, () => {}),
  flag('progress-bar', '#', () => {}),
  flag('globoff', 'g', () => {}),
  value('output', 'o', (o, text) => (o.output = text)),
  value('dump-header', 'D', (o, text) => (o.dumpHeader = text)),
  value('request', 'X', (o, text) => (o.method = text)),
  value('data', 'd', (o, text) => o.data.push({ text, kind: 'ascii' })),
  value('data-ascii', undefined, (o, text) => o.data.push({ text, kind: 'ascii' })),
  value('data-raw', undefined, (o, text) => o.data.push({ text, kind: 'raw' })),
  value('data-binary', undefined, (o, text) => o.data.push({ text, kind: 'binary' })),
  value('json', undefined, (o, text) => o.data.push({ text, kind: 'json' })),
  value('header', 'H', (o, text) => o.headers.push(text)),
  value('user-agent', 'A', (o, text) => (o.userAgent = text)),
  value('referer', 'e', (o, text) => (o.referer = text)),
  value('user', 'u', (o, text) => (o.user = text)),
  value('range', 'r', (o, text) => (o.range = text)),
  value('write-out', 'w', (o, text) => (o.writeOut = text)),
  value('url', undefined, (o, text) => o.urls.push(text)),
  value('resolve', undefined, (o, text) => o.resolve.push(text)),
  value('max-time', 'm', (o, text, name) => (o.maxTimeSeconds = seconds(text, name))),
  value('connect-timeout', undefined, (o, text, name) => (o.connectTimeoutSeconds = seconds(text, name))),
  value('max-redirs', undefined, (o, text, name) => (o.redirectsMax = seconds(text, name))),
];

const BY_LETTER: ReadonlyMap<string, Option> = new Map(
  OPTIONS.flatMap((option) => (option.letter === undefined ? [] : [[option.letter, option] as const])),
);

function usage(text: string): Failure {
  return new Failure(2, `curl: ${text}\ncurl: try 'curl --help' or 'curl --manual' for more information`);
}

/** Throws a Failure of status 2 with curl's words. */
export function parseCurl(argv: readonly string[]): CurlOptions {
  const options: CurlOptions = {
    urls: [],
    verbose: false,
    silent: false,
    showError: false,
    include: false,
    head: false,
    follow: false,
    failOnError: false,
    insecure: false,
    remoteName: false,
    createGet: false,
    output: undefined,
    dumpHeader: undefined,
    method: undefined,
    data: [],
    headers: [],
    userAgent: undefined,
    referer: undefined,
    user: undefined,
    range: undefined,
    writeOut: undefined,
    resolve: [],
    maxTimeSeconds: undefined,
    connectTimeoutSeconds: undefined,
    redirectsMax: REDIRECTS_MAX_DEFAULT,
    help: false,
    version: false,
  };
  const words = argv.slice(1);
  let optionsEnded = false;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (optionsEnded || !word.startsWith('-') || word === '-') options.urls.push(word);
    else if (word === '--') optionsEnded = true;
    else if (word.startsWith('--')) takeLong(options, word, words);
    else takeCluster(options, word.slice(1), words);
  }
  return options;
}

function takeLong(options: CurlOptions, word: string, words: string[]): void {
  const name = word.slice(2);
  const exact = OPTIONS.find(({ long }) => long === name);
  const begun = exact === undefined ? OPTIONS.filter(({ long }) => long.startsWith(name)) : [exact];
  if (begun.length > 1) throw usage(`option ${word}: is ambiguous`);
  const [option] = begun;
  if (option === undefined) throw usage(`option ${word}: is unknown`);
  option.apply(options, option.takes ? argumentOf(word, words) : '', word);
}

function takeCluster(options: CurlOptions, letters: string, words: string[]): void {
  for (let i = 0; i < letters.length; i++) {
    const letter = letters.charAt(i);
    const option = BY_LETTER.get(letter);
    if (option === undefined) throw usage(`option -${letters}: is unknown`);
    if (!option.takes) {
      option.apply(options, '', `-${letter}`);
      continue;
    }
    const attached = letters.slice(i + 1);
    option.apply(options, attached === '' ? argumentOf(`-${letter}`, words) : attached, `-${letter}`);
    return;
  }
}

function argumentOf(name: string, words: string[]): string {
  const word = words.shift();
  if (word === undefined) throw usage(`option ${name}: requires parameter`);
  return word;
}
