/**
 * conntrack(8) of conntrack-tools 1.4.7: -L, -D, -F, -C, -S, -E and filters. Left out: -I, -U, -G, zones, labels.
 * -E looks ten times a second what has changed, since the kernel here keeps no event queue.
 */
import { formatIpv4, networkOf } from '../header/address.ts';
import type { ConntrackRecord, ConntrackTuple, NetlinkTable } from '../net/netlink.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { type Prefix, parsePrefix } from './ip-common.ts';
import { protocolName, protocolNumber } from './names.ts';
import { left } from './text.ts';

const NAME = 'conntrack v1.4.7 (conntrack-tools)';
const TRY_HELP = "Try `conntrack -h' or 'conntrack --help' for more information.";
const EVENT_POLL_MICROS = 100_000;

const CONNTRACK_USAGE = `Command line interface for the connection tracking system. Version 1.4.7
Usage: conntrack [commands] [options]

Commands:
  -L [table] [options]		List conntrack or expectation table
  -D [table] parameters		Delete conntrack or expectation
  -E [table] [options]		Show events
  -F [table]			Flush table
  -C [table]			Show counter
  -S				Show statistics

Tables: conntrack, expect

Conntrack parameters and options:
  -n, --src-nat ip			source NAT ip
  -g, --dst-nat ip			destination NAT ip
  -j, --any-nat ip			source or destination NAT ip
  -o, --output type[,...]		Output format, eg. extended

Common parameters and options:
  -s, --src, --orig-src ip		Source address from original direction
  -d, --dst, --orig-dst ip		Destination address from original direction
  -r, --reply-src ip		Source addres from reply direction
  -q, --reply-dst ip		Destination address from reply direction
  -p, --protonum proto		Layer 4 Protocol, eg. 'tcp'
  -f, --family proto		Layer 3 Protocol, eg. 'ipv6'
`;

const COMMANDS: Readonly<Record<string, string>> = {
  '-L': 'L',
  '--dump': 'L',
  '-D': 'D',
  '--delete': 'D',
  '-F': 'F',
  '--flush': 'F',
  '-C': 'C',
  '--count': 'C',
  '-S': 'S',
  '--stats': 'S',
  '-E': 'E',
  '--event': 'E',
  '-h': 'h',
  '--help': 'h',
  '-V': 'V',
  '--version': 'V',
};

type Test = (record: ConntrackRecord) => boolean;

interface Line {
  command: string | undefined;
  table: string;
  extended: boolean;
  tests: Test[];
}

export const conntrack = program(async (context) => {
  const line = readLine(context.argv.slice(1));
  const { sys, out, err } = context;
  const chosen = () => sys.netlink({ type: 'CT_GET' }).filter((record) => line.tests.every((test) => test(record)));
  switch (line.command) {
    case undefined:
    case 'h':
      await out(CONNTRACK_USAGE);
      return 0;
    case 'V':
      await out(`${NAME}\n`);
      return 0;
    case 'L': {
      const records = line.table === 'conntrack' ? chosen() : [];
      const counts = sys.sysctl('net.netfilter.nf_conntrack_acct') === '1';
      await out(records.map((record) => `${entryText(record, line.extended, counts)}\n`).join(''));
      const what = line.table === 'expect' ? 'expectations' : 'flow entries';
      await err(`${NAME}: ${records.length} ${what} have been shown.\n`);
      return 0;
    }
    case 'D': {
      const records = line.table === 'conntrack' ? chosen() : [];
      sys.netlink({ type: 'CT_DELETE', flows: records });
      await out(records.map((record) => `${entryText(record, line.extended, false)}\n`).join(''));
      await err(`${NAME}: ${records.length} flow entries have been deleted.\n`);
      return records.length > 0 ? 0 : 1;
    }
    case 'F':
      sys.netlink({ type: 'CT_FLUSH' });
      await err(`${NAME}: connection tracking table has been emptied.\n`);
      return 0;
    case 'C':
      await out(`${sys.netlink({ type: 'CT_GET' }).length}\n`);
      return 0;
    case 'S':
      await out(statisticsText(sys.netlink({ type: 'CT_STATS' })));
      return 0;
    default:
      return watchEvents(context, chosen);
  }
});

function readLine(words: readonly string[]): Line {
  const line: Line = { command: undefined, table: 'conntrack', extended: false, tests: [] };
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const command = COMMANDS[word];
    if (command !== undefined) {
      line.command = command;
      if (queue[0] === 'conntrack' || queue[0] === 'expect') line.table = queue.shift() ?? '';
    } else readOption(line, word, queue);
  }
  return line;
}

function readOption(line: Line, word: string, queue: string[]): void {
  const address = () => parsePrefix(queue.shift() ?? '', 'an address');
  switch (word) {
    case '-s':
    case '--src':
    case '--orig-src':
      line.tests.push(matcher(address(), (record) => record.original.source));
      return;
    case '-d':
    case '--dst':
    case '--orig-dst':
      line.tests.push(matcher(address(), (record) => record.original.target));
      return;
    case '-r':
    case '--reply-src':
      line.tests.push(matcher(address(), (record) => record.reply.source));
      return;
    case '-q':
    case '--reply-dst':
      line.tests.push(matcher(address(), (record) => record.reply.target));
      return;
    case '-p':
    case '--protonum':
    case '--proto':
      line.tests.push(protocolTest(queue.shift() ?? ''));
      return;
    case '-f':
    case '--family': {
      const family = queue.shift();
      if (family === 'ipv6') line.tests.push(() => false);
      return;
    }
    case '-o':
    case '--output':
      line.extended = (queue.shift() ?? '').split(',').includes('extended');
      return;
    default:
      readMatch(line, word, queue);
  }
}

