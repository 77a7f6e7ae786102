/**
 * A lab in a test: what `lab()` hands out. The same on processes, on Docker, and packed in one process; every fault, the
 * capture and the lab itself end with their scope (`await using`), or with the process, however it ends.
 */
import type { DeviceState } from '../../../shared/device/state-types.ts';
import type { Dissection } from '../../../shared/header/dissection.ts';
import type { Program } from '../../../shared/net/syscalls.ts';
import type { Verdict } from '../../../shared/wire/verdict.ts';
import type { LedgerRow } from '../../gateway/ledger-row.ts';

export type Engine = 'processes' | 'docker' | 'packed';

export interface LabOptions {
  /** processes when left out. */
  readonly engine?: Engine;
  /**
   * virtual, packed only: lab time stands still but for the times when the test waits for the lab, and then jumps from
   * event to event, so that an hour passes in seconds. real when left out.
   */
  readonly clock?: 'real' | 'virtual';
  /** Instead of the lab file's. */
  readonly seed?: number;
  /** Packed only: programs of the test's own, beside the built-in ones. */
  readonly programs?: ReadonlyMap<string, Program>;
  /** What resident programs print; packed only. */
  readonly output?: (device: string, program: string, text: string) => void;
}

/** A lab that is up. Names that it does not know are errors that propose the closest. */
export interface Net extends AsyncDisposable {
  readonly name: string;
  readonly engine: Engine;
  readonly seed: number;
  /** The page; undefined when packed. */
  readonly dashboard: string | undefined;
  readonly wait: Wait;
  host(device: string): NetDevice;
  /** By either port (`alice:eth0`: what it sends) or by itself (`alice:eth0--sw:p1`: both ways). */
  wire(target: string): NetWire;
  devices(): readonly string[];
  unplug(target: string): Promise<NetFault>;
  plug(target: string): Promise<void>;
  cut(port: string): Promise<NetFault>;
  flap(target: string, how?: { readonly period?: string; readonly duty?: string }): Promise<NetFault>;
  /** Unplugs the fewest wires that part the groups, partition(['alice', 'bob'], ['www']); one group: from all the rest. */
  partition(...groups: (readonly string[])[]): Promise<NetFault>;
  kill(device: string): Promise<NetFault>;
  freeze(device: string): Promise<NetFault>;
  /** End every fault: at a port, a wire or a device, or all. Returns their words. */
  heal(target?: string): Promise<readonly string[]>;
  /** Record frames of ports (`alice:eth0`), of all ports of a device (`alice`), or of `all`. */
  capture(...ports: string[]): Promise<NetCapture>;
  /** What wires did to which frames, in the order of time. */
  verdicts(target?: string): Promise<readonly NetVerdict[]>;
  /** Where every frame is, per wire and direction. */
  ledger(): Promise<NetLedger>;
  /** Lab time, microseconds. */
  now(): number;
  /** Take the lab down; what `await using` calls. */
  close(): Promise<void>;
}

/** In force until its scope ends, or heal(). */
export interface NetFault extends AsyncDisposable {
  /** `unplug alice:eth0--sw:p1`. */
  readonly words: string;
  readonly wires: readonly string[];
  readonly ports: readonly string[];
  heal(): Promise<void>;
}

export interface NetDevice {
  readonly name: string;
  /**
   * Run an emulated program to its end: exec('ping', '-c', '3', '10.0.0.2'), or one line, whose words are parted as a
   * shell would, quotes and all. What the program says of itself is in `status`; throws when there is no such program, or
   * the device is down or goes down.
   */
  exec(...argv: readonly string[]): Promise<ExecResult>;
  /** Start one and leave it running. */
  start(...argv: readonly string[]): NetProgram;
  /** Fetch a page with the device's curl: names, routes and connections are the lab's. Throws when curl fails. */
  fetch(url: string): Promise<FetchResult>;
  state(): Promise<DeviceState>;
  kill(): Promise<NetFault>;
  freeze(): Promise<NetFault>;
  restart(): Promise<void>;
}

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface NetProgram extends AsyncDisposable {
  readonly done: Promise<ExecResult>;
  stdout(): string;
  stderr(): string;
  kill(signal?: 'SIGINT' | 'SIGTERM'): void;
}

