/**
 * nc: read and write over TCP and UDP connections, as OpenBSD's netcat (Debian's netcat-openbsd 1.219).
 *
 *   nc [-klNnuvz] [-p PORT] [-q SECONDS] [-s ADDRESS] [-w SECONDS] HOST PORT[-PORT]
 *   nc -l [-ku] [ADDRESS] PORT
 *
 * Left out: Unix sockets, proxies, telnet negotiation, TLS.
 */
import { formatIpv4, IPV4_ANY, type Ipv4, parseIpv4 } from '../header/address.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { errorText, SyscallError } from '../net/errno.ts';
import { MSG, type SockAddress } from '../net/sock.ts';
import type { Fd, ProgramContext, Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import { Failure, program } from './failure.ts';
import { getaddrinfo } from './getaddrinfo.ts';
import { Services } from './names.ts';
import { getopt } from './options.ts';

/** BUFSIZE of nc. */
const BUFFER_BYTES = 16_384;
const USAGE = 'usage: nc [-klNnuvz] [-p port] [-q seconds] [-s sourceaddr] [-w timeout] [destination] [port]';

interface Options {
  readonly listen: boolean;
  readonly keep: boolean;
  readonly udp: boolean;
  readonly scan: boolean;
  readonly verbose: boolean;
  readonly numeric: boolean;
  /** -N: half-close when standard input ends. */
  readonly halfClose: boolean;
  readonly port: number | undefined;
  readonly source: Ipv4;
  /** Seconds to stay after the end of standard input; undefined: until the peer closes. */
  readonly quit: number | undefined;
  /** Seconds without traffic, and for a connection to come about; 0: for ever. */
  readonly wait: number;
}

export const nc = program(async (context) => {
  const line = getopt(context.argv, 'hklNnuvzp:q:s:w:46');
  if (line.error !== undefined) throw new Failure(1, `${line.error}\n${USAGE}`);
  const has = (name: string): boolean => line.options.some((option) => option.name === name);
  const argumentOf = (name: string): string | undefined =>
    line.options.findLast((option) => option.name === name)?.value;
  if (has('h')) throw new Failure(1, USAGE);
  const source = parseIpv4(argumentOf('s') ?? '0.0.0.0');
  if (source === undefined) throw new Failure(1, `nc: no such address: ${argumentOf('s')}`);
  const options: Options = {
    listen: has('l'),
    keep: has('k'),
    udp: has('u'),
    scan: has('z'),
    verbose: has('v'),
    numeric: has('n'),
    halfClose: has('N'),
    port: argumentOf('p') === undefined ? undefined : portOf(context.sys, argumentOf('p') ?? ''),
    source,
    quit: argumentOf('q') === undefined ? undefined : numberOf('q', argumentOf('q') ?? ''),
    wait: argumentOf('w') === undefined ? 0 : numberOf('w', argumentOf('w') ?? ''),
  };
  return options.listen ? listen(context, options, line.operands) : dial(context, options, line.operands);
});

function numberOf(name: string, text: string): number {
  if (/^-?[0-9]+$/.test(text)) return Number(text);
  throw new Failure(1, `nc: ${name === 'w' ? 'timeout invalid' : 'quit timer invalid'}: ${text}`);
}

function portOf(sys: Syscalls, text: string): number {
  const port = new Services(sys).anyPort(text);
  if (port === undefined || port < 1) throw new Failure(1, `nc: port number invalid: ${text}`);
  return port;
}

function portsOf(sys: Syscalls, text: string): number[] {
  const range = /^([0-9]+)-([0-9]+)$/.exec(text);
  if (range === null) return [portOf(sys, text)];
  const [low, high] = [Number(range[1]), Number(range[2])].sort((a, b) => a - b) as [number, number];
  if (low < 1 || high > 65_535) throw new Failure(1, `nc: port number invalid: ${text}`);
  return Array.from({ length: high - low + 1 }, (_, i) => low + i);
}

async function dial(context: ProgramContext, options: Options, operands: readonly string[]): Promise<number> {
  const { sys, err } = context;
  const [host, portText] = operands;
  if (host === undefined || portText === undefined) throw new Failure(1, USAGE);
  const address = await addressOf(sys, host, options);
  let status = 1;
  for (const port of portsOf(sys, portText)) {
    const fd = await connectTo(context, options, host, { address, port });
    if (fd === undefined) continue;
    status = 0;
    if (options.verbose) {
      const service = options.numeric ? undefined : new Services(sys).name(port, options.udp ? 'udp' : 'tcp');
      const what = `[${options.udp ? 'udp' : 'tcp'}/${service ?? '*'}]`;
      await err(`Connection to ${nameOf(host, address)} ${port} port ${what} succeeded!\n`);
    }
    if (!options.scan) await relay(sys, fd, options);
    sys.close(fd);
  }
  return status;
}

const nameOf = (host: string, address: Ipv4): string =>
  parseIpv4(host) === undefined ? `${host} (${formatIpv4(address)})` : host;

async function addressOf(sys: Syscalls, host: string, options: Options): Promise<Ipv4> {
  const literal = parseIpv4(host);
  if (literal !== undefined) return literal;
  if (options.numeric) throw new Failure(1, `nc: getaddrinfo for host "${host}" port: Name or service not known`);
  try {
    return (await getaddrinfo(sys, host)).addresses[0] ?? IPV4_ANY;
  } catch (error) {
    throw new Failure(1, `nc: getaddrinfo for host "${host}" port: ${(error as Error).message}`);
  }
}

async function connectTo(
  { sys, err }: ProgramContext,
  options: Options,
  host: string,
  peer: SockAddress,
): Promise<Fd | undefined> {
  const fd = sys.socket('inet', options.udp ? 'dgram' : 'stream');
  try {
    if (options.port !== undefined || options.source !== IPV4_ANY) {
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
      sys.bind(fd, { address: options.source, port: options.port ?? 0 });
    }
    if (options.wait > 0) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_SNDTIMEO', options.wait * SECOND);
    await sys.connect(fd, peer);
    if (options.udp && options.scan) await probe(sys, fd);
    return fd;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    sys.close(fd);
    // SO_SNDTIMEO ends a connect() with EAGAIN; people know it as a timeout.
    const text = errorText(error.code === 'EAGAIN' ? 'ETIMEDOUT' : error.code);
    const what = options.udp ? 'udp' : 'tcp';
    if (options.verbose || !options.scan) {
      await err(`nc: connect to ${nameOf(host, peer.address)} port ${peer.port} (${what}) failed: ${text}\n`);
    }
    return undefined;
  }
}

/** A closed UDP port answers "port unreachable" to the second of two datagrams, if to any (udptest). */
async function probe(sys: Syscalls, fd: Fd): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await sys.send(fd, new TextEncoder().encode('X'));
    await sys.nanosleep(SECOND);
  }
}

