/** ip addr: show, add, change, replace, del, flush (iproute2 ip/ipaddress.c). Left out: lifetimes, labels, peers. */
import { formatIpv4, networkOf } from '../header/address.ts';
import type { AddressRecord, LinkRecord } from '../net/netlink.ts';
import { Failure, failOn } from './failure.ts';
import {
  broadcastArgument,
  choose,
  duplicateOrGarbage,
  type Ip,
  links,
  matches,
  type Prefix,
  parsePrefix,
  print,
  requireLink,
  requireListed,
  separator,
  USAGE_STATUS,
  unknownCommand,
  type Words,
} from './ip-common.ts';
import { briefHead, linkHead, linkJson, linkLine } from './ip-link.ts';
import { linkStatistics } from './ip-link-statistics.ts';
import type { Json } from './json.ts';

/** INFINITY_LIFE_TIME. */
const FOREVER = 0xffff_ffff;

const ADDRESS_USAGE = `Usage: ip address {add|change|replace} IFADDR dev IFNAME
       ip address del IFADDR dev IFNAME
       ip address {save|flush} [ dev IFNAME ] [ scope SCOPE-ID ] [ to PREFIX ]
       ip address [ show [ dev IFNAME ] [ scope SCOPE-ID ] [ master DEVICE ] [ to PREFIX ] [ up ] ]
IFADDR := PREFIX [ broadcast ADDR ]
SCOPE-ID := [ host | link | global ]
`;

interface Filter {
  dev: string | undefined;
  up: boolean;
  scope: string | undefined;
  master: string | undefined;
  to: Prefix | undefined;
}

export async function ipAddress(ip: Ip, words: Words): Promise<number> {
  const word = words.peek();
  if (word === undefined) return showAddresses(ip, words);
  const choices = ['add', 'change', 'chg', 'replace', 'delete', 'show', 'lst', 'list', 'flush', 'help'] as const;
  const command = choose(word, choices);
  if (command === undefined) throw unknownCommand(word, 'address');
  words.next();
  switch (command) {
    case 'add':
      return addAddress(ip, words, 'add');
    case 'change':
    case 'chg':
    case 'replace':
      return addAddress(ip, words, 'replace');
    case 'delete':
      return deleteAddress(ip, words);
    case 'show':
    case 'lst':
    case 'list':
      return showAddresses(ip, words);
    case 'flush':
      return flushAddresses(ip, words);
    case 'help':
      throw new Failure(USAGE_STATUS, ADDRESS_USAGE);
  }
}

interface AddressArguments {
  readonly dev: string;
  readonly local: Prefix;
  readonly broadcast: string | undefined;
}

function addressArguments(ip: Ip, words: Words): AddressArguments {
  let dev: string | undefined;
  let local: Prefix | undefined;
  let broadcast: string | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') dev = words.argument();
    else if (matches(word, 'broadcast') || word === 'brd') broadcast = words.argument();
    else if (word === 'scope' || word === 'label' || word === 'metric') words.argument();
    else if (word === 'peer' || word === 'remote' || word === 'valid_lft' || word === 'preferred_lft') {
      throw new Failure(2, `Error: "${word}" is not supported here.`);
    } else if (local !== undefined) throw duplicateOrGarbage('local', word);
    else local = parsePrefix(word === 'local' ? words.argument() : word);
  }
  if (dev === undefined) throw new Failure(1, 'Not enough information: "dev" argument is required.');
  requireLink(ip, dev);
  if (local === undefined) throw new Failure(2, 'RTNETLINK answers: Operation not supported');
  return { dev, local, broadcast };
}

async function addAddress(ip: Ip, words: Words, mode: 'add' | 'replace'): Promise<number> {
  const { dev, local, broadcast } = addressArguments(ip, words);
  const brd = broadcast === undefined ? undefined : broadcastArgument(broadcast, local);
  const answer = ip.sys.netlink({
    type: 'RTM_NEWADDR',
    dev,
    address: local.address,
    prefix: local.prefix,
    ...(brd === undefined ? {} : { broadcast: brd }),
  });
  if (answer === 'EEXIST' && mode === 'replace') return 0;
  failOn(answer, { EEXIST: 'ipv4: Address already assigned' });
  return 0;
}

async function deleteAddress(ip: Ip, words: Words): Promise<number> {
  const { dev, local } = addressArguments(ip, words);
  const answer = ip.sys.netlink({ type: 'RTM_DELADDR', dev, address: local.address, prefix: local.prefix });
  failOn(answer, { EADDRNOTAVAIL: 'ipv4: Address not found' });
  return 0;
}

