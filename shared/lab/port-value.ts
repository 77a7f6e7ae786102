/**
 * A port of a device in the lab file: `eth0: 10.0.0.1/24`, a list of addresses, or `{ address, mac, mtu }`.
 */
import {
  broadcastOf,
  formatIpv4,
  type Ipv4,
  isLoopbackIpv4,
  isMulticastIpv4,
  maskOf,
  networkOf,
  parseIpv4,
} from '../header/address.ts';
import type { Cidr, LabPortSettings } from './model.ts';
import type { MappingNode } from './parse.ts';
import { didYouMean } from './problem.ts';
import { parseWhole } from './units.ts';
import { cut, describe, doubleKey, macType, oneOrMore, type Reading, type ValueType, whole } from './values.ts';

/** Addresses of one port; Linux has no limit, a lab file does. */
const ADDRESSES_MAX = 32;
/** RFC 791: every link carries 68 octets. Jumbo frames end at 9000 on common cards. */
export const PORT_MTU_MIN = 68;
export const PORT_MTU_MAX = 9_000;
export const PREFIX_MAX = 32;
/** RFC 3021: in a /31 both addresses are hosts'. */
const PREFIX_WITH_BROADCAST_MAX = 30;

const CIDR_EXPECTED = 'an address with its prefix length, such as 10.0.0.1/24';
const CIDR_JSON = { type: 'string', pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$' };

/** An address that a port can have, with its prefix length. */
export const portAddressType: ValueType<Cidr> = {
  expected: CIDR_EXPECTED,
  json: CIDR_JSON,
  read(node, reading) {
    const { problems, what } = reading;
    if (node.what !== 'scalar' || node.empty) {
      problems.add(node.span, `${what} is ${describe(node)}`, CIDR_EXPECTED);
      return undefined;
    }
    const [addressText = '', prefixText, ...more] = node.text.split('/');
    const address = parseIpv4(addressText);
    const prefix = prefixText === undefined ? undefined : parseWhole(prefixText, 0, PREFIX_MAX);
    if (address === undefined || prefix === undefined || more.length > 0) {
      const hint = address === undefined || more.length > 0 ? undefined : prefixHint(addressText, prefixText);
      problems.add(node.span, `impossible value "${cut(node.text)}" for ${what}`, CIDR_EXPECTED, hint);
      return undefined;
    }
    const wrong = notAHosts(address, prefix);
    if (wrong !== undefined) {
      problems.add(node.span, `${node.text} for ${what} is ${wrong}`, hostRange(address, prefix));
      return undefined;
    }
    return { address, prefix };
  },
};

function prefixHint(address: string, prefix: string | undefined): string {
  if (prefix === undefined) return didYouMean(`${address}/24`);
  const mask = parseIpv4(prefix);
  for (let length = 0; length <= PREFIX_MAX; length++) {
    if (mask !== undefined && maskOf(length) === mask) return didYouMean(`${address}/${length}`);
  }
  return `a prefix length is from 0 to ${PREFIX_MAX}`;
}

/** Why no port can have this address, or undefined. */
function notAHosts(address: Ipv4, prefix: number): string | undefined {
  if (isLoopbackIpv4(address)) return 'a loopback address';
  if (isMulticastIpv4(address)) return 'a multicast address';
  if (address >>> 24 === 0) return "of 0.0.0.0/8, which is nobody's";
  if (address >>> 28 === 15) return 'of 240.0.0.0/4, which is reserved';
  if (prefix === 0) return 'without a subnet';
  if (prefix > PREFIX_WITH_BROADCAST_MAX) return undefined;
  if (address === networkOf(address, prefix)) return "its subnet's network address";
  if (address === broadcastOf(address, prefix)) return "its subnet's broadcast address";
  return undefined;
}

function hostRange(address: Ipv4, prefix: number): string {
  if (address >>> 28 >= 14 || address >>> 24 === 0 || isLoopbackIpv4(address) || prefix === 0) {
    return "a host's address, such as 10.0.0.1/24";
  }
  const first = (networkOf(address, prefix) + 1) as Ipv4;
  const last = (broadcastOf(address, prefix) - 1) as Ipv4;
  return `a host's address from ${formatIpv4(first)} to ${formatIpv4(last)}`;
}

const addresses = oneOrMore(portAddressType, ADDRESSES_MAX);
const portMtu = whole(PORT_MTU_MIN, PORT_MTU_MAX);

export const PORT_KEYS = {
  address: { json: addresses.json, about: 'Address with prefix length, or a list of them.' },
  mac: {
    json: macType.json,
    about: "The card's MAC address, when the one made from lab, device and port will not do.",
  },
  mtu: { json: portMtu.json, about: 'Octets of the longest packet, 1500 when left out.' },
} as const;

/** `ethN: ADDRESS/LEN`, a list of them, `{ address, mac, mtu }`, or nothing for a port without an address. */
export const portType: ValueType<LabPortSettings> = {
  expected: `${CIDR_EXPECTED}, a list of them, or { address, mac, mtu }`,
  json: {
    anyOf: [
      { type: 'null' },
      addresses.json,
      {
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries(
          Object.entries(PORT_KEYS).map(([key, { json, about }]) => [key, { ...json, description: about }]),
        ),
      },
    ],
  },
  read(node, reading) {
    if (node.what === 'scalar' && node.empty) return { addresses: [], mac: undefined, mtu: undefined, unsure: false };
    if (node.what === 'mapping') return readPortMapping(node, reading);
    const before = reading.problems.count;
    const read = addresses.read(node, reading) ?? [];
    return { addresses: read, mac: undefined, mtu: undefined, unsure: reading.problems.count > before };
  },
};

function readPortMapping(node: MappingNode, reading: Reading): LabPortSettings {
  const settings: { -readonly [K in keyof LabPortSettings]: LabPortSettings[K] } = {
    addresses: [],
    mac: undefined,
    mtu: undefined,
    unsure: false,
  };
  const before = reading.problems.count;
  const seen = new Set<string>();
  for (const { key, value } of node.entries) {
    const at = { ...reading, what: `${key.text} of ${reading.what}` };
    if (seen.has(key.text)) doubleKey(key, reading);
    else if (key.text === 'address') settings.addresses = addresses.read(value, at) ?? [];
    else if (key.text === 'mtu') settings.mtu = portMtu.read(value, at);
    else if (key.text === 'mac') {
      const mac = macType.read(value, at);
      settings.mac = mac === undefined ? undefined : { value: mac, span: value.span };
    } else {
      const known = Object.keys(PORT_KEYS);
      reading.problems.unknown(key.span, `unknown key "${cut(key.text)}" in ${reading.what}`, key.text, known);
    }
    seen.add(key.text);
  }
  settings.unsure = reading.problems.count > before;
  return settings;
}