export interface FetchResult {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  text(): string;
}

/** In the words of a lab file (labs/README.md has the table), or `off`; a count may be a number. */
export interface Knobs {
  /** `20ms`: how long every frame takes. */
  readonly delay?: string;
  /** `5ms`: how far the delay varies, up and down. */
  readonly jitter?: string;
  /** How the jitter is spread: uniform, normal, pareto, paretonormal. */
  readonly distribution?: string;
  /** Whether frames keep their order while the delay varies: kept, free. */
  readonly order?: string;
  /** `5%`, or in bursts after Gilbert and Elliott `gemodel 1% 20%`. */
  readonly loss?: string;
  /** `1%`: share of frames that arrive twice. */
  readonly duplicate?: string;
  /** `25%`: share of frames that skip the delay and overtake others. */
  readonly reorder?: string;
  /** Only every gap-th frame may be reordered. */
  readonly gap?: string | number;
  /** `0.1%`: share of frames with a bit turned over; the FCS finds it, with `0.1% ip` or `0.1% tcp` that header's checksum. */
  readonly corrupt?: string;
  /** `10mbit`: how fast the wire takes bits. */
  readonly rate?: string;
  /** How many frames may wait for the rate or the delay. */
  readonly limit?: string | number;
  /** Frames whose packet is longer, in octets, are lost. */
  readonly mtu?: string | number;
  /** Only to the frames that this display filter names, in Wireshark's words; goes with delay, loss, duplicate, corrupt. */
  readonly match?: string;
  /** With match: from the nth such frame on, */
  readonly nth?: string | number;
  /** then each so-manieth, */
  readonly every?: string | number;
  /** so many of them; with nth alone 1. */
  readonly count?: string | number;
  /** End every knob first, those of the lab file too. */
  readonly clear?: boolean;
}

export interface NetWire {
  readonly name: string;
  /** impair({ loss: '5%', delay: '20ms' }), from the next frame on; knobs not named stay. */
  impair(knobs: Knobs): Promise<NetFault>;
  unplug(): Promise<NetFault>;
  cut(): Promise<NetFault>;
  /** By end: of a wire `{ 'alice:eth0': true, 'sw:p1': true }`, of a port its own alone. */
  carrier(): Promise<Readonly<Record<string, boolean>>>;
}

/** Times are words with units (`200ms`, `5s`) of lab time. */
export interface Wait {
  /** Until a port, or both ends of a wire, have carrier (or none of them has). 5 s at most when left out. */
  carrier(target: string, up?: boolean, limit?: string): Promise<void>;
  /** Until it holds, asked over and over. */
  until(holds: () => boolean | Promise<boolean>, limit?: string, what?: string): Promise<void>;
  time(time: string): Promise<void>;
}

export interface NetVerdict extends Verdict {
  /** The wire end that sent the frame. */
  readonly port: string;
}

export interface NetLedger {
  /** Two a wire, one for each direction. */
  readonly rows: readonly LedgerRow[];
  /** Every frame is accounted for, and none is under way: true once the lab is quiet. */
  readonly balances: boolean;
}

export interface NetFrame {
  /** `alice:eth0`. */
  readonly port: string;
  readonly direction: 'in' | 'out';
  /** Lab time, microseconds. */
  readonly time: number;
  /** Per direction at this wire end, from 0. */
  readonly number: number;
  /** Ethernet header to FCS. */
  readonly bytes: Uint8Array;
  /** What the wire did to it: `lost by loss 5%`. */
  readonly verdicts: readonly string[];
  readonly dissection: Dissection;
}

export interface NetCapture extends AsyncDisposable {
  /** In the order of time; with a display filter in Wireshark's words, only those that fit. */
  frames(filter?: string): readonly NetFrame[];
  /** Until so many frames fit. */
  until(filter: string, count?: number, limit?: string): Promise<readonly NetFrame[]>;
  /** Frames lost to the capture. */
  readonly lost: number;
  /** What Wireshark reads. */
  pcapng(): Uint8Array;
  stop(): Promise<void>;
}
