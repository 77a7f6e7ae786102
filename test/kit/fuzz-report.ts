/** What a fuzzed device dropped, by reason; printed when FUZZ_REPORT is set. */
import { DROP_REASONS, type DropReason } from '../../shared/net/drop.ts';

export function report(title: string, drops: ReadonlyMap<DropReason, number>): void {
  if (process.env['FUZZ_REPORT'] === undefined) return;
  const rows = [...drops]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${String(count).padStart(9)} ${reason}`);
  const words = Object.keys(DROP_REASONS) as DropReason[];
  const missed = words.filter((reason) => !drops.has(reason));
  process.stdout.write(`${title}\n${rows.join('\n')}\nnot reached: ${missed.join(' ')}\n\n`);
}
