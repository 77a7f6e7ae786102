/**
 * The wires of a lab file: `- alice:eth0 -- sw:p1`, or with what the wire does to frames, `: { delay: 5ms }`. Every end
 * must be there, and carry one wire.
 */
import type { LabDevice, LabWire, LabWireEnd } from './model.ts';
import { deviceLabel } from './model.ts';
import type { LabNode, MappingNode, ScalarNode } from './parse.ts';
import type { Impairment } from './plan-types.ts';
import { oneOf, type Problems, type Span } from './problem.ts';
import { DIRECTIONS, KNOBS, type Knob } from './schema.ts';
import { cut, describe, doubleKey, partOf } from './values.ts';

const WIRE_EXPECTED = 'DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1';
const WIRE = /^(\S+?):(\S+)\s+--\s+(\S+?):(\S+)$/;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface End extends LabWireEnd {
  readonly deviceSpan: Span;
  readonly portSpan: Span;
}

/** Reads wires one after the other; knows which ports are taken. */
export class WireReader {
  private readonly devices: ReadonlyMap<string, LabDevice>;
  private readonly problems: Problems;
  private readonly source: string;
  private readonly taken = new Map<string, string>();

  constructor(devices: ReadonlyMap<string, LabDevice>, problems: Problems, source: string) {
    this.devices = devices;
    this.problems = problems;
    this.source = source;
  }

  read(node: LabNode): LabWire | undefined {
    const split = this.split(node);
    if (split === undefined) return undefined;
    const match = WIRE.exec(split.ends.text);
    if (match === null) {
      this.problems.add(
        split.ends.span,
        `cannot read "${cut(split.ends.text)}" as a wire`,
        WIRE_EXPECTED,
        wireHint(split.ends.text),
      );
      return undefined;
    }
    const [a, b] = this.endsOf(split.ends, match);
    const name = `${a.device}:${a.port}--${b.device}:${b.port}`;
    const known = [this.checkEnd(a), this.checkEnd(b)].every(Boolean);
    if (a.device === b.device && a.port === b.port) {
      this.problems.add(split.ends.span, `${a.device}:${a.port} is wired to itself`, 'two ends');
    } else {
      this.take(a, name);
      this.take(b, name);
    }
    const { forward, backward } = this.readKnobs(split.knobs, name);
    return known ? { name, span: split.ends.span, a, b, forward, backward } : undefined;
  }

  private split(node: LabNode): { ends: ScalarNode; knobs: LabNode | undefined } | undefined {
    if (node.what === 'scalar' && !node.empty) return { ends: node, knobs: undefined };
    if (node.what !== 'mapping' || node.entries.length === 0) {
      this.problems.add(node.span, `a wire is ${describe(node)}`, WIRE_EXPECTED);
      return undefined;
    }
    const [first, second] = node.entries;
    if (first === undefined) return undefined;
    if (second !== undefined) {
      const hint = isKnob(second.key.text) ? `put "${second.key.text}" further in, below the wire` : undefined;
      const expected = 'one wire an entry, its values as { … } or indented below it';
      this.problems.add(second.key.span, `"${cut(second.key.text)}" stands beside a wire`, expected, hint);
      return undefined;
    }
    if (first.value.what === 'scalar' && first.value.empty) return { ends: first.key, knobs: undefined };
    return { ends: first.key, knobs: first.value };
  }

  private endsOf(node: ScalarNode, match: RegExpExecArray): readonly [End, End] {
    const [, aDevice = '', aPort = '', bDevice = '', bPort = ''] = match;
    const bAt = node.text.length - bDevice.length - bPort.length - 1;
    const end = (device: string, port: string, at: number): End => ({
      device,
      port,
      deviceSpan: partOf(node, this.source, at, at + device.length),
      portSpan: partOf(node, this.source, at + device.length + 1, at + device.length + 1 + port.length),
    });
    return [end(aDevice, aPort, 0), end(bDevice, bPort, bAt)];
  }

  private checkEnd(end: End): boolean {
    const device = this.devices.get(end.device);
    if (device === undefined) {
      this.problems.unknown(end.deviceSpan, `no device "${cut(end.device)}"`, end.device, this.devices.keys());
      return false;
    }
    if (device.ports.has(end.port)) return true;
    if (device.kind === undefined || device.portsUnsure) return false;
    const ports = [...device.ports.keys()];
    const message = `${deviceLabel(device)} has no port "${cut(end.port)}"`;
    if (ports.length === 0) {
      this.problems.add(end.portSpan, message, 'a port in the device, such as eth0: 10.0.0.1/24');
    } else if (device.kind === 'switch' && /^p[0-9]+$/.test(end.port)) {
      this.problems.add(end.portSpan, message, oneOf(ports), `ports: N gives a switch N ports`);
    } else this.problems.unknown(end.portSpan, message, end.port, ports);
    return false;
  }

