/** Which layer a trace point belongs to, told from its name; what is not named here is the kernel's own. */

export type TraceLayer =
  | 'program'
  | 'syscall'
  | 'socket'
  | 'transport'
  | 'network'
  | 'netfilter'
  | 'link'
  | 'driver'
  | 'kernel';

/** The first that fits. */
const LAYERS: readonly (readonly [prefix: string, layer: TraceLayer])[] = [
  ['sys_', 'syscall'],
  ['sock_', 'socket'],
  ['skb_copy_datagram', 'socket'],
  ['inet_', 'transport'],
  ['tcp_', 'transport'],
  ['udp_', 'transport'],
  ['raw_', 'transport'],
  ['ip_', 'network'],
  ['icmp_', 'network'],
  ['fib_', 'network'],
  ['nf_', 'netfilter'],
  ['neigh_', 'link'],
  ['arp_', 'link'],
  ['br_', 'link'],
  ['dev_', 'link'],
  ['netif_', 'link'],
  ['net_dev_', 'driver'],
  ['napi_', 'driver'],
  ['irq_', 'driver'],
];

/** What a program marks is `program:event`. */
export function traceLayer(point: string): TraceLayer {
  if (point.includes(':')) return 'program';
  return LAYERS.find(([prefix]) => point.startsWith(prefix))?.[1] ?? 'kernel';
}
