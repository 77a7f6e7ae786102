/**
 * iptables-restore(8), 1.8.9: a table at a time, all of its lines or none. Options: -c, -n, -t, -T TABLE, -w. Left out:
 * -v, -M, IPv6.
 */
import { SyscallError } from '../net/errno.ts';
import type { RestoreStep } from '../net/netlink.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { getopt } from './options.ts';

const NAME = 'iptables-restore v1.8.9 (nf_tables)';
const TRY_HELP = "Try `iptables-restore -h' or 'iptables-restore --help' for more information.";
const CHUNK_BYTES = 16_384;
const INPUT_BYTES_MAX = 1_048_576;
const LONG_OPTIONS: Readonly<Record<string, string>> = {
  counters: 'c',
  noflush: 'n',
  test: 't',
  table: 'T:',
  wait: 'w',
};

interface Batch {
  readonly table: string;
  readonly steps: RestoreStep[];
  /** The line of each step. */
  readonly lines: number[];
}

export const iptablesRestore = program(async (context) => {
  const line = getopt(context.argv, 'cntvwT:', LONG_OPTIONS);
  if (line.error !== undefined) throw new Failure(1, `${line.error}\n${TRY_HELP}`);
  const has = (name: string) => line.options.some((option) => option.name === name);
  const only = line.options.findLast((option) => option.name === 'T')?.value;
  const text = await readInput(context, line.operands[0]);
  let batch: Batch | undefined;
  let number = 0;
  for (const raw of text.split('\n')) {
    number++;
    const words = raw.trim();
    if (words === '' || words.startsWith('#')) continue;
    if (batch === undefined) {
      if (!words.startsWith('*')) throw new Failure(1, `iptables-restore: line ${number} failed`);
      batch = { table: words.slice(1).trim(), steps: [], lines: [] };
      checkTable(context.sys, batch.table, number);
    } else if (words === 'COMMIT') {
      if (only === undefined || only === batch.table) commit(context.sys, batch, { flush: !has('n'), test: has('t') });
      batch = undefined;
    } else {
      batch.steps.push(words.startsWith(':') ? chainStep(words, number, has('c')) : ruleStep(words, number, has('c')));
      batch.lines.push(number);
    }
  }
  if (batch !== undefined) throw new Failure(1, `iptables-restore: COMMIT expected at line ${number}`);
  return 0;
});

async function readInput({ sys }: ProgramContext, name: string | undefined): Promise<string> {
  if (name !== undefined) {
    try {
      return new TextDecoder().decode(sys.readFile(name));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      throw new Failure(1, `Can't open ${name}: ${error.message.slice(error.syscall.length + 2)}`);
    }
  }
  const chunk = new Uint8Array(CHUNK_BYTES);
  const decoder = new TextDecoder();
  let text = '';
  for (let length = await sys.read(0, chunk); length > 0; length = await sys.read(0, chunk)) {
    text += decoder.decode(chunk.subarray(0, length), { stream: true });
    if (text.length > INPUT_BYTES_MAX) throw new Failure(1, 'iptables-restore: input is too long');
  }
  return text;
}

function checkTable(sys: Syscalls, table: string, number: number): void {
  const answer = sys.netlink({ type: 'NFT_RESTORE', table, steps: [], flush: false, test: true });
  if (answer.error === undefined) return;
  throw badLine(`iptables-restore: line ${number} ${answer.error}`, number);
}

function badLine(message: string, number: number): Failure {
  return new Failure(2, `${NAME}: ${message}\nError occurred at line: ${number}\n${TRY_HELP}`);
}

const COUNTERS = /^\[(\d+):(\d+)\]$/;

/** `:CHAIN POLICY [packets:bytes]`. */
function chainStep(words: string, number: number, counters: boolean): RestoreStep {
  const [chain = '', policy, counts] = words.slice(1).trim().split(/\s+/);
  if (chain === '' || policy === undefined) throw badLine(`iptables-restore: line ${number} policy invalid`, number);
  const [, packets, bytes] = COUNTERS.exec(counts ?? '') ?? [];
  if (!counters || packets === undefined) return { chain, policy };
  return { chain, policy, packets: Number(packets), bytes: Number(bytes) };
}

/** `[packets:bytes] -A CHAIN …`, or any other command. */
function ruleStep(words: string, number: number, counters: boolean): RestoreStep {
  const argv = splitWords(words);
  const counts = COUNTERS.exec(argv[0] ?? '');
  if (counts !== null) argv.shift();
  if (!(argv[0] ?? '').startsWith('-')) {
    throw new Failure(2, `Bad argument \`${argv[0] ?? ''}'\nError occurred at line: ${number}\n${TRY_HELP}`);
  }
  if (!counters || counts === null) return { argv };
  return { argv, packets: Number(counts[1]), bytes: Number(counts[2]) };
}

/** Words with quotes and backslashes, as iptables-save writes them. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === '\\' && quoted) word = (word ?? '') + text.charAt(++at);
    else if (letter === '"') {
      quoted = !quoted;
      word ??= '';
    } else if (/\s/.test(letter) && !quoted) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + letter;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function commit(sys: Syscalls, { table, steps, lines }: Batch, how: { flush: boolean; test: boolean }): void {
  const { error, status = 1, step = 0 } = sys.netlink({ type: 'NFT_RESTORE', table, steps, ...how });
  if (error === undefined) return;
  const number = lines[step] ?? 0;
  if (status === 4) throw new Failure(4, `${NAME}: \nline ${number}: ${error.replace(/^.*?: +/, '')}`);
  if (status === 1)
    throw new Failure(1, `iptables-restore: line ${number} failed: ${error.replace(/^iptables: /, '')}`);
  const message = error.replace(/^iptables v[^:]*: /, '').replace(/\nTry `iptables -h'.*$/s, '');
  throw badLine(message, number);
}
