/**
 * Memory in which the sums of frames are fast: one WebAssembly memory a process, from which batches of frames are cut,
 * and the code of wasm-sums.ts over it. WebAssembly reads its own memory only, so sums are asked for by bytes or view: of
 * those that do not stand there, or where the machine's WebAssembly knows no SIMD, it says so, and the caller has another
 * way with the same answers (platform.ts).
 *
 * The memory has one size from the start, since growing would detach what was cut from it; what nobody wrote to costs no
 * memory of the machine. It is made when a process first has bulk to carry: an idle one has none.
 */

import { wasmModule } from './wasm-code.ts';
import { CRC_BYTES_MAX, layOut, makeSums, SUMS_BYTES } from './wasm-sums.ts';

/** Of 64 kB. 16 MB: sixty batches, a few areas to read into, and what a connection's full buffers hold. */
const PAGES = 256;
/** Packets leave so much to batches: where many hosts share a process, theirs would take all of it. */
const BATCHES_BYTES = 5_242_880;
/** Longest data of one sum, whose lanes then do not overflow. */
const SUM_BYTES_MAX = 65_536;
/** Cut at cache lines. */
const ALIGNMENT = 64;
/** SIMD reads a block at once, so the last octets of the memory are nobody's. */
const SPARE_BYTES = 64;

const aligned = (at: number): number => Math.ceil(at / ALIGNMENT) * ALIGNMENT;

type Sum = (start: number, end: number) => number;
type CopySum = (start: number, end: number, to: number) => number;
interface Functions {
  readonly crc32: Sum;
  readonly sum: Sum;
  readonly copySum: CopySum;
}

export class FrameMemory {
  private readonly memory: ArrayBuffer;
  private readonly crc: Sum;
  private readonly add: Sum;
  private readonly move: CopySum;
  private used = aligned(SUMS_BYTES);
  // Who asks, asks again: most questions are about the batch of the last one.
  private lastBytes: Uint8Array | undefined;
  private lastBytesAt = -1;
  private lastView: DataView | undefined;
  private lastViewAt = -1;
  private lastSource: DataView | undefined;
  private lastSourceAt = -1;
  private lastTarget: DataView | undefined;
  private lastTargetAt = -1;

  constructor(memory: ArrayBuffer, { crc32, sum, copySum }: Functions) {
    this.memory = memory;
    this.crc = crc32;
    this.add = sum;
    this.move = copySum;
  }

  /** `size` octets that nobody has, or undefined when there are none left. They are never taken back. */
  take(size: number): Uint8Array<ArrayBuffer> | undefined {
    if (size > this.left) return undefined;
    const at = this.used;
    this.used = aligned(at + size);
    return new Uint8Array(this.memory, at, size);
  }

  /** The same for packets, which do not get the last of it. */
  takeForPackets(size: number): Uint8Array<ArrayBuffer> | undefined {
    return this.left < size + BATCHES_BYTES ? undefined : this.take(size);
  }

  /** Octets that can still be taken. */
  get left(): number {
    return this.memory.byteLength - SPARE_BYTES - this.used;
  }

  has(bytes: Uint8Array): boolean {
    return bytes.buffer === this.memory;
  }

  /** CRC-32 of bytes[start, end), unsigned; -1 when it is not for us to say. */
  crc32(bytes: Uint8Array, start: number, end: number): number {
    if (bytes !== this.lastBytes) {
      this.lastBytes = bytes;
      this.lastBytesAt = this.has(bytes) ? bytes.byteOffset : -1;
    }
    const at = this.lastBytesAt;
    if (at < 0 || end - start > CRC_BYTES_MAX || end < start) return -1;
    return this.crc(at + start, at + end) >>> 0;
  }

  /** Internet checksum's sum of [start, end) of a view, folded to 16 bits; -1 when it is not for us to say. */
  sum(view: DataView, start: number, end: number): number {
    if (view !== this.lastView) {
      this.lastView = view;
      this.lastViewAt = view.buffer === this.memory ? view.byteOffset : -1;
    }
    const at = this.lastViewAt;
    if (at < 0 || end - start > SUM_BYTES_MAX || end < start) return -1;
    return folded(this.add(at + start, at + end));
  }

  /** Copy source[from, from + length) to target[at]; answers its sum, or -1 when it is not for us to do. */
  copySum(source: DataView, from: number, length: number, target: DataView, at: number): number {
    if (source !== this.lastSource) {
      this.lastSource = source;
      this.lastSourceAt = source.buffer === this.memory ? source.byteOffset : -1;
    }
    if (target !== this.lastTarget) {
      this.lastTarget = target;
      this.lastTargetAt = target.buffer === this.memory ? target.byteOffset : -1;
    }
    const start = this.lastSourceAt;
    const to = this.lastTargetAt;
    if (start < 0 || to < 0 || length > SUM_BYTES_MAX || length < 0) return -1;
    // A view's own bounds, which the code over the whole memory does not know.
    if (from < 0 || at < 0 || from + length > source.byteLength || at + length > target.byteLength) return -1;
    return folded(this.move(start + from, start + from + length, to + at));
  }
}

/** Of a sum that was made lowest octet first: the other way round, in 16 bits. */
function folded(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return ((sum & 255) << 8) | (sum >>> 8);
}

/** What is needed of the global `WebAssembly`; where it has no SIMD, validate() says so of a module that uses it. */
export interface Machine {
  validate(binary: Uint8Array<ArrayBuffer>): boolean;
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (binary: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

/** Neither Node's types nor the language's know it. */
const { WebAssembly: here } = globalThis as { readonly WebAssembly?: Machine };

/** A memory of its own, or undefined where the machine cannot. */
export function openFrameMemory(machine: Machine): FrameMemory | undefined {
  const binary = wasmModule(makeSums(), PAGES);
  if (!machine.validate(binary)) return undefined;
  try {
    const memory = new machine.Memory({ initial: PAGES, maximum: PAGES });
    layOut(new Uint8Array(memory.buffer, 0, SUMS_BYTES));
    const { exports } = new machine.Instance(new machine.Module(binary), { env: { memory } });
    return new FrameMemory(memory.buffer, exports as Functions);
  } catch {
    // A machine that will not give the address space (ulimit -v) works without.
    return undefined;
  }
}

let opened = false;
let own: FrameMemory | undefined;

/** The process's own, if it has one by now. */
export function frameMemoryInUse(): FrameMemory | undefined {
  return own;
}

/** The process's own, made when first asked for; undefined where the machine cannot. */
export function frameMemory(): FrameMemory | undefined {
  if (!opened) {
    opened = true;
    if (here !== undefined) own = openFrameMemory(here);
  }
  return own;
}
