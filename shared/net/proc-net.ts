/** /proc/net's files of devices, neighbours, routes and counters, in Linux's columns (net/core/net-procfs.c and kin). */
import { formatIpv4, formatMac, IPV4_ANY, MAC_ZERO, maskOf } from '../header/address.ts';
import type { Host } from './host.ts';
import type { Snmp } from './snmp.ts';

/** RTF_UP, RTF_GATEWAY, RTF_HOST; ATF_COM, ATF_PERM. */
const ROUTE_FLAG = { UP: 1, GATEWAY: 2, HOST: 4 } as const;
const ARP_FLAG = { COMPLETE: 2, PERMANENT: 4 } as const;
/** Lines of /proc/net/route are padded to this. */
const ROUTE_LINE = 127;

export function procNetInit(host: Host): void {
  const { procfs } = host;
  procfs.register('/proc/net/arp', () => arpText(host));
  procfs.register('/proc/net/route', () => routeText(host));
  procfs.register('/proc/net/dev', () => devText(host));
  procfs.register('/proc/net/softnet_stat', () => softnetText(host));
  procfs.register('/proc/net/stat/arp_cache', () => arpStatText(host));
  procfs.register('/proc/net/stat/rt_cache', () => routeStatText(host));
  procfs.register('/proc/net/skbuff', () => skbText(host));
  procfs.register('/proc/net/snmp', () => snmpText(host));
  procfs.register('/proc/net/netstat', () => groupText(host.snmp, 'TcpExt') + groupText(host.snmp, 'IpExt'));
}

