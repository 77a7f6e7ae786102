/**
 * Runs one script against a host of its own on a clock that stands still until the script moves it (packetdrill: run.c,
 * run_packet.c). Everything goes in through Syscalls or the device and comes out through the device.
 */
import { parseIpv4 } from '../../shared/header/address.ts';
import type { Fd, Syscalls } from '../../shared/net/syscalls.ts';
import type { Micros } from '../../shared/platform.ts';
import { ip } from '../kit/cable.ts';
import { ManualClock, settlePromises } from '../kit/clock.ts';
import { type Blocked, checkOutcome, processOf, timing } from './blocked.ts';
import { Calls, SERVICE_PORT } from './calls.ts';
import { compareSegment, describe } from './compare.ts';
import { Flow } from './flow.ts';
import { Flows, portsOf } from './flows.ts';
import { buildIcmp } from './icmp.ts';
import { parseScript } from './parser.ts';
import { Python } from './python.ts';
import { samplerOf } from './sampler.ts';
import {
  type CallEvent,
  type IcmpLine,
  Mismatch,
  ParseError,
  type Place,
  type Script,
  type ScriptEvent,
  type TcpLine,
  type UdpLine,
  Unsupported,
} from './script.ts';
import { Shell } from './shell.ts';
import { buildSegment, isSyn, type Segment } from './tcp-packet.ts';
import { Tun } from './tun.ts';
import { buildDatagram, compareDatagram, Datagrams } from './udp.ts';

/** packetdrill's own: what a time may be off by, at least and as a part of the wait. */
const TOLERANCE: Micros = 4_000;
const TOLERANCE_PART = 1 / 8;
/** How long a packet is waited for beyond its time, so that the message can say when it came. */
const LATE_MAX: Micros = 2_000_000;
/** The same where the script gives no time, and for calls that should not block. */
const WAIT_MAX: Micros = 600_000_000;
/** What passes while the tester itself works on an event, as on a machine: no round trip takes no time at all. */
const EVENT_COST: Micros = 10;
const PEER_PORT_FIRST = 51_000;
const PEER_ISN_FIRST = 0x1234_5678;
const ACK = 0x10;
const FIN_PSH = 0x09;

/** Options that change nothing here, or that are read elsewhere. */
const OPTIONS_KNOWN = new Set([
  'ip_version',
  'mss',
  'mtu',
  'tolerance_usecs',
  'tcp_ts_tick_usecs',
  'strict_segments',
  'send_omit_free',
  'local_ip',
  'remote_ip',
  'gateway_ip',
  'netmask_ip',
  'non_fatal',
  'bind_port',
  'connect_port',
  'tcp_ts_ecr_scaled',
  'verbose',
  'speed',
  'code_command',
  'code_format',
  'persistent_tun_dev',
]);

/** When a packet is to leave: not before `from`, not after `to`; `since` is when waiting for it began. */
interface Expected {
  readonly from: Micros;
  readonly to: Micros;
  readonly since: Micros;
}

export class Interpreter {
  readonly clock = new ManualClock(1_000_000);
  private readonly script: Script;
  private readonly tun: Tun;
  private readonly calls: Calls;
  private readonly shell: Shell;
  private readonly sys: Syscalls;
  private readonly python = new Python();
  private readonly began: Micros;
  private readonly tolerance: Micros;
  private readonly gsoSize: number;
  private readonly flows: Flows;
  private readonly echo: boolean;
  /** The socket that listens, until the first SYN to it that names no ports. */
  private listening: Fd | undefined = undefined;
  private listener: Fd | undefined = undefined;
  private peers = 0;
  private underTest: Fd | undefined = undefined;
  private readonly datagrams: Datagrams;
  private blocked: Blocked | undefined = undefined;

