import { formatIpv4 } from '../../shared/header/address.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { routeOutput } from '../../shared/net/route.ts';
import { ip } from './cable.ts';

/** What a packet to `target` would do, in the words of `ip route get`; or the errno. */
export function answerRoute(host: Host, target: string, source?: string): string {
  const route = routeOutput(host, { target: ip(target), source: source === undefined ? undefined : ip(source) });
  if (isErrno(route)) return route;
  const type = route.type === 'unicast' ? '' : `${route.type} `;
  const via = route.gateway === 0 ? '' : `via ${formatIpv4(route.gateway)} `;
  return `${type}${via}dev ${route.dev.name} src ${formatIpv4(route.source)}`;
}
