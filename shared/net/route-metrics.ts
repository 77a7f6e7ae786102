/**
 * What a route says of the way beside where it leads (Linux: RTAX_*, struct dst_metrics): `ip route … mtu lock 1400
 * initcwnd 20`, and what TCP and IP make of it. A metric that is not there is 0, as in Linux.
 */
import type { Micros } from '../platform.ts';
import type { Host } from './host.ts';
import type { Route } from './route.ts';

/** By iproute2's names. Times in microseconds. */
export type RouteMetric =
  | 'mtu'
  | 'window'
  | 'rtt'
  | 'rttvar'
  | 'ssthresh'
  | 'cwnd'
  | 'advmss'
  | 'reordering'
  | 'hoplimit'
  | 'initcwnd'
  | 'features'
  | 'rto_min'
  | 'initrwnd'
  | 'quickack'
  | 'congctl'
  | 'fastopen_no_cookie';
type NumberMetric = Exclude<RouteMetric, 'congctl'>;

export type RouteMetrics = Readonly<Partial<Record<NumberMetric, number>>> & {
  readonly congctl?: string;
  /** RTAX_LOCK: those that nothing learned may change. */
  readonly locked?: readonly RouteMetric[];
};

/** RTAX_FEATURE_ECN, the only feature there is. */
export const FEATURE_ECN = 1;
/** Linux: ip_rt_min_advmss. */
export const ADVMSS_MIN = 256;
const ADVMSS_MAX = 65_535 - 40;
const TCP_HEADERS = 40;
const INIT_CWND = 10;

/** (Linux: dst_metric_raw) */
export function dstMetric(route: unknown, name: NumberMetric): number {
  return (route as Route | undefined)?.metrics?.[name] ?? 0;
}

export function dstMetricLocked(route: unknown, name: RouteMetric): boolean {
  return (route as Route | undefined)?.metrics?.locked?.includes(name) ?? false;
}

/** The MSS to advertise: the metric, else what the route or its device takes; never what ICMP taught (dst_metric_advmss). */
export function dstAdvmss(host: Host, route: Route): number {
  const asked = dstMetric(route, 'advmss');
  if (asked > 0) return Math.min(asked, ADVMSS_MAX);
  const mtu = dstMetric(route, 'mtu') || route.dev.mtu;
  return Math.min(Math.max(mtu - TCP_HEADERS, host.routes.settings.advmssMin.value), ADVMSS_MAX);
}

/** Segments that may go before the first ACK: `initcwnd`, else 10 (tcp_init_cwnd). */
export function initCwnd(sk: { readonly route: unknown; readonly sndCwndClamp: number }): number {
  return Math.min(dstMetric(sk.route, 'initcwnd') || INIT_CWND, sk.sndCwndClamp);
}

/** The shortest time-out: a locked `rto_min`, else the socket's (tcp_rto_min). */
export function tcpRtoMin(sk: { readonly route: unknown; readonly rtoMin: Micros }): Micros {
  return dstMetricLocked(sk.route, 'rto_min') ? dstMetric(sk.route, 'rto_min') : sk.rtoMin;
}
