/** TCP options between a script's words and octets. */
import type { Flow } from './flow.ts';
import { ParseError, type TcpOptionText, Unsupported } from './script.ts';

const KIND = {
  eol: 0,
  nop: 1,
  mss: 2,
  wscale: 3,
  sackOK: 4,
  sack: 5,
  TS: 8,
  md5: 19,
  FO: 34,
  ECN0: 172,
  ECN1: 174,
  EXP: 254,
};
const FASTOPEN_MAGIC = 0xf989;

function push32(bytes: number[], value: number): void {
  bytes.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function hexBytes(text: string): number[] {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new ParseError(`hex digits: ${text}`);
  return Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Options as the peer sends them: acknowledgement numbers of ours, timestamps echoed as they were on the wire. */
export function optionBytes(options: readonly TcpOptionText[], flow: Flow, opening = false): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) emitOption(bytes, option, flow, opening);
  while (bytes.length % 4 !== 0) bytes.push(KIND.eol);
  if (bytes.length > 40) throw new ParseError('more than 40 octets of options');
  return Uint8Array.from(bytes);
}

function emitOption(bytes: number[], { name, words }: TcpOptionText, flow: Flow, opening: boolean): void {
  const n = Number(words[0]);
  switch (name) {
    case 'nop':
      bytes.push(KIND.nop);
      return;
    case 'eol':
      bytes.push(KIND.eol);
      return;
    case 'mss':
      bytes.push(KIND.mss, 4, n >> 8, n & 255);
      return;
    case 'wscale':
      bytes.push(KIND.wscale, 3, n);
      return;
    case 'sackOK':
      bytes.push(KIND.sackOK, 2);
      return;
    case 'sack':
      bytes.push(KIND.sack, 2 + 8 * words.length);
      for (const block of words) for (const end of block.split(':')) push32(bytes, flow.toLiveLocal(Number(end)));
      return;
    case 'TS':
      bytes.push(KIND.TS, 10);
      push32(bytes, Number(words[1]));
      // The echo in a SYN answers nothing: it goes as it is.
      push32(bytes, opening ? Number(words[3]) : flow.liveStamp(Number(words[3])));
      return;
    case 'md5':
      emitHex(bytes, [KIND.md5], words[0]);
      return;
    case 'FO':
      emitHex(bytes, [KIND.FO], words[0]);
      return;
    case 'FOEXP':
      emitHex(bytes, [KIND.EXP, FASTOPEN_MAGIC >> 8, FASTOPEN_MAGIC & 255], words[0]);
      return;
    case 'ECN':
      emitEcn(bytes, words);
      return;
    default:
      throw new Unsupported(`TCP option ${name}`);
  }
}

function emitHex(bytes: number[], [kind = 0, ...magic]: number[], text: string | undefined): void {
  const data = hexBytes(text ?? '');
  bytes.push(kind, 2 + magic.length + data.length, ...magic, ...data);
}

/** `e0b N ceb N e1b N` is kind 172, `e1b N ceb N e0b N` kind 174: counters of 24 bits. */
function emitEcn(bytes: number[], words: readonly string[]): void {
  const kind = words[0] === 'e0b' ? KIND.ECN0 : KIND.ECN1;
  bytes.push(kind, 2 + 3 * (words.length / 2));
  for (let i = 1; i < words.length; i += 2) {
    const n = Number(words[i]);
    bytes.push((n >> 16) & 255, (n >> 8) & 255, n & 255);
  }
}

export interface ReadOption {
  readonly text: string;
  readonly stamp: { readonly val: number; readonly ecr: number } | undefined;
}

/** Options that we sent, in the script's words; SACK blocks in its numbers. */
export function readOptions(view: DataView, flow: Flow): ReadOption[] {
  const options: ReadOption[] = [];
  const plain = (text: string): void => void options.push({ text, stamp: undefined });
  for (let at = 0; at < view.byteLength; ) {
    const kind = view.getUint8(at);
    if (kind === KIND.nop || kind === KIND.eol) {
      plain(kind === KIND.nop ? 'nop' : 'eol');
      at++;
      continue;
    }
    const length = at + 1 < view.byteLength ? view.getUint8(at + 1) : 0;
    if (length < 2 || at + length > view.byteLength) {
      plain(`malformed option ${kind}`);
      return options;
    }
    if (kind === KIND.TS && length === 10) {
      const stamp = { val: view.getUint32(at + 2), ecr: view.getUint32(at + 6) };
      options.push({ text: `TS val ${stamp.val} ecr ${stamp.ecr}`, stamp });
    } else plain(textOf(view, at, { kind, length }, flow));
    at += length;
  }
  return options;
}

function textOf(view: DataView, at: number, { kind, length }: { kind: number; length: number }, flow: Flow): string {
  const hex = (from: number): string => {
    let text = '';
    for (let i = at + from; i < at + length; i++) text += view.getUint8(i).toString(16).padStart(2, '0');
    return text === '' ? '' : ` ${text}`;
  };
  const counter = (i: number): number => (view.getUint8(i) << 16) | view.getUint16(i + 1);
  if (kind === KIND.mss && length === 4) return `mss ${view.getUint16(at + 2)}`;
  if (kind === KIND.wscale && length === 3) return `wscale ${view.getUint8(at + 2)}`;
  if (kind === KIND.sackOK && length === 2) return 'sackOK';
  if (kind === KIND.sack) {
    const blocks: string[] = [];
    for (let i = at + 2; i + 8 <= at + length; i += 8) {
      blocks.push(`${flow.toScriptRemote(view.getUint32(i))}:${flow.toScriptRemote(view.getUint32(i + 4))}`);
    }
    return `sack ${blocks.join(' ')}`;
  }
  if (kind === KIND.md5) return `md5${hex(2)}`;
  if (kind === KIND.FO) return `FO${hex(2)}`;
  if (kind === KIND.EXP && length >= 4 && view.getUint16(at + 2) === FASTOPEN_MAGIC) return `FOEXP${hex(4)}`;
  if (kind === KIND.ECN0 || kind === KIND.ECN1) {
    const names = kind === KIND.ECN0 ? ['e0b', 'ceb', 'e1b'] : ['e1b', 'ceb', 'e0b'];
    const values: string[] = [];
    for (let i = 0; 2 + 3 * i < length; i++) values.push(`${names[i]} ${counter(at + 2 + 3 * i)}`);
    return `ECN ${values.join(' ')}`;
  }
  return `option ${kind}${hex(2)}`;
}

export function optionText({ name, words }: TcpOptionText): string {
  return [name, ...words]
    .join(' ')
    .toLowerCase()
    .replace(/^(ts|fo|foexp|ecn)\b/, (word) => word.toUpperCase())
    .replace(/^sackok$/, 'sackOK');
}
