/** What Fast Open keeps in sockets and in the host (RFC 7413); used by tcp-fastopen.ts and tcp-fastopen-client.ts. */
import { FastopenCookie } from './tcp-fastopen-cookie.ts';
import type { RequestSock } from './tcp-listen.ts';

/** Bits of net.ipv4.tcp_fastopen (TFO_*). */
export const TFO = {
  CLIENT_ENABLE: 1,
  SERVER_ENABLE: 2,
  CLIENT_NO_COOKIE: 4,
  SERVER_COOKIE_NOT_REQD: 0x200,
  SERVER_WO_SOCKOPT1: 0x400,
} as const;

/** Why Fast Open did not work, as tcpi_fastopen_client_fail says it (enum tcp_fastopen_client_fail). */
export const TFO_FAIL = { NONE: 0, COOKIE_UNAVAILABLE: 1, DATA_NOT_ACKED: 2, SYN_RETRANSMITTED: 3 } as const;

/** How many children of a listener may be without their ACK (struct fastopen_queue). */
export class FastopenQueue {
  /** What TCP_FASTOPEN said, bounded by somaxconn; 0: no Fast Open. */
  max = 0;
  length = 0;
  /** Requests that a RST ended, oldest first, each until its time. */
  readonly aborted: RequestSock[] = [];
}

/** One attempt under way (struct tcp_fastopen_request). */
export class FastopenRequest {
  readonly cookie = new FastopenCookie();
  /** What the program gave; undefined when all of it is in the SYN, or there was nothing. */
  bytes: Uint8Array | undefined;
  readonly size: number;
  /** Octets that went into the SYN. */
  copied = 0;

  constructor(bytes: Uint8Array | undefined) {
    this.bytes = bytes;
    this.size = bytes?.length ?? 0;
    this.cookie.length = 0;
  }
}

/** Black holes seen on this host (tfo_active_disable_*). */
export class FastopenBlackhole {
  times = 0;
  stamp = 0;
}
