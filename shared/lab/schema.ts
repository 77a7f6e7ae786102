/**
 * The one place that knows every key of a lab file: its type, the kinds of device it belongs to, and one sentence about
 * it. The checker reads by this table, the published JSON Schema (lab.schema.json) is made from it, and so is the
 * list of keys that an error message offers.
 */
import { commandType, domainType, hostNamesType, originType } from './name-value.ts';
import type { DeviceKind, DnsRole } from './plan-types.ts';
import { portType } from './port-value.ts';
import { routeType } from './route-value.ts';
import { corruptType, lossType, matchType } from './trouble-value.ts';
import {
  addressType,
  choice,
  delayType,
  fileType,
  listOf,
  mappingOf,
  oneOrMore,
  rateType,
  ratioType,
  scalarType,
  textType,
  type ValueType,
  whole,
} from './values.ts';

export const DEVICE_KINDS: readonly DeviceKind[] = ['host', 'switch', 'router', 'dns'];
export const DNS_ROLES: readonly DnsRole[] = ['root', 'tld', 'authoritative', 'local'];

/** A device's number is 16 bits of a trace identity. */
export const DEVICES_MAX = 65_535;
export const WIRES_MAX = 65_535;
/** Ports of a switch that says nothing. */
export const SWITCH_PORTS_DEFAULT = 8;
export const SWITCH_PORTS_MAX = 256;
/** Cards of one device. */
export const PORTS_MAX = 256;
/** resolv.conf(5): MAXNS. */
const NAME_SERVERS_MAX = 3;
const SEARCH_MAX = 16;
const ROUTES_MAX = 1_000;
const HOSTS_MAX = 1_000;
const ZONES_MAX = 1_000;
const SYSCTLS_MAX = 200;
const PROGRAMS_MAX = 32;
const SEED_MAX = 0xffff_ffff;
const FRAMES_MAX = 1_000_000;

/** `eth0`, `eth17`: a key that matches is a port. */
export const PORT_NAME = /^eth(0|[1-9][0-9]{0,3})$/;

/** A word that names a device, the lab, a process and a container: no dots, no blanks. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
export const NAME_EXPECTED = 'a name of letters, digits, - and _, at most 63, the first a letter or a digit';

export interface KeySpec<T = unknown> {
  readonly type: ValueType<T>;
  /** One sentence for people. */
  readonly about: string;
}

export interface DeviceKeySpec<T = unknown> extends KeySpec<T> {
  /** Devices that may have it. */
  readonly kinds: readonly DeviceKind[];
}

const nodes: readonly DeviceKind[] = ['host', 'router', 'dns'];

const sysctlName = scalarType('a sysctl such as net.ipv4.ip_forward', {}, (text) =>
  /^[a-z0-9_-]+([./][a-z0-9_-]+)+$/i.test(text) ? text.replaceAll('/', '.') : undefined,
);

const cpuType = mappingOf(choice(['irq', 'poll', 'packet']), delayType, {
  expected: '{ irq, poll, packet }, each a time',
  json: {
    type: 'object',
    additionalProperties: false,
    properties: { irq: delayType.json, poll: delayType.json, packet: delayType.json },
  },
  most: 3,
});

const hostsType = mappingOf(addressType, hostNamesType, {
  expected: 'addresses with their names, such as { 10.0.0.2: www }',
  json: { type: 'object', additionalProperties: hostNamesType.json },
  most: HOSTS_MAX,
});

const zonesType = mappingOf(originType, fileType, {
  expected: 'zones with their files, such as { server.com: server.com.zone }',
  json: { type: 'object', additionalProperties: fileType.json, minProperties: 1 },
  most: ZONES_MAX,
});

const sysctlType = mappingOf(sysctlName, textType('a value', /^[^\0\n]{1,200}$/), {
  expected: 'sysctls with their values, such as { net.ipv4.ip_default_ttl: 32 }',
  json: { type: 'object', additionalProperties: { type: ['string', 'integer'] } },
  most: SYSCTLS_MAX,
});

const portNameType = scalarType(
  'a port of this device, such as eth0',
  { type: 'string', pattern: PORT_NAME.source },
  (t) => (t === '' ? undefined : t),
);

