/**
 * Shell lines of scripts. There is no shell: a line is one of those known here, or the script is unsupported. ip, ethtool,
 * tc and the like are run as the host's own programs; pipes lead into the filters of pipeline.ts.
 */
import type { Host } from '../../shared/net/host.ts';
import type { Syscalls } from '../../shared/net/syscalls.ts';
import { programs } from '../../shared/programs/registry.ts';
import type { ManualClock } from '../kit/clock.ts';
import { runOn } from '../kit/programs.ts';
import { filterText, splitOnce, splitOutside, wordsOf } from './pipeline.ts';
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
/**
 * Knobs that we do not have, with the values at which Linux does what we do: obsolete since 6.6; corking by what is still
 * in the queues below; a slack of timers; ACKs of a backlog that we never have; listeners' migration; PLB.
 */
const WITHOUT_EFFECT: ReadonlyMap<string, RegExp> = new Map([
  ['net.ipv4.tcp_adv_win_scale', /^-?\d+$/],
  ['net.ipv4.tcp_autocorking', /^0$/],
  ['net.ipv4.tcp_comp_sack_slack_ns', /^\d+$/],
  ['net.ipv4.tcp_backlog_ack_defer', /^[01]$/],
  ['net.ipv4.tcp_migrate_req', /^0$/],
  ['net.ipv4.tcp_plb_enabled', /^0$/],
]);
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
    const statements = splitOutside(joined, /\n|;/y).filter((it) => it.replace(/(^|\s)#.*$/, '').trim() !== '');
    for (const [i, statement] of statements.entries()) {
      try {
        for (const part of splitOutside(statement, /&&/y)) await this.either(splitOutside(part, /\|\|/y));
      } catch (error) {
        // As in a shell, what counts is how the last command ended.
        if (i === statements.length - 1 || !(error instanceof Mismatch)) throw error;
      }
    }
  }

  /** `a || b`: b when a fails. */
  private async either([first = '', ...others]: readonly string[]): Promise<void> {
    try {
      await this.pipeline(first);
    } catch (error) {
      if (others.length === 0 || !(error instanceof Mismatch)) throw error;
      await this.either(others);
    }
  }

  /** `a | grep b | wc -l`: as in a shell, only the last one's failure counts. */
  private async pipeline(text: string): Promise<string> {
    const line = text
      .replace(/(^|\s)#.*$/, '')
      .replace(/\s*(2?>\s*\/dev\/null|2>&1)/g, '')
      .trim();
    if (line === '' || line === '\\') return '';
    const echo = /^echo (-n )?(.*?) ?>\s?(\/\S+)$/.exec(line);
    if (echo !== null) return this.echo(echo[3]!, wordsOf(echo[2]!).join(' '));
    const [first = '', ...filters] = splitOutside(line, /\|/y);
    let out = await this.command(first.trim(), filters.length > 0);
    for (const [i, filter] of filters.entries()) {
      const [name = '', ...words] = wordsOf(filter.trim());
      out = filterText(name, words, out, { line, last: i === filters.length - 1 });
    }
    return out;
  }

  private async command(line: string, piped: boolean): Promise<string> {
    const [command = '', ...words] = wordsOf(line);
    const name = command.split('/').at(-1) ?? command;
    switch (name) {
      case 'defaults.sh':
        return this.defaults(command.includes('common'));
      case 'set_sysctls.py':
      case 'sysctl':
        return this.assign(words);
      case 'nstat':
        return this.nstat(words);
      case 'true':
      case ':':
        return '';
      case 'dd':
        return this.dd(words);
      case 'rm':
        return this.remove(words);
      case 'ifconfig':
        return this.ifconfig(words);
      case 'grep':
        return this.grepFiles(words, { line, last: !piped });
      case 'sleep':
        await this.clock.runAsync(this.clock.now() + Number(words[0]) * 1e6);
        return '';
      default:
        return name.startsWith('sysctl_restore') ? this.restore() : this.program(line, [name, ...words]);
    }
  }

  /** What is no tool of the tester's is a program of the host. */
  private async program(line: string, argv: readonly string[]): Promise<string> {
    if (!programs.has(argv[0]!)) throw new Unsupported(`command: ${line}`);
    const { status, out, err } = await runOn(this.host, this.clock, argv);
    if (status === 0) return out;
    throw new Mismatch(`command: ${line}: ${(err || out).trim()}`);
  }

  /** `grep " 0A " /proc/net/tcp /proc/net/tcp6`: a file that is not there is passed over. */
  private grepFiles(words: readonly string[], how: { line: string; last: boolean }): string {
    const at = words.findIndex((word) => !word.startsWith('-'));
    const files = words.slice(at + 1);
    const rows = files.flatMap((path) => this.linesOf(path).map((row) => (files.length > 1 ? `${path}:${row}` : row)));
    return filterText('grep', words.slice(0, at + 1), rows.join('\n'), how);
  }

  private linesOf(path: string): string[] {
    try {
      return new TextDecoder().decode(this.sys.readFile(path)).trimEnd().split('\n');
    } catch (error) {
      if (isErrnoError(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** `ifconfig tun0 192.168.0.10/16`, `ifconfig tun0 mtu 9000`, `up`, `down`. */
  private async ifconfig([dev = '', ...words]: readonly string[]): Promise<string> {
    const ip = (...argv: string[]): Promise<string> => this.program(`ifconfig ${dev}`, ['ip', ...argv]);
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      if (word === 'up' || word === 'down') await ip('link', 'set', 'dev', dev, word);
      else if (word === 'mtu') await ip('link', 'set', 'dev', dev, 'mtu', words[++i] ?? '');
      else if (/^[\d.]+(\/\d+)?$/.test(word)) {
        await ip('addr', 'flush', 'dev', dev);
        await ip('addr', 'add', word.includes('/') ? word : `${word}/24`, 'dev', dev);
      } else throw new Unsupported(`command: ifconfig ${word}`);
    }
    return '';
  }

  /** `dd bs=1 count=5000 if=/dev/zero of=/tmp/file`: the only source is zeros. */
  private dd(words: readonly string[]): string {
    const of = (key: string): string | undefined =>
      words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
    const path = of('of');
    if (path === undefined || of('if') !== '/dev/zero') throw new Unsupported(`command: dd ${words.join(' ')}`);
    const size = bytesOf(of('bs') ?? '512') * bytesOf(of('count') ?? '1');
    if (!Number.isInteger(size)) throw new Unsupported(`command: dd ${words.join(' ')}`);
    this.sys.writeFile(path, new Uint8Array(size));
    return '';
  }

  private remove(words: readonly string[]): string {
    const force = words.some((word) => /^-\w*f/.test(word));
    for (const path of words.filter((word) => !word.startsWith('-'))) {
      try {
        this.sys.unlink(path);
      } catch (error) {
        if (!force) throw new Mismatch(`rm ${path}: ${isErrnoError(error)}`);
      }
    }
    return '';
  }

  private async defaults(google: boolean): Promise<string> {
    for (const [name, value] of DEFAULTS) this.set(name, value, true);
    this.set('net.ipv4.tcp_fastopen', google ? '0x70403' : '0x3', true);
    if (google) this.set('net.ipv4.tcp_ecn_option', '2', true);
    // What paces would be late for most scripts.
    return this.program('tc', ['tc', 'qdisc', 'replace', 'dev', 'tun0', 'root', 'pfifo']);
  }

  /** `sysctl -q a.b=1 a/c="1 2"`; without a value it says what there is. */
  private assign(words: readonly string[]): string {
    const missing = words.some((word) => /^-\w*e/.test(word));
    const valueOnly = words.some((word) => /^-\w*n/.test(word));
    let out = '';
    for (const word of words) {
      if (word.startsWith('-')) continue;
      const [path = '', value] = splitOnce(word, '=');
      const name = path
        .trim()
        .replace(/^\/proc\/sys\//, '')
        .replaceAll('/', '.');
      if (value !== undefined) this.set(name, value.trim(), missing);
      else {
        const now = this.sys.sysctl(name);
        if (now === undefined && !missing) throw new Unsupported(`sysctl ${name}`);
        if (now !== undefined) out += valueOnly ? `${now}\n` : `${name} = ${now}\n`;
      }
    }
    return out;
  }

  /** `maybe`: a name that the kernel does not have is passed over. */
  private set(name: string, value: string, maybe: boolean): void {
    const before = this.sys.sysctl(name);
    if (before === undefined) {
      if (maybe || WITHOUT_EFFECT.get(name)?.test(value) === true) return;
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
  restore(): string {
    for (const [name, value] of this.saved) this.sys.setSysctl(name, value);
    this.saved.clear();
    return '';
  }

  private echo(path: string, value: string): string {
    if (path.startsWith('/proc/sys/')) return this.assign([`${path}=${value}`]);
    try {
      this.sys.writeFile(path, new TextEncoder().encode(`${value}\n`));
    } catch (error) {
      throw new Unsupported(`${path}: ${isErrnoError(error)}`);
    }
    return '';
  }

  /** `nstat -n` starts counting; `nstat [-s] [-z] [NAME…]` shows what has grown since, and by how much. */
  private nstat(words: readonly string[]): string {
    const flags = words.filter((word) => word.startsWith('-')).join('');
    const names = words.filter((word) => !word.startsWith('-'));
    const now = this.counters();
    const before = flags.includes('a') ? new Map<string, number>() : this.history;
    if (!flags.includes('s')) this.history = now;
    if (flags.includes('n')) return '';
    return [...now]
      .map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
      .filter(([name, count]) =>
        names.length === 0 || names.includes(name) ? count !== 0 || flags.includes('z') : false,
      )
      .map(([name, count]) => `${name.padEnd(32)}${String(count).padEnd(19)}0.0`)
      .join('\n');
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
