/**
 * Time stamps of packets (Documentation/networking/timestamping.rst; Linux: sock_set_timestamping, __skb_tstamp_tx,
 * tcp_tx_timestamp): when a packet that a program sent went into the device's queue (SCHED), to the driver (SND), and when
 * its last octet was acknowledged (ACK). They come back through the error queue.
 *
 * Left out: clocks in cards (SOF_TIMESTAMPING_TX_HARDWARE and the raw ones are taken and never answered), BIND_PHC.
 */
import type { Ipv4 } from '../header/address.ts';
import { IPV4 } from '../header/ipv4.ts';
import type { Errno } from './errno.ts';
import { queueError } from './error-queue.ts';
import type { Host } from './host.ts';
import type { SkBuff } from './skbuff.ts';
import { ERROR_ORIGIN, Sock } from './sock.ts';

/** SOF_TIMESTAMPING_*: what SO_TIMESTAMPING takes. */
export const SOF = {
  TX_HARDWARE: 0x1,
  TX_SOFTWARE: 0x2,
  RX_HARDWARE: 0x4,
  RX_SOFTWARE: 0x8,
  SOFTWARE: 0x10,
  SYS_HARDWARE: 0x20,
  RAW_HARDWARE: 0x40,
  OPT_ID: 0x80,
  TX_SCHED: 0x100,
  TX_ACK: 0x200,
  OPT_CMSG: 0x400,
  OPT_TSONLY: 0x800,
  OPT_STATS: 0x1000,
  OPT_PKTINFO: 0x2000,
  OPT_TX_SWHW: 0x4000,
  BIND_PHC: 0x8000,
  OPT_ID_TCP: 0x1_0000,
  OPT_RX_FILTER: 0x2_0000,
} as const;
const SOF_MASK = 0x3_ffff;
/** What can be asked for call by call (SOF_TIMESTAMPING_TX_RECORD_MASK). */
export const SOF_TX_RECORD: number = SOF.TX_HARDWARE | SOF.TX_SOFTWARE | SOF.TX_SCHED | SOF.TX_ACK;

/** ee_info of a time stamp: where it was taken (SCM_TSTAMP_*). */
export const SCM_TSTAMP = { SND: 0, SCHED: 1, ACK: 2 } as const;

/** Bits of SkBuff.txFlags (SKBTX_SW_TSTAMP, SKBTX_SCHED_TSTAMP). */
export const TX_FLAG = { SOFTWARE: 1, SCHED: 2 } as const;

/** The flags of an sk_buff for what was asked (sock_tx_timestamp). */
export function txFlagsOf(timestamping: number): number {
  return (
    ((timestamping & SOF.TX_SOFTWARE) !== 0 ? TX_FLAG.SOFTWARE : 0) |
    ((timestamping & SOF.TX_SCHED) !== 0 ? TX_FLAG.SCHED : 0)
  );
}

/** What holds for one call: the socket's, with the record bits of a control message in place of its own. */
export function timestampingOf(sk: Sock, own: number | undefined): number {
  return own === undefined ? sk.timestamping : (sk.timestamping & ~SOF_TX_RECORD) | own;
}

/** SO_TIMESTAMPING; `start` is what OPT_ID counts from, or EINVAL where the socket has nothing to count yet. */
export function setTimestamping(sk: Sock, value: number): Errno | undefined {
  if ((value & ~SOF_MASK) !== 0) return 'EINVAL';
  if ((value & SOF.OPT_ID_TCP) !== 0 && (value & SOF.OPT_ID) === 0) return 'EINVAL';
  if ((value & SOF.OPT_ID) !== 0 && (sk.timestamping & SOF.OPT_ID) === 0) {
    const start = sk.proto.timestampStart?.(sk, (value & SOF.OPT_ID_TCP) !== 0) ?? 0;
    if (typeof start === 'string') return start;
    sk.timestampKey = start;
  }
  if ((value & SOF.OPT_STATS) !== 0 && (value & SOF.OPT_TSONLY) === 0) return 'EINVAL';
  // No card here has a clock to bind to.
  if ((value & SOF.BIND_PHC) !== 0) return 'EINVAL';
  sk.timestamping = value;
  return undefined;
}

/** Mark a datagram for what was asked; with OPT_ID it takes the next number. */
export function markDatagram(sk: Sock, skb: SkBuff, timestamping: number): void {
  const flags = txFlagsOf(timestamping);
  if (flags === 0) return;
  skb.txFlags = flags;
  if ((timestamping & SOF.OPT_ID) !== 0) {
    skb.timestampKey = sk.timestampKey;
    sk.timestampKey = (sk.timestampKey + 1) >>> 0;
  }
}

/** Tell the sender that `skb` got as far as `type`; the skb stays the caller's. (Linux: __skb_tstamp_tx) */
export function txTimestamp(host: Host, skb: SkBuff, sk: Sock, type: number): void {
  const { timestamping } = sk;
  const only = (timestamping & SOF.OPT_TSONLY) !== 0;
  if (!only && host.core.tstampAllowData.value === 0) return;
  const stream = sk.type === 'stream';
  const numbered = (timestamping & SOF.OPT_ID) !== 0;
  const data = !numbered ? 0 : stream ? (skb.timestampKey - sk.timestampKey) >>> 0 : skb.timestampKey;
  const payload = new Uint8Array(only ? 0 : skb.length);
  if (!only) skb.copyBits(0, payload.length, payload, 0);
  const stats = only && stream && (timestamping & SOF.OPT_STATS) !== 0 ? sk.proto.timestampStats?.(sk) : undefined;
  queueError(sk, {
    extended: {
      errno: 'ENOMSG',
      origin: ERROR_ORIGIN.TIMESTAMPING,
      type: 0,
      code: 0,
      info: type,
      data,
      offender: NOBODY,
    },
    to: undefined,
    payload,
    timestamp: host.clock.now(),
    cause: skb.cause,
    ...(stats === undefined ? {} : { stats }),
    ...(!only && (timestamping & SOF.OPT_CMSG) !== 0 ? packetInfo(skb) : {}),
  });
}

const NOBODY = 0 as Ipv4;

/** IP_PKTINFO of a packet that leaves: its source, and the device. (ipv4_datagram_support_cmsg) */
function packetInfo(skb: SkBuff): { target: Ipv4; ifindex: number } | undefined {
  if (skb.ifindex === 0 || skb.networkHeader === 0) return undefined;
  return { target: skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4, ifindex: skb.ifindex };
}

/** A packet enters the queue of its device (SCM_TSTAMP_SCHED, in __dev_queue_xmit). */
export function schedTimestamp(host: Host, skb: SkBuff): void {
  skb.txFlags &= ~TX_FLAG.SCHED;
  if (skb.owner instanceof Sock) txTimestamp(host, skb, skb.owner, SCM_TSTAMP.SCHED);
}

/** A packet is given to the driver (skb_tx_timestamp). */
export function sendTimestamp(host: Host, skb: SkBuff): void {
  skb.txFlags &= ~TX_FLAG.SOFTWARE;
  if (skb.owner instanceof Sock) txTimestamp(host, skb, skb.owner, SCM_TSTAMP.SND);
}
