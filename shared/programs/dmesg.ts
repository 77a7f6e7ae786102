/** dmesg(1) of util-linux: the kernel's log. Options: -c, -C, -T, -t, -x, -l LEVEL, -r. Left out: -w, facilities. */
import { Failure, program } from './failure.ts';
import { getopt } from './options.ts';

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'] as const;
const LONG_OPTIONS: Readonly<Record<string, string>> = {
  'read-clear': 'c',
  clear: 'C',
  notime: 't',
  decode: 'x',
  level: 'l:',
  raw: 'r',
};

export const dmesg = program(async ({ argv, sys, out }) => {
  const line = getopt(argv, 'cCtxrl:', LONG_OPTIONS);
  if (line.error !== undefined) throw new Failure(1, `${line.error}\nTry 'dmesg --help' for more information.`);
  const has = (name: string) => line.options.some((option) => option.name === name);
  const wanted = levelsOf(line.options.findLast((option) => option.name === 'l')?.value);
  const lines = sys.netlink({ type: 'SYSLOG', clear: has('c') || has('C') });
  if (has('C')) return 0;
  for (const entry of lines) {
    if (wanted !== undefined && !wanted.has(entry.level)) continue;
    const text = has('t') ? entry.text : stamped(entry.at, entry.text);
    const decoded = has('x') ? `${'kern'.padEnd(6)}:${(LEVELS[entry.level] ?? '').padEnd(7)}: ` : '';
    await out(`${has('r') ? `<${entry.level}>` : decoded}${text}\n`);
  }
  return 0;
});

/** `[   12.345678] text`. */
function stamped(at: number, text: string): string {
  const micros = String(Math.floor(at % 1_000_000)).padStart(6, '0');
  return `[${`${Math.floor(at / 1_000_000)}.${micros}`.padStart(12)}] ${text}`;
}

function levelsOf(text: string | undefined): ReadonlySet<number> | undefined {
  if (text === undefined) return undefined;
  return new Set(
    text.split(',').map((word) => {
      const at = LEVELS.indexOf(word as (typeof LEVELS)[number]);
      if (at < 0) throw new Failure(1, `dmesg: unknown level '${word}'`);
      return at;
    }),
  );
}
