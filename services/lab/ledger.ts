/** `wirelab ledger`: where every frame is, per wire and direction, as columns or as JSON. */
import type { LedgerRow } from '../gateway/ledger-row.ts';
import { columns } from './ps.ts';
import { TEXT } from './text.ts';

const HEADER = [
  'FROM',
  'TO',
  'GIVEN',
  'DUPLICATED',
  'TAKEN AWAY',
  'WAITING',
  'SENT',
  'RECEIVED',
  'LOST',
  'UNDER WAY',
  'REFUSED',
  'UNACCOUNTED',
] as const;

/** Columns for people; after them, what a reader may ask about. */
export function formatLedger(rows: readonly LedgerRow[]): string {
  const lines = rows.map((row) => [
    named(row.from, row.fromUp, row.fromSilent),
    named(row.to, row.toUp, row.toSilent),
    String(row.given),
    String(row.duplicated),
    byReason(row.takenAway),
    String(row.waiting),
    String(row.sent),
    String(row.received),
    byReason({ ...row.lost, ...(row.toEarlier === 0 ? {} : { with_its_process: row.toEarlier }) }),
    String(row.underWay),
    byReason(row.refused),
    String(row.unaccounted),
  ]);
  const unaccounted = rows.reduce((total, row) => total + Math.abs(row.unaccounted), 0);
  return `${columns([[...HEADER], ...lines])}${TEXT.ledger(rows.length, unaccounted)}\n`;
}

function named(port: string, up: boolean, silent: boolean): string {
  if (up) return port;
  return `${port}(${silent ? 'silent' : 'down'})`;
}

function byReason(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([reason, count]) => `${reason}:${count}`);
  return parts.length === 0 ? '0' : parts.join(' ');
}
