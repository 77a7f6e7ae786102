/**
 * Shell lines of scripts. There is no shell: a line is one of those known here, or the script is unsupported. ip, ethtool
 * and tc are run as the host's own programs.
 */
import type { Host } from '../../shared/net/host.ts';
import type { Syscalls } from '../../shared/net/syscalls.ts';
import { programs } from '../../shared/programs/registry.ts';
import type { ManualClock } from '../kit/clock.ts';
import { runOn } from '../kit/programs.ts';
import { Mismatch, Unsupported } from './script.ts';
import { isErrnoError } from './values.ts';

/** What defaults.sh of the kernel's tests sets, under the names that sysctl(8) uses. */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ['net.ipv4.tcp_rmem', '4096 540000 15728640'],
  ['net.ipv4.tcp_wmem', '4096 262144 4194304'],
  ['net.ipv4.tcp_timestamps', '1'],
  ['net.ipv4.tcp_syn_retries', '5'],
  ['net.ipv4.tcp_synack_retries', '5'],
  ['net.ipv4.tcp_frto', '2'],
  ['net.ipv4.tcp_sack', '1'],
  ['net.ipv4.tcp_dsack', '1'],
  ['net.ipv4.tcp_fack', '0'],
  ['net.ipv4.tcp_reordering', '3'],
  ['net.ipv4.tcp_congestion_control', 'cubic'],
  ['net.ipv4.tcp_slow_start_after_idle', '0'],
  ['net.ipv4.tcp_early_retrans', '4'],
  ['net.ipv4.tcp_recovery', '1'],
  ['net.ipv4.tcp_tso_win_divisor', '3'],
  ['net.ipv4.tcp_ecn', '0'],
  ['net.ipv4.tcp_pacing_ss_ratio', '200'],
  ['net.ipv4.tcp_pacing_ca_ratio', '120'],
  ['net.ipv4.tcp_notsent_lowat', '4294967295'],
  ['net.ipv4.tcp_fastopen_key', 'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4'],
  ['net.ipv4.tcp_syncookies', '1'],
];
/** /proc files whose counters nstat shows. */
const COUNTER_FILES = ['/proc/net/snmp', '/proc/net/netstat'];

export class Shell {
  private readonly host: Host;
  private readonly sys: Syscalls;
  private readonly clock: ManualClock;
  private readonly saved = new Map<string, string>();
  private history = new Map<string, number>();

  constructor(host: Host, sys: Syscalls, clock: ManualClock) {
    this.host = host;
    this.sys = sys;
    this.clock = clock;
    host.processes.programs = programs;
    // The kernels that the newest of these tests are for let programs ask for larger buffers (since 6.17).
    host.core.rmemMax.value = host.core.wmemMax.value = 4_194_304;
  }

