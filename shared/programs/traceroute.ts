/**
 * traceroute(8) 2.1: probes with growing TTL, several at a time, printed in order. UDP to unlikely ports by default, -I
 * echo requests, -T TCP SYNs. Exit status 0: traced; 1: the kernel refused; 2: bad use.
 */
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import { errorText } from '../net/errno.ts';
import { POLL } from '../net/sock.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import type { Micros } from '../platform.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { AddressNames } from './getnameinfo.ts';
import { resolveHost } from './resolve.ts';
import { readTraceOptions, TRACEROUTE_USAGE, type TraceOptions } from './traceroute-options.ts';
import { type Method, type Probe, type Route, traceMethod } from './traceroute-probe.ts';

/** DEF_WAIT_PREC: added to a reply's time before it is multiplied. */
const PRECISION_MICROS = 5_000;
const PROBE_PORT = 53;

export const traceroute = program(async (context) => {
  const options = readTraceOptions(context.argv);
  if (options === 'help') {
    await context.err(TRACEROUTE_USAGE);
    return 0;
  }
  if (options === 'version') {
    await context.err('Modern traceroute for Linux, version 2.1.2\n');
    return 0;
  }
  const { sys } = context;
  const resolved = await resolveHost(sys, options.host);
  if (typeof resolved === 'string') {
    const position = context.argv.indexOf(options.host);
    throw new Failure(
      2,
      `${options.host}: ${resolved}\nCannot handle "host" cmdline arg \`${options.host}' on position 1 (argc ${position})`,
    );
  }
  const sizes = `${options.hops} hops max, ${options.packetBytes} byte packets`;
  await context.out(`traceroute to ${options.host} (${formatIpv4(resolved.address)}), ${sizes}`);
  try {
    await new Tracer(context, await routeTo(sys, options, resolved.address)).run();
  } finally {
    await context.out('\n');
  }
  return 0;
});

/** The source address, as a socket that is only connected gets it. */
async function routeTo(sys: Syscalls, options: TraceOptions, target: Ipv4): Promise<Route> {
  const ifindex = options.device === undefined ? undefined : ifindexOf(sys, options.device);
  const fd = sys.socket('inet', 'dgram');
  try {
    if (ifindex !== undefined) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', ifindex);
    if (options.source !== undefined) bindSource(sys, fd, options.source);
    await connectTo(sys, fd, target);
    const probes: Probe[] = [];
    for (let index = 0; index < (options.hops - options.firstTtl + 1) * options.queries; index++) {
      const ttl = options.firstTtl + Math.floor(index / options.queries);
      probes.push({
        index,
        ttl,
        fd: undefined,
        sentAt: undefined,
        receivedAt: undefined,
        from: undefined,
        note: '',
        done: false,
        final: false,
      });
    }
    return { sys, options, target, source: sys.getsockname(fd).address, probes, ifindex };
  } finally {
    sys.close(fd);
  }
}

function ifindexOf(sys: Syscalls, name: string): number {
  const link = sys.netlink({ type: 'RTM_GETLINK' }).find((one) => one.name === name);
  if (link === undefined) throw new Failure(1, '\nsetsockopt SO_BINDTODEVICE: No such device');
  return link.ifindex;
}

function bindSource(sys: Syscalls, fd: number, text: string): void {
  const address = parseIpv4(text);
  if (address === undefined) throw new Failure(2, `Cannot handle \`-s' option with arg \`${text}'`);
  try {
    sys.bind(fd, { address, port: 0 });
  } catch (error) {
    throw new Failure(1, `\nbind: ${errorText(errnoOf(error))}`);
  }
}

async function connectTo(sys: Syscalls, fd: number, target: Ipv4): Promise<void> {
  try {
    await sys.connect(fd, { address: target, port: PROBE_PORT });
  } catch (error) {
    throw new Failure(1, `\nconnect: ${errorText(errnoOf(error))}`);
  }
}

class Tracer {
  private readonly context: ProgramContext;
  private readonly route: Route;
  private readonly method: Method;
  private readonly names: AddressNames;
  /** First probe that is not printed yet, and one past the last that matters. */
  private start = 0;
  private end: number;

