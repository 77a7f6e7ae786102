/** cat: files, or standard input for `-` and for no name, one after the other on standard output. -n numbers the lines. */
import { SyscallError } from '../net/errno.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';

const CHUNK_BYTES = 16_384;
const NEWLINE = 10;
const USAGE_STATUS = 1;

export async function cat({ sys, argv, err }: ProgramContext): Promise<number> {
  const words = argv.slice(1);
  const end = words.indexOf('--');
  const isOption = (word: string, at: number): boolean =>
    word.length > 1 && word.startsWith('-') && (end < 0 || at < end);
  const options = words.filter(isOption);
  const unknown = options.find((word) => !/^-[nu]+$|^--number$/.test(word));
  if (unknown !== undefined) {
    await err(`cat: unrecognized option '${unknown}'\n`);
    return USAGE_STATUS;
  }
  const numbers = options.some((word) => word.includes('n')) ? new LineNumbers() : undefined;
  const names = words.filter((word, at) => !isOption(word, at) && at !== end);
  let status = 0;
  for (const name of names.length === 0 ? ['-'] : names) {
    try {
      if (name === '-') await copyInput(sys, numbers);
      else await writeAll(sys, sys.readFile(name), numbers);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      await err(`cat: ${name}: ${error.message.slice(error.syscall.length + 2)}\n`);
      status = 1;
    }
  }
  return status;
}

/** Counts on over all the files, as cat does. */
class LineNumbers {
  private line = 0;
  private atStart = true;

  /** The same octets with a number before each line that begins in them. */
  before(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const octet of bytes) {
      if (this.atStart) for (const digit of `${String(++this.line).padStart(6)}\t`) out.push(digit.charCodeAt(0));
      this.atStart = octet === NEWLINE;
      out.push(octet);
    }
    return Uint8Array.from(out);
  }
}

async function copyInput(sys: Syscalls, numbers: LineNumbers | undefined): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let n = await sys.read(0, buffer); n > 0; n = await sys.read(0, buffer)) {
    await writeAll(sys, buffer.subarray(0, n), numbers);
  }
}

async function writeAll(sys: Syscalls, bytes: Uint8Array, numbers: LineNumbers | undefined): Promise<void> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    await sys.write(1, numbers === undefined ? chunk : numbers.before(chunk));
  }
}
