/** hostname, uname, true and false: who this host is, and the two smallest programs there are. */
import type { ProgramContext } from '../net/syscalls.ts';

/** The kernel that the stack models (reference: Debian 12's user land on a long-term kernel). */
const RELEASE = '6.12.0-wirelab';
const VERSION = '#1 SMP wirelab';
const MACHINE = 'x86_64';

export async function hostname({ sys, argv, out, err }: ProgramContext): Promise<number> {
  const option = argv[1];
  if (option === undefined || option === '-s' || option === '-f') {
    await out(`${sys.gethostname()}\n`);
    return 0;
  }
  await err(`hostname: you may not set the name of a lab's host (${option})\n`);
  return 1;
}

export async function uname({ sys, argv, out, err }: ProgramContext): Promise<number> {
  const parts: Readonly<Record<string, string>> = {
    s: 'Linux',
    n: sys.gethostname(),
    r: RELEASE,
    v: VERSION,
    m: MACHINE,
    o: 'GNU/Linux',
  };
  const asked = new Set<string>();
  for (const word of argv.slice(1)) {
    if (!/^-[asnrvmo]+$/.test(word)) {
      await err(`uname: extra operand '${word}'\nTry 'uname --help' for more information.\n`);
      return 1;
    }
    for (const letter of word.slice(1)) for (const one of letter === 'a' ? 'snrvmo' : letter) asked.add(one);
  }
  if (asked.size === 0) asked.add('s');
  await out(
    `${[...'snrvmo']
      .filter((letter) => asked.has(letter))
      .map((letter) => parts[letter])
      .join(' ')}\n`,
  );
  return 0;
}

export async function yes(): Promise<number> {
  return 0;
}

export async function no(): Promise<number> {
  return 1;
}
