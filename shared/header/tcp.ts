/** TCP (RFC 9293 §3.1, with AE of RFC 9768) and its options (RFC 9293 §3.2, 7323, 2018, 9768). */
export const TCP = {
  SOURCE_PORT: 0,
  TARGET_PORT: 2,
  SEQUENCE: 4,
  ACKNOWLEDGEMENT: 8,
  /** Header length in words (high four bits), three reserved bits, AE. */
  OFFSET: 12,
  FLAGS: 13,
  WINDOW: 14,
  CHECKSUM: 16,
  URGENT: 18,
  /** Without options; the longest is 60. */
  SIZE: 20,
} as const;

/** AE stands in the octet before the others: `tcpFlags` reads them all. */
export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128, AE: 256 } as const;
/** AE, CWR and ECE read as one number of three bits: the ACE field (RFC 9768 §3.2). */
export const ACE_SHIFT = 6;
export const ACE_MASK = 7 << ACE_SHIFT;

export const TCP_OPTION = {
  EOL: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
  /** RFC 2385. */
  MD5: 19,
  /** RFC 7413. */
  FASTOPEN: 34,
  /** RFC 6994: the first two octets say whose experiment. */
  EXPERIMENT: 254,
  /** Accurate ECN, fields in the order ECT(0), CE, ECT(1). */
  ACCECN0: 172,
  /** The same with ECT(1) first: what we send. */
  ACCECN1: 174,
} as const;

/** All nine flags, AE to FIN. */
export function tcpFlags(view: DataView, at: number): number {
  return view.getUint16(at + TCP.OFFSET) & 0x1ff;
}

/** The header's length from its offset field, in octets. */
export function tcpHeaderLength(view: DataView, at: number): number {
  return (view.getUint8(at + TCP.OFFSET) >>> 4) * 4;
}

/** Sequence numbers live on a circle of 2^32 (RFC 9293 §3.4): never compare them with < or >. */
export function seqBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
export function seqAfter(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}
export function seqBetween(low: number, x: number, high: number): boolean {
  return (high - low) >>> 0 >= (x - low) >>> 0;
}
/** a - b as a signed distance on the circle. */
export function seqDistance(a: number, b: number): number {
  return (a - b) | 0;
}
export function seqAdd(a: number, n: number): number {
  return (a + n) >>> 0;
}
