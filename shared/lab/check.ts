/**
 * A lab file's text to a lab that can be brought up, or to everything that is wrong with it, all at once. No I/O: which
 * programs there are and which files the lab's folder holds is handed in.
 *
 * Left out: what zone files hold (their parser's business), and loops of switches, which are legal and melt, as they do.
 */

import { DeviceReader } from './check-device.ts';
import { checkNetwork } from './check-network.ts';
import { checkOutside, type Outside } from './check-outside.ts';
import { WireReader } from './check-wire.ts';
import { closest } from './closest.ts';
import type { LabDevice, LabFile, LabWire } from './model.ts';
import { type LabNode, type MappingNode, parseLab } from './parse.ts';
import { type Problem, Problems } from './problem.ts';
import { DEVICES_MAX, NAME, NAME_EXPECTED, TOP_KEYS, WIRES_MAX } from './schema.ts';
import { cut, describe, doubleKey } from './values.ts';

export interface CheckOptions extends Outside {
  /** What messages call the file. */
  readonly file: string;
}

export interface Checked {
  /** Undefined when there are problems. */
  readonly lab: LabFile | undefined;
  readonly problems: readonly Problem[];
}

const LAB_EXPECTED = 'a mapping with name, devices and wires';
const SEED_DEFAULT = 1;
const TOP_WORDS = [...Object.keys(TOP_KEYS), 'devices', 'wires'];
/** Words that mean something else where a device's name is expected. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['all']);

/** Check a lab file. Every problem is in the answer; nothing is thrown. */
export function checkLab(text: string, options: CheckOptions): Checked {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const problems = new Problems(options.file, source);
  const lab = readLab(source, options, problems);
  return { lab: problems.count === 0 ? lab : undefined, problems: problems.sorted() };
}

function readLab(source: string, options: CheckOptions, problems: Problems): LabFile | undefined {
  const { root, broken } = parseLab(source, problems);
  if (broken) return undefined;
  if (root === undefined || (root.what === 'scalar' && root.empty)) {
    problems.add({ start: 0, end: 1 }, 'the file is empty', LAB_EXPECTED);
    return undefined;
  }
  if (root.what !== 'mapping') {
    problems.add(root.span, `the file is ${describe(root)}`, LAB_EXPECTED);
    return undefined;
  }
  const top = readTop(root, source, problems);
  const devices = readDevices(top.devices, source, problems);
  const byName = new Map(devices.map((device) => [device.name.value, device]));
  // Without devices every wire would be wrong, and none of them to blame.
  const wires = devices.length === 0 ? [] : readWires(top.wires, new WireReader(byName, problems, source), problems);
  const lab: LabFile = { name: top.name, description: top.description, seed: top.seed, devices, wires };
  checkNetwork(lab, isComplete(lab, top.wires), problems);
  for (const device of devices) checkOutside(device, options, problems);
  return lab;
}

/** Every wire and every address could be read; if not, an end that seems alone may have a neighbour. */
function isComplete({ devices, wires }: LabFile, node: LabNode | undefined): boolean {
  const written = node?.what === 'list' ? node.items.length : 0;
  const sure = (device: LabDevice): boolean =>
    device.kind !== undefined && !device.portsUnsure && [...device.ports.values()].every((port) => !port.unsure);
  return wires.length === written && devices.every(sure);
}

interface Top {
  name: string;
  description: string;
  seed: number;
  devices: LabNode | undefined;
  wires: LabNode | undefined;
}

function readTop(root: MappingNode, source: string, problems: Problems): Top {
  const top: Top = { name: '', description: '', seed: SEED_DEFAULT, devices: undefined, wires: undefined };
  const seen = new Set<string>();
  for (const { key, value } of root.entries) {
    const reading = { problems, source, what: key.text };
    if (seen.has(key.text)) doubleKey(key, { problems, what: 'the lab' });
    else if (key.text === 'name')
      top.name = TOP_KEYS.name.type.read(value, { ...reading, what: 'the name of the lab' }) ?? '';
    else if (key.text === 'description') top.description = TOP_KEYS.description.type.read(value, reading) ?? '';
    else if (key.text === 'seed') top.seed = TOP_KEYS.seed.type.read(value, reading) ?? SEED_DEFAULT;
    else if (key.text === 'devices') top.devices = value;
    else if (key.text === 'wires') top.wires = value;
    else {
      problems.unknown(key.span, `unknown key "${cut(key.text)}" in the lab`, key.text, TOP_WORDS);
      // Take it for what it was meant to be, so that the rest is checked, and no wire is blamed for it.
      const meant = closest(key.text, TOP_WORDS);
      if (meant === 'devices') top.devices ??= value;
      if (meant === 'wires') top.wires ??= value;
      if (meant !== undefined) seen.add(meant);
    }
    seen.add(key.text);
  }
  const start = root.entries[0]?.key.span ?? root.span;
  if (!seen.has('name')) problems.add(start, 'the lab has no name', 'name: NAME at the top');
  if (!seen.has('devices')) {
    problems.add(start, 'the lab has no devices', 'devices: and below it a name with { kind: … } for each');
  }
  return top;
}

function readDevices(node: LabNode | undefined, source: string, problems: Problems): LabDevice[] {
  if (node === undefined) return [];
  const expected = 'a mapping from names to devices, such as alice: { kind: host, eth0: 10.0.0.1/24 }';
  if (node.what !== 'mapping' || node.entries.length === 0) {
    problems.add(node.span, `devices is ${node.what === 'mapping' ? 'empty' : describe(node)}`, expected);
    return [];
  }
  const devices: LabDevice[] = [];
  const seen = new Map<string, string>();
  for (const { key, value } of node.entries) {
    // Container and host names do not know upper from lower case.
    const same = seen.get(key.text.toLowerCase());
    if (same !== undefined) {
      problems.add(key.span, `a second device is named ${key.text}`, `another name: there is ${same} already`);
      continue;
    }
    seen.set(key.text.toLowerCase(), key.text);
    if (!NAME.test(key.text)) problems.add(key.span, `impossible device name "${cut(key.text)}"`, NAME_EXPECTED);
    else if (RESERVED_NAMES.has(key.text)) problems.add(key.span, `"${key.text}" cannot name a device`, 'another name');
    if (devices.length >= DEVICES_MAX) {
      problems.add(key.span, 'too many devices', `at most ${DEVICES_MAX}`);
      break;
    }
    devices.push(new DeviceReader(key, value, problems, source).read());
  }
  return devices;
}

function readWires(node: LabNode | undefined, reader: WireReader, problems: Problems): LabWire[] {
  if (node === undefined || (node.what === 'scalar' && node.empty)) return [];
  if (node.what !== 'list') {
    problems.add(node.span, `wires is ${describe(node)}`, 'a list, each entry - DEVICE:PORT -- DEVICE:PORT');
    return [];
  }
  const wires: LabWire[] = [];
  for (const item of node.items) {
    if (wires.length >= WIRES_MAX) {
      problems.add(item.span, 'too many wires', `at most ${WIRES_MAX}`);
      break;
    }
    const wire = reader.read(item);
    if (wire !== undefined) wires.push(wire);
  }
  return wires;
}
