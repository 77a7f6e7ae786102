/** sleep: wait as long as it is told, in lab time: `sleep 1.5`, `sleep 2m 30s`. */
import type { ProgramContext } from '../net/syscalls.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 };

export async function sleep({ sys, argv, err }: ProgramContext): Promise<number> {
  let seconds = 0;
  if (argv.length < 2) {
    await err("sleep: missing operand\nTry 'sleep --help' for more information.\n");
    return 1;
  }
  for (const word of argv.slice(1)) {
    const match = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([smhd]?)$/.exec(word);
    if (match === null) {
      await err(`sleep: invalid time interval '${word}'\nTry 'sleep --help' for more information.\n`);
      return 1;
    }
    seconds += Number(match[1]) * (UNIT_SECONDS[match[2] ?? ''] ?? 1);
  }
  await sys.nanosleep(Math.round(seconds * 1_000_000));
  return 0;
}