  constructor(script: Script, { hz, echo }: RunOptions) {
    this.script = script;
    this.echo = echo;
    const { options } = script;
    for (const name of options.keys()) if (!OPTIONS_KNOWN.has(name)) throw new Unsupported(`option --${name}`);
    const family = options.get('ip_version') ?? 'ipv4';
    if (family !== 'ipv4') throw new Unsupported(`--ip_version=${family}`);
    const address = (name: string, fallback: string) => {
      const parsed = parseIpv4(options.get(name) ?? fallback);
      if (parsed === undefined) throw new Unsupported(`--${name}=${options.get(name)}`);
      return parsed;
    };
    const local = address('local_ip', '192.168.0.1');
    const remote = address('remote_ip', '192.0.2.1');
    const fallback = local === ip('192.168.0.2') ? '192.168.0.1' : '192.168.0.2';
    const gateway = address('gateway_ip', fallback);
    this.tun = new Tun(this.clock, { mtu: Number(options.get('mtu') ?? 1_500), local, remote, gateway });
    this.flows = new Flows(this.tun.sent);
    this.tun.host.sysctl.set('wirelab.hz', String(hz));
    this.sys = processOf(this.tun);
    this.shell = new Shell(this.tun.host, this.sys, this.clock);
    this.tolerance = Number(options.get('tolerance_usecs') ?? TOLERANCE);
    this.gsoSize = Number(options.get('mss') ?? 0);
    const port = (name: string): number => Number(options.get(name) ?? SERVICE_PORT);
    this.ends = { local, remote, bindPort: port('bind_port'), connectPort: port('connect_port') };
    this.calls = new Calls(this.sys, this.ends, {
      listening: (fd) => {
        this.listening = this.listener = fd;
      },
      accepted: (fd) => void (this.underTest = fd),
      datagrams: (fd) => {
        this.datagrams.fd = this.underTest = fd;
      },
      connecting: (fd, to, maybe) => {
        const { port: localPort } = this.sys.getsockname(fd);
        const same = fd === this.underTest && localPort === this.flows.current?.localPort;
        if (localPort === 0 || (maybe === true && same)) return;
        this.underTest = fd;
        this.begin({ localPort, remotePort: to.port });
      },
    });
    this.datagrams = new Datagrams(this.sys, this.tun.sent, this.ends);
    this.began = this.clock.now();
  }
  private readonly ends;

  /** Run to the end; throws what went wrong, with the line and the time. */
  async run(): Promise<void> {
    if (this.script.init !== undefined) await this.shell.run(this.script.init);
    const offset = this.clock.now() - this.began;
    this.calls.epoch = { zero: this.began + offset, tolerance: this.tolerance };
    for (const event of this.script.events) {
      try {
        await this.step(event, this.began + offset);
      } catch (error) {
        throw this.located(error, event);
      }
    }
    if (this.blocked !== undefined) {
      const { event } = this.blocked;
      await this.finishBlocked().catch((error: unknown) => {
        throw this.located(error, event);
      });
    }
    if (this.script.cleanup !== undefined) await this.shell.run(this.script.cleanup);
    this.shell.restore();
  }

  private located(error: unknown, event: ScriptEvent): unknown {
    const at = ((this.clock.now() - this.began) / 1e6).toFixed(6);
    const where = `line ${event.line}, ${at} s: ${event.source}`;
    const text = error instanceof Error ? error.message : String(error);
    const placed =
      error instanceof Unsupported
        ? new Unsupported(`line ${event.line}: ${text}`)
        : error instanceof ParseError
          ? new ParseError(`line ${event.line}: ${text}`)
          : new Mismatch(`${where}: ${error instanceof Mismatch ? text : ((error as Error).stack ?? text)}`);
    placed.place = { line: event.line, column: event.column };
    return placed;
  }

  private async step({ when, action, ...event }: ScriptEvent, zero: Micros): Promise<void> {
    const now = this.clock.now();
    const base = when.kind === 'absolute' ? zero : now;
    if (action.kind === 'out') {
      const { packet } = action;
      if (packet.kind === 'icmp') throw new Unsupported('ICMP that is sent');
      const take = (expected?: Expected) =>
        packet.kind === 'udp' ? this.outboundUdp(packet, expected) : this.outbound(packet, expected);
      if (when.kind === 'any') return take();
      const from = base + when.at;
      return take({
        from,
        to: when.until === undefined ? from : base + when.until,
        since: now,
      });
    }
    if (when.kind === 'any') throw new ParseError('only what is sent may come at any time');
    const target = base + when.at;
    if (target < now - this.tolerance) throw new Mismatch(`its time was over ${now - target} us ago`);
    await this.clock.runAsync(Math.max(now, target) + EVENT_COST);
    if (action.kind === 'in') return this.inbound(action.packet);
    if (action.kind === 'shell') return this.shell.run(action.text);
    if (action.kind === 'python') return this.python.run(action.text, samplerOf(this.sys, this.underTest));
    if (action.kind === 'call') return this.call({ when, action, ...event }, action, base);
    throw new ParseError('a packet of no direction');
  }

