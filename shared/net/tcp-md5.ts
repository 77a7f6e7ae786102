/**
 * Signed segments (RFC 2385; Linux: TCP_MD5SIG): every segment of a connection with a key carries an MD5 over pseudo header,
 * header without options, data and key; others are dropped. Keys are kept by peer, longest prefix first. Left out: TCP-AO.
 */
import { type Ipv4, networkOf } from '../header/address.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { TCP } from '../header/tcp.ts';
import { MD5_ALIGNED, MD5_DIGEST, type TcpOptions } from '../header/tcp-options.ts';
import type { DropReason } from './drop.ts';
import type { Errno } from './errno.ts';
import { md5 } from './md5.ts';
import type { SkBuff } from './skbuff.ts';
import type { Tcp } from './tcp-host.ts';
import type { TcpSock } from './tcp-sock.ts';

/** TCP_MD5SIG_MAXKEYLEN. */
const KEY_BYTES_MAX = 80;
/** Keys of one socket: each may be for a network. */
const KEYS_MAX = 1_024;
const PSEUDO_HEADER = 12;

export interface Md5Key {
  readonly address: Ipv4;
  readonly prefix: number;
  /** 0: on any interface. */
  readonly ifindex: number;
  readonly key: Uint8Array;
}

/** TCP_MD5SIG and TCP_MD5SIG_EXT: a key for a peer or a network; an empty one takes it away. (tcp_v4_parse_md5_keys) */
export function setMd5Key(sk: TcpSock, wanted: Md5Key): Errno | undefined {
  const { address, prefix, ifindex, key } = wanted;
  if (prefix < 0 || prefix > 32 || key.length > KEY_BYTES_MAX) return 'EINVAL';
  const same = (other: Md5Key): boolean =>
    other.prefix === prefix &&
    other.ifindex === ifindex &&
    networkOf(other.address, prefix) === networkOf(address, prefix);
  const rest = sk.md5Keys.filter((other) => !same(other));
  if (key.length === 0) {
    if (rest.length === sk.md5Keys.length) return 'ENOENT';
    sk.md5Keys = rest;
    return undefined;
  }
  if (rest.length >= KEYS_MAX) return 'ENOMEM';
  sk.md5Keys = [...rest, { ...wanted, key: key.slice() }];
  sk.tcp.md5Needed = true;
  return undefined;
}

/** The key for a peer: of the longest prefix, and one for the interface before one for all (tcp_md5_do_lookup). */
export function md5KeyFor(sk: TcpSock, peer: Ipv4, ifindex = 0): Md5Key | undefined {
  if (!sk.tcp.md5Needed) return undefined;
  let best: Md5Key | undefined;
  for (const key of sk.md5Keys) {
    if (key.ifindex !== 0 && key.ifindex !== ifindex) continue;
    if (networkOf(peer, key.prefix) !== networkOf(key.address, key.prefix)) continue;
    const better = best === undefined || key.prefix > best.prefix;
    if (better || (key.prefix === best?.prefix && key.ifindex !== 0)) best = key;
  }
  return best;
}

/** Octets of options that signing takes from every segment. */
export function md5OptionSize(sk: TcpSock): number {
  return md5KeyFor(sk, sk.remoteAddress, sk.boundIfindex) === undefined ? 0 : MD5_ALIGNED;
}

/** MD5 of a segment whose TCP header is at `at`, up to the packet's end (tcp_v4_md5_hash_skb). */
function digestOf(skb: SkBuff, at: number, ends: { source: Ipv4; target: Ipv4 }, key: Uint8Array): Uint8Array {
  const { view } = skb;
  const headerLength = (view.getUint8(at + TCP.OFFSET) >>> 4) * 4;
  const before = at - skb.data;
  const length = skb.length - before;
  const payload = length - headerLength;
  const bytes = new Uint8Array(PSEUDO_HEADER + TCP.SIZE + payload + key.length);
  const out = new DataView(bytes.buffer);
  out.setUint32(0, ends.source);
  out.setUint32(4, ends.target);
  out.setUint16(8, PROTOCOL.TCP);
  out.setUint16(10, length);
  skb.copyBits(before, TCP.SIZE, bytes, PSEUDO_HEADER);
  out.setUint16(PSEUDO_HEADER + TCP.CHECKSUM, 0);
  if (payload > 0) skb.copyBits(before + headerLength, payload, bytes, PSEUDO_HEADER + TCP.SIZE);
  bytes.set(key, PSEUDO_HEADER + TCP.SIZE + payload);
  return md5(bytes);
}

/** Write the digest where the options left room for it; the header is complete but for its checksum. */
export function signSegment(skb: SkBuff, o: TcpOptions, ends: { source: Ipv4; target: Ipv4 }, key: Md5Key): void {
  const digest = digestOf(skb, skb.transportHeader, ends, key.key);
  skb.bytes.set(digest, o.md5At);
}

/** Whether a segment is signed as it should be; else why it is dropped. (Linux: tcp_inbound_hash) */
export function md5Refuses(sk: TcpSock, skb: SkBuff, ends: { source: Ipv4; target: Ipv4 }): DropReason | undefined {
  const { tcp } = sk;
  const o = tcp.received;
  if (!tcp.md5Needed && o.md5At < 0) return undefined;
  const { snmp } = tcp.host;
  const key = md5KeyFor(sk, ends.source, skb.ifindex);
  if (o.md5At < 0) {
    if (key === undefined) return undefined;
    snmp.TcpExtTCPMD5NotFound++;
    return 'tcp_md5_not_found';
  }
  if (key === undefined) {
    snmp.TcpExtTCPMD5Unexpected++;
    return 'tcp_md5_unexpected';
  }
  if (matches(skb, o.md5At, ends, key)) return undefined;
  snmp.TcpExtTCPMD5Failure++;
  return 'tcp_md5_failure';
}

function matches(skb: SkBuff, at: number, ends: { source: Ipv4; target: Ipv4 }, key: Md5Key): boolean {
  const digest = digestOf(skb, skb.transportHeader, ends, key.key);
  for (let i = 0; i < MD5_DIGEST; i++) if (skb.view.getUint8(at + i) !== digest[i]) return false;
  return true;
}

/**
 * The key to sign a RST with for a segment that found no connection: that of a listener, if it signed the segment. 'none' when the segment is signed by nobody that we know: it gets no answer. (Linux: tcp_v4_send_reset)
 */
export function resetKey(tcp: Tcp, skb: SkBuff, ends: { source: Ipv4; target: Ipv4 }): Md5Key | 'none' | undefined {
  if (tcp.received.md5At < 0) return undefined;
  // Both ends of such connections listen on the same port: an end that lost one knows the key by its own listener.
  const port = skb.view.getUint16(skb.transportHeader + TCP.SOURCE_PORT);
  const listener = tcp.listener(ends.target, port, skb.ifindex);
  const key = listener === undefined ? undefined : md5KeyFor(listener, ends.source, skb.ifindex);
  if (key === undefined) return 'none';
  return matches(skb, tcp.received.md5At, ends, key) ? key : 'none';
}
