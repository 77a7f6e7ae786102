/**
 * ping(8) of iputils 20221126, IPv4: echo requests at an interval, replies with time and TTL, ICMP errors as they come,
 * a sum at the end or at SIGINT. Exit status 0: something came back; 1: nothing did; 2: no such option, host or route.
 * Left out: record route, IPv6, user-to-user latency.
 */
import { formatIpv4, IPV4_BROADCAST, type Ipv4, parseIpv4 } from '../header/address.ts';
import { errorText, isErrno } from '../net/errno.ts';
import { POLL } from '../net/sock.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import type { Micros } from '../platform.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { AddressNames } from './getnameinfo.ts';
import { icmpText } from './icmp-text.ts';
import { type PingOptions, readPingOptions, STAMP_SIZE } from './ping-options.ts';
import { type PingEvent, PingSocket } from './ping-socket.ts';
import { PingStatistics, tripTime } from './ping-statistics.ts';
import { resolveHost } from './resolve.ts';

/** A flood that hears nothing sends a hundred a second. */
const FLOOD_MICROS = 10_000;
/** Port that the probing connect names; nothing is sent to it. */
const PROBE_PORT = 1_025;

export const ping = program(async (context) => {
  const options = readPingOptions(context.argv);
  if ('version' in options) {
    await context.out('ping from iputils 20221126\n');
    return 0;
  }
  const resolved = await resolveHost(context.sys, options.target);
  if (typeof resolved === 'string') throw new Failure(2, `ping: ${options.target}: ${resolved}`);
  if (resolved.numeric) options.numeric = true;
  return new Ping(context, options, resolved.address).run();
});

class Ping {
  private readonly context: ProgramContext;
  private readonly sys: Syscalls;
  private readonly options: PingOptions;
  private readonly target: Ipv4;
  private readonly statistics = new PingStatistics();
  private readonly names: AddressNames;
  private readonly socket: PingSocket;
  private interrupted = false;
  private startedAt: Micros = 0;
  /** The beat of sending, and when the last packet really went. */
  private sentAt: Micros = 0;
  private lastAt: Micros = 0;
  /** When to give up: the deadline, or the wait for the last replies. */
  private endAt: Micros | undefined = undefined;
  private lingering = false;

  constructor(context: ProgramContext, options: PingOptions, target: Ipv4) {
    this.context = context;
    this.sys = context.sys;
    this.options = options;
    this.target = target;
    this.names = new AddressNames(context.sys);
    this.socket = new PingSocket(context.sys, options, target);
  }

  async run(): Promise<number> {
    const { options, context } = this;
    const from = await this.prepareSource();
    if (options.pattern !== undefined) {
      const hex = options.pattern.map((byte) => byte.toString(16).padStart(2, '0')).join('');
      await context.out(`PATTERN: 0x${hex}\n`);
    }
    const sizes = `${options.size}(${options.size + 28}) bytes of data.`;
    await context.out(`PING ${options.target} (${formatIpv4(this.target)}) ${from}${sizes}\n`);
    this.sys.signal('SIGINT', () => {
      this.interrupted = true;
    });
    this.startedAt = this.sentAt = this.lastAt = this.sys.clockGettime();
    if (options.deadlineMicros !== undefined && options.deadlineMicros > 0) {
      this.endAt = this.startedAt + options.deadlineMicros;
    }
    await this.loop();
    return this.finish();
  }

  /** Route and source are tried with a datagram socket that is only connected (iputils' probe_fd). */
  private async prepareSource(): Promise<string> {
    const { sys, options } = this;
    const { device } = options;
    const address = device === undefined ? undefined : parseIpv4(device);
    const ifindex = device === undefined || address !== undefined ? undefined : this.ifindexOf(device);
    const probe = sys.socket('inet', 'dgram');
    if (options.broadcast) sys.setsockopt(probe, 'SOL_SOCKET', 'SO_BROADCAST', 1);
    try {
      if (ifindex !== undefined) sys.setsockopt(probe, 'SOL_SOCKET', 'SO_BINDTODEVICE', ifindex);
      if (address !== undefined) bindOrFail(sys, probe, address);
      await this.connectProbe(probe);
      this.socket.bindTo(ifindex, address);
      const source = formatIpv4(sys.getsockname(probe).address);
      return device === undefined ? '' : `from ${source} ${ifindex === undefined ? '' : device}: `;
    } finally {
      sys.close(probe);
    }
  }

