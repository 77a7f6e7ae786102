/** The counters under `ip -s link`, columns as wide as their numbers (iproute2 ip/ipaddress.c, print_stats64). */
import type { LinkCounters } from '../net/netdev.ts';
import type { Json } from './json.ts';
import { right } from './text.ts';

/** Least widths: "*X errors:", packets, errors, dropped, overrun, collsns, compressed. */
const WIDTHS = [10, 7, 6, 7, 7, 7, 10] as const;

type Row = readonly number[];

interface Table {
  readonly rx: Row;
  readonly rxErrors: Row;
  readonly tx: Row;
  readonly txErrors: Row;
}

function tableOf(c: LinkCounters): Table {
  return {
    rx: [c.rxBytes, c.rxPackets, c.rxErrors, c.rxDropped, c.rxMissed, c.multicast],
    // The last column is there once it has something to say, as iproute2's.
    rxErrors: [c.rxLength, c.rxCrc, c.rxFrame, c.rxFifo, 0, ...(c.rxOtherhost > 0 ? [c.rxOtherhost] : [])],
    tx: [c.txBytes, c.txPackets, c.txErrors, c.txDropped, c.txCarrier, c.collisions],
    txErrors: [0, c.txFifo, 0, 0, carrierChanges(c)],
  };
}

/** `transns`: how often the carrier came or went (IFLA_CARRIER_CHANGES). */
const carrierChanges = (c: LinkCounters): number => c.carrierUps + c.carrierDowns;

/** Four lines, or eight with -s -s. */
export function linkStatistics(counters: LinkCounters, errors: boolean): string[] {
  const table = tableOf(counters);
  const widths = widthsFor(
    errors ? [table.rx, table.tx, ['', ...table.rxErrors], ['', ...table.txErrors]] : [table.rx, table.tx],
  );
  const rx = ['bytes', 'packets', 'errors', 'dropped', 'missed', 'mcast', ''];
  const tx = ['bytes', 'packets', 'errors', 'dropped', 'carrier', 'collsns', ''];
  const rxErrors = ['length', 'crc', 'frame', 'fifo', 'overrun', ...(counters.rxOtherhost > 0 ? ['otherhost'] : [])];
  const txErrors = ['aborted', 'fifo', 'window', 'heartbt', 'transns'];
  return [
    header('    RX: ', rx, widths, 0),
    numbers(table.rx, widths, 0),
    ...(errors ? [errorHeader('    RX errors:', rxErrors, widths), numbers(table.rxErrors, widths, 1)] : []),
    header('    TX: ', tx, widths, 0),
    numbers(table.tx, widths, 0),
    ...(errors ? [errorHeader('    TX errors:', txErrors, widths), numbers(table.txErrors, widths, 1)] : []),
  ];
}

function widthsFor(rows: readonly (readonly (number | string)[])[]): number[] {
  const widths: number[] = [...WIDTHS];
  for (const row of rows) {
    row.forEach((value, column) => {
      widths[column] = Math.max(widths[column] ?? 0, String(value).length);
    });
  }
  return widths;
}

/** The title takes the first column's place up to its last octets. */
function header(title: string, names: readonly string[], widths: readonly number[], first: number): string {
  const [head = '', ...rest] = names;
  const cells = rest.map((name, i) => right(name, widths[first + 1 + i] ?? 0));
  return `${title}${right(head, (widths[first] ?? 0) - 4)} ${cells.join(' ')}`;
}

function errorHeader(title: string, names: readonly string[], widths: readonly number[]): string {
  const cells = names.map((name, i) => right(name, widths[1 + i] ?? 0));
  return `${title}${' '.repeat(Math.max(0, (widths[0] ?? 0) - 10))} ${cells.join(' ')}`;
}

function numbers(row: Row, widths: readonly number[], first: number): string {
  const indent = first === 0 ? '    ' : `    ${' '.repeat(widths[0] ?? 0)} `;
  return indent + row.map((value, i) => `${right(value, widths[first + i] ?? 0)} `).join('');
}

export function statisticsJson(c: LinkCounters, errors: boolean): { readonly stats64: Json } {
  const rxErrors = {
    length_errors: c.rxLength,
    crc_errors: c.rxCrc,
    frame_errors: c.rxFrame,
    fifo_errors: c.rxFifo,
    missed_errors: c.rxMissed,
    ...(c.rxOtherhost > 0 ? { otherhost_dropped: c.rxOtherhost } : {}),
  };
  const txErrors = {
    aborted_errors: 0,
    fifo_errors: c.txFifo,
    window_errors: 0,
    heartbeat_errors: 0,
    carrier_changes: carrierChanges(c),
  };
  return {
    stats64: {
      rx: {
        bytes: c.rxBytes,
        packets: c.rxPackets,
        errors: c.rxErrors,
        dropped: c.rxDropped,
        over_errors: 0,
        multicast: c.multicast,
        ...(errors ? rxErrors : {}),
      },
      tx: {
        bytes: c.txBytes,
        packets: c.txPackets,
        errors: c.txErrors,
        dropped: c.txDropped,
        carrier_errors: c.txCarrier,
        collisions: c.collisions,
        ...(errors ? txErrors : {}),
      },
    },
  };
}