  async run(text: string): Promise<void> {
    const joined = text.replace(/\\\r?\n/g, ' ');
    for (const part of joined.split(/\n|&&|;/)) {
      const line = part
        .replace(/(^|\s)#.*$/, '')
        .replace(/\\\s*$/, '')
        .trim();
      if (line !== '') await this.line(line);
    }
  }

  private async line(text: string): Promise<void> {
    const line = text.replace(/\s*(2?>\s*\/dev\/null|2>&1)/g, '');
    const [command = '', ...words] = wordsOf(line);
    const name = command.split('/').at(-1) ?? command;
    if (name === 'defaults.sh') return this.defaults(command.includes('common'));
    if (name === 'set_sysctls.py') return this.assign(words);
    if (name === 'sysctl') return this.assign(words);
    if (name.startsWith('sysctl_restore')) return this.restore();
    if (name === 'nstat') return this.nstat(line);
    if (name === 'true') return;
    if (name === 'dd') return this.dd(words);
    if (name === 'rm') return this.remove(words);
    const echo = /^echo (\S+) > ?(\/\S+)$/.exec(line);
    if (echo !== null) return this.echo(echo[2]!, echo[1]!);
    if (name === 'sleep') return void (await this.clock.runAsync(this.clock.now() + Number(words[0]) * 1e6));
    if (!['ip', 'ethtool', 'tc'].includes(name) || !programs.has(name)) throw new Unsupported(`command: ${line}`);
    const { status, out, err } = await runOn(this.host, this.clock, [name, ...words]);
    if (status !== 0) throw new Unsupported(`command: ${line}: ${(err || out).trim()}`);
  }

  /** `dd bs=1 count=5000 if=/dev/zero of=/tmp/file`: the only source is zeros. */
  private dd(words: readonly string[]): void {
    const of = (key: string): string | undefined =>
      words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
    const path = of('of');
    if (path === undefined || of('if') !== '/dev/zero') throw new Unsupported(`command: dd ${words.join(' ')}`);
    const size = bytesOf(of('bs') ?? '512') * bytesOf(of('count') ?? '1');
    if (!Number.isInteger(size)) throw new Unsupported(`command: dd ${words.join(' ')}`);
    this.sys.writeFile(path, new Uint8Array(size));
  }

  private remove(words: readonly string[]): void {
    const force = words.some((word) => /^-\w*f/.test(word));
    for (const path of words.filter((word) => !word.startsWith('-'))) {
      try {
        this.sys.unlink(path);
      } catch (error) {
        if (!force) throw new Mismatch(`rm ${path}: ${isErrnoError(error)}`);
      }
    }
  }

  private defaults(google: boolean): void {
    for (const [name, value] of DEFAULTS) this.set(name, value, true);
    this.set('net.ipv4.tcp_fastopen', google ? '0x70403' : '0x3', true);
    if (google) this.set('net.ipv4.tcp_ecn_option', '2', true);
  }

  private assign(words: readonly string[]): void {
    const missing = words.some((word) => /^-\w*e/.test(word));
    for (const word of words) {
      if (word.startsWith('-')) continue;
      const at = word.indexOf('=');
      if (at < 0) throw new Unsupported(`command: sysctl ${word}`);
      this.set(
        word
          .slice(0, at)
          .replace(/^\/proc\/sys\//, '')
          .replaceAll('/', '.'),
        word.slice(at + 1),
        missing,
      );
    }
  }

  /** `maybe`: a name that the kernel does not have is passed over. */
  private set(name: string, value: string, maybe: boolean): void {
    const before = this.sys.sysctl(name);
    if (before === undefined) {
      if (maybe) return;
      throw new Unsupported(`sysctl ${name}`);
    }
    if (!this.saved.has(name)) this.saved.set(name, before);
    try {
      this.sys.setSysctl(name, value);
    } catch (error) {
      if (!maybe) throw new Unsupported(`sysctl ${name}=${value}: ${isErrnoError(error)}`);
    }
  }

  /** Everything that was set is as it was. */
  restore(): void {
    for (const [name, value] of this.saved) this.sys.setSysctl(name, value);
    this.saved.clear();
  }

  private echo(path: string, value: string): void {
    try {
      this.sys.writeFile(path, new TextEncoder().encode(`${value}\n`));
    } catch (error) {
      throw new Unsupported(`${path}: ${isErrnoError(error)}`);
    }
  }

  /** `nstat -n` starts counting; `nstat [-s] | grep NAME | grep -q " N "` fails unless NAME has grown by N. */
  private nstat(line: string): void {
    const [first = '', ...greps] = line.split('|').map((part) => part.trim());
    const now = this.counters();
    const before = this.history;
    if (!/-\w*s/.test(first)) this.history = now;
    if (greps.length === 0) return;
    let rows = [...now]
      .map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
      .filter(([, count]) => count !== 0)
      .map(([name, count]) => `${name.padEnd(32)}${String(count).padEnd(19)}0.0`);
    for (const grep of greps) {
      const pattern = /^grep (?:-q )?(?:"([^"]*)"|(\S+))$/.exec(grep);
      if (pattern === null) throw new Unsupported(`command: ${line}`);
      const word = pattern[1] ?? pattern[2] ?? '';
      const kept = rows.filter((row) => row.includes(word));
      if (kept.length === 0)
        throw new Mismatch(`${line}: expected a row with "${word}", got ${rows.join('; ') || 'none'}`);
      rows = kept;
    }
  }

  private counters(): Map<string, number> {
    const counters = new Map<string, number>();
    for (const path of COUNTER_FILES) {
      const lines = new TextDecoder().decode(this.sys.readFile(path)).trim().split('\n');
      for (let i = 0; i + 1 < lines.length; i += 2) {
        const [head = '', ...names] = lines[i]!.split(/\s+/);
        const values = lines[i + 1]!.split(/\s+/).slice(1);
        for (const [n, name] of names.entries()) counters.set(`${head.replace(':', '')}${name}`, Number(values[n]));
      }
    }
    return counters;
  }
}

/** `4096`, `64K`, `1M`. */
function bytesOf(text: string): number {
  const found = /^(\d+)([kKM]?)$/.exec(text);
  if (found === null) return Number.NaN;
  return Number(found[1]) * (found[2] === 'M' ? 1_048_576 : found[2] === '' ? 1 : 1_024);
}

/** Words of a command, quotes taken off, `$((32*1024))` worked out. */
function wordsOf(line: string): string[] {
  const counted = line.replace(/\$\(\(([\d*\s]+)\)\)/g, (_, product: string) =>
    String(product.split('*').reduce((all, factor) => all * Number(factor), 1)),
  );
  return (counted.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replace(/["']/g, ''));
}
