/** ICMP (RFC 792, RFC 1122 §3.2.2, RFC 1191 for the MTU in "fragmentation needed"). */
export const ICMP = {
  TYPE: 0,
  CODE: 1,
  CHECKSUM: 2,
  /** id and sequence, MTU, gateway, pointer: by type */ REST: 4,
  ID: 4,
  SEQUENCE: 6,
  MTU: 6,
  GATEWAY: 4,
  SIZE: 8,
} as const;

export const ICMP_TYPE = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
  TIMESTAMP: 13,
  TIMESTAMP_REPLY: 14,
} as const;

/** Codes of type 3. */
export const UNREACHABLE = {
  NET: 0,
  HOST: 1,
  PROTOCOL: 2,
  PORT: 3,
  FRAGMENTATION_NEEDED: 4,
  SOURCE_ROUTE_FAILED: 5,
  NET_UNKNOWN: 6,
  HOST_UNKNOWN: 7,
  HOST_ISOLATED: 8,
  NET_PROHIBITED: 9,
  HOST_PROHIBITED: 10,
  NET_TOS: 11,
  HOST_TOS: 12,
  FILTERED: 13,
  PRECEDENCE: 14,
  PRECEDENCE_CUTOFF: 15,
} as const;

/** Codes of type 11. */
export const TIME_EXCEEDED = { TTL: 0, REASSEMBLY: 1 } as const;
/** Codes of type 5. */
export const REDIRECT = { NET: 0, HOST: 1 } as const;

/** Whether a message is an error: no error is ever sent about one (RFC 1122 §3.2.2). Unknown types count as errors. */
export function isIcmpError(type: number): boolean {
  switch (type) {
    case ICMP_TYPE.ECHO_REPLY:
    case ICMP_TYPE.ECHO_REQUEST:
    case ICMP_TYPE.TIMESTAMP:
    case ICMP_TYPE.TIMESTAMP_REPLY:
      return false;
    default:
      return true;
  }
}