function arpText(host: Host): string {
  const lines = ['IP address       HW type     Flags       HW address            Mask     Device'];
  for (const { address, dev, mac, state, valid } of host.neighbours.list()) {
    if (state === 'NOARP') continue;
    const flags = (valid ? ARP_FLAG.COMPLETE : 0) | (state === 'PERMANENT' ? ARP_FLAG.PERMANENT : 0);
    const shown = formatMac(valid ? mac : MAC_ZERO).padEnd(17);
    lines.push(
      `${formatIpv4(address).padEnd(16)} 0x${'1'.padEnd(10)}0x${flags.toString(16).padEnd(10)}${shown}     *        ${dev.name}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** An address as a little-endian machine prints its network-order word. */
function hexOf(address: number): string {
  const swapped = ((address & 255) << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24);
  return (swapped >>> 0).toString(16).toUpperCase().padStart(8, '0');
}

function routeText(host: Host): string {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
  const lines = [head];
  for (const entry of host.routes.main.list()) {
    if (entry.dev === undefined) continue;
    const gateway = entry.gateway === IPV4_ANY ? 0 : ROUTE_FLAG.GATEWAY;
    const flags = ROUTE_FLAG.UP | gateway | (entry.prefix === 32 ? ROUTE_FLAG.HOST : 0);
    const numbers = [
      flags.toString(16).toUpperCase().padStart(4, '0'),
      0,
      0,
      entry.metric,
      hexOf(maskOf(entry.prefix)),
    ];
    lines.push(
      [entry.dev.name, hexOf(entry.target), hexOf(entry.gateway), ...numbers, entry.metrics?.mtu ?? 0, 0, 0].join('\t'),
    );
  }
  return lines.map((line) => `${line.padEnd(ROUTE_LINE)}\n`).join('');
}

function devText(host: Host): string {
  const lines = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
  ];
  for (const { name, counters: c } of host.devices.list()) {
    const pad = (n: number, width: number) => String(n).padStart(width);
    const frame = c.rxLength + c.rxCrc + c.rxFrame;
    const received = [pad(c.rxBytes, 7), pad(c.rxPackets, 7), pad(c.rxErrors, 4), pad(c.rxDropped + c.rxMissed, 4)];
    received.push(pad(c.rxFifo, 4), pad(frame, 5), pad(0, 10), pad(c.multicast, 9));
    const sent = [pad(c.txBytes, 8), pad(c.txPackets, 7), pad(c.txErrors, 4), pad(c.txDropped, 4), pad(c.txFifo, 4)];
    sent.push(pad(c.collisions, 5), pad(c.txCarrier, 7), pad(0, 10));
    lines.push(`${name.padStart(6)}: ${[...received, ...sent].join(' ')}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Not Linux's: what became of the sk_buffs of this host, and its copies by cause (events, octets that moved). */
function skbText({ skbs }: Host): string {
  const { allocated, cloned, copied, live, copies, copiedBytes } = skbs.counters;
  const births = Object.entries({ allocated, cloned, copied, live });
  const lines = births.map(([name, count]) => `${name.padEnd(12)} ${String(count).padStart(12)}`);
  lines.push(`${'copies'.padEnd(12)} ${'events'.padStart(12)} ${'bytes'.padStart(15)}`);
  for (const [cause, bytes] of Object.entries(copiedBytes)) {
    const name = cause.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const events = String(copies[cause as keyof typeof copies]).padStart(12);
    lines.push(`${name.padEnd(14)} ${events.slice(2)} ${String(bytes).padStart(15)}`);
  }
  return `${lines.join('\n')}\n`;
}

function hexColumns(numbers: readonly number[], width = 8): string {
  return numbers.map((n) => (n >>> 0).toString(16).padStart(width, '0')).join(' ');
}

/**
 * A row a CPU (softnet_seq_show): processed, dropped, squeezed, six zeros, RPS, flow limit, backlog, CPU, and the
 * backlog's two parts, what came and what is under way.
 */
function softnetText({ softnet, devices }: Host): string {
  const { processed, dropped, timeSqueeze } = softnet;
  const waiting = devices.waiting;
  return `${hexColumns([processed, dropped, timeSqueeze, 0, 0, 0, 0, 0, 0, 0, 0, waiting, 0, waiting, 0])}\n`;
}

/** neigh_stat_seq_show of arp_tbl. */
function arpStatText({ neighbours }: Host): string {
  const names =
    'entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs unresolved_discards table_fulls';
  const s = neighbours.statistics;
  const row = [neighbours.entries, s.allocs, s.destroys, 0, s.lookups, s.hits, s.resolveFailed, 0, 0, s.periodicGcRuns];
  const wide = [...row, s.forcedGcRuns, s.unresolvedDiscards, s.tableFulls];
  const widths = [8, 8, 8, 10, 8, 8, 10, 16, 16, 16, 14, 19, 11];
  const columns = wide.map((n, i) => hexColumns([n]).padEnd(widths[i] ?? 8));
  return `${names}\n${columns.join(' ').trimEnd()}\n`;
}

/** rt_cpu_seq_show: of a route cache that Linux no longer has, the names and what still counts. */
function routeStatText({ routes }: Host): string {
  const names =
    'entries  in_hit   in_slow_tot in_slow_mc in_no_route in_brd   in_martian_dst in_martian_src out_hit  out_slow_tot out_slow_mc gc_total gc_ignored gc_goal_miss gc_dst_overflow in_hlist_search out_hlist_search';
  const s = routes.statistics;
  const row = [0, 0, s.inSlow, s.inMulticast, s.inNoRoute, s.inBroadcast, s.inMartianTarget, s.inMartianSource];
  const widths = names.split(/ +/).map((name) => Math.max(8, name.length));
  const columns = widths.map((width, i) => hexColumns([row[i] ?? 0]).padEnd(width));
  return `${names}\n${columns.join(' ').trimEnd()}\n`;
}

/** Two lines: the names of a group of counters, and their values. `first`: what stands before the counters. */
function groupText(snmp: Snmp, group: string, first: readonly (readonly [string, number])[] = []): string {
  const pairs = [...first];
  for (const [name, value] of Object.entries(snmp) as [string, unknown][]) {
    const own = name.startsWith(group) && /^[A-Z]/.test(name.slice(group.length));
    if (typeof value !== 'number' || !own) continue;
    // `Ip` and `Tcp` begin `IpExt` and `TcpExt`, too.
    if ((group === 'Ip' || group === 'Tcp') && name.startsWith(`${group}Ext`)) continue;
    pairs.push([name.slice(group.length), value]);
  }
  return `${group}: ${pairs.map(([name]) => name).join(' ')}\n${group}: ${pairs.map(([, value]) => value).join(' ')}\n`;
}

function snmpText(host: Host): string {
  const { snmp } = host;
  const forwarding = host.inet.all.forwarding.value === 0 ? 2 : 1;
  const types = (direction: string, counts: ReadonlyMap<number, number>) =>
    [...counts].sort((a, b) => a[0] - b[0]).map(([type, n]) => [`${direction}Type${type}`, n] as const);
  const byType = [...types('In', snmp.icmpIn), ...types('Out', snmp.icmpOut)];
  const messages = byType.length === 0 ? '' : groupText(snmp, 'IcmpMsg', byType);
  const tcp = [
    ['RtoAlgorithm', 1] as const,
    ['RtoMin', 200] as const,
    ['RtoMax', 120_000] as const,
    ['MaxConn', -1] as const,
  ];
  return [
    groupText(snmp, 'Ip', [
      ['Forwarding', forwarding],
      ['DefaultTTL', host.defaultTtl.value],
    ]),
    groupText(snmp, 'Icmp'),
    messages,
    groupText(snmp, 'Tcp', tcp),
    groupText(snmp, 'Udp'),
  ].join('');
}
