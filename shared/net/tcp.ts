/**
 * TCP (RFC 9293): the operations of its sockets. Read next, along the path of a segment:
 *
 *   tcp.ts           socket operations: bind, connect, send, receive, poll, close   tcp-sockopt.ts  their options
 *   tcp-connect.ts   active open, ports      tcp-listen.ts, tcp-check-req.ts, tcp-child.ts  passive open    tcp-syn-sent.ts  SYN-SENT
 *   tcp-syncookies.ts  handshakes that are not remembered                                 tcp-md5.ts  RFC 2385
 *   tcp-output.ts    what may be sent        tcp-transmit.ts  one segment to IP           tcp-queue.ts  cutting, freeing
 *   tcp-ipv4.ts      in from IP, ICMP        tcp-validate.ts, tcp-input.ts  the states    tcp-receive.ts  data, SACK out
 *   tcp-ack.ts       acknowledgements        tcp-sack.ts  scoreboard                      tcp-loss.ts  recovery, undo
 *   tcp-recovery.ts  RACK and TLP            tcp-retransmit.ts  sending again             tcp-timer.ts  time-outs
 *   tcp-congestion.ts, tcp-cubic.ts  cwnd    tcp-rtt.ts  RTO                              tcp-window.ts, tcp-rcvbuf.ts
 *   tcp-close.ts     FIN, RST, orphans       tcp-minisocks.ts  TIME-WAIT                  tcp-reply.ts  without a sock
 *   tcp-fastopen.ts, tcp-fastopen-client.ts, tcp-fastopen-send.ts  RFC 7413              tcp-metrics.ts  destinations
 *   tcp-ecn.ts, tcp-accecn.ts  RFC 3168 and RFC 9768
 *   tcp-sock.ts      the state               tcp-host.ts  tables                          tcp-info.ts  what ss shows
 */
import { IPV4_ANY } from '../header/address.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { TCP_FLAG } from '../header/tcp.ts';
import type { Errno, Result } from './errno.ts';
import type { Host } from './host.ts';
import type { SocketRecord } from './netlink.ts';
import { addressType } from './route.ts';
import { MSG, POLL, type Proto, type ReceivedMessage, type SockAddress, type SocketType } from './sock.ts';
import { streamWritable } from './tcp-ack.ts';
import { shutdownWrite, tcpClose, tcpDisconnect } from './tcp-close.ts';
import { bindPort, tcpConnect } from './tcp-connect.ts';
import { setTcpOf, Tcp, tcpOf } from './tcp-host.ts';
import { listTcp } from './tcp-info.ts';
import { tcpError, tcpReceive } from './tcp-ipv4.ts';
import { acceptNext, startListening } from './tcp-listen.ts';
import { tcpMetricsInit } from './tcp-metrics.ts';
import { procNetTcp } from './tcp-proc.ts';
import { epollinReady } from './tcp-receive.ts';
import { recvmsg } from './tcp-recvmsg.ts';
import { segmentOf } from './tcp-segment.ts';
import { sendmsg, sendmsgEnd, tsqTasklet } from './tcp-sendmsg.ts';
import { stateIs, TcpSock, URG } from './tcp-sock.ts';
import { getTcpOption, setTcpOption } from './tcp-sockopt.ts';
import { timerHandlers } from './tcp-timer.ts';
import { timestampStart, timestampStats } from './tcp-timestamping.ts';

/** Ports below are for the system's services; every program here may bind them. */
function bind(sk: TcpSock, address: SockAddress): Errno | undefined {
  if (sk.state !== 'CLOSE' || sk.bucket !== undefined) return 'EINVAL';
  const kind = addressType(sk.host, address.address);
  const foreign = kind !== 'local' && kind !== 'broadcast' && kind !== 'multicast';
  if (address.address !== IPV4_ANY && foreign && sk.host.nonlocalBind.value === 0) {
    return 'EADDRNOTAVAIL';
  }
  // IP_BIND_ADDRESS_NO_PORT: connect() finds one, which others to elsewhere may have as well.
  const noPort = address.port === 0 && sk.plainOptions.get('IP_BIND_ADDRESS_NO_PORT') === 1;
  const error = noPort ? undefined : bindPort(sk, address.address, address.port);
  if (error !== undefined) return error;
  sk.localAddress = address.address;
  sk.addressLocked = address.address !== IPV4_ANY;
  sk.portLocked = address.port !== 0;
  return undefined;
}

function listen(sk: TcpSock, backlog: number): Errno | undefined {
  if (sk.state === 'CLOSE' && sk.bucket === undefined) {
    const error = bindPort(sk, sk.localAddress, 0);
    if (error !== undefined) return error;
  }
  return startListening(sk, backlog);
}

