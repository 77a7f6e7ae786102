/**
 * One device of the lab file: its keys by the table of schema.ts, then what one device can get wrong on its own (a role
 * without zones, a NAT port that is not there).
 */
import { closest } from './closest.ts';
import type { LabDevice, LabPort } from './model.ts';
import type { LabNode, MappingEntry, ScalarNode } from './parse.ts';
import type { DeviceKind } from './plan-types.ts';
import { didYouMean, type Located, oneOf, type Problems } from './problem.ts';
import {
  DEVICE_KEYS,
  DEVICE_KINDS,
  type DeviceKey,
  type DeviceKeySpec,
  PORT_NAME,
  PORT_SPEC,
  PORTS_MAX,
  SWITCH_PORTS_DEFAULT,
} from './schema.ts';
import { cut, describe, doubleKey, type ValueType } from './values.ts';

type ValueOf<K extends DeviceKey> = (typeof DEVICE_KEYS)[K]['type'] extends ValueType<infer T> ? T : never;

/** A key that was perhaps meant as a port: `eht0`, `ETH1`. */
const NEARLY_A_PORT = /^[a-z]{1,5}-?([0-9]{1,4})$/i;

/** A key and its value with no blank after the colon, or no colon: `eth0:10.0.0.1/24`, `kind host`. */
const JOINED = /^([a-z0-9]+)(?:\s*[:=]\s*|\s+)\S/i;

export class DeviceReader {
  private readonly name: Located<string>;
  private readonly problems: Problems;
  private readonly source: string;
  private readonly entries: readonly MappingEntry[];
  private readonly kind: DeviceKind | undefined;
  /** `alice (host)`. */
  private readonly label: string;
  private readonly values = new Map<DeviceKey, Located<unknown>>();
  private readonly ports = new Map<string, LabPort>();
  private portsUnsure = false;

  constructor(name: ScalarNode, node: LabNode, problems: Problems, source: string) {
    this.name = { value: name.text, span: name.span };
    this.problems = problems;
    this.source = source;
    this.entries = node.what === 'mapping' ? node.entries : [];
    this.kind = this.readKind(node);
    this.label = this.kind === undefined ? name.text : `${name.text} (${this.kind})`;
  }

  read(): LabDevice {
    const seen = new Set<string>();
    for (const entry of this.entries) {
      if (seen.has(entry.key.text)) doubleKey(entry.key, { problems: this.problems, what: `device ${this.label}` });
      else this.readEntry(entry);
      seen.add(entry.key.text);
    }
    if (this.kind === 'switch') this.addSwitchPorts();
    const device = this.assemble();
    checkRole(device, { label: this.label, written: seen }, this.problems);
    checkPortNames(device, this.label, this.problems);
    return device;
  }

  private readKind(node: LabNode): DeviceKind | undefined {
    const expected = `a mapping with kind: ${DEVICE_KINDS.join(' | ')} and its ports`;
    if (node.what !== 'mapping') {
      const what = `device ${this.name.value} is ${describe(node)}`;
      this.problems.add(node.what === 'scalar' && node.empty ? this.name.span : node.span, what, expected);
      return undefined;
    }
    const entry =
      node.entries.find(({ key }) => key.text === 'kind') ??
      // Misspelt, which is told with the other keys: read it as what it was meant to be.
      node.entries.find(
        ({ key }) => /^[a-z]+$/i.test(key.text) && closest(key.text, Object.keys(DEVICE_KEYS)) === 'kind',
      );
    if (entry === undefined) {
      // `kind host`, which is told with the other keys.
      if (node.entries.some(({ key }) => JOINED.exec(key.text)?.[1] === 'kind')) return undefined;
      this.problems.add(this.name.span, `device ${this.name.value} has no kind`, `kind: ${DEVICE_KINDS.join(' | ')}`);
      return undefined;
    }
    const what = `kind of device ${this.name.value}`;
    return DEVICE_KEYS.kind.type.read(entry.value, { problems: this.problems, source: this.source, what });
  }