  constructor(context: ProgramContext, route: Route) {
    this.context = context;
    this.route = route;
    this.method = traceMethod(route);
    this.names = new AddressNames(context.sys);
    this.end = route.probes.length;
  }

  async run(): Promise<void> {
    while (this.start < this.end) {
      const wakeAt = await this.advance();
      if (this.start >= this.end) break;
      const timeout = wakeAt === undefined ? undefined : Math.max(0, wakeAt - this.context.sys.clockGettime());
      const requests = this.method.descriptors().map((fd) => ({ fd, events: POLL.IN | POLL.ERR, revents: 0 }));
      if (timeout !== 0) await this.context.sys.poll(requests, timeout);
      this.method.receive();
    }
    for (const probe of this.route.probes) this.method.end(probe);
  }

  /** do_it()'s pass over the probes: print, give up, send. Answers when the first open probe is to be given up. */
  private async advance(): Promise<Micros | undefined> {
    const { options } = this.route;
    let wakeAt: Micros | undefined;
    let underWay = 0;
    // Once a pass, as do_it() does: looking a name up takes time, in which replies may have come that nobody has read.
    const now = this.context.sys.clockGettime();
    for (let n = this.start; n < this.end && underWay < options.simultaneous; n++) {
      const probe = this.route.probes[n];
      if (probe === undefined) break;
      if (n === this.start && !probe.done && probe.sentAt !== undefined) {
        const expires = probe.sentAt + this.patience(probe);
        if (expires > now) wakeAt = expires;
        else probe.done = true;
      }
      if (probe.done) {
        this.method.end(probe);
        if (n === this.start) {
          await this.print(probe);
          this.start++;
        }
        if (probe.final) this.end = Math.min(this.end, (Math.floor(n / options.queries) + 1) * options.queries);
        continue;
      }
      if (probe.sentAt === undefined) {
        await this.send(probe);
        if (probe.done) {
          n--;
          continue;
        }
        if (n === this.start && probe.sentAt !== undefined) wakeAt = probe.sentAt + this.patience(probe);
      }
      underWay++;
    }
    return wakeAt;
  }

  private async send(probe: Probe): Promise<void> {
    try {
      await this.method.send(probe);
    } catch (error) {
      throw new Failure(1, `\nsend: ${errorText(errnoOf(error))}`);
    }
  }

  /** get_timeout(): how long a probe may take, judging by its neighbours. */
  private patience(probe: Probe): Micros {
    const { options, probes } = this.route;
    const hopStart = probe.index - (probe.index % options.queries);
    const sameHop =
      options.hereFactor > 0 ? this.timeOf(probes.slice(hopStart, hopStart + options.queries)) : undefined;
    if (sameHop !== undefined) return Math.min(options.waitMicros, sameHop * options.hereFactor);
    const later = options.nearFactor > 0 ? this.timeOf(probes.slice(probe.index + 1)) : undefined;
    return later === undefined ? options.waitMicros : Math.min(options.waitMicros, later * options.nearFactor);
  }

  /** The time of the first of these that was answered, and the precision. */
  private timeOf(probes: readonly Probe[]): Micros | undefined {
    for (const { done, sentAt, receivedAt } of probes) {
      if (done && sentAt !== undefined && receivedAt !== undefined) return receivedAt - sentAt + PRECISION_MICROS;
    }
    return undefined;
  }

  private async print(probe: Probe): Promise<void> {
    const turn = probe.index % this.route.options.queries;
    const before = turn === 0 ? undefined : this.route.probes[probe.index - 1];
    let text = turn === 0 ? `\n${String(probe.ttl).padStart(2)} ` : '';
    if (probe.from === undefined) text += ' *';
    else if (before === undefined || before.from !== probe.from) text += ` ${await this.show(probe.from)}`;
    if (probe.receivedAt !== undefined && probe.sentAt !== undefined) {
      text += `  ${((probe.receivedAt - probe.sentAt) / 1_000).toFixed(3)} ms`;
    }
    if (probe.note !== '') text += ` ${probe.note}`;
    await this.context.out(text);
  }

  private async show(address: Ipv4): Promise<string> {
    const number = formatIpv4(address);
    return this.route.options.numeric ? number : `${(await this.names.name(address)) ?? number} (${number})`;
  }
}