async function listen(context: ProgramContext, options: Options, operands: readonly string[]): Promise<number> {
  const { sys, err } = context;
  const [first, second] = operands;
  const portText = options.port === undefined ? (second ?? first) : String(options.port);
  if (portText === undefined) throw new Failure(1, USAGE);
  const host =
    options.port === undefined && second !== undefined ? first : options.port === undefined ? undefined : first;
  const address = host === undefined ? options.source : await addressOf(sys, host, options);
  const port = portOf(sys, portText);
  const fd = sys.socket('inet', options.udp ? 'dgram' : 'stream');
  sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
  try {
    sys.bind(fd, { address, port });
    if (!options.udp) sys.listen(fd, 1);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new Failure(1, `nc: ${errorText(error.code)}`);
  }
  if (options.verbose) await err(`${options.udp ? 'Bound' : 'Listening'} on ${formatIpv4(address)} ${port}\n`);
  do {
    const accepted = options.udp ? await firstDatagram(sys, fd) : await sys.accept(fd);
    if (options.verbose)
      await err(`Connection received on ${formatIpv4(accepted.peer.address)} ${accepted.peer.port}\n`);
    await relay(sys, accepted.fd, options);
    if (accepted.fd !== fd) sys.close(accepted.fd);
    else sys.disconnect(fd);
  } while (options.keep);
  return 0;
}

/** The sender of the first datagram becomes the peer; the datagram itself stays to be read. */
async function firstDatagram(sys: Syscalls, fd: Fd): Promise<{ fd: Fd; peer: SockAddress }> {
  const { from } = await sys.recv(fd, new Uint8Array(1), MSG.PEEK);
  if (from === undefined) throw new Failure(1, 'nc: a datagram from nobody');
  await sys.connect(fd, from);
  return { fd, peer: from };
}

/** Both ways until the peer closes, or standard input has ended and -q says so. */
async function relay(sys: Syscalls, fd: Fd, options: Options): Promise<void> {
  if (options.wait > 0) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', options.wait * SECOND);
  await Promise.race([receiveAll(sys, fd), sendAll(sys, fd, options)]);
}

async function receiveAll(sys: Syscalls, fd: Fd): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  const isStream = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_PROTOCOL') === PROTOCOL.TCP;
  try {
    for (;;) {
      const { length } = await sys.recv(fd, buffer);
      if (length === 0 && isStream) return;
      await sys.write(1, buffer.subarray(0, length));
    }
  } catch (error) {
    // Reset, or -w ran out: nc ends without a word.
    if (!(error instanceof SyscallError)) throw error;
  }
}

async function sendAll(sys: Syscalls, fd: Fd, options: Options): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  try {
    for (let n = await sys.read(0, buffer); n > 0; n = await sys.read(0, buffer)) {
      await sys.send(fd, buffer.subarray(0, n));
    }
    if (options.halfClose && !options.udp) sys.shutdown(fd, 'write');
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return;
  }
  if (options.quit !== undefined && options.quit >= 0) return sys.nanosleep(options.quit * SECOND);
  return new Promise(() => {}); // The peer decides when it is over.
}