  private readEntry({ key, value }: MappingEntry): void {
    if (key.text === 'kind') return;
    const spec = specOf(key.text);
    if (spec === undefined) {
      this.unknownKey(key);
      return;
    }
    if (this.kind !== undefined && !spec.kinds.includes(this.kind)) {
      this.foreignKey(key, spec);
      return;
    }
    const reading = { problems: this.problems, source: this.source, what: `${key.text} of ${this.label}` };
    const read = spec.type.read(value, reading);
    if (read === undefined) return;
    if (PORT_NAME.test(key.text)) {
      const settings = read as ReturnType<typeof PORT_SPEC.type.read>;
      if (this.ports.size >= PORTS_MAX)
        this.problems.add(key.span, `${this.label} has too many ports`, `at most ${PORTS_MAX}`);
      else if (settings !== undefined) this.ports.set(key.text, { name: key.text, span: key.span, ...settings });
    } else {
      this.values.set(key.text as DeviceKey, { value: read, span: value.span });
    }
  }

  /** The keys that this device may have, but for its ports. */
  private knownKeys(): string[] {
    return Object.entries<DeviceKeySpec>(DEVICE_KEYS)
      .filter(([, spec]) => this.kind === undefined || spec.kinds.includes(this.kind))
      .map(([name]) => name);
  }

  private unknownKey(key: ScalarNode): void {
    const message = `unknown key "${cut(key.text)}" in device ${this.label}`;
    const known = this.knownKeys();
    const joined = JOINED.exec(key.text)?.[1] ?? '';
    if (specOf(joined) !== undefined) {
      this.portsUnsure ||= PORT_NAME.test(joined);
      this.problems.add(key.span, message, oneOf([...known, 'ethN']), `put ": " after "${joined}"`);
      return;
    }
    const number = NEARLY_A_PORT.exec(key.text)?.[1];
    if (number !== undefined && this.kind !== 'switch') {
      // So that wires to the port that was meant are not called wrong, too.
      this.portsUnsure = true;
      this.problems.add(key.span, message, oneOf([...known, 'ethN']), didYouMean(`eth${Number(number)}`));
    } else {
      this.problems.unknown(key.span, message, key.text, known, this.kind === 'switch' ? [] : ['ethN']);
    }
  }

  private foreignKey(key: ScalarNode, spec: DeviceKeySpec): void {
    const isPort = PORT_NAME.test(key.text);
    const hint = isPort ? `a switch has ports p1 to p${SWITCH_PORTS_DEFAULT}, or as many as ports: says` : undefined;
    const owners = spec.kinds.join(', ');
    const message = `key "${key.text}" belongs to ${owners}, not to device ${this.label}`;
    const known = this.kind === 'switch' ? this.knownKeys() : [...this.knownKeys(), 'ethN'];
    this.problems.add(key.span, message, oneOf(known), hint);
  }

  private addSwitchPorts(): void {
    const count = this.get('ports')?.value ?? SWITCH_PORTS_DEFAULT;
    for (let n = 1; n <= count; n++) {
      const port: LabPort = {
        name: `p${n}`,
        span: this.name.span,
        addresses: [],
        mac: undefined,
        mtu: undefined,
        unsure: false,
      };
      this.ports.set(port.name, port);
    }
  }

  private get<K extends DeviceKey>(key: K): Located<ValueOf<K>> | undefined {
    return this.values.get(key) as Located<ValueOf<K>> | undefined;
  }

  private assemble(): LabDevice {
    const cpu = new Map((this.get('cpu')?.value ?? []).map(({ key, value }) => [key.value, value.value]));
    return {
      name: this.name,
      kind: this.kind,
      role: this.get('role'),
      ports: this.ports,
      portsUnsure: this.portsUnsure,
      gateway: this.get('gateway'),
      routes: this.get('routes')?.value ?? [],
      dns: this.get('dns')?.value ?? [],
      search: this.get('search')?.value ?? [],
      hosts: (this.get('hosts')?.value ?? []).map(({ key, value }) => ({ address: key.value, names: value.value })),
      nat: this.get('nat'),
      lan: this.get('lan')?.value ?? [],
      sysctl: this.get('sysctl')?.value ?? [],
      run: this.get('run')?.value ?? [],
      cpu: { irq: cpu.get('irq') ?? 0, poll: cpu.get('poll') ?? 0, packet: cpu.get('packet') ?? 0 },
      zones: (this.get('zones')?.value ?? []).map(({ key, value }) => ({ origin: key, file: value })),
      hints: this.get('hints'),
    };
  }
}