/** NAT filters and what -p tcp or -p udp adds. */
function readMatch(line: Line, word: string, queue: string[]): void {
  const isSourceNat: Test = ({ original, reply }) =>
    reply.target !== original.source || (reply.targetPort !== original.sourcePort && original.icmp === undefined);
  const isTargetNat: Test = ({ original, reply }) =>
    reply.source !== original.target || (reply.sourcePort !== original.targetPort && original.icmp === undefined);
  if (word === '-n' || word === '--src-nat') line.tests.push(isSourceNat);
  else if (word === '-g' || word === '--dst-nat') line.tests.push(isTargetNat);
  else if (word === '-j' || word === '--any-nat')
    line.tests.push((record) => isSourceNat(record) || isTargetNat(record));
  else if (word === '--sport' || word === '--orig-port-src') {
    const port = Number(queue.shift());
    line.tests.push((record) => record.original.sourcePort === port);
  } else if (word === '--dport' || word === '--orig-port-dst') {
    const port = Number(queue.shift());
    line.tests.push((record) => record.original.targetPort === port);
  } else if (word === '-m' || word === '--mark') {
    const [value, mask] = (queue.shift() ?? '').split('/').map(Number);
    line.tests.push((record) => ((record.mark ?? 0) & (mask ?? 0xffff_ffff)) >>> 0 === value);
  } else if (word === '--state') {
    const state = queue.shift();
    line.tests.push((record) => record.state === state);
  } else throw new Failure(2, `${NAME}: unknown option \`${word}'\n${TRY_HELP}`);
  if (/^-[ngj]|nat$/.test(word) && /^[0-9]+\./.test(queue[0] ?? '')) queue.shift();
}

function matcher(prefix: Prefix, side: (record: ConntrackRecord) => ConntrackTuple['source']): Test {
  return (record) => networkOf(side(record), prefix.prefix) === networkOf(prefix.address, prefix.prefix);
}

function protocolTest(text: string): Test {
  const number = /^[0-9]+$/.test(text) ? Number(text) : protocolNumber(text);
  if (number === undefined) throw new Failure(2, `${NAME}: \`${text}' unsupported protocol\n${TRY_HELP}`);
  return (record) => record.protocol === number;
}

/** One processor's worth. */
function statisticsText(s: NetlinkTable['CT_STATS']['answer']): string {
  const counters = `found=${s.found} invalid=${s.invalid} insert=${s.insert} insert_failed=${s.insertFailed} drop=${s.drop}`;
  const rest = `early_drop=${s.earlyDrop} error=${s.error} search_restart=0 clash_resolve=0 chaintoolong=0`;
  return `cpu=0   \t${counters} ${rest} \n`;
}

function tupleText(tuple: ConntrackTuple, counts: boolean): string {
  const { icmp } = tuple;
  const end =
    icmp === undefined
      ? `sport=${tuple.sourcePort} dport=${tuple.targetPort}`
      : `type=${icmp.type} code=${icmp.code} id=${icmp.id}`;
  const counters = counts ? ` packets=${tuple.packets} bytes=${tuple.bytes}` : '';
  return `src=${formatIpv4(tuple.source)} dst=${formatIpv4(tuple.target)} ${end}${counters}`;
}

/** What list and events share. */
function flowText(record: ConntrackRecord, counts: boolean, timeout: boolean): string {
  const name = protocolName(record.protocol) ?? 'unknown';
  return [
    `${left(name, 8)} ${record.protocol}`,
    ...(timeout ? [String(Math.floor(record.timeout / 1_000_000))] : []),
    ...(record.state === undefined || !timeout ? [] : [record.state]),
    tupleText(record.original, counts),
    ...(record.unreplied ? ['[UNREPLIED]'] : []),
    tupleText(record.reply, counts),
    ...(record.assured ? ['[ASSURED]'] : []),
  ].join(' ');
}

function entryText(record: ConntrackRecord, extended: boolean, counts: boolean): string {
  return `${extended ? 'ipv4     2 ' : ''}${flowText(record, counts, true)} mark=${record.mark ?? 0} use=1`;
}

/** Until SIGINT: what is new, what has another state, what is gone. */
async function watchEvents(context: ProgramContext, chosen: () => ConntrackRecord[]): Promise<number> {
  const { sys, out, err } = context;
  let running = true;
  let events = 0;
  sys.signal('SIGINT', () => {
    running = false;
  });
  const keyOf = (record: ConntrackRecord) => `${record.protocol} ${tupleText(record.original, false)}`;
  const stateOf = (record: ConntrackRecord) => `${record.state} ${record.unreplied} ${record.assured}`;
  let before = new Map(chosen().map((record) => [keyOf(record), record]));
  while (running) {
    try {
      await sys.nanosleep(EVENT_POLL_MICROS);
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw error;
    }
    const now = new Map(chosen().map((record) => [keyOf(record), record]));
    const say = async (tag: string, record: ConntrackRecord, timeout: boolean) => {
      events++;
      await out(`${tag.padStart(9)} ${flowText(record, false, timeout)}\n`);
    };
    for (const [key, record] of now) {
      const old = before.get(key);
      if (old === undefined) await say('[NEW]', record, true);
      else if (stateOf(old) !== stateOf(record)) await say('[UPDATE]', record, true);
    }
    for (const [key, record] of before) if (!now.has(key)) await say('[DESTROY]', record, false);
    before = now;
  }
  await err(`${NAME}: ${events} flow events have been shown.\n`);
  return 0;
}
