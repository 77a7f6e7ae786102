/** Names that scripts use for numbers, with Linux's values, and expressions read as numbers. */
import { ERRNO, SyscallError } from '../../shared/net/errno.ts';
import { ERROR_ORIGIN, MSG, POLL } from '../../shared/net/sock.ts';
import { SCM_TSTAMP, SOF } from '../../shared/net/timestamping.ts';
import { type Expression, ParseError, Unsupported } from './script.ts';

export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ...Object.entries(MSG).map(([name, value]) => [`MSG_${name}`, value] as const),
  ...Object.entries(POLL).map(([name, value]) => [`POLL${name}`, value] as const),
  ...Object.entries(POLL).map(([name, value]) => [`EPOLL${name}`, value] as const),
  ...Object.entries(ERRNO).map(([name, [value]]) => [name, value] as const),
  ['EPOLLET', 2 ** 31],
  ['EPOLLONESHOT', 2 ** 30],
  ['EPOLLEXCLUSIVE', 2 ** 28],
  ['EPOLL_CTL_ADD', 1],
  ['EPOLL_CTL_DEL', 2],
  ['EPOLL_CTL_MOD', 3],
  ['O_RDONLY', 0],
  ['O_WRONLY', 1],
  ['O_RDWR', 2],
  ['O_CREAT', 0o100],
  ['O_TRUNC', 0o1000],
  ['O_APPEND', 0o2000],
  ['O_NONBLOCK', 0o4000],
  ['AF_UNSPEC', 0],
  ['AF_INET', 2],
  ['POLLRDNORM', 0x40],
  ['POLLWRNORM', 0x100],
  ['EPOLLRDNORM', 0x40],
  ['EPOLLWRNORM', 0x100],
  ['AF_INET6', 10],
  ['PF_INET', 2],
  ['SOL_IP', 0],
  ['SOL_SOCKET', 1],
  ['SOL_TCP', 6],
  ['SOL_UDP', 17],
  ['IPPROTO_IP', 0],
  ['IPPROTO_ICMP', 1],
  ['IPPROTO_UDP', 17],
  ['IP_TOS', 1],
  ['IP_TTL', 2],
  ['IP_PKTINFO', 8],
  ['IP_RECVERR', 11],
  ['IP_ORIGDSTADDR', 20],
  ['TCP_CM_INQ', 36],
  ['SO_TIMESTAMP', 29],
  ['SO_TIMESTAMPNS', 35],
  ['SO_TIMESTAMPING', 37],
  ['SCM_TIMESTAMP', 29],
  ['SCM_TIMESTAMPNS', 35],
  ['SCM_TIMESTAMPING', 37],
  ['SCM_TIMESTAMPING_OPT_STATS', 54],
  ...Object.entries(SOF).map(([name, value]) => [`SOF_TIMESTAMPING_${name}`, value] as const),
  ...Object.entries(SCM_TSTAMP).map(([name, value]) => [`SCM_TSTAMP_${name}`, value] as const),
  ...Object.entries(ERROR_ORIGIN).map(([name, value]) => [`SO_EE_ORIGIN_${name}`, value] as const),
  ['SO_EE_ORIGIN_TXSTATUS', 4],
  ['SO_EE_CODE_ZEROCOPY_COPIED', 1],
  ['SPLICE_F_MOVE', 1],
  ['SPLICE_F_NONBLOCK', 2],
  ['SPLICE_F_MORE', 4],
  ['SPLICE_F_GIFT', 8],
  ['EPOLLWAKEUP', 2 ** 29],
  ['SOCK_RAW', 3],
  ['SOCK_STREAM', 1],
  ['SOCK_DGRAM', 2],
  ['SOCK_NONBLOCK', 0o4000],
  ['SOCK_CLOEXEC', 0o2000000],
  ['IPPROTO_TCP', 6],
  ['IPPROTO_UDP', 17],
  ['SHUT_RD', 0],
  ['SHUT_WR', 1],
  ['SHUT_RDWR', 2],
  ['F_GETFL', 3],
  ['F_SETFL', 4],
  ['IP_PMTUDISC_DONT', 0],
  ['IP_PMTUDISC_WANT', 1],
  ['IP_PMTUDISC_DO', 2],
  ['IP_PMTUDISC_PROBE', 3],
  ['IP_PMTUDISC_INTERFACE', 4],
  ['NULL', 0],
  ['EWOULDBLOCK', ERRNO.EAGAIN[0]],
  ['ENOTSUP', ERRNO.EOPNOTSUPP[0]],
  ['FD_CLOEXEC', 1],
  ['O_EXCL', 0o200],
  ['O_NDELAY', 0o4000],
  ['O_DSYNC', 0o10000],
  ['O_ASYNC', 0o20000],
  ['O_DIRECT', 0o40000],
  ['O_CLOEXEC', 0o2000000],
  ['O_SYNC', 0o4010000],
  ['S_IRWXU', 0o700],
  ['S_IRUSR', 0o400],
  ['S_IWUSR', 0o200],
  ['S_IXUSR', 0o100],
  ['S_IRGRP', 0o40],
  ['S_IWGRP', 0o20],
  ['S_IROTH', 0o4],
  ['S_IWOTH', 0o2],
  ['MSG_FIN', 0x200],
  ['MSG_SYN', 0x400],
  ['MSG_RST', 0x1000],
  ['MSG_BATCH', 0x4_0000],
  ['POLLRDBAND', 0x80],
  ['POLLWRBAND', 0x200],
  ['POLLMSG', 0x400],
  ['POLLREMOVE', 0x1000],
  ['EPOLLRDBAND', 0x80],
  ['EPOLLWRBAND', 0x200],
  ['EPOLLMSG', 0x400],
  ['PF_INET6', 10],
  ['SOL_IPV6', 41],
  ['IPPROTO_IPV6', 41],
  ['IPPROTO_ICMPV6', 58],
  ['IPPROTO_RAW', 255],
  ['IPPROTO_MPTCP', 262],
  ['IPTOS_LOWDELAY', 0x10],
  ['IPTOS_THROUGHPUT', 8],
  ['IPTOS_RELIABILITY', 4],
  ['IPTOS_MINCOST', 2],
  ['IPTOS_ECN_NOT_ECT', 0],
  ['IPTOS_ECN_ECT1', 1],
  ['IPTOS_ECN_ECT0', 2],
  ['IPTOS_ECN_CE', 3],
  ['IP_PMTUDISC_OMIT', 5],
  ['IP_MTU_DISCOVER', 10],
  ['IP_RECVTTL', 12],
  ['IP_RECVTOS', 13],
  ['TCP_INQ', 36],
  ['SOCK_SEQPACKET', 5],
  ['ICMP_DEST_UNREACH', 3],
  ['ICMP_TIME_EXCEEDED', 11],
  ['ICMP_PARAMETERPROB', 12],
  ['ICMP_NET_UNREACH', 0],
  ['ICMP_HOST_UNREACH', 1],
  ['ICMP_PROT_UNREACH', 2],
  ['ICMP_PORT_UNREACH', 3],
  ['ICMP_FRAG_NEEDED', 4],
]);

