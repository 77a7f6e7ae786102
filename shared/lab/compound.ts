/**
 * The values of a lab file that have parts of their own: a port with its addresses, a route as `ip route add` takes it,
 * a command line, a line of the hosts file.
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
import type { Cidr, LabPortSettings, LabRoute } from './model.ts';
import type { LabNode, MappingNode, ScalarNode } from './parse.ts';
import { didYouMean, type Located, type Span } from './problem.ts';
import { parseWhole } from './units.ts';
import {
  addressType,
  cut,
  describe,
  doubleKey,
  macType,
  oneOrMore,
  partOf,
  type Reading,
  scalarType,
  type ValueType,
  whole,
} from './values.ts';
import { splitWords } from './words.ts';

/** Addresses of one port; Linux has no limit, a lab file does. */
const ADDRESSES_MAX = 32;
/** RFC 791: every link carries 68 octets. Jumbo frames end at 9000 on common cards. */
export const PORT_MTU_MIN = 68;
export const PORT_MTU_MAX = 9_000;
const METRIC_MAX = 0xffff_ffff;
const PREFIX_MAX = 32;
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

const ROUTE_EXPECTED = 'a route as "203.0.113.0/24 via 10.0.0.1", or "default via …", then "dev PORT" or "metric N"';

/** One route, in the words of ip-route(8). Not supported: types such as blackhole, tables, multipath. */
export const routeType: ValueType<LabRoute> = {
  expected: ROUTE_EXPECTED,
  json: { type: 'string', pattern: '^(default|[0-9./]+)( (via|dev|metric) [^ ]+)+$' },
  read(node, reading) {
    const { problems, source, what } = reading;
    const words = node.what === 'scalar' ? splitWords(node.text) : undefined;
    if (node.what !== 'scalar' || words === undefined || words.length === 0) {
      problems.add(node.span, `${what} is ${describe(node)}`, ROUTE_EXPECTED);
      return undefined;
    }
    const spanOf = (index: number): Span => {
      const word = words[index];
      return word === undefined ? node.span : partOf(node, source, word.start, word.end);
    };
    const to = readTarget(words[0]?.text ?? '', spanOf(0), reading);
    if (to === undefined) return undefined;
    let via: Located<Ipv4> | undefined;
    let dev: Located<string> | undefined;
    let metric = 0;
    for (let i = 1; i < words.length; i += 2) {
      const option = words[i]?.text ?? '';
      const value = words[i + 1]?.text;
      const span = spanOf(Math.min(i + 1, words.length - 1));
      if (!['via', 'dev', 'metric'].includes(option)) {
        problems.unknown(spanOf(i), `unknown word "${cut(option)}" in ${what}`, option, ['via', 'dev', 'metric']);
        return undefined;
      }
      if (value === undefined) {
        problems.add(spanOf(i), `nothing follows "${option}" in ${what}`, ROUTE_EXPECTED);
        return undefined;
      }
      if (option === 'dev') dev = { value, span };
      else if (option === 'via') {
        const address = addressType.read(scalarAt(value, span), { ...reading, what: `via of ${what}` });
        if (address === undefined) return undefined;
        via = { value: address, span };
      } else {
        const number = metricType.read(scalarAt(value, span), { ...reading, what: `metric of ${what}` });
        if (number === undefined) return undefined;
        metric = number;
      }
    }
    if (via === undefined && dev === undefined) {
      problems.add(node.span, `the route "${cut(node.text)}" of ${what} leads nowhere`, ROUTE_EXPECTED);
      return undefined;
    }
    return { to: to === 'default' ? undefined : to, via, dev, metric };
  },
};

const metricType = whole(0, METRIC_MAX);

function scalarAt(text: string, span: Span): ScalarNode {
  return { what: 'scalar', text, empty: false, span };
}

function readTarget(text: string, span: Span, { problems, what }: Reading): Cidr | 'default' | undefined {
  if (text === 'default') return 'default';
  const [addressText = '', prefixText = '32', ...more] = text.split('/');
  const address = parseIpv4(addressText);
  const prefix = parseWhole(prefixText, 0, PREFIX_MAX);
  const expected = 'default, or a network such as 203.0.113.0/24';
  if (address === undefined || prefix === undefined || more.length > 0) {
    const hint = text !== '' && 'default'.startsWith(text) ? didYouMean('default') : undefined;
    problems.add(span, `impossible target "${cut(text)}" in ${what}`, expected, hint);
    return undefined;
  }
  const network = networkOf(address, prefix);
  if (network !== address) {
    const hint = didYouMean(`${formatIpv4(network)}/${prefix}`);
    problems.add(span, `${text} in ${what} has bits set to the right of its prefix`, 'a network address', hint);
    return undefined;
  }
  return prefix === 0 ? 'default' : { address, prefix };
}

const COMMAND_EXPECTED = 'a command line, a program and its arguments';

/** A command line into words. Whether there is such a program is checked with the whole device. */
export const commandType: ValueType<readonly string[]> = scalarType(
  COMMAND_EXPECTED,
  { type: 'string', minLength: 1 },
  (text) => {
    const words = splitWords(text);
    return words === undefined || words.length === 0 ? undefined : words.map((word) => word.text);
  },
  (text) => (splitWords(text) === undefined ? 'a quote is not closed' : undefined),
);

const HOST_NAME =
  /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/;
const DOMAIN_CHARACTERS_MAX = 255;

export function isDomainName(text: string): boolean {
  return text.length <= DOMAIN_CHARACTERS_MAX && HOST_NAME.test(text);
}

export const domainType: ValueType<string> = scalarType(
  'a domain name such as server.com',
  { type: 'string' },
  (text) => (isDomainName(text) ? text : undefined),
);

/** A zone's name: a domain, or `.` for the root. */
export const originType: ValueType<string> = scalarType('a zone such as server.com, or . for the root', {}, (text) =>
  text === '.' || isDomainName(text) ? text : undefined,
);

/** Names of one line of the hosts file: `www web`, or a list. */
export const hostNamesType: ValueType<readonly string[]> = {
  expected: 'one or more host names',
  json: { type: ['string', 'array'], items: { type: 'string' } },
  read(node, reading) {
    const nodes: readonly LabNode[] = node.what === 'list' ? node.items : [node];
    const names: string[] = [];
    for (const item of nodes) {
      const text = item.what === 'scalar' && !item.empty ? item.text.split(/\s+/) : [];
      if (text.length === 0 || !text.every(isDomainName)) {
        reading.problems.add(item.span, `${reading.what} is ${describe(item)}`, 'one or more host names');
        return undefined;
      }
      names.push(...text);
    }
    return names;
  },
};
