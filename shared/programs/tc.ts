/**
 * tc(8) of iproute2 6.1: `tc qdisc` show, add, replace, change, del for the root of a device. Left out: classes, filters,
 * actions, ingress, -batch.
 */
import type { QdiscRecord } from '../net/netlink.ts';
import type { QdiscAnswer } from '../net/qdisc-table.ts';
import { Failure, netlinkFailure, program } from './failure.ts';
import { choose, type Ip, ipOptions, matches, print, Words } from './ip-common.ts';
import type { Json } from './json.ts';
import { readOptions, TC_KINDS } from './tc-kinds.ts';
import { sizeText } from './tc-units.ts';

const TC_USAGE = `Usage:	tc [ OPTIONS ] OBJECT { COMMAND | help }
where  OBJECT := { qdisc }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -j[son] | -p[retty] }
`;
const QDISC_USAGE = `Usage: tc qdisc [ add | del | replace | change | show ] dev STRING
       [ handle QHANDLE ] [ root ] [ QDISC_KIND ] [ help | OPTIONS ]
       tc qdisc { show | list } [ dev STRING ]
Where:
QDISC_KIND := { pfifo | bfifo | pfifo_fast | noqueue | fq | fq_codel | tbf }
OPTIONS := ... try tc qdisc add <desired QDISC_KIND> help
`;
const HANDLE_MAX = 0xffff;

export const tc = program(async (context) => {
  const words = new Words(context.argv.slice(1));
  const options = ipOptions();
  for (let word = words.peek(); word?.startsWith('-'); word = words.peek()) {
    words.next();
    if (matches(word, '-Version')) {
      await context.out('tc utility, iproute2-6.1.0\n');
      return 0;
    }
    if (matches(word, '-statistics') || matches(word, '-stats')) options.statistics++;
    else if (matches(word, '-details')) options.details = true;
    else if (matches(word, '-json')) options.json = true;
    else if (matches(word, '-pretty')) options.pretty = true;
    else throw new Failure(255, `Option "${word}" is unknown, try "tc -help".`);
  }
  const word = words.next();
  if (word === undefined || word === 'help') throw new Failure(word === undefined ? 0 : 255, TC_USAGE);
  if (!matches(word, 'qdisc')) throw new Failure(1, `Object "${word}" is unknown, try "tc help".`);
  return qdisc({ sys: context.sys, context, options }, words);
});

async function qdisc(ip: Ip, words: Words): Promise<number> {
  const word = words.next() ?? 'show';
  const command = choose(word, ['add', 'change', 'replace', 'link', 'delete', 'list', 'show', 'lst', 'help'] as const);
  switch (command) {
    case 'add':
    case 'change':
    case 'replace':
      return modify(ip, command, words);
    case 'delete':
      return remove(ip, words);
    case 'list':
    case 'show':
    case 'lst':
      return show(ip, words);
    case 'help':
      throw new Failure(255, QDISC_USAGE);
    default:
      throw new Failure(255, `Command "${word}" is unknown, try "tc qdisc help".`);
  }
}

interface Named {
  dev: string | undefined;
  handle: number | undefined;
  root: boolean;
  kind: string | undefined;
}

/** The words up to the kind, which is the first that is none of them. */
function readNames(ip: Ip, words: Words): Named {
  const names: Named = { dev: undefined, handle: undefined, root: false, kind: undefined };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') names.dev = words.argument();
    else if (word === 'root') names.root = true;
    else if (word === 'handle') names.handle = readHandle(words.argument());
    else if (word === 'parent' || word === 'ingress' || word === 'clsact')
      throw new Failure(2, 'Error: Only the root of a device has a queueing discipline here.');
    else if (word === 'help') throw new Failure(255, QDISC_USAGE);
    else {
      names.kind = word;
      break;
    }
  }
  if (names.dev !== undefined && !ip.sys.netlink({ type: 'RTM_GETLINK' }).some(({ name }) => name === names.dev))
    throw new Failure(1, `Cannot find device "${names.dev}"`);
  return names;
}

