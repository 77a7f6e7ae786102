/**
 * ip(8) of iproute2 6.1: addr, link, route, neigh, rule, tcp_metrics. Objects, commands and keywords may be cut short as in the
 * original (`ip a`, `ip ro ge`). Left out: the other objects, -batch, -netns, colours (accepted and ignored).
 */
import { Failure, program } from './failure.ts';
import { ipAddress } from './ip-addr.ts';
import { choose, type Ip, type IpOptions, ipOptions, matches, USAGE_STATUS, Words } from './ip-common.ts';
import { ipLink } from './ip-link.ts';
import { ipNeighbour } from './ip-neigh.ts';
import { ipRoute } from './ip-route.ts';
import { ipRules } from './ip-route-filter.ts';
import { ipTcpMetrics } from './ip-tcp-metrics.ts';

const IP_USAGE = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
where  OBJECT := { address | help | link | neighbor | neighbour | route | rule | tcp_metrics }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[esolve] |
                    -h[uman-readable] | -j[son] | -p[retty] |
                    -f[amily] { inet | inet6 | link } |
                    -4 | -6 | -0 | -br[ief] | -o[neline] |
                    -N[umeric] | -c[olor]}
`;

/** In the order in which iproute2 tries them. */
const OBJECTS = [
  'address',
  'route',
  'rule',
  'neighbor',
  'neighbour',
  'link',
  'tcp_metrics',
  'tcpmetrics',
  'help',
] as const;

/** Option -> what it does; the first that the word begins wins, as in main(). */
const SWITCHES: readonly (readonly [string, (options: IpOptions) => void])[] = [
  ['-4', (o) => void (o.family = 'inet')],
  ['-6', (o) => void (o.family = 'inet6')],
  ['-0', (o) => void (o.family = 'link')],
  ['-human-readable', () => undefined],
  ['-iec', () => undefined],
  ['-stats', (o) => void o.statistics++],
  ['-statistics', (o) => void o.statistics++],
  ['-details', (o) => void (o.details = true)],
  ['-resolve', () => undefined],
  ['-oneline', (o) => void (o.oneline = true)],
  ['-timestamp', () => undefined],
  ['-tshort', () => undefined],
  ['-force', () => undefined],
  ['-brief', (o) => void (o.brief = true)],
  ['-json', (o) => void (o.json = true)],
  ['-pretty', (o) => void (o.pretty = true)],
  ['-Numeric', (o) => void (o.numeric = true)],
  ['-all', () => undefined],
];

export const ip = program(async (context) => {
  const words = new Words(context.argv.slice(1));
  const options = ipOptions();
  for (let word = words.peek(); word?.startsWith('-'); word = words.peek()) {
    words.next();
    if (word === '--') break;
    const option = word.startsWith('--') ? word.slice(1) : word;
    if (matches(option, '-Version') && option.length > 1) {
      await context.out('ip utility, iproute2-6.1.0\n');
      return 0;
    }
    if (option === '-help' || option === '-he' || option === '-hel') throw new Failure(USAGE_STATUS, IP_USAGE);
    if (matches(option, '-family') && option.length > 1) setFamily(options, words.argument());
    else if (!/^-c(olor)?(=(always|auto|never))?$/.test(option)) applySwitch(options, option);
  }
  const word = words.next();
  if (word === undefined) throw new Failure(USAGE_STATUS, IP_USAGE);
  const self: Ip = { sys: context.sys, context, options };
  return runObject(self, word, words);
});

function setFamily(options: IpOptions, name: string): void {
  if (name === 'help') throw new Failure(USAGE_STATUS, IP_USAGE);
  if (name !== 'inet' && name !== 'inet6' && name !== 'link') {
    throw new Failure(USAGE_STATUS, `Error: argument "${name}" is wrong: invalid protocol family\n`);
  }
  options.family = name;
}

function applySwitch(options: IpOptions, option: string): void {
  const found = SWITCHES.find(([name]) => option.length > 1 && matches(option, name));
  if (found === undefined) throw new Failure(USAGE_STATUS, `Option "${option}" is unknown, try "ip -help".`);
  found[1](options);
}

async function runObject(self: Ip, word: string, words: Words): Promise<number> {
  const object = choose(word, OBJECTS);
  switch (object) {
    case 'address':
      return ipAddress(self, words);
    case 'route':
      return ipRoute(self, words);
    case 'neighbor':
    case 'neighbour':
      return ipNeighbour(self, words);
    case 'link':
      return ipLink(self, words);
    case 'rule':
      return ipRules(self, words.next());
    case 'tcp_metrics':
    case 'tcpmetrics':
      return ipTcpMetrics(self, words);
    case 'help':
      throw new Failure(USAGE_STATUS, IP_USAGE);
    case undefined:
      throw new Failure(1, `Object "${word}" is unknown, try "ip help".`);
  }
}
