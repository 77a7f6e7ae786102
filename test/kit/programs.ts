/** A host that runs programs while a test plays its kernel: netlink questions answered by hand, lab time on a manual clock. */
import type { Mac } from '../../shared/header/address.ts';
import { parseIpv4, parseMac } from '../../shared/header/address.ts';
import { copySumView, copyView, sumView } from '../../shared/header/checksum.ts';
import { Host } from '../../shared/net/host.ts';
import { newLinkCounters } from '../../shared/net/netdev-registry.ts';
import type { LinkRecord, NetlinkName, NetlinkTable } from '../../shared/net/netlink.ts';
import type { Program, Signal } from '../../shared/net/syscalls.ts';
import type { Platform } from '../../shared/platform.ts';
import { programs } from '../../shared/programs/registry.ts';
import { ManualClock } from './clock.ts';
import { testRandom } from './random.ts';

/** A program that takes longer than this of lab time hangs. */
const RUN_MICROS_MAX = 600_000_000;

export const noPlatform: Platform = {
  crc32: () => 0,
  sum: sumView,
  copy: copyView,
  copySum: copySumView,
  packetMemory: () => undefined,
  hash: () => 0,
  readFile: () => undefined,
  readDirectory: () => undefined,
};

export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

type Answers = { [N in NetlinkName]?: (query: NetlinkTable[N]['query']) => NetlinkTable[N]['answer'] };

export interface TestHost {
  readonly host: Host;
  readonly clock: ManualClock;
  /** Answer a question from here on. */
  answer(answers: Answers): void;
  /** Run a command line, words separated by blanks (or given as a list), to its end. */
  run(line: string | readonly string[], signals?: readonly { after: number; signal: Signal }[]): Promise<Outcome>;
}

export function testHost(answers: Answers = {}, table: ReadonlyMap<string, Program> = programs): TestHost {
  const clock = new ManualClock();
  const host = new Host({ name: 'test', index: 1, clock, random: testRandom('programs'), platform: noPlatform });
  host.processes.programs = table;
  const answer = (more: Answers): void => {
    for (const [name, handler] of Object.entries(more)) host.netlink.register(name as NetlinkName, handler as never);
  };
  answer(answers);
  return { host, clock, answer, run: (line, signals) => runOn(host, clock, line, signals) };
}

/** Run a command line on any host whose clock is manual. */
export async function runOn(
  host: Host,
  clock: ManualClock,
  line: string | readonly string[],
  signals: readonly { after: number; signal: Signal }[] = [],
): Promise<Outcome> {
  const argv = typeof line === 'string' ? line.split(' ') : line;
  const decoder = new TextDecoder();
  let out = '';
  let err = '';
  const process = host.processes.spawn(argv[0] ?? '', argv, {
    stdout: (bytes: Uint8Array) => void (out += decoder.decode(bytes)),
    stderr: (bytes: Uint8Array) => void (err += decoder.decode(bytes)),
  });
  for (const { after, signal } of signals) clock.after(after, () => process.kill(signal));
  let status: number | undefined;
  process.exited.then((code) => void (status = code));
  await clock.until(() => status !== undefined, RUN_MICROS_MAX);
  if (status === undefined) throw new Error(`${argv.join(' ')} does not end; so far: ${out}${err}`);
  return { status, out, err };
}

export const ip4 = (text: string) => {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
};

export const mac = (text: string): Mac => {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new Error(`not a MAC: ${text}`);
  return parsed;
};

export const noCounters: LinkRecord['counters'] = newLinkCounters();

export function linkRecord(over: Partial<LinkRecord>): LinkRecord {
  return {
    ifindex: 2,
    name: 'eth0',
    kind: 'ether',
    mac: mac('02:00:00:00:00:0a'),
    mtu: 1_500,
    mtuMax: 9_000,
    up: true,
    carrier: true,
    promiscuous: false,
    qdisc: 'pfifo_fast',
    queueLength: 1_000,
    master: undefined,
    counters: noCounters,
    ...over,
  };
}

export const loopbackRecord: LinkRecord = linkRecord({
  ifindex: 1,
  name: 'lo',
  kind: 'loopback',
  mac: 0 as Mac,
  mtu: 65_536,
  qdisc: 'noqueue',
});
