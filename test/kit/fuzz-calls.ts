/** Programs that make system calls at random: any call, on any descriptor, with values that people do not use. */
import type { Ipv4 } from '../../shared/header/address.ts';
import { SyscallError } from '../../shared/net/errno.ts';
import type { SockoptValue } from '../../shared/net/sock.ts';
import { MSG } from '../../shared/net/sock.ts';
import type { Fd, Program, Signal, Syscalls } from '../../shared/net/syscalls.ts';
import { MILLISECOND, type Random } from '../../shared/platform.ts';
import { ip } from './cable.ts';
import { pick } from './mutate.ts';
import { randomBytes } from './random.ts';

const ADDRESSES = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  '0.0.0.0',
  '127.0.0.1',
  '255.255.255.255',
  '224.0.0.1',
  '192.0.2.1',
];
const PORTS = [7_000, 7_000, 7_000, 7_001, 7_001, 0, 1, 32_768, 65_535];
const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGPIPE', 'SIGHUP'];
const OPTIONS = [
  ...['SO_REUSEADDR', 'SO_REUSEPORT', 'SO_BROADCAST', 'SO_KEEPALIVE', 'SO_LINGER', 'SO_RCVBUF', 'SO_SNDBUF'],
  ...['SO_RCVTIMEO', 'SO_SNDTIMEO', 'SO_BINDTODEVICE', 'SO_MARK', 'SO_PRIORITY', 'SO_TIMESTAMP', 'SO_ERROR', 'SO_TYPE'],
  ...['SO_RCVLOWAT', 'SO_ACCEPTCONN', 'SO_PROTOCOL', 'SO_NOSUCH'],
]
  .map((name): [string, string] => ['SOL_SOCKET', name])
  .concat(
    [
      ...['TCP_NODELAY', 'TCP_CORK', 'TCP_MAXSEG', 'TCP_KEEPIDLE', 'TCP_KEEPINTVL', 'TCP_KEEPCNT', 'TCP_SYNCNT'],
      ...['TCP_LINGER2', 'TCP_DEFER_ACCEPT', 'TCP_WINDOW_CLAMP', 'TCP_QUICKACK', 'TCP_CONGESTION', 'TCP_USER_TIMEOUT'],
      ...['TCP_INFO', 'TCP_NOTSENT_LOWAT', 'TCP_FASTOPEN', 'TCP_NOSUCH'],
    ].map((name): [string, string] => ['IPPROTO_TCP', name]),
    [
      ...['IP_TTL', 'IP_TOS', 'IP_RECVERR', 'IP_PKTINFO', 'IP_RECVTTL', 'IP_MTU_DISCOVER', 'IP_MULTICAST_TTL'],
      ...['IP_HDRINCL', 'IP_MTU', 'IP_ADD_MEMBERSHIP', 'IP_DROP_MEMBERSHIP', 'IP_OPTIONS', 'ICMP_FILTER'],
    ].map((name): [string, string] => ['SOL_IP', name]),
  );
const NUMBERS = [
  -1,
  0,
  1,
  1,
  2,
  3,
  88,
  255,
  256,
  536,
  5_000,
  65_535,
  100_000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  -(2 ** 31),
];
const FLAGS = [
  0,
  0,
  MSG.DONTWAIT,
  MSG.PEEK,
  MSG.OOB,
  MSG.MORE,
  MSG.ERRQUEUE,
  MSG.TRUNC,
  MSG.NOSIGNAL,
  MSG.WAITALL,
  0xffff,
];
const FILES = [
  '/proc/net/tcp',
  '/proc/net/udp',
  '/proc/net/snmp',
  '/proc/net/nosuch',
  '/proc',
  '/etc/hosts',
  '/',
  '',
  '/x/y',
];
/** A program that opens without end is another test's. */
const OPEN_MAX = 40;

export interface CallerOptions {
  readonly random: Random;
  readonly steps: number;
  /** Told of what comes out of a call that is not a SyscallError. */
  readonly wrong: (call: string, error: unknown) => void;
  readonly called: (call: string, answer: string) => void;
}

type Call = (sys: Syscalls, random: Random, fd: Fd) => unknown;

function option(random: Random): SockoptValue {
  const kind = random.below(8);
  if (kind === 0) return randomBytes(random, random.below(10));
  if (kind === 1) return { on: random.below(2) === 0, seconds: pick(random, [-1, 0, 1, 3, 100_000]) };
  if (kind === 2) return { text: pick(random, ['reno', 'cubic', 'nosuch', '', 'eth0', 'lo']) };
  return pick(random, NUMBERS);
}

const address = (random: Random): { address: Ipv4; port: number } => ({
  address: ip(pick(random, random.below(6) > 0 ? ADDRESSES.slice(0, 2) : ADDRESSES)),
  port: pick(random, PORTS),
});

const buffer = (random: Random): Uint8Array => new Uint8Array(pick(random, [0, 1, 100, 5_000, 70_000]));
const data = (random: Random): Uint8Array => randomBytes(random, pick(random, [0, 1, 8, 100, 1_400, 3_000, 66_000]));
const sendOptions = (random: Random) => ({
  flags: pick(random, FLAGS),
  ...(random.below(3) === 0 ? { to: address(random) } : {}),
  ...(random.below(8) === 0 ? { ttl: pick(random, [0, 1, 255, 256, -1]) } : {}),
});
const how = (random: Random) => pick(random, ['read', 'write', 'both'] as const);