function readFilter(ip: Ip, words: Words): Filter {
  const filter: Filter = { dev: undefined, up: false, scope: undefined, master: undefined, to: undefined };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'to') filter.to = parsePrefix(words.argument());
    else if (word === 'scope') filter.scope = words.argument();
    else if (word === 'up') filter.up = true;
    else if (word === 'label') words.argument();
    else if (word === 'master') filter.master = requireListed(ip, words.argument()).name;
    else if (filter.dev !== undefined) throw duplicateOrGarbage('dev', word);
    else filter.dev = word === 'dev' ? words.argument() : word;
  }
  if (filter.dev !== undefined) requireListed(ip, filter.dev);
  return filter;
}

/** The addresses of one link that pass the filter; undefined leaves the link out altogether. */
function chosenAddresses(
  ip: Ip,
  filter: Filter,
  link: LinkRecord,
  all: readonly AddressRecord[],
): readonly AddressRecord[] | undefined {
  if (filter.dev !== undefined && link.name !== filter.dev) return undefined;
  if (filter.up && !link.up) return undefined;
  if (filter.master !== undefined && link.master !== filter.master) return undefined;
  if (ip.options.family === 'inet6') return undefined;
  if (ip.options.family === 'link') return [];
  const { scope, to } = filter;
  const chosen = all.filter(
    (record) =>
      record.dev === link.name &&
      (scope === undefined || record.scope === scope) &&
      (to === undefined || (record.prefix >= to.prefix && networkOf(record.address, to.prefix) === to.address)),
  );
  const narrowed = ip.options.family === 'inet' || scope !== undefined || to !== undefined;
  return narrowed && chosen.length === 0 ? undefined : chosen;
}

async function showAddresses(ip: Ip, words: Words): Promise<number> {
  const filter = readFilter(ip, words);
  const all = ip.sys.netlink({ type: 'RTM_GETADDR' });
  const narrowed = ip.options.family === 'inet' || filter.scope !== undefined || filter.to !== undefined;
  const shown: { link: LinkRecord; addresses: readonly AddressRecord[] }[] = [];
  for (const link of links(ip)) {
    const addresses = chosenAddresses(ip, filter, link, all);
    if (addresses !== undefined) shown.push({ link, addresses });
  }
  return print(
    ip,
    () => shown.map(({ link, addresses }) => addressesJson(ip, link, addresses)),
    () => shown.map(({ link, addresses }) => addressesText(ip, link, addresses, narrowed)).join(''),
  );
}

function addressesText(ip: Ip, link: LinkRecord, addresses: readonly AddressRecord[], narrowed: boolean): string {
  if (ip.options.brief) {
    const list = addresses.map((record) => `${formatIpv4(record.address)}/${record.prefix} `).join('');
    return `${briefHead(link)}${list}\n`;
  }
  if (ip.options.oneline) {
    return addresses.map((record) => `${link.ifindex}: ${link.name}${addressLines(ip, record)}\n`).join('');
  }
  const lines = [linkHead(link, false)];
  if (!narrowed) lines.push(linkLine(ip, link));
  for (const record of addresses) lines.push(addressLines(ip, record));
  if (ip.options.statistics > 0) lines.push(...linkStatistics(link.counters, ip.options.statistics > 1));
  return `${lines.join('\n')}\n`;
}

function addressLines(ip: Ip, record: AddressRecord): string {
  const broadcast = record.broadcast === undefined ? '' : ` brd ${formatIpv4(record.broadcast)}`;
  const where = `scope ${record.scope} ${record.secondary ? 'secondary ' : ''}${record.dev}`;
  const lifetimes = '       valid_lft forever preferred_lft forever';
  const inet = `inet ${formatIpv4(record.address)}/${record.prefix}${broadcast} ${where}`;
  return `    ${inet}${separator(ip)}${lifetimes}`;
}

function addressesJson(ip: Ip, link: LinkRecord, addresses: readonly AddressRecord[]): Json {
  const list = addresses.map((record) =>
    ip.options.brief
      ? { local: formatIpv4(record.address), prefixlen: record.prefix }
      : {
          family: 'inet',
          local: formatIpv4(record.address),
          prefixlen: record.prefix,
          broadcast: record.broadcast === undefined ? undefined : formatIpv4(record.broadcast),
          scope: record.scope,
          secondary: record.secondary ? true : undefined,
          label: record.dev,
          valid_life_time: FOREVER,
          preferred_life_time: FOREVER,
        },
  );
  return { ...linkJson(ip, link, false), addr_info: list };
}

async function flushAddresses(ip: Ip, words: Words): Promise<number> {
  if (words.done) throw new Failure(1, 'Flush requires arguments.');
  const filter = readFilter(ip, words);
  const all = ip.sys.netlink({ type: 'RTM_GETADDR' });
  for (const link of links(ip)) {
    for (const record of chosenAddresses(ip, filter, link, all) ?? []) {
      failOn(ip.sys.netlink({ type: 'RTM_DELADDR', dev: record.dev, address: record.address, prefix: record.prefix }));
    }
  }
  return 0;
}