function specOf(key: string): DeviceKeySpec | undefined {
  if (PORT_NAME.test(key)) return PORT_SPEC;
  return Object.hasOwn(DEVICE_KEYS, key) ? DEVICE_KEYS[key as DeviceKey] : undefined;
}

/** A server that answers needs zones; one that asks needs to know where the root is. */
function checkRole(
  device: LabDevice,
  { label, written }: { readonly label: string; readonly written: ReadonlySet<string> },
  problems: Problems,
): void {
  if (device.kind !== 'dns') return;
  const at = device.name.span;
  if (device.role === undefined) {
    // One that is there and cannot be read was told already; so below.
    if (!written.has('role')) problems.add(at, `${label} has no role`, 'role: root, tld, authoritative or local');
    return;
  }
  const { value: role, span } = device.role;
  const zone = device.zones[0];
  if (role === 'local') {
    if (!written.has('hints'))
      problems.add(at, `${label} is a local server without hints`, 'hints: FILE, as named.root');
    if (zone !== undefined) problems.add(zone.origin.span, `${label} is a local server with zones`, 'hints alone');
    return;
  }
  if (device.hints !== undefined) {
    const message = `${label} has hints, but only a local server asks the root`;
    problems.add(device.hints.span, message, 'role: local, or no hints');
  }
  if (!written.has('zones')) {
    problems.add(span, `${label} has no zones to answer for`, 'zones: { ORIGIN: FILE }');
  } else if (role === 'root' && zone !== undefined && !device.zones.some(({ origin }) => origin.value === '.')) {
    problems.add(zone.origin.span, `${label} is a root server without the root zone`, 'zones: { ".": FILE }');
  }
}

/** Ports that other keys name: they must be there, and fit. */
function checkPortNames(device: LabDevice, label: string, problems: Problems): void {
  const names = [...device.ports.keys()];
  const known = ({ value, span }: Located<string>, what: string): boolean => {
    if (device.ports.has(value)) return true;
    if (!device.portsUnsure) problems.unknown(span, `${label} has no port "${cut(value)}" for ${what}`, value, names);
    return false;
  };
  const lan = device.lan.map(({ value }) => value);
  device.lan.forEach((port, index) => {
    if (!known(port, 'lan')) return;
    if (lan.indexOf(port.value) !== index)
      problems.add(port.span, `${port.value} stands twice in lan of ${label}`, 'each port once');
    const address = device.ports.get(port.value)?.addresses[0];
    if (port.value !== lan[0] && address !== undefined) {
      problems.add(
        address.span,
        `${port.value} of ${label} has an address of its own`,
        `the LAN's address on its first port, ${lan[0]}`,
      );
    }
  });
  if (device.nat !== undefined && known(device.nat, 'nat')) {
    const { value, span } = device.nat;
    if (lan.includes(value))
      problems.add(span, `${value} of ${label} is both inside (lan) and outside (nat)`, 'an outside port');
    else if (device.ports.get(value)?.addresses.length === 0) {
      problems.add(span, `${value} of ${label} has no address to masquerade with`, `${value}: ADDRESS/LEN`);
    }
  }
  const routes = new Set<string>();
  for (const { value: route, span } of device.routes) {
    if (route.dev !== undefined) known(route.dev, 'a route');
    const key = `${route.to?.address}/${route.to?.prefix} metric ${route.metric}`;
    if (routes.has(key) || (device.gateway !== undefined && route.to === undefined && route.metric === 0)) {
      problems.add(span, `${label} has two routes to one network with one metric`, 'another metric N');
    }
    routes.add(key);
  }
}
