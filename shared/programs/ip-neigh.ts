/** ip neigh: show, get, add, change, replace, del, flush, proxies (iproute2 ip/ipneigh.c). */
import { formatIpv4, formatMac, type Ipv4, type Mac, networkOf, parseIpv4, parseMac } from '../header/address.ts';
import type { NeighbourRecord, NudState } from '../net/netlink.ts';
import { Failure, failOn } from './failure.ts';
import {
  choose,
  type Ip,
  invalidArgument,
  matches,
  type Prefix,
  parsePrefix,
  print,
  requireLink,
  USAGE_STATUS,
  unknownCommand,
  type Words,
} from './ip-common.ts';
import type { Json } from './json.ts';

const NEIGHBOUR_USAGE = `Usage: ip neigh { add | del | change | replace }
                { ADDR [ lladdr LLADDR ] [ nud STATE ] proxy ADDR } dev DEV

	ip neigh { show | flush } [ proxy ] [ to PREFIX ] [ dev DEV ] [ nud STATE ]
	ip neigh get { ADDR } dev DEV

STATE := { delay | failed | incomplete | noarp | none |
           permanent | probe | reachable | stale }
`;

const NUD_STATES: readonly NudState[] = [
  'NONE',
  'INCOMPLETE',
  'REACHABLE',
  'STALE',
  'DELAY',
  'PROBE',
  'FAILED',
  'PERMANENT',
  'NOARP',
];

interface NeighbourFilter {
  dev: string | undefined;
  to: Prefix | undefined;
  /** undefined: all but NOARP. */
  states: ReadonlySet<NudState> | undefined;
  proxy: boolean;
}

export async function ipNeighbour(ip: Ip, words: Words): Promise<number> {
  const word = words.peek();
  if (word === undefined) return showNeighbours(ip, words);
  const choices = ['add', 'change', 'chg', 'replace', 'delete', 'get', 'show', 'lst', 'list', 'flush', 'help'] as const;
  const command = choose(word, choices);
  if (command === undefined) throw unknownCommand(word, 'neigh');
  words.next();
  switch (command) {
    case 'add':
      return addNeighbour(ip, words, 'add');
    case 'change':
    case 'chg':
      return addNeighbour(ip, words, 'change');
    case 'replace':
      return addNeighbour(ip, words, 'replace');
    case 'delete':
      return deleteNeighbour(ip, words);
    case 'get':
      return getNeighbour(ip, words);
    case 'show':
    case 'lst':
    case 'list':
      return showNeighbours(ip, words);
    case 'flush':
      return flushNeighbours(ip, words);
    case 'help':
      throw new Failure(USAGE_STATUS, NEIGHBOUR_USAGE);
  }
}

interface NeighbourArguments {
  readonly address: Ipv4;
  readonly dev: string;
  readonly mac: Mac | undefined;
  readonly state: NudState | undefined;
  readonly proxy: boolean;
}

function neighbourArguments(ip: Ip, words: Words): NeighbourArguments {
  let text: string | undefined;
  let dev: string | undefined;
  let lladdr: string | undefined;
  let state: NudState | undefined;
  let proxy = false;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'lladdr') lladdr = words.argument();
    else if (word === 'nud') state = nudArgument(words.argument());
    else if (word === 'dev') dev = words.argument();
    else if (word === 'router' || word === 'use') continue;
    else if (word === 'proxy') {
      proxy = true;
      text = words.argument();
    } else text = word === 'to' ? words.argument() : word;
  }
  if (text === undefined || dev === undefined) {
    throw new Failure(USAGE_STATUS, 'Device and destination are required arguments.');
  }
  const address = parseIpv4(text);
  if (address === undefined) throw new Failure(1, `Error: any valid address is expected rather than "${text}".`);
  return {
    address,
    dev: requireLink(ip, dev).name,
    mac: lladdr === undefined ? undefined : macOf(lladdr),
    state,
    proxy,
  };
}

function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (mac !== undefined) return mac;
  if (/^[0-9a-f]{1,2}(:[0-9a-f]{1,2})+$/i.test(text)) throw new Failure(2, 'Error: Invalid link address.');
  throw new Failure(1, `"${text}" is invalid lladdr.`);
}

function nudArgument(text: string): NudState {
  const state = NUD_STATES.find((known) => matches(text.toUpperCase(), known));
  if (state === undefined) throw invalidArgument(text, 'nud state is bad');
  return state;
}

async function addNeighbour(ip: Ip, words: Words, how: 'add' | 'replace' | 'change'): Promise<number> {
  const { address, dev, mac, state, proxy } = neighbourArguments(ip, words);
  if (mac === undefined && how === 'add' && !proxy) throw new Failure(2, 'Error: No link layer address given.');
  const answer = ip.sys.netlink({
    type: 'RTM_NEWNEIGH',
    address,
    dev,
    mac,
    state: state ?? 'PERMANENT',
    how,
    proxy,
  });
  if (answer === 'EINVAL' && mac === undefined) throw new Failure(2, 'Error: No link layer address given.');
  failOn(answer);
  return 0;
}

async function deleteNeighbour(ip: Ip, words: Words): Promise<number> {
  const { address, dev, proxy } = neighbourArguments(ip, words);
  failOn(ip.sys.netlink({ type: 'RTM_DELNEIGH', address, dev, proxy }));
  return 0;
}