export const DEVICE_KEYS = {
  kind: { kinds: DEVICE_KINDS, type: choice(DEVICE_KINDS), about: 'What the device is.' },
  role: { kinds: ['dns'], type: choice(DNS_ROLES), about: 'Which part of the DNS tree a server plays.' },
  gateway: { kinds: nodes, type: addressType, about: 'Where packets for elsewhere go: the default route.' },
  routes: {
    kinds: nodes,
    type: listOf(routeType, ROUTES_MAX),
    about: 'More routes, in the words of ip route: "203.0.113.0/24 via 10.0.0.1 metric 20".',
  },
  dns: {
    kinds: nodes,
    type: oneOrMore(addressType, NAME_SERVERS_MAX),
    about: 'Name servers, as in resolv.conf; a host or router with one also runs resolved, the OS cache.',
  },
  search: { kinds: nodes, type: oneOrMore(domainType, SEARCH_MAX), about: 'Domains to search, as in resolv.conf.' },
  hosts: { kinds: nodes, type: hostsType, about: 'Lines of /etc/hosts: addresses with their names.' },
  run: {
    kinds: nodes,
    type: listOf(commandType, PROGRAMS_MAX),
    about: 'Programs to start with the device, as command lines.',
  },
  nat: { kinds: ['router'], type: portNameType, about: 'The outside port: what leaves by it is masqueraded.' },
  lan: {
    kinds: ['router'],
    type: listOf(portNameType, PORTS_MAX),
    about: "Ports bridged into one LAN, as a home router's; the first has the address.",
  },
  zones: { kinds: ['dns'], type: zonesType, about: 'Zones this server answers for, with their RFC 1035 files.' },
  hints: { kinds: ['dns'], type: fileType, about: 'The root hints file (named.root) of a local server.' },
  ports: {
    kinds: ['switch'],
    type: whole(1, SWITCH_PORTS_MAX),
    about: `How many ports a switch has: p1, p2, … (${SWITCH_PORTS_DEFAULT} when left out).`,
  },
  sysctl: { kinds: nodes, type: sysctlType, about: 'Kernel settings, by the names of Linux.' },
  cpu: {
    kinds: DEVICE_KINDS,
    type: cpuType,
    about: 'A model of what work costs, in lab time: interrupt, poll, packet. 0 when left out.',
  },
} as const satisfies Record<string, DeviceKeySpec>;

export type DeviceKey = keyof typeof DEVICE_KEYS;

/** Every `ethN` of a device. */
export const PORT_SPEC = {
  kinds: nodes,
  type: portType,
  about: 'A network card: its address with prefix length, a list of them, or { address, mac, mtu }.',
} satisfies DeviceKeySpec;

/** What a wire does to frames, in netem's words. */
export const KNOBS = {
  delay: { type: delayType, about: 'How long every frame takes.' },
  jitter: { type: delayType, about: 'How far the delay varies, up and down.' },
  distribution: {
    type: choice(['uniform', 'normal', 'pareto', 'paretonormal']),
    about: 'How the jitter is spread; uniform.',
  },
  order: {
    type: choice(['kept', 'free']),
    about: 'Whether frames keep their order while the delay varies; free, as in netem.',
  },
  loss: { type: lossType, about: 'Share of frames that are lost, or losses in bursts after Gilbert and Elliott.' },
  duplicate: { type: ratioType, about: 'Share of frames that arrive twice.' },
  reorder: { type: ratioType, about: 'Share of frames that skip the delay and overtake others.' },
  gap: {
    type: whole(1, FRAMES_MAX),
    about: 'So many frames less one keep their place before the next may be reordered.',
  },
  corrupt: {
    type: corruptType,
    about: "Share of frames with a bit turned over; the FCS finds it, or with ip or tcp that header's checksum.",
  },
  rate: { type: rateType, about: 'How fast the wire takes bits, those of preamble, FCS and gap among them.' },
  limit: { type: whole(1, FRAMES_MAX), about: 'How many frames may wait for the rate or the delay.' },
  mtu: { type: whole(68, 65_535), about: 'Frames whose packet is longer, in octets, are lost.' },
  match: { type: matchType, about: 'Trouble for the frames that a display filter names, or for the nth of them.' },
} as const satisfies Record<string, KeySpec>;

export type Knob = keyof typeof KNOBS;

/** First-named end to the other, and back. */
export const DIRECTIONS = ['->', '<-'] as const;

export const TOP_KEYS = {
  name: { type: textType(NAME_EXPECTED, NAME), about: "The lab's name." },
  description: {
    type: textType('one line of text', /^[^\n]{1,200}\n?$/),
    about: 'One sentence that `wirelab labs` shows.',
  },
  seed: { type: whole(0, SEED_MAX), about: 'Chance starts here; 1 when left out.' },
} as const satisfies Record<string, KeySpec>;