/** inet_stream_connect: what connect(2) means in each state. */
export function streamConnect(sk: TcpSock, address: SockAddress): Errno | undefined {
  if (sk.socketState === 'connected') return 'EISCONN';
  if (sk.socketState === 'connecting') {
    if (stateIs(sk, 'SYN_SENT', 'SYN_RECV')) return sk.deferConnect ? 'EISCONN' : 'EALREADY';
    return connectEnded(sk);
  }
  if (sk.state !== 'CLOSE') return 'EISCONN';
  if (address.port === 0) return 'ECONNREFUSED';
  sk.shutdownRead = sk.shutdownWrite = false;
  const answer = tcpConnect(sk, address);
  if (answer === 'EINPROGRESS' || answer === undefined) sk.socketState = 'connecting';
  return answer;
}

/** The program asks how its connect() went: there it is, or what went wrong, and then it may try again. */
function connectEnded(sk: TcpSock): Errno | undefined {
  if (sk.state !== 'CLOSE') {
    sk.socketState = 'connected';
    return undefined;
  }
  const error = sk.takeError() ?? 'ECONNABORTED';
  tcpDisconnect(sk);
  return error;
}

function shutdown(sk: TcpSock, how: 'read' | 'write' | 'both'): Errno | undefined {
  if (sk.state === 'CLOSE') {
    // Refused, but whoever polls for the end hears of it (inet_shutdown).
    if (how !== 'write') sk.shutdownRead = true;
    if (how !== 'read') sk.shutdownWrite = true;
    sk.tcp.wake(sk);
    return 'ENOTCONN';
  }
  if (sk.state === 'LISTEN') {
    if (how !== 'write') tcpDisconnect(sk);
    return undefined;
  }
  if (sk.state === 'SYN_SENT') {
    tcpDisconnect(sk);
    return undefined;
  }
  if (how !== 'write') sk.shutdownRead = true;
  if (how !== 'read') shutdownWrite(sk);
  sk.tcp.wake(sk);
  return undefined;
}

/** Enough to read for SO_RCVLOWAT; an urgent octet that is next is not read in line. */
function readable(sk: TcpSock): boolean {
  const urgentNext = sk.urgData !== URG.NONE && sk.urgSeq === sk.copiedSeq && !sk.urgInline ? 1 : 0;
  return epollinReady(sk, sk.rcvlowat + urgentNext);
}

/** (Linux: tcp_poll) */
function poll(sk: TcpSock): number {
  if (sk.state === 'LISTEN') return (sk.accept?.ready.length ?? 0) > 0 ? POLL.IN : 0;
  let mask = 0;
  if ((sk.shutdownRead && sk.shutdownWrite) || sk.state === 'CLOSE') mask |= POLL.HUP;
  if (sk.shutdownRead) mask |= POLL.IN | POLL.RDHUP;
  if (sk.state !== 'SYN_SENT' && (sk.state !== 'SYN_RECV' || sk.fastopenRsk !== undefined)) {
    if (readable(sk)) mask |= POLL.IN;
    if ((sk.urgData & URG.VALID) !== 0) mask |= POLL.PRI;
    if (sk.shutdownWrite) mask |= POLL.OUT;
    else if (streamWritable(sk)) mask |= POLL.OUT;
    else sk.noSpace = true;
  } else if (sk.deferConnect) mask |= POLL.OUT;
  if (sk.error !== undefined || sk.errorQueue.length > 0) mask |= POLL.ERR;
  return mask;
}

/** (Linux: tcp_ioctl) */
function ioctl(sk: TcpSock, request: string): Result<number> {
  if (sk.state === 'LISTEN') return 'EINVAL';
  switch (request) {
    case 'SIOCINQ':
    case 'FIONREAD': {
      if (stateIs(sk, 'SYN_SENT', 'SYN_RECV')) return 0;
      const toMark = (sk.urgSeq - sk.copiedSeq) | 0;
      if (sk.urgData !== 0 && !sk.urgInline && toMark >= 0 && ((sk.rcvNxt - sk.urgSeq) | 0) > 0) return toMark;
      const last = sk.receiveQueue[sk.receiveQueue.length - 1];
      // A FIN is not data.
      const fin = last !== undefined && (segmentOf(last).flags & TCP_FLAG.FIN) !== 0 ? 1 : 0;
      const count = (sk.rcvNxt - sk.copiedSeq) | 0;
      return Math.max(0, count - (sk.receiveQueue.length > 0 ? fin : count));
    }
    case 'SIOCOUTQ':
      return stateIs(sk, 'SYN_SENT', 'SYN_RECV') ? 0 : (sk.writeSeq - sk.sndUna) >>> 0;
    case 'SIOCOUTQNSD':
      return stateIs(sk, 'SYN_SENT', 'SYN_RECV') ? 0 : (sk.writeSeq - sk.sndNxt) >>> 0;
    case 'SIOCATMARK':
      return sk.urgData !== 0 && sk.urgSeq === sk.copiedSeq ? 1 : 0;
    default:
      return 'EINVAL';
  }
}

