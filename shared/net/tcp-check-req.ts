/**
 * A segment for a half-open connection (Linux: tcp_check_req): what SYN-RECEIVED is in a listener's table of request socks
 * (tcp-listen.ts), in the order of RFC 9293 §3.10.7.4.
 */
import { seqAfter, TCP_FLAG } from '../header/tcp.ts';
import type { SkBuff } from './skbuff.ts';
import { makeChild } from './tcp-child.ts';
import { tcpReset } from './tcp-close.ts';
import { ecnRequestOption, ecnSynAgain } from './tcp-ecn.ts';
import { removeFastopen } from './tcp-fastopen.ts';
import { dropRequest, type RequestSock, requestTimeout, resendSynAck } from './tcp-listen.ts';
import { inWindow } from './tcp-minisocks.ts';
import { sendRequestAck, sendResetFor } from './tcp-reply.ts';
import { segmentOf } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { oowRateLimited, pawsReject } from './tcp-validate.ts';

/** What became of a segment for a half-open connection. */
export type RequestAnswer = TcpSock | 'dropped' | 'reset';

/**
 * A segment for a half-open connection: its SYN again, the ACK that makes it a connection, or trouble. Answers the child
 * that is to go on with `skb`; otherwise the skb stays the caller's to drop. `fastopen` is the child that a Fast Open SYN
 * made already. (Linux: tcp_check_req)
 */
export function checkRequest(request: RequestSock, skb: SkBuff, fastopen?: TcpSock): RequestAnswer {
  const { tcp, listener } = request;
  const { snmp, clock } = tcp.host;
  const o = tcp.received;
  const segment = segmentOf(skb);
  const { seq, endSeq } = segment;
  let flags = segment.flags & (TCP_FLAG.RST | TCP_FLAG.SYN | TCP_FLAG.ACK);
  const rst = (flags & TCP_FLAG.RST) !== 0;
  const stamped = o.timestamps && request.tstampOk;
  const paws = stamped && pawsReject(request.tsRecent, request.tsRecentStamp, o.tsval, clock.now(), rst);
  if (seq === request.rcvIsn && flags === TCP_FLAG.SYN && !paws) {
    // The SYN again: our answer may have been lost.
    if (!oowRateLimited(request, segment)) {
      ecnSynAgain(request, segment);
      resendSynAck(request);
      if (fastopen === undefined) request.timer.arm(requestTimeout(request));
      else fastopen.totalRetrans++;
    }
    return 'dropped';
  }
  const acked = (flags & TCP_FLAG.ACK) !== 0;
  if (acked && fastopen === undefined && segment.ack !== (request.sntIsn + 1) >>> 0) return 'reset';
  if (paws || !inWindow(seq, endSeq, request.rcvNxt, (request.rcvNxt + request.rcvWnd) >>> 0)) {
    if (!rst && !oowRateLimited(request, segment)) sendRequestAck(request, fastopen?.sndNxt);
    if (paws) snmp.TcpExtPAWSEstab++;
    return 'dropped';
  }
  if (stamped && !seqAfter(seq, request.rcvNxt)) request.tsRecent = o.tsval;
  // The SYN in front of the window is cut off.
  if (seq === request.rcvIsn) flags &= ~TCP_FLAG.SYN;
  if ((flags & (TCP_FLAG.RST | TCP_FLAG.SYN)) !== 0) {
    if (rst && seq !== request.rcvNxt) {
      // Not exact: it may be forged (RFC 5961 §3.2).
      if (!oowRateLimited(request, segment)) sendRequestAck(request, fastopen?.sndNxt);
      return 'dropped';
    }
    snmp.TcpAttemptFails++;
    if (!rst) sendResetFor(tcp, skb);
    if (fastopen !== undefined) {
      if (rst) {
        removeFastopen(fastopen, true);
        tcpReset(fastopen);
      }
      return 'dropped';
    }
    dropRequest(request);
    snmp.TcpExtEmbryonicRsts++;
    return 'dropped';
  }
  if (!acked) return 'dropped';
  ecnRequestOption(request);
  if (fastopen !== undefined) return fastopen;
  if (request.timeouts < listener.deferAccept && endSeq === (request.rcvIsn + 1) >>> 0) {
    request.acked = true;
    snmp.TcpExtTCPDeferAcceptDrop++;
    return 'dropped';
  }
  const { accept } = listener;
  if (accept === undefined || accept.full) {
    snmp.TcpExtListenOverflows++;
    snmp.TcpExtListenDrops++;
    if (tcp.sysctl.abortOnOverflow.value !== 0) {
      sendResetFor(tcp, skb);
      dropRequest(request);
    } else request.acked = true;
    return 'dropped';
  }
  const child = makeChild(request, segment, skb.length - segment.headerLength);
  dropRequest(request);
  tcp.insert(child);
  accept.ready.push(child);
  return child;
}