  private take(end: End, wire: string): void {
    const port = `${end.device}:${end.port}`;
    const other = this.taken.get(port);
    if (other !== undefined) {
      const free = this.freePorts(end.device);
      const expected = free.length === 0 ? 'one wire a port' : `a free port of ${end.device}: ${oneOf(free)}`;
      const span = { start: end.deviceSpan.start, end: end.portSpan.end };
      this.problems.add(span, `${port} has two wires; the other is ${other}`, expected);
    }
    this.taken.set(port, wire);
  }

  private freePorts(device: string): string[] {
    const names = [...(this.devices.get(device)?.ports.keys() ?? [])];
    return names.filter((port) => !this.taken.has(`${device}:${port}`));
  }

  private readKnobs(node: LabNode | undefined, wire: string): { forward: Impairment; backward: Impairment } {
    const none = { forward: {}, backward: {} };
    if (node === undefined) return none;
    if (node.what !== 'mapping') {
      this.problems.add(
        node.span,
        `what wire ${wire} does is ${describe(node)}`,
        'a mapping such as { delay: 5ms, loss: 1% }',
      );
      return none;
    }
    const both: Mutable<Impairment> = {};
    const ways: Record<(typeof DIRECTIONS)[number], Mutable<Impairment>> = { '->': {}, '<-': {} };
    const seen = new Set<string>();
    for (const { key, value } of node.entries) {
      const what = `wire ${wire}`;
      if (seen.has(key.text)) doubleKey(key, { problems: this.problems, what });
      else if (key.text === '->' || key.text === '<-')
        this.readDirection(value, ways[key.text], `"${key.text}" of ${what}`);
      else this.readKnob(key, value, both, what, DIRECTIONS);
      seen.add(key.text);
    }
    const forward = { ...both, ...ways['->'] };
    const backward = { ...both, ...ways['<-'] };
    // What stands for both ways is told once.
    if (this.checkTogether(node, forward, wire)) this.checkTogether(node, backward, wire);
    return { forward, backward };
  }

  private readDirection(node: LabNode, into: Mutable<Impairment>, what: string): void {
    if (node.what !== 'mapping') {
      this.problems.add(node.span, `${what} is ${describe(node)}`, 'a mapping such as { delay: 5ms, loss: 1% }');
      return;
    }
    const seen = new Set<string>();
    for (const { key, value } of node.entries) {
      if (seen.has(key.text)) doubleKey(key, { problems: this.problems, what });
      else if (key.text === '->' || key.text === '<-') {
        const expected = '"->" and "<-" side by side, each with values of its own';
        this.problems.add(key.span, `"${key.text}" stands inside ${what}`, expected);
      } else this.readKnob(key, value, into, what, []);
      seen.add(key.text);
    }
  }

  private readKnob(
    key: ScalarNode,
    value: LabNode,
    into: Mutable<Impairment>,
    what: string,
    more: readonly string[],
  ): void {
    if (!isKnob(key.text)) {
      this.problems.unknown(key.span, `unknown key "${cut(key.text)}" in ${what}`, key.text, Object.keys(KNOBS), more);
      return;
    }
    const reading = { problems: this.problems, source: this.source, what: `${key.text} of ${what}` };
    const read = KNOBS[key.text].type.read(value, reading);
    if (read !== undefined) Object.assign(into, { [key.text]: read });
  }

  /** Knobs that mean nothing without another, as tc says too. */
  private checkTogether(node: MappingNode, impairment: Impairment, wire: string): boolean {
    const needs: readonly (readonly [Knob, Knob])[] = [
      ['jitter', 'delay'],
      ['distribution', 'jitter'],
      ['order', 'jitter'],
      ['reorder', 'delay'],
      ['gap', 'reorder'],
      ['limit', 'delay'],
    ];
    for (const [knob, other] of needs) {
      if (impairment[knob] === undefined || impairment[other] !== undefined) continue;
      if (knob === 'limit' && impairment.rate !== undefined) continue;
      const span = keySpan(node, knob) ?? node.span;
      this.problems.add(span, `${knob} of wire ${wire} does nothing without ${other}`, `${other} beside it`);
      return false;
    }
    return true;
  }
}

function isKnob(text: string): text is Knob {
  return Object.hasOwn(KNOBS, text);
}

function keySpan(node: MappingNode, key: string): Span | undefined {
  for (const entry of node.entries) {
    if (entry.key.text === key) return entry.key.span;
    if (entry.value.what !== 'mapping') continue;
    const inside = keySpan(entry.value, key);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function wireHint(text: string): string | undefined {
  if (/^\S+:\S+--\S+:\S+$/.test(text)) return 'put blanks around the "--"';
  const arrow = /^(\S+:\S+)\s*(->|<->|<-|=>|—|–|-)\s*(\S+:\S+)$/.exec(text);
  if (arrow !== null) return `did you mean "${arrow[1]} -- ${arrow[3]}"?`;
  if (/^\S+:\S+\s+--\s+\S+:\S+\s+\{/.test(text)) return `put ": " before the "{"`;
  if (/\s--\s/.test(text)) return 'an end is a device and its port, joined by ":"';
  return undefined;
}
