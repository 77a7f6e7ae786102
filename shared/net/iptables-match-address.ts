/** Matches on whom a packet is from and for: iprange, addrtype (iptables-extensions(8)). */
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import type { Host } from './host.ts';
import type { MatchModule } from './iptables-match.ts';
import { badUse } from './iptables-words.ts';
import type { NetDevice } from './netdev.ts';
import { addressType } from './route.ts';

const not = (negated: boolean): string => (negated ? '! ' : '');

function addressRange(text: string, option: string): [Ipv4, Ipv4] {
  const [low = '', high] = text.split('-');
  const first = parseIpv4(low);
  const last = high === undefined ? first : parseIpv4(high);
  if (first === undefined || last === undefined)
    throw badUse(`iprange match: Bad value for "${option}" option: "${text}"`);
  return [first, last];
}

export function iprangeModule(): MatchModule {
  const parts: { which: 'source' | 'target'; range: [Ipv4, Ipv4]; negated: boolean }[] = [];
  return {
    name: 'iprange',
    option: (word, words) => {
      if (word !== '--src-range' && word !== '--dst-range') return false;
      const { negated } = words;
      parts.push({
        which: word === '--src-range' ? 'source' : 'target',
        range: addressRange(words.value(word), word),
        negated,
      });
      return true;
    },
    finish: () => {
      if (parts.length === 0) throw badUse("iprange match: You must specify `--src-range' or `--dst-range'");
      const text = ([a, b]: [Ipv4, Ipv4]) => `${formatIpv4(a)}-${formatIpv4(b)}`;
      const words = { source: ['--src-range', 'source'], target: ['--dst-range', 'destination'] } as const;
      return {
        save: `-m iprange ${parts.map((p) => `${not(p.negated)}${words[p.which][0]} ${text(p.range)}`).join(' ')}`,
        list: parts.map((p) => `${words[p.which][1]} IP range ${not(p.negated)}${text(p.range)}`).join(' '),
        test: (_, packet) =>
          parts.every((p) => (packet[p.which] >= p.range[0] && packet[p.which] <= p.range[1]) !== p.negated),
      };
    },
  };
}

/** In the order of their numbers (enum rtm_type). */
const ADDRESS_TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
];

export function addrtypeModule(): MatchModule {
  const parts: { which: 'source' | 'target'; types: readonly string[]; negated: boolean }[] = [];
  let limit: 'in' | 'out' | undefined;
  return {
    name: 'addrtype',
    option: (word, words) => {
      if (word === '--limit-iface-in' || word === '--limit-iface-out') {
        limit = word === '--limit-iface-in' ? 'in' : 'out';
        return true;
      }
      if (word !== '--src-type' && word !== '--dst-type') return false;
      const { negated } = words;
      const given = words.value(word).split(',');
      const unknown = given.find((type) => !ADDRESS_TYPES.includes(type.toUpperCase()));
      if (unknown !== undefined) throw badUse(`addrtype: bad type "${unknown}"`);
      const types = ADDRESS_TYPES.filter((type) => given.some((one) => one.toUpperCase() === type));
      parts.push({ which: word === '--src-type' ? 'source' : 'target', types, negated });
      return true;
    },
    finish: () => {
      if (parts.length === 0) throw badUse('addrtype: you must specify --src-type or --dst-type');
      const name = { source: 'src-type', target: 'dst-type' } as const;
      const saved = parts.map((p) => `${not(p.negated)}--${name[p.which]} ${p.types.join(',')}`);
      const listed = parts.map((p) => `${name[p.which]} ${p.negated ? '!' : ''}${p.types.join(',')}`);
      return {
        save: ['-m addrtype', ...saved, ...(limit === undefined ? [] : [`--limit-iface-${limit}`])].join(' '),
        list: ['ADDRTYPE match', ...listed, ...(limit === undefined ? [] : [`limit-${limit}`])].join(' '),
        test: (host, packet) =>
          parts.every((p) => {
            const dev = limit === 'in' ? packet.input : limit === 'out' ? packet.output : undefined;
            const type = typeOn(host, packet[p.which] as Ipv4, dev);
            return p.types.includes(type.toUpperCase()) !== p.negated;
          }),
      };
    },
  };
}

/** The type of the route to an address; by `dev` alone when given. (Linux: inet_addr_type_dev_table) */
function typeOn(host: Host, address: Ipv4, dev: NetDevice | undefined): string {
  const kind = addressType(host, address);
  if (kind === 'unicast') return host.routes.lookup(address, dev?.ifindex ?? 0)?.type ?? kind;
  if (kind !== 'local' || dev === undefined) return kind;
  const own = host.inet.device(dev.ifindex)?.addresses.some((one) => one.address === address) === true;
  return own ? kind : 'unicast';
}
