/** ps and kill: the processes of the host, from /proc, as `ps -ef` lists them. Options are taken and mean that, too. */
import { SyscallError } from '../net/errno.ts';
import type { ProgramContext, Signal, Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';

const SIGNALS: Readonly<Record<string, Signal>> = { '1': 'SIGHUP', '2': 'SIGINT', '13': 'SIGPIPE', '15': 'SIGTERM' };
const NAMES: readonly string[] = ['HUP', 'INT', 'PIPE', 'TERM'];

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly startedAt: number;
  readonly command: string;
}

function readProcess(sys: Syscalls, pid: string): ProcessLine | undefined {
  try {
    const text = (name: string): string => new TextDecoder().decode(sys.readFile(`/proc/${pid}/${name}`));
    const stat = text('stat').split(' ');
    const command = text('cmdline').replace(/\0$/, '').replaceAll('\0', ' ');
    return { pid: Number(pid), parent: Number(stat[3]), startedAt: Number(stat[21]) / 100, command };
  } catch (error) {
    if (error instanceof SyscallError) return undefined; // It ended while we looked.
    throw error;
  }
}

export async function ps({ sys, out }: ProgramContext): Promise<number> {
  const pids = sys.readDirectory('/proc').filter((name) => /^[0-9]+$/.test(name));
  const lines = pids.map((pid) => readProcess(sys, pid)).filter((line) => line !== undefined);
  lines.sort((a, b) => a.pid - b.pid);
  const boot = (sys.clockRealtime() - sys.clockGettime()) / SECOND;
  await out('UID          PID    PPID  C STIME TTY          TIME CMD\n');
  for (const { pid, parent, startedAt, command } of lines) {
    const numbers = `${String(pid).padStart(7)} ${String(parent).padStart(7)}`;
    await out(`root     ${numbers}  0 ${clockText(boot + startedAt)} ?        00:00:00 ${command}\n`);
  }
  return 0;
}

/** Hours and minutes of the day. */
function clockText(seconds: number): string {
  const two = (n: number): string => String(Math.floor(n)).padStart(2, '0');
  return `${two((seconds / 3_600) % 24)}:${two((seconds / 60) % 60)}`;
}

export async function kill({ sys, argv, out, err }: ProgramContext): Promise<number> {
  let words = argv.slice(1);
  if (words[0] === '-l') {
    await out(`${NAMES.join(' ')}\n`);
    return 0;
  }
  let signal: Signal = 'SIGTERM';
  const option = words[0] === '-s' ? words.splice(0, 2)[1] : words[0]?.startsWith('-') ? words.shift()?.slice(1) : '';
  if (option) {
    const name = option.toUpperCase().replace(/^SIG/, '');
    // There is no SIGKILL here; nothing can hold out against SIGTERM by default.
    const found = SIGNALS[option] ?? (NAMES.includes(name) ? (`SIG${name}` as Signal) : undefined);
    if (found === undefined && name !== 'KILL' && name !== '9') {
      await err(`kill: ${option}: invalid signal specification\n`);
      return 1;
    }
    signal = found ?? 'SIGTERM';
  }
  words = words.filter((word) => word !== '--');
  if (words.length === 0) {
    await err('kill: usage: kill [-s sigspec | -n signum | -sigspec] pid\n');
    return 2;
  }
  let status = 0;
  for (const word of words) {
    try {
      sys.kill(Number(word), signal);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      await err(`kill: (${word}) - No such process\n`);
      status = 1;
    }
  }
  return status;
}
