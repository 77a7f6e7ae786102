/**
 * How captured frames travel from a device to the gateway and on to a watcher: one binary message a batch, made to be
 * written and read without objects, and passed on by the gateway as it is. No I/O here: the page reads it too.
 *
 *   message: u8 version | u8 0 | u16 frames | u32 lost | frames...
 *   frame:   f64 time | u16 device | u8 port | u8 direction | f64 number | u32 trace device | u32 trace number |
 *            u32 cause | u32 size | octets of the Ethernet frame with its FCS, no preamble
 *
 * Direction 0 is in, 1 out. 2 is no frame but a verdict: what the wire did to frame `number`, which went out before it,
 * in words (UTF-8) instead of octets; trace and cause are 0.
 *
 * Big-endian. `lost`: frames that this watcher was too slow for since the message before. `device` is the device's index
 * in the lab, `port` the position among its ports; `number` counts frames per direction on that wire end.
 * The first message of a stream is text: CaptureHello, which says what device and port stand for.
 */
export const CAPTURE_VERSION = 1;
export const CAPTURE_HEAD = 8;
export const CAPTURE_FRAME_HEAD = 36;

export interface CapturePort {
  /** Index of the device in the lab, and of the port in the device. */
  readonly device: number;
  readonly port: number;
  /** `alice:eth0`. */
  readonly name: string;
}

export interface CaptureHello {
  /** Unix time of lab time 0, microseconds; from the gateway. */
  readonly clockOrigin?: number;
  readonly ports: readonly CapturePort[];
}

export interface CapturedFrame {
  /** Lab time, microseconds. */
  readonly time: number;
  readonly device: number;
  readonly port: number;
  readonly direction: 'in' | 'out';
  readonly number: number;
  readonly traceDevice: number;
  readonly traceNumber: number;
  readonly cause: number;
  /** Ethernet header to FCS; a view on the message. */
  readonly bytes: Uint8Array;
}

/** What a wire did to a frame that went out: `lost by loss 5%`. */
export interface CapturedVerdict {
  readonly time: number;
  readonly device: number;
  readonly port: number;
  readonly number: number;
  readonly text: string;
}

export interface CaptureBatch {
  readonly lost: number;
  readonly frames: readonly CapturedFrame[];
  readonly verdicts: readonly CapturedVerdict[];
}

export const CAPTURE_DIRECTION = { IN: 0, OUT: 1, VERDICT: 2 } as const;

export function writeCaptureHead(view: DataView, frames: number, lost: number): void {
  view.setUint8(0, CAPTURE_VERSION);
  view.setUint8(1, 0);
  view.setUint16(2, frames);
  view.setUint32(4, lost);
}

/** The frames of a message, or undefined when it is not one. */
export function parseCapture(message: Uint8Array): CaptureBatch | undefined {
  if (message.length < CAPTURE_HEAD || message[0] !== CAPTURE_VERSION) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const frames: CapturedFrame[] = [];
  const verdicts: CapturedVerdict[] = [];
  let at = CAPTURE_HEAD;
  for (let n = view.getUint16(2); n > 0; n--) {
    if (at + CAPTURE_FRAME_HEAD > message.length) return undefined;
    const size = view.getUint32(at + 32);
    const start = at + CAPTURE_FRAME_HEAD;
    if (start + size > message.length) return undefined;
    const direction = view.getUint8(at + 11);
    const bytes = message.subarray(start, start + size);
    const common = {
      time: view.getFloat64(at),
      device: view.getUint16(at + 8),
      port: view.getUint8(at + 10),
      number: view.getFloat64(at + 12),
    };
    if (direction === CAPTURE_DIRECTION.VERDICT) verdicts.push({ ...common, text: new TextDecoder().decode(bytes) });
    else {
      frames.push({
        ...common,
        direction: direction === CAPTURE_DIRECTION.IN ? 'in' : 'out',
        traceDevice: view.getUint32(at + 20),
        traceNumber: view.getUint32(at + 24),
        cause: view.getUint32(at + 28),
        bytes,
      });
    }
    at = start + size;
  }
  return at === message.length ? { lost: view.getUint32(4), frames, verdicts } : undefined;
}
