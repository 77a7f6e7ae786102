/** The kernel's answers to `iptables` and `conntrack` (Linux: nfnetlink), and the files that show the same. */
import { formatIpv4 } from '../header/address.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { SECOND } from '../platform.ts';
import type { Conntrack, Direction } from './conntrack.ts';
import type { Host } from './host.ts';
import { iptablesCommand, listTable } from './iptables.ts';
import { iptablesRestore } from './iptables-restore.ts';
import type { ConntrackRecord, ConntrackTuple } from './netlink.ts';

export function nfnetlinkInit(host: Host): void {
  const { netlink, tables, conntrack } = host;
  netlink.register('NFT_GETTABLE', ({ table }) => {
    const found = tables.get(table);
    if (found === undefined) return 'ENOENT';
    // As iptables does, whose first look at a table loads it: from then on its counters count. nat would begin to track.
    if (found.name !== 'nat') found.register(host);
    return listTable(found);
  });
  netlink.register('NFT_COMMAND', ({ table, argv }) => iptablesCommand(host, table, argv));
  netlink.register('NFT_RESTORE', ({ table, steps, flush, test }) =>
    iptablesRestore(host, table, steps, { flush, test }),
  );
  netlink.register('CT_GET', () => conntrack.list().map((flow) => recordOf(host, flow)));
  netlink.register('CT_STATS', () => ({ ...conntrack.statistics }));
  netlink.register('CT_FLUSH', () => conntrack.flush());
  netlink.register('CT_DELETE', ({ flows }) => {
    const named = new Set(flows.map(keyText));
    return conntrack.flush((flow) => named.has(keyText(recordOf(host, flow))));
  });
  host.procfs.register('/proc/net/nf_conntrack', () =>
    conntrack
      .list()
      .map((flow) => `${lineOf(recordOf(host, flow))}\n`)
      .join(''),
  );
}

function keyText({ protocol, original: { source, target, sourcePort, targetPort, icmp } }: ConntrackRecord): string {
  const end = icmp === undefined ? [sourcePort, targetPort] : [icmp.type, icmp.code, icmp.id];
  return [protocol, source, target, ...end].join(' ');
}

function recordOf(host: Host, flow: Conntrack): ConntrackRecord {
  return {
    protocol: flow.protocol,
    state: flow.tcp?.state,
    timeout: Math.max(0, flow.expires - host.clock.now()),
    original: tupleOf(flow.original),
    reply: tupleOf(flow.reply),
    assured: flow.assured,
    unreplied: !flow.seenReply,
    mark: flow.mark,
  };
}

function tupleOf({ key, packets, bytes }: Direction): ConntrackTuple {
  const { source, target, sourcePort, targetPort, protocol } = key;
  const tuple = { source, target, sourcePort, targetPort, packets, bytes };
  if (protocol !== PROTOCOL.ICMP) return tuple;
  return {
    ...tuple,
    sourcePort: 0,
    targetPort: 0,
    icmp: { type: targetPort >>> 8, code: targetPort & 255, id: sourcePort },
  };
}

const NAMES = new Map<number, string>([
  [PROTOCOL.TCP, 'tcp'],
  [PROTOCOL.UDP, 'udp'],
  [PROTOCOL.ICMP, 'icmp'],
]);

function lineOf(record: ConntrackRecord): string {
  const name = NAMES.get(record.protocol) ?? 'unknown';
  const seconds = Math.floor(record.timeout / SECOND);
  const words = [`ipv4     2 ${name.padEnd(8)} ${record.protocol} ${seconds}`];
  if (record.state !== undefined) words.push(record.state);
  words.push(tupleText(record.original));
  if (record.unreplied) words.push('[UNREPLIED]');
  words.push(tupleText(record.reply));
  if (record.assured) words.push('[ASSURED]');
  words.push(`mark=${record.mark ?? 0} zone=0 use=2`);
  return words.join(' ');
}

function tupleText({ source, target, sourcePort, targetPort, icmp }: ConntrackTuple): string {
  const ends = `src=${formatIpv4(source)} dst=${formatIpv4(target)}`;
  if (icmp !== undefined) return `${ends} type=${icmp.type} code=${icmp.code} id=${icmp.id}`;
  return `${ends} sport=${sourcePort} dport=${targetPort}`;
}
