/** Coalescing and private flags in ethtool's words: `-c`, `-C`, `--show-priv-flags`, `--set-priv-flags`. */
import type { Errno } from '../net/errno.ts';
import type { NetlinkTable } from '../net/netlink.ts';
import { Failure } from './failure.ts';

type Card = Exclude<NetlinkTable['ETHTOOL']['answer'], Errno>;
type Coalesce = NonNullable<NetlinkTable['ETHTOOL_SET']['query']['coalesce']>;

/** What the kernel knows and this card does not have is n/a. */
const BLOCKS: readonly (readonly string[])[] = [
  ['stats-block-usecs:', 'sample-interval:', 'pkt-rate-low:\t', 'pkt-rate-high:\t'],
  ['rx-usecs:', 'rx-frames:', 'rx-usecs-irq:', 'rx-frames-irq:'],
  ['tx-usecs:', 'tx-frames:', 'tx-usecs-irq:', 'tx-frames-irq:'],
  ['rx-usecs-low:', 'rx-frame-low:', 'tx-usecs-low:', 'tx-frame-low:'],
  ['rx-usecs-high:', 'rx-frame-high:', 'tx-usecs-high:', 'tx-frame-high:'],
];

export function coalesceText(dev: string, { coalesce }: Card): string {
  if (coalesce === undefined) throw new Failure(1, 'netlink error: Operation not supported');
  const values = new Map([
    ['rx-usecs:', coalesce.rxUsecs],
    ['rx-frames:', coalesce.rxFrames],
  ]);
  const blocks = BLOCKS.map((names) => `${names.map((name) => `${name}\t${values.get(name) ?? 'n/a'}\n`).join('')}\n`);
  const adaptive = `Adaptive RX: ${coalesce.adaptiveRx ? 'on' : 'off'}  TX: n/a`;
  return `Coalesce parameters for ${dev}:\n${adaptive}\n${blocks.join('')}CQE mode RX: n/a  TX: n/a\n\n`;
}

/** Words of `-C`; undefined when they are none. */
export function coalesceOf(words: readonly string[]): Coalesce | undefined {
  const wanted: { -readonly [K in keyof Coalesce]: Coalesce[K] } = {};
  if (words.length === 0 || words.length % 2 === 1) return undefined;
  for (let at = 0; at < words.length; at += 2) {
    const value = words[at + 1] ?? '';
    const number = /^\d{1,9}$/.test(value) ? Number(value) : undefined;
    if (words[at] === 'adaptive-rx' && (value === 'on' || value === 'off')) wanted.adaptiveRx = value === 'on';
    else if (words[at] === 'rx-usecs' && number !== undefined) wanted.rxUsecs = number;
    else if (words[at] === 'rx-frames' && number !== undefined) wanted.rxFrames = number;
    else return undefined;
  }
  return wanted;
}

export function flagsText(dev: string, { flags }: Card): string {
  const rows = Object.entries(flags).map(([name, on]) => `${name}: ${on ? 'on' : 'off'}\n`);
  if (rows.length === 0) throw new Failure(1, 'netlink error: Operation not supported');
  return `Private flags for ${dev}:\n${rows.join('')}`;
}

export function flagsOf(words: readonly string[]): Record<string, boolean> | undefined {
  const flags: Record<string, boolean> = {};
  if (words.length === 0 || words.length % 2 === 1) return undefined;
  for (let at = 0; at < words.length; at += 2) {
    const value = words[at + 1];
    if (value !== 'on' && value !== 'off') return undefined;
    flags[words[at] ?? ''] = value === 'on';
  }
  return flags;
}
