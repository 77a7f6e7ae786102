/**
 * Who answers which netlink question: each part of the kernel registers its own at boot, and the system call layer asks
 * here (Linux: rtnl_register, netlink_kernel_create). A question nobody answers is EOPNOTSUPP, as on a kernel built
 * without that part.
 */
import { type Errno, isErrno } from './errno.ts';
import type { NetlinkAnswer, NetlinkName, NetlinkQuery, NetlinkTable } from './netlink.ts';

export class NetlinkHandlers {
  private readonly handlers: Map<string, (query: never) => unknown> = new Map();

  register<N extends NetlinkName>(
    name: N,
    answer: (query: NetlinkTable[N]['query']) => NetlinkTable[N]['answer'],
  ): void {
    this.handlers.set(name, answer);
  }

  has(name: NetlinkName): boolean {
    return this.handlers.has(name);
  }

  /** The answer, wrapped, since an answer may be an errno itself; or that nobody answers this. */
  ask<Q extends NetlinkQuery>(query: Q): { answer: NetlinkAnswer<Q> } | Errno {
    const handler = this.handlers.get(query.type);
    if (handler === undefined) return 'EOPNOTSUPP';
    return { answer: handler(query as never) as NetlinkAnswer<Q> };
  }
}

/** Whether `ask` found nobody. */
export function isUnanswered(value: object | Errno): value is Errno {
  return isErrno(value);
}
