/** The list of frames and the layers of the one that is selected. Only the newest stay, and only what the filter lets by. */
import { dissect } from '../../../shared/header/dissect.ts';
import type { Dissection } from '../../../shared/header/dissection.ts';
import { placeOf } from '../../../shared/header/layers.ts';
import type { Frame } from './api.ts';

/** Rows shown, and frames kept for another filter; older ones go. */
const ROWS_MAX = 1_000;
const KEPT_MAX = 10_000;
/** Frames that may wait for the next picture; a burst beyond it is counted, not shown. */
const WAITING_MAX = 2_000;

interface Listed {
  readonly number: number;
  readonly frame: Frame;
  readonly dissection: Dissection;
}

export class FrameList {
  paused = false;
  skipped = 0;
  private readonly body: HTMLTableSectionElement;
  private readonly detail: HTMLElement;
  private waiting: Listed[] = [];
  private kept: Listed[] = [];
  private words: readonly string[] = [];
  private count = 0;

  constructor(body: HTMLTableSectionElement, detail: HTMLElement) {
    this.body = body;
    this.detail = detail;
  }

  add(frame: Frame, dissection: Dissection): void {
    if (this.paused) return;
    if (this.waiting.length >= WAITING_MAX) this.skipped++;
    else this.waiting.push({ number: ++this.count, frame, dissection });
  }

  clear(): void {
    this.kept = [];
    this.body.replaceChildren();
  }

  /** Show only frames that have all these words in their columns. */
  filter(text: string): void {
    this.words = text.toLowerCase().split(/\s+/);
    this.body.replaceChildren();
    this.show(this.kept);
  }

  /** Show what came since the last picture. */
  flush(): void {
    if (this.waiting.length === 0) return;
    this.waiting.sort((one, other) => one.frame.time - other.frame.time);
    this.kept = [...this.kept, ...this.waiting].slice(-KEPT_MAX);
    this.show(this.waiting);
    this.waiting = [];
  }

  private show(listed: readonly Listed[]): void {
    const rows = listed.filter((each) => this.matches(each)).slice(-ROWS_MAX);
    const scroll = this.body.closest('.scroll');
    const isAtEnd = scroll !== null && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
    this.body.append(...rows.map((each) => this.row(each)));
    while (this.body.rows.length > ROWS_MAX) this.body.deleteRow(0);
    if (isAtEnd && scroll !== null) scroll.scrollTop = scroll.scrollHeight;
  }

  private matches({ frame, dissection: { source, target, protocol, info } }: Listed): boolean {
    const text = `${frame.end} ${source} ${target} ${protocol} ${info} ${frame.verdicts.join(' ')}`.toLowerCase();
    return this.words.every((word) => text.includes(word));
  }

  private row({ number, frame, dissection }: Listed): HTMLTableRowElement {
    const { source, target, protocol, info } = dissection;
    const row = document.createElement('tr');
    row.className = protocol;
    row.tabIndex = 0;
    const cells = [
      number,
      (frame.time / 1e6).toFixed(6),
      frame.end,
      frame.direction === 'out' ? '→' : '←',
      source,
      target,
      protocol,
      frame.bytes.length - 4,
      [...frame.verdicts.map((verdict) => `[${verdict}]`), info].join(' '),
    ];
    if (frame.verdicts.length > 0) row.classList.add('verdict');
    for (const cell of cells) row.insertCell().textContent = String(cell);
    row.onclick = row.onfocus = () => this.select(row, frame);
    return row;
  }

  private select(row: HTMLTableRowElement, frame: Frame): void {
    for (const other of this.body.querySelectorAll('[aria-selected]')) other.removeAttribute('aria-selected');
    row.setAttribute('aria-selected', 'true');
    const layers = dissect(frame.bytes).layers.map((layer) => {
      const { osi, internet } = placeOf(layer.place);
      const box = document.createElement('details');
      const summary = document.createElement('summary');
      const where = document.createElement('small');
      where.textContent = ` OSI ${osi.number} ${osi.name} · TCP/IP ${internet.name}`;
      summary.append(layer.title, where);
      const list = document.createElement('ul');
      list.append(
        ...layer.fields.map((field) => Object.assign(document.createElement('li'), { textContent: field.label })),
      );
      box.append(summary, list);
      return box;
    });
    const bytes = document.createElement('pre');
    bytes.textContent = hexdump(frame.bytes);
    this.detail.replaceChildren(...layers, bytes);
  }
}

function hexdump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(48)} ${text}`);
  }
  return lines.join('\n');
}
