/** The columns of ss and how wide they come out when nobody watches on a terminal (iproute2 misc/ss.c, render()). */

interface Column {
  readonly header: string;
  /** In front of the column, unless it is the first that is shown. */
  readonly delimiter: '' | ' ';
  readonly align: 'left' | 'right';
}

const COLUMNS: readonly Column[] = [
  { header: 'Netid', delimiter: '', align: 'left' },
  { header: 'State', delimiter: ' ', align: 'left' },
  { header: 'Recv-Q', delimiter: ' ', align: 'left' },
  { header: 'Send-Q', delimiter: ' ', align: 'left' },
  { header: 'Local Address:', delimiter: ' ', align: 'right' },
  { header: 'Port', delimiter: '', align: 'left' },
  { header: 'Peer Address:', delimiter: ' ', align: 'right' },
  { header: 'Port', delimiter: '', align: 'left' },
  { header: 'Process', delimiter: '', align: 'left' },
];

export interface SocketRow {
  readonly netid: string;
  readonly state: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly localAddress: string;
  readonly localPort: string;
  readonly peerAddress: string;
  readonly peerPort: string;
  /** Process, timer, details: each with a blank in front; memory and TCP's state on a line of their own. */
  readonly extra: string;
}

export interface TableOptions {
  readonly header: boolean;
  readonly netid: boolean;
  readonly state: boolean;
}

function cellsOf(row: SocketRow): string[] {
  return [
    row.netid,
    row.state,
    String(row.receiveQueue).padEnd(6),
    String(row.sendQueue).padEnd(6),
    row.localAddress,
    row.localPort,
    row.peerAddress,
    row.peerPort,
    row.extra,
  ];
}

export function renderSockets(rows: readonly SocketRow[], options: TableOptions): string {
  const shown = COLUMNS.map((_, at) => (at !== 0 || options.netid) && (at !== 1 || options.state));
  const table = rows.map(cellsOf);
  if (options.header) table.unshift(COLUMNS.map((column) => column.header));
  const widths = COLUMNS.map((_, at) => Math.max(0, ...table.map((cells) => cells[at]?.length ?? 0)));
  return table.map((cells) => `${renderLine(cells, widths, shown)}\n`).join('');
}

function renderLine(cells: readonly string[], widths: readonly number[], shown: readonly boolean[]): string {
  let line = '';
  let first = true;
  COLUMNS.forEach((column, at) => {
    const width = widths[at] ?? 0;
    if (!shown[at] || width === 0) return;
    const cell = cells[at] ?? '';
    line += (first ? '' : column.delimiter) + (column.align === 'right' ? cell.padStart(width) : cell.padEnd(width));
    first = false;
  });
  return line;
}
