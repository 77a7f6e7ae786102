/**
 * Captures in the format that Wireshark reads: pcapng (draft-ietf-opsawg-pcapng). One section, an interface for each
 * wire end, frames with FCS (`if_fcslen` 4) and microsecond stamps, direction and verdicts as options.
 */

/** A comment longer than this is cut. */
const COMMENT_BYTES_MAX = 1_024;
const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, ENHANCED_PACKET: 6 } as const;
const LINKTYPE_ETHERNET = 1;
/** Option codes, by the block they stand in. */
const OPTION = {
  END: 0,
  COMMENT: 1,
  SHB_USERAPPL: 4,
  IF_NAME: 2,
  IF_DESCRIPTION: 3,
  IF_TSRESOL: 9,
  IF_FCSLEN: 13,
  EPB_FLAGS: 2,
  EPB_DROPCOUNT: 4,
  EPB_PACKETID: 5,
} as const;
/** epb_flags: direction in bits 0 and 1, FCS length in bits 5 to 8. */
const FLAG_INBOUND = 1;
const FLAG_OUTBOUND = 2;
const FLAG_FCS_4 = 4 << 5;

export interface CaptureInterface {
  /** `alice:eth0`. */
  readonly name: string;
  readonly description: string;
}

export interface CapturedPacket {
  /** Index into the interfaces of the header. */
  readonly interface: number;
  /** Microseconds since 1970. */
  readonly time: number;
  readonly direction: 'in' | 'out';
  /** Frame with FCS, no preamble. */
  readonly bytes: Uint8Array;
  readonly comment?: string;
  /** The same for the same packet wherever it was captured: its trace identity. */
  readonly identity?: { readonly device: number; readonly number: number };
  /** Frames lost to the capture since the one before on this interface. */
  readonly drops?: number;
}

/** Section header and interface descriptions: what a file begins with. */
export function pcapngHeader(interfaces: readonly CaptureInterface[]): Uint8Array {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, 0x1a2b3c4d, true);
  view.setUint16(4, 1, true);
  // Section length unknown: all ones.
  view.setBigInt64(8, -1n, true);
  const blocks = [block(BLOCK.SECTION, section, [option(OPTION.SHB_USERAPPL, text('wirelab'))])];
  for (const { name, description } of interfaces) {
    const body = new Uint8Array(8);
    new DataView(body.buffer).setUint16(0, LINKTYPE_ETHERNET, true);
    const options = [
      option(OPTION.IF_NAME, text(name)),
      option(OPTION.IF_DESCRIPTION, text(description)),
      option(OPTION.IF_TSRESOL, Uint8Array.of(6)),
      option(OPTION.IF_FCSLEN, Uint8Array.of(4)),
    ];
    blocks.push(block(BLOCK.INTERFACE, body, options));
  }
  return Buffer.concat(blocks);
}

/** One frame as an enhanced packet block. */
export function pcapngPacket(packet: CapturedPacket): Uint8Array {
  const size = packet.bytes.length;
  const body = new Uint8Array(20 + padded(size));
  const view = new DataView(body.buffer);
  view.setUint32(0, packet.interface, true);
  view.setUint32(4, Math.floor(packet.time / 0x1_0000_0000), true);
  view.setUint32(8, packet.time % 0x1_0000_0000, true);
  view.setUint32(12, size, true);
  view.setUint32(16, size, true);
  body.set(packet.bytes, 20);
  const flags = new Uint8Array(4);
  new DataView(flags.buffer).setUint32(
    0,
    (packet.direction === 'in' ? FLAG_INBOUND : FLAG_OUTBOUND) | FLAG_FCS_4,
    true,
  );
  const options = [option(OPTION.EPB_FLAGS, flags)];
  if (packet.drops !== undefined && packet.drops > 0) {
    const drops = new Uint8Array(8);
    new DataView(drops.buffer).setBigUint64(0, BigInt(packet.drops), true);
    options.push(option(OPTION.EPB_DROPCOUNT, drops));
  }
  if (packet.identity !== undefined) {
    const id = new Uint8Array(8);
    new DataView(id.buffer).setUint32(0, packet.identity.number, true);
    new DataView(id.buffer).setUint32(4, packet.identity.device, true);
    options.push(option(OPTION.EPB_PACKETID, id));
  }
  if (packet.comment !== undefined) options.push(option(OPTION.COMMENT, text(packet.comment)));
  return block(BLOCK.ENHANCED_PACKET, body, options);
}

function block(type: number, body: Uint8Array, options: readonly Uint8Array[]): Uint8Array {
  const size = 12 + body.length + options.reduce((sum, bytes) => sum + bytes.length, 0) + (options.length > 0 ? 4 : 0);
  const head = new Uint8Array(8);
  const tail = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, type, true);
  new DataView(head.buffer).setUint32(4, size, true);
  new DataView(tail.buffer).setUint32(0, size, true);
  const end = options.length > 0 ? [option(OPTION.END, new Uint8Array(0))] : [];
  return Buffer.concat([head, body, ...options, ...end, tail]);
}

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, 4);
  return bytes;
}

function padded(size: number): number {
  return (size + 3) & ~3;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value).subarray(0, COMMENT_BYTES_MAX);
}
