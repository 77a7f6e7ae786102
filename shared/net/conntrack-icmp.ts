/** ICMP questions and answers as flows (Linux: nf_conntrack_proto_icmp.c). */
import { ICMP_TYPE } from '../header/icmp.ts';
import type { Conntrack, CtInfo } from './conntrack.ts';

/** A flow begins with a question; an answer to nothing is invalid. */
export function trackIcmp(flow: Conntrack, info: CtInfo): boolean {
  if (info.state !== 'new' || flow.confirmed) return true;
  const type = flow.original.key.targetPort >>> 8;
  return type === ICMP_TYPE.ECHO_REQUEST || type === ICMP_TYPE.TIMESTAMP;
}
