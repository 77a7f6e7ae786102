/**
 * dropwatch: packets that the kernel drops, as it happens, and a sum at the end (Linux: net/core/drop_monitor.c and
 * dropwatch(1)). It starts at once, needs no kallsyms, and says the reason, which Linux's does with `-m packet` only.
 *
 *   dropwatch           until Ctrl-C
 *   dropwatch -t 5      for five seconds of lab time
 *   dropwatch -s        what was dropped since boot
 */
import { DROP_REASONS } from '../net/drop.ts';
import type { NetlinkTable } from '../net/netlink.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { errnoOf, Failure, program } from './failure.ts';

type Drops = NetlinkTable['NET_DM']['answer'];

/** How often the counts are read; Linux's drop monitor alerts once a second. */
const LOOK_MICROS = 100_000;
const SECONDS_MAX = 86_400;

const USAGE = `Usage: dropwatch [-l kas] [-s] [-t seconds]
  -l kas      names of kernel functions; they always are
  -s          what was dropped since boot
  -t seconds  stop after so long
`;

interface Options {
  readonly seconds: number;
  readonly sumOnly: boolean;
}

function optionsOf(argv: readonly string[]): Options {
  let seconds = Number.POSITIVE_INFINITY;
  let sumOnly = false;
  for (let at = 1; at < argv.length; at++) {
    const word = argv[at];
    if (word === '-s') sumOnly = true;
    else if (word === '-l' && argv[at + 1] === 'kas') at++;
    else if (word === '-t') {
      seconds = Number(argv[++at] ?? Number.NaN);
      if (!(seconds > 0 && seconds <= SECONDS_MAX)) throw new Failure(1, USAGE);
    } else throw new Failure(word === '-h' || word === '--help' ? 0 : 1, USAGE);
  }
  return { seconds, sumOnly };
}

export const dropwatch = program(async (context) => {
  const { sys, out } = context;
  const options = optionsOf(context.argv);
  const since = sys.netlink({ type: 'NET_DM' });
  if (options.sumOnly) {
    await out(table(since));
    return 0;
  }
  await out('Kernel monitoring activated.\nIssue Ctrl-C to stop monitoring\n');
  const last = await watch(context, since, options);
  await out(`Got a stop message\n${table(news(since, last))}`);
  return 0;
});

async function watch({ sys, out }: ProgramContext, since: Drops, { seconds }: Options): Promise<Drops> {
  let running = true;
  const stop = (): void => {
    running = false;
  };
  sys.signal('SIGINT', stop);
  sys.signal('SIGTERM', stop);
  const end = sys.clockGettime() + seconds * 1e6;
  let seen = since;
  while (running && sys.clockGettime() < end) {
    await pause(sys, Math.min(LOOK_MICROS, end - sys.clockGettime()));
    const now = sys.netlink({ type: 'NET_DM' });
    const lines = news(seen, now).map(
      ({ count, place, origin, reason }) => `${count} drops at ${place} [${origin}] reason ${reason}\n`,
    );
    seen = now;
    if (lines.length > 0) await out(lines.join(''));
  }
  return seen;
}

/** Sleep; a signal ends it early. */
async function pause(sys: Syscalls, micros: number): Promise<void> {
  try {
    await sys.nanosleep(micros);
  } catch (error) {
    if (errnoOf(error) !== 'EINTR') throw error;
  }
}

/** What came on top of `before`. */
function news(before: Drops, now: Drops): Drops {
  const counts = new Map(before.map(({ reason, place, count }) => [`${reason} ${place}`, count]));
  return now
    .map((one) => ({ ...one, count: one.count - (counts.get(`${one.reason} ${one.place}`) ?? 0) }))
    .filter(({ count }) => count > 0);
}

/** Most first. */
function table(drops: Drops): string {
  if (drops.length === 0) return 'no drops\n';
  const rows = [...drops]
    .sort((one, other) => other.count - one.count)
    .map(({ count, place, origin, reason }) => {
      const columns = [String(count).padStart(8), place.padEnd(28), origin.padEnd(8), reason.padEnd(20)];
      return `${columns.join('  ')}  ${DROP_REASONS[reason]}\n`;
    });
  const head = ['   DROPS', 'PLACE'.padEnd(28), 'ORIGIN  ', 'REASON'.padEnd(20), 'MEANING'].join('  ');
  return `${head}\n${rows.join('')}`;
}
