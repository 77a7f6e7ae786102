/** What turmoil.ts does to a device: command lines and what ends them, and sysctls. PORT stands for one of its ports. */
import type { DevicePlan } from '../../shared/lab/plan-types.ts';

export interface Upheaval {
  readonly lines: readonly string[];
  /** Afterwards it is as before. */
  readonly undo: readonly string[];
  /** The CPU is slow meanwhile. */
  readonly slow?: true;
  /** The port's wire takes nothing for the first half of it. */
  readonly stalled?: true;
}

const LINKS: readonly Upheaval[] = [
  { lines: ['ip link set PORT down'], undo: ['ip link set PORT up'] },
  { lines: ['ip link set PORT mtu 300'], undo: ['ip link set PORT mtu 1500'] },
];

const SWITCHED: readonly Upheaval[] = [...LINKS, { lines: ['bridge fdb flush dev br0'], undo: [] }];

const CARDS: readonly Upheaval[] = [
  ...LINKS,
  { lines: ['ip link set PORT promisc on'], undo: ['ip link set PORT promisc off'] },
  { lines: ['ethtool -G PORT rx 64 tx 64'], undo: ['ethtool -G PORT rx 256 tx 256'] },
  {
    lines: ['ethtool -K PORT tso off gso off gro off tx off rx off'],
    undo: ['ethtool -K PORT tso on gso on gro on tx on rx on'],
  },
  { lines: ['ethtool --set-priv-flags PORT napi off'], undo: ['ethtool --set-priv-flags PORT napi on'] },
  { lines: ['ip link set lo down'], undo: ['ip link set lo up'] },
];

const QUEUES: readonly Upheaval[] = [
  'pfifo limit 2',
  'bfifo limit 3000',
  'fq limit 12 flow_limit 3',
  'fq horizon 100us horizon_drop',
  'fq maxrate 100kbit flow_limit 2',
  'fq_codel limit 10 flows 4 target 1ms interval 2ms',
  'fq_codel target 1us interval 1us',
  'tbf rate 1mbit burst 3000 limit 6000',
  'pfifo_fast',
].map((queue) => ({ lines: [`tc qdisc replace dev PORT root ${queue}`], undo: ['tc qdisc del dev PORT root'] }));

/** A rule that is put in front and taken out again. */
const rule = (table: string, chain: string, words: string): Upheaval => ({
  lines: [`iptables -t ${table} -I ${chain} ${words}`],
  undo: [`iptables -t ${table} -D ${chain} ${words}`],
});
const policy = (chain: string): Upheaval => ({
  lines: [`iptables -P ${chain} DROP`],
  undo: [`iptables -P ${chain} ACCEPT`],
});

const FILTERS: readonly Upheaval[] = [
  policy('INPUT'),
  policy('FORWARD'),
  policy('OUTPUT'),
  rule('filter', 'INPUT', '-m statistic --mode random --probability 0.2 -j DROP'),
  rule('filter', 'OUTPUT', '-p tcp -j REJECT --reject-with tcp-reset'),
  rule('filter', 'FORWARD', '-j REJECT --reject-with icmp-admin-prohibited'),
  rule('raw', 'PREROUTING', '-j NOTRACK'),
  rule('mangle', 'PREROUTING', '-j TTL --ttl-set 1'),
  rule('mangle', 'OUTPUT', '-j MARK --set-mark 3'),
  rule('nat', 'PREROUTING', '-p udp -j REDIRECT --to-ports 5010'),
  rule('nat', 'POSTROUTING', '-p udp -j MASQUERADE --to-ports 5000'),
  rule('nat', 'POSTROUTING', '-p tcp -j MASQUERADE --to-ports 5000'),
  // Two connections have room, and those that both ends have spoken on do not give it back.
  {
    lines: ['iptables -I INPUT -m conntrack --ctstate INVALID -j DROP', 'sysctl -w net.netfilter.nf_conntrack_max=2'],
    undo: [
      'sysctl -w net.netfilter.nf_conntrack_max=65536',
      'iptables -D INPUT -m conntrack --ctstate INVALID -j DROP',
    ],
  },
];

const LITTLE_ROOM: Upheaval = {
  lines: ['sysctl -w net.ipv4.ipfrag_low_thresh=2000', 'sysctl -w net.ipv4.ipfrag_high_thresh=3000'],
  undo: ['sysctl -w net.ipv4.ipfrag_high_thresh=4194304', 'sysctl -w net.ipv4.ipfrag_low_thresh=3145728'],
};

/** Things that only together do anything. */
const TOGETHER: readonly Upheaval[] = [
  {
    lines: ['ethtool -G PORT rx 64 tx 64', 'tc qdisc replace dev PORT root fq_codel target 1us interval 1us'],
    undo: ['tc qdisc del dev PORT root', 'ethtool -G PORT rx 256 tx 256'],
    slow: true,
    stalled: true,
  },
  {
    lines: ['ethtool --set-priv-flags PORT napi off', 'sysctl -w net.core.netdev_max_backlog=2'],
    undo: ['sysctl -w net.core.netdev_max_backlog=1000', 'ethtool --set-priv-flags PORT napi on'],
    slow: true,
  },
  {
    lines: ['ip route add 10.9.8.0/24 dev lo', 'sysctl -w net.ipv4.conf.all.rp_filter=1'],
    undo: ['sysctl -w net.ipv4.conf.all.rp_filter=0', 'ip route del 10.9.8.0/24 dev lo'],
  },
  {
    lines: ['sysctl -w net.ipv4.neigh.PORT.unres_qlen_bytes=300', 'ip neigh flush dev PORT'],
    undo: ['sysctl -w net.ipv4.neigh.PORT.unres_qlen_bytes=212992'],
  },
];

