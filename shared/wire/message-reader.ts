/**
 * How a dialling end reads: into one area of its own, again and again, and cut where messages end. Left to itself, Node
 * allocates 64 kB for each read, and ws puts every message that lies in two of them together in new memory. Here a
 * message stands whole in the area, in frame memory if there is bulk, when ws is given it; ws still checks all of it.
 *
 * Interface:
 * - net.connect({ …, onread: reader.onread }), then reader.attach(socket): what was read comes as its 'data', as ever.
 * - What stands in the area is there until 'data' has been emitted. ws has no further use for a whole binary message by
 *   then; whatever else comes (HTTP, control frames, fragments, messages larger than the area), and what has to wait
 *   because the socket is paused, is copied.
 */
import { frameMemoryInUse } from '../device/frame-memory.ts';

/** Four batches, so that what is moved to the front because it is not whole yet is little beside what is read. */
export const AREA_BYTES = 262_144;
/** A read has room for as much at least. */
const READ_BYTES_MIN = AREA_BYTES / 2;
/** Behind it RFC 6455 begins (§4.1); what else a server may answer goes on in HTTP. */
const HTTP_END = '\r\n\r\n';
const HTTP_SWITCHED = 'HTTP/1.1 101';
/** The first octet of a whole binary message, and of what stands between messages: FIN and an opcode (RFC 6455 §5.2). */
const BINARY = 0x82;
const CONTROL_MIN = 0x88;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;

/** What a reader needs of a net.Socket. */
export interface ReadSocket {
  readonly readableFlowing: boolean | null;
  readonly readableLength: number;
  push(bytes: Uint8Array): boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** Areas in frame memory that nobody uses: what is cut from there is never given back. */
const freeAreas: Uint8Array[] = [];

export class MessageReader {
  readonly onread = {
    buffer: (): Uint8Array => this.room(),
    callback: (count: number): boolean => this.read(count),
  };
  private socket: ReadSocket | undefined;
  private area: Uint8Array = new Uint8Array(AREA_BYTES);
  private inFrameMemory = false;
  /** What was read and not passed on yet: area[start, end). */
  private start = 0;
  private end = 0;
  /** `rest`: nothing is held back any more, since it is not known where messages begin. */
  private state: 'http' | 'messages' | 'rest' = 'http';

  attach(socket: ReadSocket): void {
    this.socket = socket;
    socket.once('close', () => this.release());
  }

  /** Where the next read goes. */
  private room(): Uint8Array {
    if (this.start === this.end) {
      this.start = 0;
      this.end = 0;
      this.moveToFrameMemory();
    } else if (this.start > 0 && AREA_BYTES - this.end < READ_BYTES_MIN) {
      this.area.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
    }
    return this.end === 0 ? this.area : this.area.subarray(this.end);
  }

  private moveToFrameMemory(): void {
    if (this.inFrameMemory || this.socket === undefined) return;
    const area = freeAreas.pop() ?? frameMemoryInUse()?.take(AREA_BYTES);
    if (area === undefined) return;
    this.area = area;
    this.inFrameMemory = true;
  }

  private release(): void {
    this.socket = undefined;
    if (this.inFrameMemory) freeAreas.push(this.area);
    this.inFrameMemory = false;
    this.area = new Uint8Array(0);
    this.start = 0;
    this.end = 0;
  }

  /** `count` octets stand in the room now. False when the socket has enough. */
  private read(count: number): boolean {
    this.end += count;
    if (this.state === 'http') this.answer();
    let more = true;
    // Runs of messages as one piece, so that a socket that pauses after the first has them all.
    while (this.state === 'messages') {
      const whole = this.wholeMessages();
      if (whole > this.start) more = this.pass(whole, false) && more;
      const control = this.controlFrame();
      if (control === 0) break;
      more = this.pass(control, true) && more;
    }
    if (this.state === 'rest' && this.start < this.end) more = this.pass(this.end, true) && more;
    return more;
  }

  /** The server's answer in HTTP, passed on as it comes up to its end. */
  private answer(): void {
    const text = Buffer.from(this.area.buffer, this.area.byteOffset, this.end).toString('latin1');
    const end = text.indexOf(HTTP_END);
    // It was held back until it is whole; what is so long is none.
    if (end < 0 && this.end < AREA_BYTES / 2) return;
    this.state = end >= 0 && text.startsWith(HTTP_SWITCHED) ? 'messages' : 'rest';
    if (this.state === 'messages') this.pass(end + HTTP_END.length, true);
  }

  /** The end of the last of the whole binary messages that stand at `start`; `start` when there is none. */
  private wholeMessages(): number {
    let at = this.start;
    while (at < this.end) {
      const first = this.area[at]!;
      if (first !== BINARY) {
        if (first < CONTROL_MIN) this.state = 'rest';
        break;
      }
      const size = this.frameSize(at);
      if (size > AREA_BYTES) this.state = 'rest';
      if (size === 0 || size > this.end - at) break;
      at += size;
    }
    return at;
  }

  /** The end of the control frame that stands at `start`, or 0. */
  private controlFrame(): number {
    if (this.start === this.end || this.area[this.start]! < CONTROL_MIN) return 0;
    const size = this.frameSize(this.start);
    return size === 0 || size > this.end - this.start ? 0 : this.start + size;
  }

  /** Octets of the frame at `at` with its header, or 0 when too little of that is there. (RFC 6455 §5.2) */
  private frameSize(at: number): number {
    const there = this.end - at;
    if (there < 2) return 0;
    const view = new DataView(this.area.buffer, this.area.byteOffset + at, there);
    const second = view.getUint8(1);
    const short = second & ~MASKED;
    const head = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    if (there < head) return 0;
    let length = short;
    if (short === LENGTH_16) length = view.getUint16(2);
    else if (short === LENGTH_64) length = view.getUint32(2) * 0x1_0000_0000 + view.getUint32(6);
    return head + ((second & MASKED) === 0 ? 0 : MASK_BYTES) + length;
  }

  /** Hand on [start, to). */
  private pass(to: number, copied: boolean): boolean {
    const { socket, area, start } = this;
    this.start = to;
    if (socket === undefined) return false;
    const bytes = Buffer.from(area.buffer, area.byteOffset + start, to - start);
    const waits = socket.readableFlowing !== true || socket.readableLength > 0;
    return socket.push(copied || waits ? Buffer.from(bytes) : bytes);
  }
}
