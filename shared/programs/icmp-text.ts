/** ICMP messages in ping's words (iputils ping.c, pr_icmph). */
import { ICMP_TYPE } from '../header/icmp.ts';

const UNREACHABLE_TEXT: readonly string[] = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  'Frag needed and DF set',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Prohibited',
  'Destination Host Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Packet filtered',
  'Precedence Violation',
  'Precedence Cutoff',
];

const REDIRECT_TEXT: readonly string[] = [
  'Redirect Network',
  'Redirect Host',
  'Redirect Type of Service and Network',
  'Redirect Type of Service and Host',
];

/** One line without its end. `info`: the MTU or the pointer, by type. */
export function icmpText(type: number, code: number, info: number): string {
  switch (type) {
    case ICMP_TYPE.ECHO_REPLY:
      return 'Echo Reply';
    case ICMP_TYPE.UNREACHABLE:
      if (code === 4) return `Frag needed and DF set (mtu = ${info})`;
      return UNREACHABLE_TEXT[code] ?? `Dest Unreachable, Bad Code: ${code}`;
    case ICMP_TYPE.SOURCE_QUENCH:
      return 'Source Quench';
    case ICMP_TYPE.REDIRECT:
      return REDIRECT_TEXT[code] ?? `Redirect, Bad Code: ${code}`;
    case ICMP_TYPE.ECHO_REQUEST:
      return 'Echo Request';
    case ICMP_TYPE.TIME_EXCEEDED:
      if (code > 1) return `Time exceeded, Bad Code: ${code}`;
      return code === 0 ? 'Time to live exceeded' : 'Frag reassembly time exceeded';
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return `Parameter problem: pointer = ${info}`;
    case ICMP_TYPE.TIMESTAMP:
      return 'Timestamp';
    case ICMP_TYPE.TIMESTAMP_REPLY:
      return 'Timestamp Reply';
    default:
      return `Bad ICMP type: ${type}`;
  }
}
