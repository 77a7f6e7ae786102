/**
 * tcpdump 4.99 on a packet socket: -i -c -n -e -v -q -S -t -x -X -A -w -D -p and filter expressions.
 * Left out: -r (wirelab's own captures are pcapng files for Wireshark), -C, -G, -z, relative SACK blocks.
 */
import { ETHERNET } from '../header/ethernet.ts';
import type { PacketType } from '../net/skbuff.ts';
import type { ReceivedMessage } from '../net/sock.ts';
import { POLL } from '../net/sock.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import type { Micros } from '../platform.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { labDay, labTimeOfDay } from './lab-date.ts';
import { HostNames, Services } from './names.ts';
import { getopt } from './options.ts';
import { type FrameTest, readFrameFilter } from './tcpdump-filter.ts';
import { frameText, hexText, type PrintOptions } from './tcpdump-print.ts';
import { TcpFlows } from './tcpdump-tcp.ts';

const ETH_P_ALL = 3;
const SNAPLEN = 262_144;
/** The longest frame that segmentation offload leaves in one piece. */
const BUFFER_SIZE = 65_536 + ETHERNET.SIZE;
/** -w keeps the capture in memory until the end. */
const FILE_BYTES_MAX = 16 * 1_048_576;
const VERSION = 'tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\n';
const TCPDUMP_USAGE = `${VERSION}Usage: tcpdump [-AeDhnpqStvxX] [ -c count ] [ -i interface ]
		[ -s snaplen ] [ -w file ] [ expression ]
`;

/** How a packet came by, on `any` (print-sll.c: sll_pkttype_values). */
const SIDES: Readonly<Record<PacketType, string>> = {
  host: 'In ',
  loopback: 'In ',
  broadcast: 'B  ',
  multicast: 'M  ',
  otherhost: 'P  ',
  outgoing: 'Out',
};

interface Options {
  readonly dev: string;
  readonly ifindex: number;
  readonly count: number;
  readonly has: (name: string) => boolean;
  readonly times: (name: string) => number;
  readonly file: string | undefined;
}

export const tcpdump = program(async (context) => {
  const { sys, argv } = context;
  const line = getopt(argv, 'AbdDefhHIJKlLnNOpqStuUvxX#c:C:E:F:G:i:j:M:Q:r:s:T:V:w:W:y:z:B:', {
    version: 'h',
    help: 'h',
  });
  if (line.error !== undefined) throw new Failure(1, `${line.error}\n${TCPDUMP_USAGE}`);
  const value = (name: string) => line.options.findLast((option) => option.name === name)?.value;
  const times = (name: string) => line.options.filter((option) => option.name === name).length;
  const has = (name: string) => times(name) > 0;
  if (has('h')) {
    await context.out(VERSION);
    return 0;
  }
  if (has('D')) {
    await context.out(deviceList(sys));
    return 0;
  }
  if (has('r')) {
    throw new Failure(1, `tcpdump: -r is not here: read ${value('r')} with a tcpdump or Wireshark of your own`);
  }
  const count = value('c');
  if (count !== undefined && !/^[1-9][0-9]*$/.test(count)) {
    throw new Failure(1, `tcpdump: invalid packet count ${count}`);
  }
  const filter = readFrameFilter(line.operands, new Services(sys));
  const { dev, ifindex } = deviceOf(sys, value('i'));
  await capture(
    context,
    { dev, ifindex, count: Number(count ?? Number.MAX_SAFE_INTEGER), has, times, file: value('w') },
    filter,
  );
  return 0;
});

function deviceOf(sys: Syscalls, name: string | undefined): { dev: string; ifindex: number } {
  const links = sys.netlink({ type: 'RTM_GETLINK' });
  if (name === 'any') return { dev: 'any', ifindex: 0 };
  const byNumber = name !== undefined && /^[0-9]+$/.test(name) ? links[Number(name) - 1] : undefined;
  const chosen = links.find((link) =>
    name === undefined ? link.up && (link.kind === 'ether' || link.kind === 'port') : link.name === name,
  );
  const found = chosen ?? byNumber ?? (name === undefined ? links.find((link) => link.up) : undefined);
  if (found === undefined)
    throw new Failure(1, `tcpdump: ${name ?? 'eth0'}: No such device exists\n(No such device exists)`);
  return { dev: found.name, ifindex: found.ifindex };
}

function deviceList(sys: Syscalls): string {
  const links = sys.netlink({ type: 'RTM_GETLINK' });
  const cards = links.filter((link) => link.kind !== 'loopback');
  const lines = cards.map((link) => {
    const state = link.up ? (link.carrier ? 'Up, Running, Connected' : 'Up, Disconnected') : 'Disconnected';
    return `${link.name} [${state}]`;
  });
  lines.push('any (Pseudo-device that captures on all interfaces) [Up, Running]');
  if (links.some((link) => link.kind === 'loopback')) lines.push('lo [Up, Running, Loopback]');
  return lines.map((text, at) => `${at + 1}.${text}\n`).join('');
}

