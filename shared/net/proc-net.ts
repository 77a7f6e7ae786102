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
    lines.push([entry.dev.name, hexOf(entry.target), hexOf(entry.gateway), ...numbers, entry.mtu, 0, 0].join('\t'));
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
