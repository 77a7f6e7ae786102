/** One try at one server, for the tools that show answers: dig, nslookup, host. */
import type { Ipv4 } from '../header/address.ts';
import { type DnsMessage, decodeDns, encodeDns, type ResourceRecord } from '../header/dns.ts';
import { TYPE } from '../header/dns-type.ts';
import { isMalformed } from '../header/malformed.ts';
import type { Errno } from '../net/errno.ts';
import type { Syscalls } from '../net/syscalls.ts';
import type { Micros } from '../platform.ts';
import { at, connectStream, DnsDatagram, exchangeTcp } from './dns-socket.ts';
import { isReplyTo } from './stub.ts';

/** Records of a zone transfer that are kept. */
const TRANSFER_MAX = 100_000;

export interface Asking {
  readonly query: DnsMessage;
  readonly server: Ipv4;
  readonly port: number;
  readonly timeout: Micros;
}

export interface Got {
  readonly message: DnsMessage;
  /** Octets of the reply. */
  readonly size: number;
  readonly took: Micros;
  readonly tcp: boolean;
}

export interface NotGot {
  readonly failed: 'timeout' | 'unreachable';
  readonly errno: Errno | undefined;
}

export async function askOnce(sys: Syscalls, asking: Asking, tcp: boolean): Promise<Got | NotGot> {
  const target = at(asking.server, asking.port);
  const bytes = encodeDns(asking.query);
  const { timeout } = asking;
  let message: DnsMessage | undefined;
  const accept = (reply: Uint8Array): boolean => {
    const decoded = decodeDns(reply);
    if (isMalformed(decoded) || !isReplyTo(decoded, asking.query)) return false;
    message = decoded;
    return true;
  };
  let errno: Errno | undefined;
  const failed = (code: Errno): void => {
    errno = code;
  };
  const started = sys.clockGettime();
  let got: Uint8Array | 'timeout' | 'unreachable';
  if (tcp) {
    got = await exchangeTcp(sys, target, bytes, { timeout, accept, failed });
  } else {
    const socket = await DnsDatagram.open(sys, target, { failed });
    got = socket === undefined ? 'unreachable' : await socket.exchange(bytes, timeout, accept);
    errno ??= socket?.errno;
    socket?.close();
  }
  if (typeof got === 'string' || message === undefined) {
    return { failed: typeof got === 'string' ? got : 'timeout', errno };
  }
  return { message, size: got.length, took: sys.clockGettime() - started, tcp };
}

export interface Transferred {
  readonly records: readonly ResourceRecord[];
  readonly messages: number;
  readonly octets: number;
  readonly took: Micros;
}

/** AXFR: messages until the SOA comes again. No records: refused. */
export async function transferZone(sys: Syscalls, asking: Asking): Promise<Transferred | undefined> {
  const started = sys.clockGettime();
  const stream = await connectStream(sys, at(asking.server, asking.port), asking.timeout);
  if (typeof stream === 'string') return undefined;
  const records: ResourceRecord[] = [];
  let messages = 0;
  let octets = 0;
  try {
    await stream.send(encodeDns(asking.query));
    while (records.length < TRANSFER_MAX && records.filter((record) => record.type === TYPE.SOA).length < 2) {
      const bytes = await stream.next(asking.timeout);
      if (bytes === undefined || typeof bytes === 'string') break;
      const message = decodeDns(bytes);
      if (isMalformed(message) || message.answers.length === 0) break;
      records.push(...message.answers);
      messages++;
      octets += bytes.length;
    }
  } catch {
    // The server hung up: what came is what there is.
  } finally {
    stream.close();
  }
  return { records, messages, octets, took: sys.clockGettime() - started };
}
