/** cat: files, or standard input for `-` and for no name, one after the other on standard output. Options: none. */
import { SyscallError } from '../net/errno.ts';
import type { ProgramContext } from '../net/syscalls.ts';

const CHUNK_BYTES = 16_384;

export async function cat({ sys, argv, err }: ProgramContext): Promise<number> {
  const names = argv.slice(1);
  let status = 0;
  for (const name of names.length === 0 ? ['-'] : names) {
    try {
      if (name === '-') await copyInput(sys);
      else await writeAll(sys, sys.readFile(name));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      await err(`cat: ${name}: ${error.message.slice(error.syscall.length + 2)}\n`);
      status = 1;
    }
  }
  return status;
}

async function copyInput(sys: ProgramContext['sys']): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let n = await sys.read(0, buffer); n > 0; n = await sys.read(0, buffer)) {
    await writeAll(sys, buffer.subarray(0, n));
  }
}

async function writeAll(sys: ProgramContext['sys'], bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) await sys.write(1, bytes.subarray(at, at + CHUNK_BYTES));
}
