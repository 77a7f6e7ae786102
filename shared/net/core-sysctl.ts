/** net.core.*: how large a program may make a socket's buffers, and how large they are at first (Linux: sysctl_net_core.c). */
import type { Host } from './host.ts';
import { RCVBUF_DEFAULT, SNDBUF_DEFAULT } from './sock.ts';
import type { SysctlNumber } from './sysctl.ts';

/** SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF. */
export const RCVBUF_MIN = 2_304;
export const SNDBUF_MIN = 4_608;

/** Linux 6.12: 128 kB. */
const OPTMEM_MAX = 131_072;

export class CoreSysctl {
  readonly rmemMax: SysctlNumber;
  readonly wmemMax: SysctlNumber;
  readonly rmemDefault: SysctlNumber;
  readonly wmemDefault: SysctlNumber;
  /** What a socket may keep in ancillary memory: notices of MSG_ZEROCOPY. */
  readonly optmemMax: SysctlNumber;
  /** Whether a time stamp comes with the packet it is about; without, only OPT_TSONLY is answered. */
  readonly tstampAllowData: SysctlNumber;

  constructor(host: Host) {
    const { sysctl } = host;
    this.rmemMax = sysctl.number('net.core.rmem_max', RCVBUF_DEFAULT, { min: RCVBUF_MIN });
    this.wmemMax = sysctl.number('net.core.wmem_max', SNDBUF_DEFAULT, { min: SNDBUF_MIN });
    this.rmemDefault = sysctl.number('net.core.rmem_default', RCVBUF_DEFAULT, { min: RCVBUF_MIN });
    this.wmemDefault = sysctl.number('net.core.wmem_default', SNDBUF_DEFAULT, { min: SNDBUF_MIN });
    this.optmemMax = sysctl.number('net.core.optmem_max', OPTMEM_MAX, { min: 0 });
    this.tstampAllowData = sysctl.number('net.core.tstamp_allow_data', 1, { min: 0, max: 1 });
  }
}