  // System calls.

  private async call(event: ScriptEvent, call: CallEvent, base: Micros): Promise<void> {
    const now = this.clock.now();
    const end = call.blocksUntil;
    // Both ends of `+t...end` count from the same moment.
    const due = end === undefined ? now : base + end.at;
    if (this.blocked !== undefined && end !== undefined) await this.finishBlocked();
    const slack = Math.max(this.tolerance, (due - now) * TOLERANCE_PART);
    const state: Blocked = { event, call, due, slack, outcome: undefined, error: undefined, doneAt: undefined };
    this.calls.make(call).then(
      (outcome) => {
        state.outcome = outcome;
        state.doneAt = this.clock.now();
      },
      (error: unknown) => {
        state.error = error;
        state.doneAt = this.clock.now();
      },
    );
    await settlePromises();
    if (end !== undefined) {
      this.blocked = state;
      return;
    }
    await this.clock.until(() => state.doneAt !== undefined, WAIT_MAX);
    checkOutcome(state);
  }

  /** The call that blocks must have ended at its time. */
  private async finishBlocked(): Promise<void> {
    const state = this.blocked;
    if (state === undefined) return;
    this.blocked = undefined;
    const left = state.due + LATE_MAX - this.clock.now();
    await this.clock.until(() => state.doneAt !== undefined, Math.max(0, left));
    if (state.doneAt === undefined) throw new Mismatch('the call did not end');
    checkOutcome(state);
    const off = state.doneAt - state.due;
    if (Math.abs(off) > state.slack) throw new Mismatch(timing('the call ended', off));
  }

  // Packets.

  private async inbound(line: TcpLine | IcmpLine | UdpLine): Promise<void> {
    if (line.kind === 'udp') this.tun.receive(buildDatagram(line, this.datagrams.flow()), 0, 0);
    else if (line.kind === 'icmp') {
      const flow = this.datagrams.fd === undefined ? this.flows.current : this.datagrams.flow();
      if (flow === undefined) throw new ParseError('ICMP before there is a connection');
      this.tun.receive(buildIcmp(line, flow), 0, 0);
    } else {
      const flow = this.flowFor(line);
      if (isSyn(line.flags) && flow.remoteIsn === undefined) {
        flow.remoteIsn = (PEER_ISN_FIRST + this.peers * 0x10_0000) >>> 0;
        flow.remoteScriptIsn = line.start;
      }
      const bytes = buildSegment(line, flow, { source: flow.remotePort, target: flow.localPort });
      this.tun.receive(bytes, this.gsoSize, line.end - line.start);
    }
    await this.clock.runAsync(this.clock.now());
  }

  private async outboundUdp(line: UdpLine, expected: Expected | undefined): Promise<void> {
    const last = expected === undefined ? this.clock.now() + WAIT_MAX : expected.to + LATE_MAX;
    await this.clock.until(() => this.datagrams.next() !== undefined, Math.max(0, last - this.clock.now()));
    const datagram = this.datagrams.take();
    if (datagram === undefined) throw new Mismatch('nothing was sent');
    this.checkTime(datagram.at, expected, () => `udp (${datagram.length})`);
    compareDatagram(datagram, line, this.datagrams.flow());
  }

  /** Sent when the script says, within what a time may be off by. */
  private checkTime(at: Micros, expected: Expected | undefined, text: () => string): void {
    if (expected === undefined) return;
    const { from, to, since } = expected;
    const slack = Math.max(this.tolerance, (from - since) * TOLERANCE_PART);
    const off = at < from ? at - from : Math.max(0, at - to);
    if (Math.abs(off) > slack) throw new Mismatch(`${timing('it was sent', off)}: ${text()}`);
  }

