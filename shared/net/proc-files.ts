/**
 * The files of /proc that belong to no protocol: version, uptime, and a folder per process (fs/proc/array.c); /dev/null. Those of
 * the network stand with the part they show.
 */
import { SECOND } from '../platform.ts';
import type { Host } from './host.ts';
import type { Process } from './process.ts';
import type { ProcFile } from './procfs.ts';

/** USER_HZ: /proc counts in hundredths of a second. */
const USER_HZ = 100;
/** Every softirq of Linux, in its order; those that a network has no work for stay 0. */
const SOFTIRQS = ['HI', 'TIMER', 'NET_TX', 'NET_RX', 'BLOCK', 'IRQ_POLL', 'TASKLET', 'SCHED', 'HRTIMER', 'RCU'];
const PROCESS_FILES = ['cmdline', 'comm', 'stat'] as const;

/** Register them; called once by the host. */
export function procInit(host: Host): void {
  const uptime = (): string => ((host.clock.now() - host.bootedAt) / SECOND).toFixed(2);
  host.procfs.register('/proc/uptime', () => `${uptime()} ${uptime()}\n`);
  host.procfs.register(
    '/dev/null',
    () => '',
    () => undefined,
  );
  host.procfs.register('/proc/softirqs', () => softirqsText(host));
  host.procfs.register('/proc/timer_list', () => timerListText(host));
  host.procfs.register('/proc/version', () => 'Linux version 6.12.0-wirelab (wirelab) #1 SMP wirelab\n');
  host.procfs.register('/proc/sys/kernel/hostname', () => `${host.name}\n`);
  host.procfs.registerFolder('/proc', {
    lookup: (path) => processFile(host, path),
    list: () => host.processes.list().flatMap(({ pid }) => PROCESS_FILES.map((name) => `${pid}/${name}`)),
  });
}

function processFile(host: Host, path: string): ProcFile | undefined {
  const [pid = '', name = ''] = path.split('/');
  const process = /^[0-9]+$/.test(pid) ? host.processes.byPid(Number(pid)) : undefined;
  if (process === undefined) return undefined;
  switch (name) {
    case 'cmdline':
      return { read: () => process.argv.map((word) => `${word}\0`).join(''), write: undefined };
    case 'comm':
      return { read: () => `${process.name}\n`, write: undefined };
    case 'stat':
      return { read: () => statLine(process), write: undefined };
    default:
      return undefined;
  }
}

/** Fields as proc(5) numbers them: pid, comm, state, ppid … 22 is the start time in ticks since boot. */
function statLine(process: Process): string {
  const ticks = Math.floor(((process.startedAt - process.host.bootedAt) * USER_HZ) / SECOND);
  return `${process.pid} (${process.name}) S ${process.parent}${' 0'.repeat(17)} ${ticks} 0 0\n`;
}

/**
 * /proc/timer_list: the kernel's timers that are armed, the next first, as kernel/time/timer_list.c writes them. Linux shows
 * those of high resolution alone; here those of the timer wheel are among them.
 */
function timerListText(host: Host): string {
  const { clock, bootedAt } = host;
  const now = clock.now();
  const nanos = (time: number): number => (time - bootedAt) * 1_000;
  const armed = clock.armed().filter(({ mark }) => mark.owner === host);
  armed.sort((one, other) => one.deadline - other.deadline);
  const rows = armed.map(({ mark, deadline }, i) => {
    const at = nanos(deadline);
    const left = (deadline - now) * 1_000;
    return ` #${i}: <0000000000000000>, ${mark.name}, S:01\n # expires at ${at}-${at} nsecs [in ${left} to ${left} nsecs]\n`;
  });
  return `Timer List Version: v0.10\nHRTIMER_MAX_CLOCK_BASES: 8\nnow at ${nanos(now)} nsecs\n\ncpu: 0\n active timers:\n${rows.join('')}`;
}

/** /proc/softirqs of one CPU (fs/proc/softirqs.c). */
function softirqsText({ softirqs }: Host): string {
  const counts = new Map<string, number>(Object.entries(softirqs));
  const rows = SOFTIRQS.map((name) => `${name.padStart(12)}: ${String(counts.get(name) ?? 0).padStart(10)}\n`);
  return `                    CPU0       \n${rows.join('')}`;
}