async function getNeighbour(ip: Ip, words: Words): Promise<number> {
  const rest: string[] = [];
  for (let word = words.next(); word !== undefined; word = words.next()) rest.push(word);
  const dev = rest[rest.indexOf('dev') + 1];
  const text = rest.find((word, at) => word !== 'dev' && word !== 'to' && rest[at - 1] !== 'dev');
  if (!rest.includes('dev') || dev === undefined || text === undefined) {
    throw new Failure(1, 'Device and address are required arguments.');
  }
  const device = requireLink(ip, dev).name;
  const found = ip.sys
    .netlink({ type: 'RTM_GETNEIGH' })
    .find((entry) => entry.dev === device && formatIpv4(entry.address) === text);
  if (found === undefined) throw new Failure(2, 'Error: Neighbour entry not found.');
  return printNeighbours(ip, [found], false);
}

function readFilter(ip: Ip, words: Words): NeighbourFilter {
  const filter: NeighbourFilter = { dev: undefined, to: undefined, states: undefined, proxy: false };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') filter.dev = requireLink(ip, words.argument()).name;
    else if (word === 'nud') {
      const state = words.argument();
      filter.states = new Set([...(filter.states ?? []), ...(state === 'all' ? NUD_STATES : [nudArgument(state)])]);
    } else if (word === 'proxy') filter.proxy = true;
    else if (word === 'all' || word === 'unused' || word === 'nomaster') continue;
    else filter.to = parsePrefix(word === 'to' ? words.argument() : word);
  }
  return filter;
}

function chosenNeighbours(ip: Ip, filter: NeighbourFilter): readonly NeighbourRecord[] {
  if (ip.options.family === 'inet6') return [];
  const { dev, to, states } = filter;
  return ip.sys
    .netlink({ type: 'RTM_GETNEIGH' })
    .filter(
      (entry) =>
        (dev === undefined || entry.dev === dev) &&
        (to === undefined || networkOf(entry.address, to.prefix) === networkOf(to.address, to.prefix)) &&
        (states === undefined ? entry.state !== 'NOARP' : states.has(entry.state)),
    );
}

async function showNeighbours(ip: Ip, words: Words): Promise<number> {
  const filter = readFilter(ip, words);
  if (filter.proxy) return showProxies(ip, filter);
  return printNeighbours(ip, chosenNeighbours(ip, filter), filter.dev !== undefined);
}

function showProxies(ip: Ip, { dev, to }: NeighbourFilter): Promise<number> {
  const entries = ip.sys
    .netlink({ type: 'RTM_GETPNEIGH' })
    .filter(
      (entry) =>
        (dev === undefined || entry.dev === dev) &&
        (to === undefined || networkOf(entry.address, to.prefix) === networkOf(to.address, to.prefix)),
    );
  return print(
    ip,
    () =>
      entries.map((entry) => ({
        dst: formatIpv4(entry.address),
        dev: dev === undefined ? entry.dev : undefined,
        proxy: null,
        state: [],
      })),
    () =>
      entries
        .map((entry) => `${formatIpv4(entry.address)} ${dev === undefined ? `dev ${entry.dev} ` : ''}proxy \n`)
        .join(''),
  );
}

const seconds = (micros: number) => Math.floor(micros / 1_000_000);

function printNeighbours(ip: Ip, entries: readonly NeighbourRecord[], devKnown: boolean): Promise<number> {
  return print(
    ip,
    () => entries.map((entry) => neighbourJson(ip, entry, devKnown)),
    () => entries.map((entry) => neighbourText(ip, entry, devKnown)).join(''),
  );
}

/** iproute2 6.1 leaves out the blank before `probes`; so do we. */
function neighbourText(ip: Ip, entry: NeighbourRecord, devKnown: boolean): string {
  const dev = devKnown ? '' : `dev ${entry.dev} `;
  const mac = entry.mac === undefined ? '' : `lladdr ${formatMac(entry.mac)} `;
  const times = `${seconds(entry.used)}/${seconds(entry.confirmed)}/${seconds(entry.updated)}`;
  const references = entry.references > 0 ? ` ref ${entry.references}` : '';
  const statistics = ip.options.statistics > 0 ? `${references} used ${times}probes ${entry.probes} ` : '';
  return `${formatIpv4(entry.address)} ${dev}${mac}${statistics}${entry.state} \n`;
}

function neighbourJson(ip: Ip, entry: NeighbourRecord, devKnown: boolean): Json {
  const statistics = {
    ...(entry.references > 0 ? { refcnt: entry.references } : {}),
    used: seconds(entry.used),
    confirmed: seconds(entry.confirmed),
    updated: seconds(entry.updated),
    probes: entry.probes,
  };
  return {
    dst: formatIpv4(entry.address),
    dev: devKnown ? undefined : entry.dev,
    lladdr: entry.mac === undefined ? undefined : formatMac(entry.mac),
    ...(ip.options.statistics > 0 ? statistics : {}),
    state: [entry.state],
  };
}

async function flushNeighbours(ip: Ip, words: Words): Promise<number> {
  if (words.done) throw new Failure(1, 'Flush requires arguments.');
  const filter = readFilter(ip, words);
  const chosen = chosenNeighbours(ip, filter).filter(
    (entry) => filter.states !== undefined || (entry.state !== 'PERMANENT' && entry.state !== 'NOARP'),
  );
  if (filter.to === undefined && filter.states === undefined) {
    ip.sys.netlink({ type: 'RTM_FLUSHNEIGH', ...(filter.dev === undefined ? {} : { dev: filter.dev }) });
  } else {
    for (const { address, dev } of chosen) failOn(ip.sys.netlink({ type: 'RTM_DELNEIGH', address, dev }));
  }
  if (ip.options.statistics === 0) return 0;
  if (chosen.length === 0) await ip.context.out('Nothing to flush.\n');
  else {
    const entries = chosen.length === 1 ? 'entry' : 'entries';
    await ip.context.out(
      `\n*** Round 1, deleting ${chosen.length} ${entries} ***\n*** Flush is complete after 1 round ***\n`,
    );
  }
  return 0;
}
