/** The table that `route`, `route -e` and `netstat -r` print (net-tools 2.10 lib/inet_gr.c). */
import { formatIpv4, maskOf } from '../header/address.ts';
import type { RouteRecord } from '../net/netlink.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { HostNames } from './names.ts';
import { left, right } from './text.ts';

/** `fib`: as route, `netstat`: with MSS, window and irtt (-e), `both`: -ee. */
export type RouteStyle = 'fib' | 'netstat' | 'both';

const HEADERS: Readonly<Record<RouteStyle, string>> = {
  fib: 'Destination     Gateway         Genmask         Flags Metric Ref    Use Iface',
  netstat: 'Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface',
  both: 'Destination     Gateway         Genmask         Flags Metric Ref    Use Iface    MSS   Window irtt',
};

export function routeTable(sys: Syscalls, style: RouteStyle, numeric: boolean): string {
  const names = numeric ? undefined : new HostNames(sys);
  const routes = sys.netlink({ type: 'RTM_GETROUTE', table: 'main' });
  const lines = routes.map((route) => `${routeLine(route, style, names)}\n`);
  return `Kernel IP routing table\n${HEADERS[style]}\n${lines.join('')}`;
}

function routeLine(route: RouteRecord, style: RouteStyle, names: HostNames | undefined): string {
  const reject = route.type === 'unreachable' || route.type === 'prohibit' || route.type === 'blackhole';
  const isDefault = route.target === 0 && route.prefix === 0;
  const named = names !== undefined && isDefault ? 'default' : (names?.name(route.target) ?? formatIpv4(route.target));
  const gateway = route.gateway === undefined ? '0.0.0.0' : (names?.name(route.gateway) ?? formatIpv4(route.gateway));
  const head = [
    left(named.slice(0, 15), 15),
    left(reject ? '-' : gateway.slice(0, 15), 15),
    left(formatIpv4(maskOf(route.prefix)), 15),
  ].join(' ');
  const flags = left(reject ? `!${route.prefix === 32 ? 'H' : ''}` : flagsOf(route), 6);
  const iface = reject ? '-' : route.dev;
  // The kernel tells nobody how often a route is used; net-tools prints 0.
  const fib = `${flags}${left(route.metric, 6)} ${left(reject ? '-' : 0, 2)} ${right(0, 7)} `;
  const mss = route.metrics?.mtu === undefined ? 0 : route.metrics?.mtu;
  switch (style) {
    case 'fib':
      return `${head} ${fib}${iface}`;
    case 'netstat':
      return `${head} ${flags}${right(reject ? '-' : mss, 5)} ${left(reject ? '-' : 0, 5)} ${right(reject ? '-' : 0, 6)} ${iface}`;
    case 'both':
      return `${head} ${fib}${left(iface, 8)} ${left(mss, 5)} ${left(0, 6)} 0`;
  }
}

function flagsOf(route: RouteRecord): string {
  const gateway = route.gateway === undefined ? '' : 'G';
  const host = route.prefix === 32 ? 'H' : '';
  const dynamic = route.protocol === 'redirect' ? 'D' : '';
  return `U${gateway}${host}${dynamic}`;
}