/** What asserts on tcp_info compare with. */
export const INFO_CONSTANTS: ReadonlyMap<string, number> = new Map([
  ['TCP_ESTABLISHED', 1],
  ['TCP_SYN_SENT', 2],
  ['TCP_SYN_RECV', 3],
  ['TCP_FIN_WAIT1', 4],
  ['TCP_FIN_WAIT2', 5],
  ['TCP_TIME_WAIT', 6],
  ['TCP_CLOSE', 7],
  ['TCP_CLOSE_WAIT', 8],
  ['TCP_LAST_ACK', 9],
  ['TCP_LISTEN', 10],
  ['TCP_CLOSING', 11],
  ['TCP_NEW_SYN_RECV', 12],
  ['TCP_CA_Open', 0],
  ['TCP_CA_Disorder', 1],
  ['TCP_CA_CWR', 2],
  ['TCP_CA_Recovery', 3],
  ['TCP_CA_Loss', 4],
  ['TCPI_OPT_TIMESTAMPS', 1],
  ['TCPI_OPT_SACK', 2],
  ['TCPI_OPT_WSCALE', 4],
  ['TCPI_OPT_ECN', 8],
  ['TCPI_OPT_ECN_SEEN', 16],
  ['TCPI_OPT_SYN_DATA', 32],
  ['TCPI_OPT_USEC_TS', 64],
  ['TCPI_OPT_TFO_CHILD', 128],
]);

export function numberOf(expression: Expression): number {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'word': {
      const value = CONSTANTS.get(expression.text);
      if (value === undefined) throw new Unsupported(`constant ${expression.text}`);
      return value;
    }
    case 'or': {
      // EPOLLET is the sign bit: no 32-bit arithmetic here.
      let value = 0n;
      for (const part of expression.parts) value |= BigInt(numberOf(part));
      return Number(value);
    }
    case 'call':
      // htons and its kin: numbers in scripts are the host's own.
      if (/^[hn]to[hn][sl]$/.test(expression.name) && expression.items.length === 1)
        return numberOf(expression.items[0]!);
      throw new Unsupported(`${expression.name}()`);
    default:
      throw new ParseError(`a number was expected, not a ${expression.kind}`);
  }
}

export function wordOf(expression: Expression | undefined): string {
  if (expression?.kind === 'word') return expression.text;
  // An option or a request that has no name here goes by its number, which nobody knows either.
  if (expression?.kind === 'number') return String(expression.value);
  throw new ParseError(`a name was expected, not ${expression === undefined ? 'nothing' : `a ${expression.kind}`}`);
}

/** Structs' fields; an empty one for `...`. */
export function structOf(expression: Expression | undefined): {
  fields: ReadonlyMap<string, Expression>;
  items: readonly Expression[];
} {
  if (expression?.kind === 'struct') return expression;
  throw new ParseError('a struct was expected');
}

export function listOf(expression: Expression | undefined): readonly Expression[] {
  if (expression?.kind === 'list') return expression.items;
  throw new ParseError('a list was expected');
}

/** The errno of an error that a system call threw; other errors are thrown on. */
export function isErrnoError(error: unknown): string {
  if (error instanceof SyscallError) return error.code;
  throw error;
}
