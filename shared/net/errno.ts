/** Errors by Linux's names. Kernel functions return them (`Result`); the Syscalls wall throws them as SyscallError. */
export const ERRNO = {
  EPERM: [1, 'Operation not permitted'],
  ENOENT: [2, 'No such file or directory'],
  EINTR: [4, 'Interrupted system call'],
  EIO: [5, 'Input/output error'],
  ENXIO: [6, 'No such device or address'],
  EBADF: [9, 'Bad file descriptor'],
  EAGAIN: [11, 'Resource temporarily unavailable'],
  ENOMEM: [12, 'Cannot allocate memory'],
  EACCES: [13, 'Permission denied'],
  EFAULT: [14, 'Bad address'],
  EBUSY: [16, 'Device or resource busy'],
  EEXIST: [17, 'File exists'],
  ENODEV: [19, 'No such device'],
  ENOTDIR: [20, 'Not a directory'],
  EISDIR: [21, 'Is a directory'],
  EINVAL: [22, 'Invalid argument'],
  EMFILE: [24, 'Too many open files'],
  ENOSPC: [28, 'No space left on device'],
  ESPIPE: [29, 'Illegal seek'],
  EPIPE: [32, 'Broken pipe'],
  EDOM: [33, 'Numerical argument out of domain'],
  ENAMETOOLONG: [36, 'File name too long'],
  ENONET: [64, 'Machine is not on the network'],
  ENOMSG: [42, 'No message of desired type'],
  EPROTO: [71, 'Protocol error'],
  EBADMSG: [74, 'Bad message'],
  ENOTSOCK: [88, 'Socket operation on non-socket'],
  EDESTADDRREQ: [89, 'Destination address required'],
  EMSGSIZE: [90, 'Message too long'],
  EPROTOTYPE: [91, 'Protocol wrong type for socket'],
  ENOPROTOOPT: [92, 'Protocol not available'],
  EPROTONOSUPPORT: [93, 'Protocol not supported'],
  ESOCKTNOSUPPORT: [94, 'Socket type not supported'],
  EOPNOTSUPP: [95, 'Operation not supported'],
  EAFNOSUPPORT: [97, 'Address family not supported by protocol'],
  EADDRINUSE: [98, 'Address already in use'],
  EADDRNOTAVAIL: [99, 'Cannot assign requested address'],
  ENETDOWN: [100, 'Network is down'],
  ENETUNREACH: [101, 'Network is unreachable'],
  ENETRESET: [102, 'Network dropped connection on reset'],
  ECONNABORTED: [103, 'Software caused connection abort'],
  ECONNRESET: [104, 'Connection reset by peer'],
  ENOBUFS: [105, 'No buffer space available'],
  EISCONN: [106, 'Transport endpoint is already connected'],
  ENOTCONN: [107, 'Transport endpoint is not connected'],
  ESHUTDOWN: [108, 'Cannot send after transport endpoint shutdown'],
  ETIMEDOUT: [110, 'Connection timed out'],
  ECONNREFUSED: [111, 'Connection refused'],
  EHOSTDOWN: [112, 'Host is down'],
  EHOSTUNREACH: [113, 'No route to host'],
  EALREADY: [114, 'Operation already in progress'],
  EINPROGRESS: [115, 'Operation now in progress'],
  ESRCH: [3, 'No such process'],
  ECANCELED: [125, 'Operation canceled'],
} as const satisfies Record<string, readonly [number, string]>;

export type Errno = keyof typeof ERRNO;

/** A value, or the errno that came instead: no exception on a path that a packet or a poll loop takes. */
export type Result<T> = T | Errno;

/** Only for values that are not strings themselves. */
export function isErrno(value: unknown): value is Errno {
  return typeof value === 'string';
}

/** The name of an error number, as SO_ERROR answers it; undefined for 0 and unknown ones. */
export function errnoName(number: number): Errno | undefined {
  for (const [name, [value]] of Object.entries(ERRNO)) if (value === number) return name as Errno;
  return undefined;
}

/** strerror(3). */
export function errorText(errno: Errno): string {
  return ERRNO[errno][1];
}

/** What a system call throws into a program; `code` as Node's own errors have it. */
export class SyscallError extends Error {
  readonly code: Errno;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, code: Errno) {
    super(`${syscall}: ${errorText(code)}`);
    this.name = 'SyscallError';
    this.code = code;
    this.errno = -ERRNO[code][0];
    this.syscall = syscall;
  }
}
