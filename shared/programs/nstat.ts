/**
 * nstat(8) of iproute2 6.1: the kernel's counters, by default what has changed since it was last called (its history is
 * a file of the host, as /tmp/.nstat.u0 is). Left out: -d, -t and their daemon; the rate column is always 0.0.
 */
import type { ProgramContext } from '../net/syscalls.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { writeJson } from './json.ts';
import { getopt } from './options.ts';
import { encodeText, left, linesOf } from './text.ts';

const HISTORY = '/tmp/.nstat.u0';

const NSTAT_USAGE = `Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        ignore history
   -j, --json          format output in JSON
   -n, --nooutput      do history only
   -p, --pretty        pretty print
   -r, --reset         reset history
   -s, --noupdate      don't update history
   -V, --version       output version information
   -z, --zeros         show entries with zero activity
`;

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  help: 'h',
  ignore: 'a',
  json: 'j',
  nooutput: 'n',
  pretty: 'p',
  reset: 'r',
  noupdate: 's',
  version: 'V',
  zeros: 'z',
};

/** Not counters: settings and gauges that a difference says nothing about. */
const USELESS: ReadonlySet<string> = new Set([
  'IpForwarding',
  'IpDefaultTTL',
  'TcpRtoAlgorithm',
  'TcpRtoMin',
  'TcpRtoMax',
  'TcpMaxConn',
  'TcpCurrEstab',
]);

export const nstat = program(async (context) => {
  const line = getopt(context.argv, 'hVzrnasjpd:t:', LONG_OPTIONS);
  const has = (name: string) => line.options.some((option) => option.name === name);
  if (line.error !== undefined) throw new Failure(255, `${line.error}\n${NSTAT_USAGE}`);
  if (has('h')) throw new Failure(255, NSTAT_USAGE);
  if (has('V')) {
    await context.out('nstat utility, iproute2-6.1.0\n');
    return 0;
  }
  const counters = context.sys.netlink({ type: 'SNMP' });
  const history = has('a') || has('r') ? new Map<string, number>() : readHistory(context);
  const patterns = line.operands.map(globPattern);
  const shown: (readonly [string, number])[] = [];
  for (const [name, value] of counters) {
    if (USELESS.has(name)) continue;
    if (patterns.length > 0 && !patterns.some((pattern) => pattern.test(name))) continue;
    const difference = value - (history.get(name) ?? 0);
    if (difference !== 0 || has('z')) shown.push([name, difference]);
  }
  if (!has('n')) {
    if (has('j')) await context.out(`${writeJson({ kernel: Object.fromEntries(shown) }, has('p'))}\n`);
    else {
      const lines = shown.map(([name, value]) => `${left(name, 32)}${left(value, 16)}   0.0\n`);
      await context.out(`#kernel\n${lines.join('')}`);
    }
  }
  if (!has('s')) await writeHistory(context, counters);
  return 0;
});

/** fnmatch(3): `*`, `?` and brackets; anchored at both ends. */
function globPattern(pattern: string): RegExp {
  const body = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  try {
    return new RegExp(`^${body}$`);
  } catch {
    return /^$/;
  }
}

function readHistory({ sys }: ProgramContext): Map<string, number> {
  const history = new Map<string, number>();
  for (const line of linesOf(sys, HISTORY)) {
    const [name, value] = line.split(/\s+/);
    if (name !== undefined && value !== undefined && !name.startsWith('#')) history.set(name, Number(value));
  }
  return history;
}

async function writeHistory({ sys, err }: ProgramContext, counters: ReadonlyMap<string, number>): Promise<void> {
  const lines = [...counters].map(([name, value]) => `${left(name, 32)}${left(value, 16)}   0.0\n`);
  try {
    sys.writeFile(HISTORY, encodeText(`#kernel\n${lines.join('')}`));
  } catch (error) {
    await err(`nstat: ${HISTORY}: ${errnoOf(error)}\n`);
  }
}