const route = (words: string): Upheaval => ({ lines: [`ip route add ${words}`], undo: [`ip route del ${words}`] });

const ROUTES: readonly Upheaval[] = [
  route('blackhole 192.0.2.64/28'),
  route('unreachable 198.51.100.0/29'),
  route('prohibit 203.0.113.0/29'),
  route('10.9.8.0/24 dev lo'),
  { lines: ['ip route flush table main'], undo: [] },
  { lines: ['ip addr add 10.77.0.1/24 dev PORT'], undo: ['ip addr del 10.77.0.1/24 dev PORT'] },
  { lines: ['ip neigh flush dev PORT'], undo: [] },
];

/** Whatever happened, the way out is there again afterwards: what goes down loses its routes. */
function planned(plan: DevicePlan): string[] {
  return plan.routes.map(({ to, via, dev, metric }) =>
    [`ip route replace ${to}`, via && `via ${via}`, dev && `dev ${dev}`, metric > 0 && `metric ${metric}`]
      .filter((word) => typeof word === 'string')
      .join(' '),
  );
}

/** Networks of its own ports, as an address brings them. */
function connected(plan: DevicePlan): string[] {
  const dev = (port: string): string => (plan.lan.includes(port) ? 'br0' : port);
  return plan.ports.flatMap(({ name, addresses }) =>
    addresses.flatMap((address) => [
      `ip addr del ${address} dev ${dev(name)}`,
      `ip addr add ${address} brd + dev ${dev(name)}`,
    ]),
  );
}

export function upheavalsFor(plan: DevicePlan): readonly Upheaval[] {
  if (plan.kind === 'switch') return SWITCHED;
  const back = planned(plan);
  return [...CARDS, ...QUEUES, ...FILTERS, LITTLE_ROOM, ...TOGETHER, ...ROUTES].map((one) => {
    const { lines, undo } = one;
    if (lines[0] === 'ip route flush table main') return { lines, undo: [...connected(plan), ...back] };
    return lines[0]!.startsWith('ip link') ? { lines, undo: [...undo, ...back] } : one;
  });
}

const IP_SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ['net.ipv4.ip_forward', '0'],
  ['net.ipv4.ip_forward', '1'],
  ['net.ipv4.conf.all.rp_filter', '1'],
  ['net.ipv4.conf.PORT.rp_filter', '1'],
  ['net.ipv4.conf.PORT.rp_filter', '2'],
  ['net.ipv4.conf.all.accept_source_route', '1'],
  ['net.ipv4.conf.PORT.accept_source_route', '0'],
  ['net.ipv4.conf.PORT.accept_local', '1'],
  ['net.ipv4.conf.PORT.route_localnet', '1'],
  ['net.ipv4.conf.PORT.proxy_arp', '1'],
  ['net.ipv4.conf.PORT.arp_accept', '1'],
  ['net.ipv4.conf.PORT.arp_ignore', '8'],
  ['net.ipv4.conf.all.drop_gratuitous_arp', '1'],
  ['net.ipv4.conf.all.drop_gratuitous_arp', '1'],
  ['net.ipv4.icmp_echo_ignore_all', '1'],
  ['net.ipv4.icmp_echo_ignore_all', '1'],
  ['net.ipv4.icmp_echo_ignore_broadcasts', '0'],
  ['net.ipv4.icmp_ratelimit', '0'],
  ['net.ipv4.ip_no_pmtu_disc', '1'],
  ['net.ipv4.ip_default_ttl', '1'],
  ['net.ipv4.ip_local_port_range', '40000 40003'],
  ['net.ipv4.ipfrag_max_dist', '1'],
  ['net.ipv4.ipfrag_time', '1'],
  ['net.ipv4.neigh.default.gc_thresh3', '0'],
  ['net.ipv4.neigh.default.gc_thresh3', '2'],
  ['net.ipv4.neigh.PORT.unres_qlen_bytes', '300'],
  ['net.ipv4.neigh.PORT.unres_qlen_bytes', '300'],
  ['net.ipv4.neigh.PORT.base_reachable_time_ms', '10'],
  ['net.core.netdev_max_backlog', '0'],
  ['net.core.rmem_default', '2304'],
  ['net.core.somaxconn', '0'],
  ['net.ipv4.tcp_rmem', '4096 4096 4096'],
  ['net.ipv4.tcp_mem', '1 1 1'],
  ['net.ipv4.tcp_max_syn_backlog', '1'],
  ['net.ipv4.tcp_syncookies', '0'],
  ['net.ipv4.tcp_syncookies', '2'],
  ['net.ipv4.tcp_abort_on_overflow', '1'],
  ['net.ipv4.tcp_max_tw_buckets', '0'],
  ['net.ipv4.tcp_max_orphans', '0'],
  ['net.ipv4.tcp_timestamps', '0'],
  ['net.ipv4.tcp_window_scaling', '0'],
  ['net.ipv4.tcp_sack', '0'],
  ['net.ipv4.tcp_ecn', '1'],
  ['net.ipv4.tcp_shrink_window', '1'],
  ['net.ipv4.tcp_mtu_probing', '2'],
  ['net.ipv4.tcp_fin_timeout', '1'],
];

export const settingsFor = (plan: DevicePlan): readonly (readonly [name: string, value: string])[] =>
  plan.kind === 'switch' ? [] : IP_SETTINGS;
