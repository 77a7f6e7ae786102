/** Connect and write in one call: MSG_FASTOPEN, or the first write after TCP_FASTOPEN_CONNECT (Linux: tcp_sendmsg_fastopen). */
import { isErrno, type Result } from './errno.ts';
import type { Route } from './route.ts';
import type { SockAddress } from './sock.ts';
import { streamConnect } from './tcp.ts';
import { routeTo, startConnect } from './tcp-connect.ts';
import { FastopenRequest, TFO } from './tcp-fastopen-state.ts';
import { stateIs, type TcpSock } from './tcp-sock.ts';

/** Begin the handshake, or find out how it stands. */
function connectWith(sk: TcpSock, to: SockAddress | undefined): Result<true> {
  if (sk.deferConnect) {
    const route = (sk.route as Route | undefined) ?? routeTo(sk, { address: sk.remoteAddress, port: sk.remotePort });
    return isErrno(route) ? route : startConnect(sk, route);
  }
  if (to === undefined && sk.socketState !== 'connecting') return 'EINVAL';
  return streamConnect(sk, to ?? { address: sk.remoteAddress, port: sk.remotePort }) ?? true;
}

/**
 * Octets that went with the SYN, or EINPROGRESS when none did and the handshake goes on; undefined when the connection is
 * there, and the write is one like others.
 */
export function sendmsgFastopen(
  sk: TcpSock,
  bytes: Uint8Array,
  to: SockAddress | undefined,
): Result<number> | undefined {
  if ((sk.tcp.sysctl.fastopen.value & TFO.CLIENT_ENABLE) === 0) return 'EOPNOTSUPP';
  if (sk.fastopenReq !== undefined) return 'EALREADY';
  const request = new FastopenRequest(bytes);
  sk.fastopenReq = request;
  const answer = connectWith(sk, to);
  sk.fastopenReq = undefined;
  sk.deferConnect = false;
  if (answer === true) return stateIs(sk, 'SYN_SENT') ? 'EINPROGRESS' : undefined;
  if (answer === 'EINPROGRESS' && request.copied > 0) return request.copied;
  return answer;
}
