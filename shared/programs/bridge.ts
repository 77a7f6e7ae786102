/** bridge(8) of iproute2 6.1: fdb and link of this switch. Left out: vlan, mdb, fdb add and del. */
import { formatMac } from '../header/address.ts';
import type { FdbRecord, LinkRecord } from '../net/netlink.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { choose, matches, USAGE_STATUS, Words } from './ip-common.ts';
import { linkFlags, portState } from './ip-link.ts';
import { type Json, writeJson } from './json.ts';

/** What Linux gives a port by default: priority, and the cost of 10 Gbit/s. */
const PORT_PRIORITY = 32;
const PORT_COST = 2;

const BRIDGE_USAGE = `Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }
where  OBJECT := { link | fdb }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] |
                    -o[neline] | -p[retty] | -j[son] }
`;

/** bridge link -d: what is on and off at a port. */
const PORT_FLAGS = {
  hairpin: false,
  guard: false,
  root_block: false,
  fastleave: false,
  learning: true,
  flood: true,
  mcast_flood: true,
  bcast_flood: true,
  mcast_router: 1,
  mcast_to_unicast: false,
  neigh_suppress: false,
  vlan_tunnel: false,
  isolated: false,
  locked: false,
} as const;

interface Options {
  statistics: boolean;
  details: boolean;
  json: boolean;
  pretty: boolean;
}

export const bridge = program(async (context) => {
  const words = new Words(context.argv.slice(1));
  const options: Options = { statistics: false, details: false, json: false, pretty: false };
  for (let word = words.peek(); word?.startsWith('-'); word = words.peek()) {
    words.next();
    const option = word.startsWith('--') ? word.slice(1) : word;
    if (option === '-V' || option === '-Version') {
      await context.out('bridge utility, 6.1.0\n');
      return 0;
    }
    if (!setOption(options, option)) throw new Failure(USAGE_STATUS, `Option "${word}" is unknown, try "bridge help".`);
  }
  const word = words.next();
  if (word === undefined) throw new Failure(USAGE_STATUS, BRIDGE_USAGE);
  switch (choose(word, ['link', 'fdb', 'help'])) {
    case 'link':
      return bridgeLink(context, options, words);
    case 'fdb':
      return bridgeFdb(context, options, words);
    case 'help':
      throw new Failure(USAGE_STATUS, BRIDGE_USAGE);
    default:
      throw new Failure(USAGE_STATUS, `Object "${word}" is unknown, try "bridge help".`);
  }
});

function setOption(options: Options, option: string): boolean {
  if (option.length < 2) return false;
  if (matches(option, '-statistics')) options.statistics = true;
  else if (matches(option, '-details')) options.details = true;
  else if (matches(option, '-json')) options.json = true;
  else if (matches(option, '-pretty')) options.pretty = true;
  else return matches(option, '-oneline') || matches(option, '-timestamp') || /^-c(olor)?(=.*)?$/.test(option);
  return true;
}

function requirePort(context: ProgramContext, name: string): string {
  const found = context.sys.netlink({ type: 'RTM_GETLINK' }).some((link) => link.name === name);
  if (!found) throw new Failure(USAGE_STATUS, `Cannot find device "${name}"`);
  return name;
}

async function bridgeFdb(context: ProgramContext, options: Options, words: Words): Promise<number> {
  const word = words.next() ?? 'show';
  const command = choose(word, ['add', 'append', 'delete', 'get', 'list', 'show', 'lst', 'flush', 'help']);
  if (command === 'flush') {
    context.sys.netlink({ type: 'FDB_FLUSH' });
    return 0;
  }
  if (command === undefined) throw new Failure(USAGE_STATUS, `Command "${word}" is unknown, try "bridge fdb help".`);
  if (command === 'help') throw new Failure(USAGE_STATUS, BRIDGE_USAGE);
  if (command !== 'show' && command !== 'list' && command !== 'lst') {
    throw new Failure(USAGE_STATUS, 'RTNETLINK answers: Operation not supported');
  }
  let port: string | undefined;
  let kind: string | undefined;
  for (let next = words.next(); next !== undefined; next = words.next()) {
    if (next === 'br') requirePort(context, words.argument());
    else if (next === 'dev' || next === 'brport') port = requirePort(context, words.argument());
    else if (next === 'dynamic' || next === 'static' || next === 'permanent') kind = next;
    else if (next === 'state') kind = words.argument();
  }
  const master = bridgeName(context);
  const entries = addressesOf(context)
    .filter((entry) => port === undefined || entry.port === port)
    .filter((entry) => kind === undefined || kind === 'all' || entry.permanent === (kind !== 'dynamic'));
  if (options.json) {
    await context.out(
      `${writeJson(
        entries.map((entry) => fdbJson(entry, options, port !== undefined, master)),
        options.pretty,
      )}\n`,
    );
  } else await context.out(entries.map((entry) => fdbText(entry, options, port !== undefined, master)).join(''));
  return 0;
}