/** Run an operation as one piece of kernel work: programs are woken when it is over. */
function inKernel<T>(sk: TcpSock, work: () => T): T {
  sk.tcp.enter();
  try {
    return work();
  } finally {
    sk.tcp.leave();
  }
}

export const tcpProto: Proto = {
  name: 'TCP',
  create: (host: Host, _type: SocketType, _protocol: number) => tcpOf(host).newSock(),
  bind: (sk, address) => bind(sk as TcpSock, address),
  listen: (sk, backlog) => listen(sk as TcpSock, backlog),
  connect: (sk, address) => inKernel(sk as TcpSock, () => streamConnect(sk as TcpSock, address)),
  disconnect: (sk) =>
    inKernel(sk as TcpSock, () => {
      tcpDisconnect(sk as TcpSock);
      return undefined;
    }),
  accept: (sk) => acceptNext(sk as TcpSock),
  sendmsg(sk, bytes, options) {
    const { tcp } = sk as TcpSock;
    tcp.enter();
    const sent = sendmsg(sk as TcpSock, bytes, options);
    tcp.leave();
    return sent;
  },
  sendmsgEnd: (sk, options) => inKernel(sk as TcpSock, () => sendmsgEnd(sk as TcpSock, options)),
  recvmsg(sk, into, flags): Result<ReceivedMessage> {
    const { tcp } = sk as TcpSock;
    tcp.enter();
    const received = recvmsg(sk as TcpSock, into, flags);
    tcp.leave();
    return received;
  },
  writeConnects: (sk, flags) => (flags & MSG.FASTOPEN) !== 0 || (sk as TcpSock).deferConnect,
  handshaking: (sk) => stateIs(sk as TcpSock, 'SYN_SENT', 'SYN_RECV') && (sk as TcpSock).socketState === 'connecting',
  shutdown: (sk, how) => inKernel(sk as TcpSock, () => shutdown(sk as TcpSock, how)),
  lingers: (sk) => stateIs(sk as TcpSock, 'FIN_WAIT1', 'CLOSING', 'LAST_ACK'),
  close: (sk) => inKernel(sk as TcpSock, () => tcpClose(sk as TcpSock)),
  poll: (sk) => poll(sk as TcpSock),
  setsockopt: (sk, level, name, value) =>
    inKernel(sk as TcpSock, () => setTcpOption(sk as TcpSock, level, name, value)),
  getsockopt: (sk, level, name) => getTcpOption(sk as TcpSock, level, name),
  ioctl: (sk, request) => ioctl(sk as TcpSock, request),
  peerKnown: (sk) => sk.remotePort !== 0 && !stateIs(sk as TcpSock, 'CLOSE', 'SYN_SENT'),
  timestampStart: (sk, written) => timestampStart(sk as TcpSock, written),
  timestampStats: (sk) => timestampStats(sk as TcpSock),
};

/** Make TCP part of a host: protocol 6, its sockets, sysctls, listings. */
export function tcpInit(host: Host): void {
  if (host.protocols.has(PROTOCOL.TCP)) return;
  const tcp = new Tcp(host, {
    tsqTasklet,
    newSock: (owner) => {
      const sk = new TcpSock(host, tcpProto, owner, timerHandlers);
      owner.socks.add(sk);
      return sk;
    },
  });
  setTcpOf(host, tcp);
  host.protocols.set(PROTOCOL.TCP, {
    receive: (_host, skb) => tcpReceive(tcp, skb),
    error: (_host, skb, info) => tcpError(tcp, skb, info),
  });
  host.sockets.register({ family: 'inet', type: 'stream', protocol: PROTOCOL.TCP, proto: tcpProto });
  host.sockDiag.register('tcp', () => listTcp(tcp));
  tcpMetricsInit(host, tcp.metrics);
  host.procfs.register('/proc/net/tcp', () => procNetTcp(tcp));
  host.procfs.register(
    '/sys/module/tcp_cubic/parameters/hystart_detect',
    () => `${tcp.hystartDetect}\n`,
    (text) => {
      if (!/^\s*\d+\s*$/.test(text)) return 'EINVAL';
      tcp.hystartDetect = Number(text);
      return undefined;
    },
  );
}

/** Every TCP socket of a host with its tcp_info, for SOCK_DIAG. */
export function tcpSockets(host: Host): SocketRecord[] {
  return listTcp(tcpOf(host));
}