  private begin(ports: { localPort: number; remotePort: number }): Flow {
    const flow = new Flow({ localAddress: this.ends.local, remoteAddress: this.ends.remote, ...ports });
    flow.scaledEchoes = this.script.options.has('tcp_ts_ecr_scaled');
    return this.flows.begin(flow);
  }

  /** A SYN to a listener begins the connection under test. */
  private flowFor(line: TcpLine): Flow {
    const ports = portsOf(line, 'in');
    const opens = isSyn(line.flags) && (line.flags & ACK) === 0;
    const known = this.flows.find(ports, !opens);
    const listener = ports === undefined ? this.listening : known === undefined ? this.listener : undefined;
    if (opens && listener !== undefined) {
      this.listening = undefined;
      this.peers++;
      const localPort = this.sys.getsockname(listener).port;
      const flow = this.begin({ localPort, remotePort: PEER_PORT_FIRST + this.peers });
      flow.scriptPorts = ports;
      return flow;
    }
    if (known === undefined) throw new ParseError('a packet comes in before there is a connection');
    return known;
  }

  private async outbound(line: TcpLine, expected: Expected | undefined): Promise<void> {
    const ports = portsOf(line, 'out');
    const next = (): Segment | undefined => this.flows.next(this.flows.find(ports));
    const last = expected === undefined ? this.clock.now() + WAIT_MAX : expected.to + LATE_MAX;
    await this.clock.until(() => next() !== undefined, Math.max(0, last - this.clock.now()));
    const flow = this.flows.find(ports);
    const first = flow === undefined ? undefined : this.flows.take(flow);
    if (first === undefined || flow === undefined) throw new Mismatch('nothing was sent');
    this.checkTime(first.at, expected, () => describe(first, flow));
    const segment = await this.joined(first, flow, (line.end - line.start) >>> 0);
    const tick = this.script.options.get('tcp_ts_tick_usecs');
    const rule = { tick: tick === undefined ? undefined : Number(tick), tolerance: this.tolerance, echo: this.echo };
    compareSegment(segment, line, flow, rule);
  }

  /** Join what follows in sequence until it has the length that the script says (not with --strict_segments). */
  private async joined(first: Segment, flow: Flow, length: number): Promise<Segment> {
    if (this.script.options.has('strict_segments')) return first;
    let joined = first;
    while (joined.length < length) {
      const wanted = (joined.seq + joined.length) >>> 0;
      await this.clock.until(() => this.flows.next(flow) !== undefined, this.tolerance);
      const next = this.flows.next(flow);
      const fits =
        next !== undefined && next.seq === wanted && next.length > 0 && next.length <= length - joined.length;
      const middle = (joined.flags & ~FIN_PSH) === ((next?.flags ?? 0) & ~FIN_PSH);
      if (!fits || !middle) break;
      this.flows.take(flow);
      joined = {
        ...next,
        seq: joined.seq,
        length: joined.length + next.length,
        at: joined.at,
        fault: joined.fault ?? next.fault,
      };
    }
    return joined;
  }
}

export interface RunOptions {
  /** Ticks of the kernel in a second. */
  readonly hz: number;
  /** Compare the echoes of time stamps, too; packetdrill itself does not. */
  readonly echo: boolean;
}

export interface Verdict {
  readonly outcome: 'pass' | 'fail' | 'unsupported';
  readonly message: string;
  /** Where in the script, when it is about a line of it. */
  readonly place?: Place | undefined;
  /** Only a kernel that ticks so passes. */
  readonly hz?: number;
}

/** Parse and run the text of a script on a kernel that ticks `hz` times a second. */
export async function runScript(
  text: string,
  { hz = 1_000, echo = true }: Partial<RunOptions> = {},
  defines?: ReadonlyMap<string, string>,
): Promise<Verdict> {
  try {
    await new Interpreter(parseScript(text, defines), { hz, echo }).run();
    return { outcome: 'pass', message: '' };
  } catch (error) {
    if (error instanceof Mismatch) return { outcome: 'fail', message: error.message, place: error.place };
    if (error instanceof Unsupported) return { outcome: 'unsupported', message: error.message, place: error.place };
    if (error instanceof ParseError) {
      return { outcome: 'unsupported', message: `cannot parse: ${error.message}`, place: error.place };
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { outcome: 'fail', message: text };
  }
}