const CALLS: Readonly<Record<string, Call>> = {
  socket: (sys, random) => {
    const family = random.below(12) === 0 ? 'packet' : 'inet';
    const type = pick(random, ['stream', 'stream', 'stream', 'dgram', 'raw'] as const);
    const protocol = random.below(3) > 0 ? 0 : pick(random, [1, 6, 17, 255, 256, -1, 3, 0x800]);
    const fd = sys.socket(family, type, protocol, { nonblock: random.below(2) === 0 });
    if (fd > OPEN_MAX) sys.close(fd);
  },
  bind: (sys, random, fd) =>
    sys.bind(fd, random.below(12) === 0 ? { ifindex: random.below(4), protocol: 3 } : address(random)),
  listen: (sys, random, fd) => sys.listen(fd, pick(random, [-1, 0, 1, 5, 4_096, 100_000])),
  accept: (sys, _random, fd) => sys.accept(fd),
  tryAccept: (sys, random, fd) => sys.tryAccept(fd, { nonblock: random.below(2) === 0 }),
  connect: (sys, random, fd) => sys.connect(fd, address(random)),
  disconnect: (sys, _random, fd) => sys.disconnect(fd),
  getsockname: (sys, _random, fd) => sys.getsockname(fd),
  getpeername: (sys, _random, fd) => sys.getpeername(fd),
  setsockopt: (sys, random, fd) => sys.setsockopt(fd, ...pick(random, OPTIONS), option(random)),
  getsockopt: (sys, random, fd) => sys.getsockopt(fd, ...pick(random, OPTIONS)),
  shutdown: (sys, random, fd) => sys.shutdown(fd, how(random)),
  send: (sys, random, fd) => sys.send(fd, data(random), sendOptions(random)),
  trySend: (sys, random, fd) => sys.trySend(fd, data(random), sendOptions(random)),
  recv: (sys, random, fd) => sys.recv(fd, buffer(random), pick(random, FLAGS)),
  tryRecv: (sys, random, fd) => sys.tryRecv(fd, buffer(random), pick(random, FLAGS)),
  read: (sys, random, fd) => sys.read(fd, buffer(random)),
  write: (sys, random, fd) => sys.write(fd, data(random)),
  closeLingering: (sys, _random, fd) => sys.closeLingering(fd),
  close: (sys, _random, fd) => sys.close(fd),
  fcntl: (sys, random, fd) => sys.fcntl(fd, { nonblock: random.below(2) === 0 }),
  ioctl: (sys, random, fd) =>
    sys.ioctl(fd, pick(random, ['SIOCINQ', 'SIOCOUTQ', 'FIONREAD', 'SIOCATMARK', 'SIOCNOSUCH'])),
  poll: (sys, random, fd) =>
    sys.poll([{ fd, events: random.below(64), revents: 0 }], pick(random, [0, 1, 5 * MILLISECOND, undefined])),
  watch: (sys, random, fd) => {
    const stop = sys.watch(fd, () => {
      if (random.below(4) === 0) stop();
      else if (sys.readiness(fd) !== 0 && random.below(2) === 0) attempt(() => sys.tryRecv(fd, buffer(random)));
    });
  },
  readFile: (sys, random) => sys.readFile(pick(random, FILES)),
  writeFile: (sys, random) => sys.writeFile(pick(random, FILES), data(random)),
  readDirectory: (sys, random) => sys.readDirectory(pick(random, FILES)),
  signal: (sys, random) => sys.signal(pick(random, SIGNALS), random.below(3) === 0 ? 'default' : () => {}),
  kill: (sys, random) =>
    sys.kill(pick(random, [sys.getpid(), -1, 0, 301, 302, 303, 304, 305, 99_999]), pick(random, SIGNALS)),
  netlink: (sys) => sys.netlink({ type: 'SOCK_DIAG' }),
  timer: (sys, random) =>
    sys.timer(() => attempt(() => sys.close(random.below(OPEN_MAX)))).arm(random.below(10 * MILLISECOND)),
};
const NAMES = Object.keys(CALLS);
/** What makes up the life of a connection comes more often than the rest; signals, which end it, less. */
const OFTEN = [
  'socket',
  'bind',
  'listen',
  'connect',
  'connect',
  'tryAccept',
  'send',
  'recv',
  'trySend',
  'tryRecv',
  'close',
];

function attempt(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}

export function randomCaller({ random, steps, wrong, called }: CallerOptions): Program {
  return async ({ sys }) => {
    for (let step = 0; step < steps; step++) {
      const name = pick(random, random.below(3) === 0 ? NAMES : OFTEN);
      if ((name === 'kill' && random.below(10) > 0) || (name === 'close' && random.below(4) > 0)) continue;
      const fd = random.below(30) === 0 ? pick(random, [-1, 1_023, 99_999]) : 3 + random.below(5);
      const failed = (error: unknown): void => {
        if (error instanceof SyscallError) called(name, error.code);
        else wrong(name, error);
      };
      try {
        const answer = CALLS[name]!(sys, random, fd);
        // What blocks is left to block, as in a thread of its own: others go on beside it.
        if (answer instanceof Promise) answer.then(() => called(name, 'ok'), failed);
        else called(name, 'ok');
      } catch (error) {
        failed(error);
      }
      if (random.below(3) === 0)
        await sys.nanosleep(random.below(pick(random, [100, 10 * MILLISECOND, 500 * MILLISECOND]))).catch(failed);
    }
    return 0;
  };
}
