/** Reads back what `capture` wrote: enough of pcapng for tests to look frames up. */
export interface ReadPacket {
  /** `alice:eth0`. */
  readonly interface: string;
  readonly direction: 'in' | 'out';
  /** Microseconds since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
  readonly comment: string;
  /** Trace identity, `device/number`. */
  readonly identity: string;
}

const ENHANCED_PACKET = 6;
const INTERFACE = 1;

export function readPcapng(file: Buffer): ReadPacket[] {
  const names: string[] = [];
  const packets: ReadPacket[] = [];
  for (let at = 0; at + 12 <= file.length; at += file.readUInt32LE(at + 4)) {
    const type = file.readUInt32LE(at);
    const end = at + file.readUInt32LE(at + 4) - 4;
    if (type === INTERFACE)
      names.push(
        options(file, at + 16, end)
          .get(2)
          ?.toString('utf8') ?? '',
      );
    if (type !== ENHANCED_PACKET) continue;
    const size = file.readUInt32LE(at + 20);
    const found = options(file, at + 28 + ((size + 3) & ~3), end);
    packets.push({
      interface: names[file.readUInt32LE(at + 8)] ?? '?',
      time: file.readUInt32LE(at + 12) * 2 ** 32 + file.readUInt32LE(at + 16),
      direction: ((found.get(2)?.readUInt32LE(0) ?? 0) & 3) === 1 ? 'in' : 'out',
      bytes: file.subarray(at + 28, at + 28 + size),
      comment: found.get(1)?.toString('utf8') ?? '',
      identity: `${found.get(5)?.readUInt32LE(4)}/${found.get(5)?.readUInt32LE(0)}`,
    });
  }
  return packets;
}

function options(file: Buffer, from: number, end: number): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = from; at + 4 <= end; ) {
    const code = file.readUInt16LE(at);
    const size = file.readUInt16LE(at + 2);
    if (code === 0) break;
    found.set(code, file.subarray(at + 4, at + 4 + size));
    at += 4 + ((size + 3) & ~3);
  }
  return found;
}
