/**
 * The error queue of a socket: ICMP errors about what it sent (IP_RECVERR), errors of our own about it, time stamps of
 * packets that left, and calls whose octets are no longer needed (MSG_ZEROCOPY); read by recvmsg with MSG_ERRQUEUE
 * (Linux: sock_queue_err_skb, sock_dequeue_err_skb in net/core/skbuff.c; ip_recv_error, ip_local_error in ip_sockglue.c).
 * What is queued costs the socket receive memory; when that is full, it is lost. Left out: IP_RECVERR_RFC4884.
 */
import type { Ipv4 } from '../header/address.ts';
import type { Errno, Result } from './errno.ts';
import { ERROR_ORIGIN, type ExtendedError, MSG, type ReceivedMessage, type Sock, type SockAddress } from './sock.ts';
import { SOF } from './timestamping.ts';

/** SKB_TRUESIZE of an sk_buff with no octets: the sk_buff and its shared info. */
const ERROR_OVERHEAD_BYTES = 768;

export interface QueuedError {
  readonly extended: ExtendedError;
  /** Where the packet that it is about was going; undefined when that is not told (msg_name). */
  readonly to: SockAddress | undefined;
  readonly payload: Uint8Array;
  /** Lab time when it was queued, 0 for none. */
  readonly timestamp: number;
  readonly cause: number;
  readonly stats?: Readonly<Record<string, number>>;
  /** IP_PKTINFO: of the packet that brought the news, or (with OPT_CMSG) of the one that left. */
  readonly target?: Ipv4;
  readonly ifindex?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Charged to the socket's option memory instead (sock_omalloc). */
  readonly optionBytes?: number;
}

function truesizeOf(error: QueuedError): number {
  return ERROR_OVERHEAD_BYTES + error.payload.length;
}

function uncharge(sk: Sock, error: QueuedError): void {
  if (error.optionBytes !== undefined) sk.optionMemory -= error.optionBytes;
  else sk.receiveMemory -= truesizeOf(error);
}

/** Queue it, or lose it when the socket has no memory left; false then. (Linux: sock_queue_err_skb) */
export function queueError(sk: Sock, error: QueuedError): boolean {
  const size = truesizeOf(error);
  if (sk.receiveMemory + size >= sk.rcvbuf) {
    sk.drops++;
    return false;
  }
  sk.receiveMemory += size;
  sk.errorQueue.push(error);
  sk.reportError();
  return true;
}

/** Our own refusal of a packet, for a program that asked to hear of errors. (Linux: ip_local_error) */
export function queueLocalError(sk: Sock, errno: Errno, to: SockAddress, info: number): void {
  if (!sk.receiveErrors) return;
  const extended = { errno, origin: ERROR_ORIGIN.LOCAL, type: 0, code: 0, info, data: 0, offender: 0 as Ipv4 };
  queueError(sk, { extended, to, payload: NOTHING, timestamp: 0, cause: sk.cause });
}

const NOTHING = new Uint8Array(0);

function fromIcmp(error: QueuedError | undefined): boolean {
  return error !== undefined && error.extended.origin === ERROR_ORIGIN.ICMP;
}

/** The oldest; the ICMP error that is next in line becomes the pending one. (Linux: sock_dequeue_err_skb) */
function dequeueError(sk: Sock): QueuedError | undefined {
  const error = sk.errorQueue.shift();
  if (error === undefined) return undefined;
  uncharge(sk, error);
  const next = sk.errorQueue[0];
  if (fromIcmp(next)) sk.error = next?.extended.errno;
  else if (fromIcmp(error)) sk.error = undefined;
  if (next !== undefined) sk.reportError();
  return error;
}

/** recvmsg with MSG_ERRQUEUE; never waits. (Linux: ip_recv_error) */
export function receiveError(sk: Sock, into: Uint8Array): Result<ReceivedMessage> {
  const error = dequeueError(sk);
  if (error === undefined) return 'EAGAIN';
  const { extended, payload, timestamp } = error;
  const length = Math.min(payload.length, into.length);
  into.set(payload.subarray(0, length));
  sk.cause = error.cause;
  const message: ReceivedMessage = {
    length,
    flags: MSG.ERRQUEUE | (length < payload.length ? MSG.TRUNC : 0),
    extendedError: extended,
  };
  if (error.to !== undefined) message.from = error.to;
  if (sk.timestamps !== 'off') message.timestamp = timestamp || sk.host.clock.now();
  if ((sk.timestamping & SOF.SOFTWARE) !== 0 && timestamp !== 0) message.softwareTimestamp = timestamp;
  if (error.stats !== undefined) message.timestampStats = error.stats;
  if (sk.packetInfo && error.target !== undefined) {
    message.target = error.target;
    message.ifindex = error.ifindex ?? 0;
  }
  if (sk.receiveTtl && error.ttl !== undefined) message.ttl = error.ttl;
  if (sk.receiveTos && error.tos !== undefined) message.tos = error.tos;
  return message;
}

/** What waits in the queue and is charged to receive memory. */
export function errorMemoryOf(sk: Sock): number {
  let sum = 0;
  for (const error of sk.errorQueue) if (error.optionBytes === undefined) sum += truesizeOf(error);
  return sum;
}

/** The socket goes: nobody will ask (skb_queue_purge of sk_error_queue). */
export function purgeErrors(sk: Sock): void {
  for (const error of sk.errorQueue) uncharge(sk, error);
  sk.errorQueue.length = 0;
}
