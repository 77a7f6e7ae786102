/** route(8) of net-tools 2.10: show, add, del. Left out: -A other than inet, the cache, MSS and window of a route. */
import { type Ipv4, networkOf, parseIpv4 } from '../header/address.ts';
import { type Errno, errorText } from '../net/errno.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { getopt } from './options.ts';
import { resolveHost } from './resolve.ts';
import { routeTable } from './route-table.ts';

const ROUTE_USAGE = `Usage: route [-nNvee] [-FC] [<AF>]           List kernel routing tables
       route [-v] [-FC] {add|del|flush} ...  Modify routing table for AF.

       route {-h|--help} [<AF>]              Detailed usage syntax for specified AF.
       route {-V|--version}                  Display version/author and exit.

        -v, --verbose            be verbose
        -n, --numeric            don't resolve names
        -e, --extend             display other/more information
        -F, --fib                display Forwarding Information Base (default)
        -C, --cache              display routing cache instead of FIB
`;

const INET_USAGE = `Usage: inet_route [-vF] del {-host|-net} Target[/prefix] [gw Gw] [metric M] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [gw Gw] [metric M]
                              [netmask N] [mss Mss] [window W] [irtt I]
                              [mod] [dyn] [reinstate] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [metric M] reject
       inet_route [-FC] flush      NOT supported
`;

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  extend: 'e',
  verbose: 'v',
  version: 'V',
  numeric: 'n',
  help: 'h',
  cache: 'C',
  fib: 'F',
};

const USAGE_STATUS = 3;
const IOCTL_STATUS = 7;
const LOOKUP_STATUS = 6;

export const route = program(async (context) => {
  const { sys, argv, out } = context;
  // Options end at `add` or `del`, whose own -net and -host are no options.
  const line = getopt(argv, 'A:eCFhnNvV46', LONG_OPTIONS, true);
  if (line.error !== undefined) {
    await context.err(`${line.error}\n`);
    await out(ROUTE_USAGE);
    return 0;
  }
  const count = (name: string) => line.options.filter((option) => option.name === name).length;
  if (count('h') > 0) await out(ROUTE_USAGE);
  else if (count('V') > 0) await out('net-tools 2.10\n');
  else if (line.operands.length > 0) return changeRoute(context, line.operands);
  else if (count('C') > 0) {
    await out(
      'Kernel IP routing cache\nSource          Destination     Gateway         Flags Metric Ref    Use Iface\n',
    );
  } else {
    const style = count('e') === 0 ? 'fib' : count('e') === 1 ? 'netstat' : 'both';
    await out(routeTable(sys, style, count('n') > 0));
  }
  return 0;
});

interface Change {
  target: Ipv4;
  prefix: number;
  gateway: Ipv4 | undefined;
  dev: string | undefined;
  metric: number | undefined;
  reject: boolean;
}

async function changeRoute(context: ProgramContext, operands: readonly string[]): Promise<number> {
  const [command, ...rest] = operands;
  if (command !== 'add' && command !== 'del' && command !== 'delete') throw new Failure(USAGE_STATUS, ROUTE_USAGE);
  if (rest.length === 0) {
    await context.out(INET_USAGE);
    return 0;
  }
  const change = await readChange(context.sys, rest);
  const { target, prefix, gateway, dev, metric } = change;
  const where = {
    target,
    prefix,
    ...(gateway === undefined ? {} : { gateway }),
    ...(dev === undefined ? {} : { dev }),
    ...(metric === undefined ? {} : { metric }),
  };
  if (command === 'add') {
    if (!change.reject && gateway === undefined && dev === undefined) throw ioctlFailure('SIOCADDRT', 'ENODEV');
    const kind = change.reject ? { routeType: 'unreachable' as const } : {};
    const answer = context.sys.netlink({ type: 'RTM_NEWROUTE', ...where, ...kind });
    if (answer !== undefined) throw ioctlFailure('SIOCADDRT', answer);
  } else {
    const answer = context.sys.netlink({ type: 'RTM_DELROUTE', ...where });
    if (answer !== undefined) throw ioctlFailure('SIOCDELRT', answer);
  }
  return 0;
}

function ioctlFailure(request: string, errno: Errno): Failure {
  return new Failure(IOCTL_STATUS, `${request}: ${errorText(errno)}`);
}

/** INET_setroute: target, then keywords in any order. */
async function readChange(sys: Syscalls, words: readonly string[]): Promise<Change> {
  const rest = [...words];
  const kind = rest[0] === '-net' || rest[0] === '-host' ? rest.shift() : undefined;
  const text = rest.shift();
  if (text === undefined) throw new Failure(USAGE_STATUS, INET_USAGE);
  const [host = '', length] = text.split('/');
  const isDefault = host === 'default';
  const target = isDefault ? (0 as Ipv4) : await addressOf(sys, host);
  const change: Change = { target, prefix: 32, gateway: undefined, dev: undefined, metric: undefined, reject: false };
  let prefix = length === undefined ? undefined : Number(length);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === 'metric') change.metric = Number(rest.shift());
    else if (word === 'netmask') prefix = prefixOf(rest.shift() ?? '');
    else if (word === 'gw' || word === 'gateway') change.gateway = await addressOf(sys, rest.shift() ?? '');
    else if (word === 'mss' || word === 'window' || word === 'irtt') rest.shift();
    else if (word === 'reject') change.reject = true;
    else if (word === 'dev' || word === 'device') change.dev = rest.shift();
    else if (word !== 'mod' && word !== 'dyn' && word !== 'reinstate') change.dev = word;
  }
  change.prefix = isDefault ? 0 : (prefix ?? (kind === '-net' ? classfulPrefix(target) : 32));
  if (networkOf(target, change.prefix) !== target) {
    throw new Failure(USAGE_STATUS, `route: netmask doesn't match route address\n${INET_USAGE}`);
  }
  return change;
}

async function addressOf(sys: Syscalls, text: string): Promise<Ipv4> {
  const resolved = await resolveHost(sys, text);
  if (typeof resolved === 'string') throw new Failure(LOOKUP_STATUS, `${text}: Host name lookup failure`);
  return resolved.address;
}

function prefixOf(text: string): number {
  const mask = parseIpv4(text);
  const inverted = mask === undefined ? 2 : ~mask >>> 0;
  if ((inverted & (inverted + 1)) !== 0) {
    throw new Failure(USAGE_STATUS, `route: bogus netmask ${text}\n${INET_USAGE}`);
  }
  return Math.clz32(inverted);
}

/** Class A, B or C: what -net means without a mask. */
function classfulPrefix(address: Ipv4): number {
  const first = address >>> 24;
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}