/** `1:`, `8001:`, hexadecimal. */
function readHandle(text: string): number {
  const parts = /^([0-9a-f]{1,4}):?0?$/i.exec(text);
  const handle = Number.parseInt(parts?.[1] ?? '', 16);
  if (!(handle > 0 && handle <= HANDLE_MAX))
    throw new Failure(1, `Error: argument "${text}" is wrong: invalid qdisc ID`);
  return handle;
}

function failOnAnswer(answer: QdiscAnswer): void {
  if (answer === undefined) return;
  const { errno, sentence } = answer;
  throw netlinkFailure(errno, sentence === undefined ? {} : { [errno]: sentence });
}

async function modify(ip: Ip, how: 'add' | 'change' | 'replace', words: Words): Promise<number> {
  const { dev, handle, root, kind } = readNames(ip, words);
  if (dev === undefined) throw new Failure(1, 'Command line is not complete. Try option "help"');
  if (!root && handle === undefined)
    throw new Failure(2, 'Error: Qdisc not found. To create specify NLM_F_CREATE flag.');
  const options = kind === undefined ? undefined : readOptions(kind, words);
  failOnAnswer(
    ip.sys.netlink({
      type: 'RTM_NEWQDISC',
      dev,
      how,
      ...(kind === undefined ? {} : { kind }),
      ...(handle === undefined ? {} : { handle }),
      ...(options === undefined ? {} : { options }),
    }),
  );
  return 0;
}

async function remove(ip: Ip, words: Words): Promise<number> {
  const { dev, handle } = readNames(ip, words);
  if (dev === undefined) throw new Failure(1, 'Command line is not complete. Try option "help"');
  failOnAnswer(ip.sys.netlink({ type: 'RTM_DELQDISC', dev, ...(handle === undefined ? {} : { handle }) }));
  return 0;
}

async function show(ip: Ip, words: Words): Promise<number> {
  const { dev } = readNames(ip, words);
  const records = ip.sys
    .netlink({ type: 'RTM_GETQDISC' })
    .filter((record) => (dev === undefined ? record.kind !== 'noop' : record.dev === dev));
  return print(
    ip,
    () => records.map((record) => jsonOf(record, ip.options.statistics > 0)),
    () => records.map((record) => textOf(ip, record, dev === undefined)).join(''),
  );
}

function textOf(ip: Ip, record: QdiscRecord, withDevice: boolean): string {
  const kind = TC_KINDS.get(record.kind);
  const device = withDevice ? `dev ${record.dev} ` : '';
  const first = `qdisc ${record.kind} ${record.handle.toString(16)}: ${device}root refcnt 2 ${kind?.text(record) ?? ''}`;
  if (ip.options.statistics === 0) return `${first}\n`;
  const { sentBytes, sentPackets, drops, overlimits, requeues, backlogBytes, backlogPackets } = record;
  const lines = [
    first,
    ` Sent ${sentBytes} bytes ${sentPackets} pkt (dropped ${drops}, overlimits ${overlimits} requeues ${requeues}) `,
    ` backlog ${sizeText(backlogBytes)} ${backlogPackets}p requeues ${requeues}`,
    ...(kind?.statistics?.(record) ?? []),
  ];
  return `${lines.join('\n')}\n`;
}

function jsonOf(record: QdiscRecord, statistics: boolean): Json {
  const base = {
    kind: record.kind,
    handle: `${record.handle.toString(16)}:`,
    dev: record.dev,
    root: true,
    refcnt: 2,
    options: { ...record.options },
  };
  if (!statistics) return base;
  return {
    ...base,
    bytes: record.sentBytes,
    packets: record.sentPackets,
    drops: record.drops,
    overlimits: record.overlimits,
    requeues: record.requeues,
    backlog: record.backlogBytes,
    qlen: record.backlogPackets,
    ...record.statistics,
  };
}