  private ifindexOf(name: string): number {
    const link = this.sys.netlink({ type: 'RTM_GETLINK' }).find((one) => one.name === name);
    if (link === undefined) throw new Failure(2, `ping: SO_BINDTODEVICE ${name}: No such device`);
    return link.ifindex;
  }

  private async connectProbe(probe: number): Promise<void> {
    try {
      await this.sys.connect(probe, { address: this.target, port: PROBE_PORT });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== 'EACCES') throw new Failure(2, `ping: connect: ${errorText(errno)}`);
      throw new Failure(2, 'ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules');
    }
    if (this.options.broadcast && this.isBroadcast()) await this.context.err('WARNING: pinging broadcast address\n');
  }

  private isBroadcast(): boolean {
    const route = this.sys.netlink({ type: 'RTM_LOOKUP', target: this.target });
    return this.target === IPV4_BROADCAST || (!isErrno(route) && route.type === 'broadcast');
  }

  /** main_loop(): send what is due, wait for the next turn or a packet, take what came. */
  private async loop(): Promise<void> {
    while (!this.isDone()) {
      const next = await this.sendDue();
      this.scheduleExit();
      const now = this.sys.clockGettime();
      const until = Math.min(next, this.endAt ?? Number.MAX_SAFE_INTEGER);
      if (until > now) await this.wait(until - now);
      for (const event of this.socket.events()) await this.handle(event);
      if (this.endAt !== undefined && this.sys.clockGettime() >= this.endAt) return;
    }
  }

  private isDone(): boolean {
    const { received, errors } = this.statistics;
    const { count, deadlineMicros } = this.options;
    if (this.interrupted) return true;
    if (count > 0 && received + errors >= count) return true;
    return deadlineMicros !== undefined && errors > 0;
  }

  private async wait(micros: Micros): Promise<void> {
    try {
      await this.sys.poll([{ fd: this.socket.fd, events: POLL.IN | POLL.ERR, revents: 0 }], micros);
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw error;
    }
  }

  private get allSent(): boolean {
    const { count, deadlineMicros } = this.options;
    return count > 0 && this.statistics.transmitted >= count && deadlineMicros === undefined;
  }

  /** pinger(): send what the interval allows; answers when to come again. */
  private async sendDue(): Promise<Micros> {
    const { options, statistics } = this;
    for (;;) {
      if (this.allSent) return Number.MAX_SAFE_INTEGER;
      const now = this.sys.clockGettime();
      const due = this.dueAt();
      if (due > now) return due;
      if (options.outstanding && statistics.transmitted > 0 && !statistics.wasAnswered(statistics.transmitted)) {
        await this.print(`no answer yet for icmp_seq=${statistics.transmitted % 65_536}\n`);
      }
      // The beat is kept: a late wake does not move the packets after it.
      this.sentAt = statistics.transmitted < options.preload ? now : Math.max(due, now - options.intervalMicros);
      this.lastAt = now;
      await this.sendOne();
    }
  }

  private dueAt(): Micros {
    const { options, statistics } = this;
    if (statistics.transmitted < options.preload) return 0;
    const idle = statistics.inFlight < options.preload;
    if (options.intervalMicros === 0) return idle ? 0 : this.sentAt + FLOOD_MICROS;
    if (options.adaptive && idle) return this.sentAt;
    return this.sentAt + options.intervalMicros;
  }

  private async sendOne(): Promise<void> {
    const { options, statistics } = this;
    const sequence = statistics.nextSequence();
    const events: PingEvent[] = [];
    try {
      await this.socket.send(sequence);
      statistics.transmitted++;
      if (options.flood && !options.quiet) await this.context.out('.');
    } catch (error) {
      const errno = errnoOf(error);
      // Pretend it was sent. The queue says more than the errno: which router, or which MTU.
      statistics.transmitted++;
      this.socket.takeErrors(events);
      if (errno === 'EMSGSIZE' && events.length === 0) events.push({ kind: 'local', errno, info: this.pathMtu() });
      for (const event of events) await this.handle(event);
      if (events.length > 0 || options.quiet) return;
      if (options.flood) await this.context.out('E');
      else await this.context.err(`ping: sendmsg: ${errorText(errno)}\n`);
    }
  }

  /** What a packet to the target may measure, for kernels whose error queue does not say it. */
  private pathMtu(): number {
    const route = this.sys.netlink({ type: 'RTM_LOOKUP', target: this.target });
    if (isErrno(route)) return 0;
    const link = this.sys.netlink({ type: 'RTM_GETLINK' }).find((one) => one.name === route.dev);
    return route.metrics?.mtu ?? link?.mtu ?? 0;
  }

  /** After the last packet: as long as replies may take, judging by those that came. */
  private scheduleExit(): void {
    if (!this.allSent || this.lingering) return;
    this.lingering = true;
    const { options, statistics } = this;
    const wait =
      statistics.received > 0 ? Math.max(2 * statistics.longestMicros, options.intervalMicros) : options.lingerMicros;
    this.endAt = this.sys.clockGettime() + wait;
  }

  private async handle(event: PingEvent): Promise<void> {
    const { options, statistics } = this;
    switch (event.kind) {
      case 'reply':
        return this.handleReply(event);
      case 'error':
        statistics.acknowledge(event.sequence);
        statistics.errors++;
        if (options.quiet) return;
        if (options.flood) return this.context.out('\bE');
        return this.print(
          `From ${await this.show(event.from)} icmp_seq=${event.sequence} ${icmpText(event.type, event.code, event.info)}\n`,
        );
      case 'local': {
        statistics.errors++;
        if (options.quiet) return;
        if (options.flood) return this.context.out('E');
        const text =
          event.errno === 'EMSGSIZE'
            ? `message too long, mtu=${event.info}`
            : errorText(event.errno ?? 'EIO').toLowerCase();
        return this.context.err(`ping: local error: ${text}\n`);
      }
    }
  }

  private async handleReply(event: PingEvent & { kind: 'reply' }): Promise<void> {
    const { options, statistics } = this;
    if (event.corrupted) statistics.corrupted++;
    const took = event.sentAt === undefined ? undefined : Math.max(0, event.receivedAt - event.sentAt);
    statistics.acknowledge(event.sequence);
    const duplicate = statistics.reply(event.sequence, took);
    if (options.quiet) return;
    if (options.flood) return this.context.out(event.corrupted ? '\bC' : '\b \b');
    const ident = options.verbose ? ` ident=${this.socket.ident}` : '';
    const time = took === undefined ? '' : ` time=${tripTime(took)} ms`;
    const notes = `${duplicate ? ' (DUP!)' : ''}${event.corrupted ? ' (BAD CHECKSUM!)' : ''}`;
    const head = `${event.size} bytes from ${await this.show(event.from)}: icmp_seq=${event.sequence}`;
    await this.print(`${options.audible ? '\x07' : ''}${head}${ident} ttl=${event.ttl}${time}${notes}\n`);
  }

  /** With -D the time in front. */
  private async print(text: string): Promise<void> {
    if (!this.options.timestamps) return this.context.out(text);
    const now = this.sys.clockRealtime();
    const micros = String(now % 1_000_000).padStart(6, '0');
    await this.context.out(`[${Math.floor(now / 1_000_000)}.${micros}] ${text}`);
  }

  private async show(address: Ipv4): Promise<string> {
    const name = this.options.numeric ? undefined : await this.names.name(address);
    return name === undefined ? formatIpv4(address) : `${name} (${formatIpv4(address)})`;
  }

  private async finish(): Promise<number> {
    const { options, statistics } = this;
    const rate = options.flood || options.adaptive || options.intervalMicros === 0;
    const elapsed = this.lastAt - this.startedAt;
    await this.context.out(statistics.summary(options.target, elapsed, options.size >= STAMP_SIZE, rate));
    if (statistics.received === 0) return 1;
    return options.deadlineMicros !== undefined && statistics.received < options.count ? 1 : 0;
  }
}

function bindOrFail(sys: Syscalls, fd: number, address: Ipv4): void {
  try {
    sys.bind(fd, { address, port: 0 });
  } catch (error) {
    throw new Failure(2, `ping: bind: ${errorText(errnoOf(error))}`);
  }
}
