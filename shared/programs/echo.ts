/** echo: its words, with a newline unless -n. Left out: -e. */
import type { ProgramContext } from '../net/syscalls.ts';

export async function echo({ argv, out }: ProgramContext): Promise<number> {
  const bare = argv[1] === '-n';
  await out(argv.slice(bare ? 2 : 1).join(' ') + (bare ? '' : '\n'));
  return 0;
}