/** None on a machine without a bridge: its cards' own entries are multicast's, which is not here. */
function addressesOf({ sys }: ProgramContext): readonly FdbRecord[] {
  try {
    return sys.netlink({ type: 'FDB_GET' });
  } catch (error) {
    if (errnoOf(error) !== 'EOPNOTSUPP') throw error;
    return [];
  }
}

/** The bridge that the ports belong to. */
function bridgeName({ sys }: ProgramContext): string {
  const links = sys.netlink({ type: 'RTM_GETLINK' });
  return (
    links.find((link) => link.kind === 'bridge')?.name ??
    links.find((link) => link.master !== undefined)?.master ??
    'br0'
  );
}

const seconds = (entry: FdbRecord) => Math.floor(entry.age / 1_000_000);

function fdbText(entry: FdbRecord, options: Options, portKnown: boolean, master: string): string {
  const dev = portKnown ? '' : `dev ${entry.port} `;
  const used = options.statistics ? `used ${seconds(entry)}/${seconds(entry)} ` : '';
  return `${formatMac(entry.mac)} ${dev}${used}master ${master} ${entry.permanent ? 'permanent' : ''}\n`;
}

function fdbJson(entry: FdbRecord, options: Options, portKnown: boolean, master: string): Json {
  return {
    mac: formatMac(entry.mac),
    ifname: portKnown ? undefined : entry.port,
    used: options.statistics ? seconds(entry) : undefined,
    updated: options.statistics ? seconds(entry) : undefined,
    flags: [],
    master,
    state: entry.permanent ? 'permanent' : '',
  };
}

async function bridgeLink(context: ProgramContext, options: Options, words: Words): Promise<number> {
  const word = words.next() ?? 'show';
  const command = choose(word, ['set', 'show', 'lst', 'list', 'help']);
  if (command === undefined) throw new Failure(USAGE_STATUS, `Command "${word}" is unknown, try "bridge link help".`);
  if (command === 'help') throw new Failure(USAGE_STATUS, BRIDGE_USAGE);
  if (command === 'set') throw new Failure(USAGE_STATUS, 'RTNETLINK answers: Operation not supported');
  const dev = words.next() === 'dev' ? requirePort(context, words.argument()) : undefined;
  const ports = context.sys
    .netlink({ type: 'RTM_GETLINK' })
    .filter((link) => link.master !== undefined && (dev === undefined || link.name === dev));
  if (options.json) {
    await context.out(
      `${writeJson(
        ports.map((link) => linkJson(link, options)),
        options.pretty,
      )}\n`,
    );
  } else await context.out(ports.map((link) => linkText(link, options)).join(''));
  return 0;
}

function linkText(link: LinkRecord, options: Options): string {
  const head = `${link.ifindex}: ${link.name}: <${linkFlags(link).join(',')}> mtu ${link.mtu}`;
  const line = `${head} master ${link.master} state ${portState(link)} priority ${PORT_PRIORITY} cost ${PORT_COST} \n`;
  if (!options.details) return line;
  const flags = Object.entries(PORT_FLAGS).map(([name, value]) => `${name} ${value === 1 ? 1 : value ? 'on' : 'off'} `);
  return `${line}    ${flags.join('')}\n`;
}

function linkJson(link: LinkRecord, options: Options): Json {
  return {
    ifindex: link.ifindex,
    ifname: link.name,
    flags: linkFlags(link),
    mtu: link.mtu,
    master: link.master,
    state: portState(link),
    priority: PORT_PRIORITY,
    cost: PORT_COST,
    ...(options.details ? PORT_FLAGS : {}),
  };
}