async function capture(context: ProgramContext, options: Options, filter: FrameTest): Promise<void> {
  const { sys } = context;
  const fd = sys.socket('packet', 'raw', ETH_P_ALL, { nonblock: true });
  if (options.ifindex !== 0) sys.bind(fd, { ifindex: options.ifindex, protocol: ETH_P_ALL });
  let running = true;
  const stop = () => {
    running = false;
  };
  sys.signal('SIGINT', stop);
  sys.signal('SIGTERM', stop);
  await context.err(banner(options));
  const session = new Session(context, options);
  const buffer = new Uint8Array(BUFFER_SIZE);
  const view = new DataView(buffer.buffer);
  while (running && session.captured < options.count) {
    try {
      await sys.poll([{ fd, events: POLL.IN, revents: 0 }]);
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw error;
    }
    for (let message = sys.tryRecv(fd, buffer); message !== undefined; message = sys.tryRecv(fd, buffer)) {
      if (!filter(view, message.length)) continue;
      session.captured++;
      await session.take(buffer.slice(0, message.length), message);
      if (session.captured >= options.count) break;
    }
  }
  session.save();
  const { captured } = session;
  const plural = captured === 1 ? '' : 's';
  const tail = `${captured} packet${plural} received by filter\n0 packets dropped by kernel\n`;
  await context.err(`${running ? '' : '\n'}${captured} packet${plural} captured\n${tail}`);
}

function banner({ dev, times, file }: Options): string {
  const any = dev === 'any';
  const link = any ? 'LINUX_SLL2 (Linux cooked v2)' : 'EN10MB (Ethernet)';
  const listening = `listening on ${dev}, link-type ${link}, snapshot length ${SNAPLEN} bytes\n`;
  const note = any ? 'tcpdump: data link type LINUX_SLL2\n' : '';
  if (file !== undefined || times('v') > 0) return `${note}tcpdump: ${listening}`;
  return `${note}tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n${listening}`;
}

/** What is kept from packet to packet: the time of the last one, conversations, the file. */
class Session {
  captured = 0;
  private readonly context: ProgramContext;
  private readonly options: Options;
  private readonly print: PrintOptions;
  private readonly devices: ReadonlyMap<number, string>;
  private readonly records: Uint8Array[] = [];
  private recordBytes = 0;
  private before: Micros | undefined = undefined;
  private first: Micros | undefined = undefined;

  constructor(context: ProgramContext, options: Options) {
    this.context = context;
    this.options = options;
    const { has, times } = options;
    this.print = {
      numeric: has('n'),
      link: has('e') && options.dev !== 'any',
      verbose: times('v'),
      quick: has('q'),
      absolute: has('S'),
      services: new Services(context.sys),
      names: new HostNames(context.sys),
      flows: new TcpFlows(),
    };
    this.devices = new Map(context.sys.netlink({ type: 'RTM_GETLINK' }).map((link) => [link.ifindex, link.name]));
  }

  async take(bytes: Uint8Array, { timestamp, ifindex = 0, packetType }: ReceivedMessage): Promise<void> {
    const { options } = this;
    const { sys } = this.context;
    // The kernel stamps packets with the clock that does not jump; people read the time of day.
    const now = sys.clockGettime();
    const at = (timestamp ?? now) + sys.clockRealtime() - now;
    if (options.file !== undefined) return this.record(bytes, at);
    const side = options.dev === 'any' ? `${this.devices.get(ifindex) ?? '?'}  ${SIDES[packetType ?? 'host']} ` : '';
    let text = `${this.time(at)}${side}${frameText(bytes, bytes.length, this.print)}`;
    const linkToo = options.times('x') > 1 || options.times('X') > 1;
    const from = linkToo ? 0 : ETHERNET.SIZE;
    if (options.has('x') || options.has('X')) text += hexText(bytes, from, bytes.length, options.has('X'));
    else if (options.has('A')) text += `\n${asciiText(bytes.subarray(from))}`;
    await this.context.out(`${text}\n`);
  }

  /** -t none, -tt seconds, -ttt since the last, -tttt with the day, -ttttt since the first. */
  private time(at: Micros): string {
    const micros = (value: Micros) => String(value % 1_000_000).padStart(6, '0');
    const before = this.before ?? at;
    this.before = at;
    this.first ??= at;
    switch (this.options.times('t')) {
      case 0:
        return `${labTimeOfDay(at)}.${micros(at)} `;
      case 1:
        return '';
      case 2:
        return `${Math.floor(at / 1_000_000)}.${micros(at)} `;
      case 3:
        return ` ${labTimeOfDay(at - before)}.${micros(at - before)} `;
      case 4:
        return `${labDay(at)} ${labTimeOfDay(at)}.${micros(at)} `;
      default:
        return ` ${labTimeOfDay(at - this.first)}.${micros(at - this.first)} `;
    }
  }

  /** A record of a pcap file, microseconds, little end first. */
  private record(bytes: Uint8Array, at: Micros): void {
    if (this.recordBytes + bytes.length > FILE_BYTES_MAX) return;
    const record = new Uint8Array(16 + bytes.length);
    const view = new DataView(record.buffer);
    view.setUint32(0, Math.floor(at / 1_000_000), true);
    view.setUint32(4, at % 1_000_000, true);
    view.setUint32(8, bytes.length, true);
    view.setUint32(12, bytes.length, true);
    record.set(bytes, 16);
    this.records.push(record);
    this.recordBytes += record.length;
  }

  /** The file: pcap's global header and the records. */
  save(): void {
    const { file } = this.options;
    if (file === undefined) return;
    const bytes = new Uint8Array(24 + this.recordBytes);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 0xa1b2_c3d4, true);
    view.setUint16(4, 2, true);
    view.setUint16(6, 4, true);
    view.setUint32(16, SNAPLEN, true);
    view.setUint32(20, 1, true);
    let at = 24;
    for (const record of this.records) {
      bytes.set(record, at);
      at += record.length;
    }
    this.context.sys.writeFile(file, bytes);
  }
}

function asciiText(bytes: Uint8Array): string {
  return [...bytes]
    .map((byte) => ((byte > 31 && byte < 127) || byte === 10 || byte === 9 ? String.fromCharCode(byte) : '.'))
    .join('');
}
