/**
 * A program that has TCP connections in every state: listeners that accept, that never do, that want a signature or take
 * Fast Open; readers, and some who do not read; closed half, closed whole; and clients that connect to the far end.
 */
import type { Ipv4 } from '../../shared/header/address.ts';
import { SyscallError } from '../../shared/net/errno.ts';
import { MSG, type SockoptValue } from '../../shared/net/sock.ts';
import type { Fd, Program, Syscalls } from '../../shared/net/syscalls.ts';
import { MILLISECOND, type Random, SECOND } from '../../shared/platform.ts';
import { pick } from './mutate.ts';

const ANY = 0 as Ipv4;
/** Connections and clients that are held at once. */
const HELD_MAX = 60;

type Option = readonly [level: string, name: string, value: SockoptValue];
const tcp = (name: string, value: SockoptValue): Option => ['IPPROTO_TCP', name, value];
const socket = (name: string, value: SockoptValue): Option => ['SOL_SOCKET', name, value];

interface Listener {
  readonly port: number;
  readonly backlog: number;
  readonly options: readonly Option[];
  /** Whether anybody takes its connections, and whether what comes is read. */
  readonly accepts: boolean;
  readonly reads: boolean;
}

const key = new TextEncoder().encode('a secret of two');
const md5: SockoptValue = { md5: { address: ANY, prefix: 0, key } };

const LISTENERS: readonly Listener[] = [
  { port: 5_001, backlog: 64, options: [], accepts: true, reads: true },
  { port: 5_002, backlog: 64, options: [socket('SO_RCVBUF', 2_304)], accepts: true, reads: false },
  { port: 5_003, backlog: 1, options: [], accepts: false, reads: false },
  { port: 5_004, backlog: 16, options: [tcp('TCP_MD5SIG_EXT', md5)], accepts: true, reads: true },
  { port: 5_005, backlog: 16, options: [tcp('TCP_FASTOPEN', 8)], accepts: true, reads: true },
  { port: 5_006, backlog: 16, options: [tcp('TCP_DEFER_ACCEPT', 3)], accepts: true, reads: true },
  { port: 5_007, backlog: 16, options: [socket('SO_OOBINLINE', 1)], accepts: true, reads: true },
];

/** Where a program waits for datagrams and never reads one. */
const DEAF = 5_010;

export const CAMPAIGN_PORTS = { tcp: LISTENERS.map(({ port }) => port), udp: [DEAF] };

/** Do it, or have an errno. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

const refused = (error: unknown): void => {
  if (!(error instanceof SyscallError)) throw error;
};

export function everyState(random: Random, peers: readonly Ipv4[]): Program {
  return async ({ sys }) => {
    const listening = LISTENERS.map((listener) => ({ ...listener, fd: listen(sys, listener) }));
    const held: { fd: Fd; reads: boolean }[] = [];
    const buffer = new Uint8Array(4_096);
    let deaf = datagrams(sys);
    for (;;) {
      if (random.below(50) === 0) {
        sys.close(deaf);
        deaf = datagrams(sys);
      }
      for (const { fd, accepts, reads } of listening) {
        const taken =
          accepts && held.length < HELD_MAX ? attempt(() => sys.tryAccept(fd, { nonblock: true })) : undefined;
        if (taken !== undefined) held.push({ fd: taken.fd, reads });
      }
      if (held.length < HELD_MAX) held.push({ fd: client(sys, random, peers), reads: random.below(4) > 0 });
      for (const one of held) if (random.below(2) === 0) use(sys, random, one, buffer);
      if (held.length > HELD_MAX / 2) closeOne(sys, random, held);
      await sys.nanosleep(pick(random, [MILLISECOND, 20 * MILLISECOND, SECOND]));
    }
  };
}

function listen(sys: Syscalls, { port, backlog, options }: Listener): Fd {
  const fd = sys.socket('inet', 'stream', 0, { nonblock: true });
  for (const option of options) sys.setsockopt(fd, ...option);
  sys.bind(fd, { address: ANY, port });
  sys.listen(fd, backlog);
  return fd;
}

function datagrams(sys: Syscalls): Fd {
  const fd = sys.socket('inet', 'dgram', 0, { nonblock: true });
  sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVBUF', 4_000);
  sys.bind(fd, { address: ANY, port: DEAF });
  return fd;
}

function client(sys: Syscalls, random: Random, peers: readonly Ipv4[]): Fd {
  const fd = sys.socket('inet', 'stream', 0, { nonblock: true });
  const to = { address: pick(random, peers), port: pick(random, [80, 5_001, 9_222]) };
  if (random.below(4) === 0) attempt(() => sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1));
  if (random.below(4) === 0)
    attempt(() => sys.setsockopt(fd, 'SOL_IP', 'IP_OPTIONS', Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0)));
  if (random.below(3) === 0) {
    const flags = MSG.FASTOPEN | MSG.DONTWAIT | MSG.NOSIGNAL;
    sys.send(fd, new Uint8Array(random.below(900)), { to, flags }).catch(refused);
  } else sys.connect(fd, to).catch(refused);
  return fd;
}

function use(sys: Syscalls, random: Random, { fd, reads }: { fd: Fd; reads: boolean }, buffer: Uint8Array): void {
  const choice = random.below(13);
  if (reads) attempt(() => sys.tryRecv(fd, buffer, MSG.DONTWAIT));
  if (choice === 0) attempt(() => sys.tryRecv(fd, buffer, MSG.OOB | MSG.DONTWAIT));
  else if (choice === 1) attempt(() => sys.tryRecv(fd, buffer, MSG.ERRQUEUE | MSG.DONTWAIT));
  else if (choice === 2) attempt(() => sys.trySend(fd, Uint8Array.of(1, 2, 3), { flags: MSG.OOB | MSG.NOSIGNAL }));
  else if (choice < 6) attempt(() => sys.trySend(fd, new Uint8Array(random.below(9_000)), { flags: MSG.NOSIGNAL }));
  else if (choice === 6) attempt(() => sys.shutdown(fd, pick(random, ['read', 'write', 'both'] as const)));
  else if (choice === 7) attempt(() => sys.getsockopt(fd, 'IPPROTO_TCP', 'TCP_INFO'));
  else if (choice === 8) attempt(() => sys.disconnect(fd));
  else if (choice === 9) attempt(() => sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVBUF', 0));
}

function closeOne(sys: Syscalls, random: Random, held: { fd: Fd; reads: boolean }[]): void {
  const [one] = held.splice(random.below(held.length), 1);
  if (random.below(6) === 0)
    attempt(() => sys.setsockopt(one!.fd, 'SOL_SOCKET', 'SO_LINGER', { on: true, seconds: 0 }));
  attempt(() => sys.close(one!.fd));
}
