/** Packets of a script: `< [ect0] FP. 1:101(100) ack 1 win 257 urg 5 <nop,nop,TS val 100 ecr 200>`, `< icmp unreachable …`. */
import type { Cursor } from './cursor.ts';
import { FLAG_LETTERS, type IcmpLine, type TcpLine, type TcpOptionText, type UdpLine, Unsupported } from './script.ts';

export function parsePacket(cursor: Cursor, direction: 'in' | 'out'): TcpLine | IcmpLine | UdpLine {
  const ip: string[] = [];
  if (cursor.peek('[') || cursor.peek('(')) {
    const end = cursor.peek('[') ? ']' : ')';
    cursor.at++;
    ip.push(
      ...cursor
        .until(end)
        .split(',')
        .map((word) => word.trim()),
    );
  }
  const datagram = cursor.match(/udp\s*\(\s*(\d+)\s*\)/);
  if (datagram !== undefined) return { kind: 'udp', ip, length: Number(datagram[1]) };
  if (cursor.peek('udp')) throw cursor.error('expected udp (LENGTH)');
  const other = cursor.match(/(gre|mpls|ipv4|ipv6|encap|raw)\b/);
  if (other !== undefined) throw new Unsupported(`${other[1]} packets`);
  if (cursor.match(/icmp\b/) !== undefined) return parseIcmp(cursor);
  const ports = cursor.match(/(\d+)\s*>\s*(\d+)\s/);
  const flags = flagsOf(cursor.must(/([FSRP.UEWA]*[0-7]?[FSRP.UEWA]*|-)(?=\s)/, 'flags')[1]!);
  const seq = cursor.must(/(\d+):(\d+)\((\d+)\)/, 'a sequence range');
  const [start, end, length] = [Number(seq[1]), Number(seq[2]), Number(seq[3])];
  if ((start + length) % 2 ** 32 !== end) throw cursor.error(`${seq[0]}: the length does not fit`);
  const ack = cursor.match(/ack\s+(\d+)/);
  const window = cursor.match(/win\s+(\d+)/);
  if (direction === 'in' && window === undefined && (flags & 0x04) === 0)
    throw cursor.error('what comes in has a window');
  const urgent = cursor.match(/urg\s+(\d+)/);
  return {
    kind: 'tcp',
    ip,
    ports: ports === undefined ? undefined : { source: Number(ports[1]), target: Number(ports[2]) },
    flags,
    start,
    end,
    ack: ack === undefined ? undefined : Number(ack[1]),
    window: window === undefined ? undefined : Number(window[1]),
    urgent: urgent === undefined ? undefined : Number(urgent[1]),
    options: parseOptions(cursor),
  };
}

function flagsOf(letters: string): number {
  if (letters === '-') return 0;
  let flags = 0;
  for (const letter of letters) {
    // A digit is the ACE field of AccECN: AE, CWR and ECE as one number.
    flags |= FLAG_LETTERS.get(letter) ?? Number(letter) << 6;
  }
  return flags;
}

const OPTION_NAMES = new Set(['mss', 'wscale', 'sackOK', 'sack', 'TS', 'nop', 'eol', 'md5', 'FO', 'FOEXP', 'ECN']);

function parseOptions(cursor: Cursor): readonly TcpOptionText[] | 'any' {
  // A packet may be the last thing in the line before one that comes in or goes out: only `<` on a packet's own line counts.
  if (!cursor.take('<')) return [];
  const text = cursor.until('>').trim();
  if (text === '...') return 'any';
  if (text === '') return [];
  return text.split(',').map((option) => {
    const [name = '', ...words] = option.trim().split(/\s+/);
    if (!OPTION_NAMES.has(name)) throw new Unsupported(`TCP option ${name}`);
    return { name, words };
  });
}

function parseIcmp(cursor: Cursor): IcmpLine {
  const type = cursor.must(/\w+/, 'an ICMP type')[0];
  const code = cursor.match(/(?!mtu\b|id\b)(?:[A-Za-z_]+|\d+(?!\.))(?=\s|$)/)?.[0] ?? '';
  const mtu = cursor.match(/mtu\s+(\d+)/);
  const id = cursor.match(/id\s+(\d+)/);
  return {
    kind: 'icmp',
    type,
    code,
    mtu: Number(mtu?.[1] ?? 0),
    id: id === undefined ? undefined : Number(id[1]),
    quoted: parseQuoted(cursor),
  };
}

/** `[1:1001(1000)]`, `[udp (100)]`, `[raw (100)]`; none is the segment with the first sequence number. */
function parseQuoted(cursor: Cursor): IcmpLine['quoted'] {
  if (!cursor.peek('[')) return { protocol: 'tcp', start: 0, length: 0 };
  const other = cursor.match(/\[\s*(udp|raw)\s*\(\s*(\d+)\s*\)\s*\]/);
  if (other !== undefined) return { protocol: other[1] as 'udp' | 'raw', start: 0, length: Number(other[2]) };
  const range = cursor.must(/\[\s*(\d+):(\d+)\((\d+)\)\s*\]/, '[START:END(LENGTH)], [udp (LENGTH)] or [raw (LENGTH)]');
  return { protocol: 'tcp', start: Number(range[1]), length: Number(range[3]) };
}
