/**
 * What a campaign runs against: for each kind of device one of labs/url-to-page, with what makes it meet more of its
 * code than the lab does: small limits, rules of iptables, queueing disciplines, sockets in every state.
 */

import { type Filter, filterNames, parseFilter } from '../../shared/header/display-filter.ts';
import { dissect } from '../../shared/header/dissect.ts';
import type { Dissection } from '../../shared/header/dissection.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { assert, MILLISECOND, type Random, SECOND } from '../../shared/platform.ts';
import { ip } from './cable.ts';
import { CAMPAIGN_PORTS, everyState } from './campaign-sockets.ts';
import type { FuzzScene } from './fuzz-scene.ts';
import { pick } from './mutate.ts';
import { testRandom } from './random.ts';

export const CAMPAIGN_KINDS = [
  'host',
  'server',
  'tcp',
  'router',
  'nat',
  'switch',
  'dns-root',
  'dns-tld',
  'dns-authoritative',
  'dns-local',
] as const;
export type CampaignKind = (typeof CAMPAIGN_KINDS)[number];

export interface CampaignScene {
  readonly device: string;
  /** Scenes of the device, one a round in turn. */
  readonly scenes: readonly FuzzScene[];
}

/** Of each so many frames one is dissected and filtered: that takes longer than the whole way through a kernel. */
const READ_EVERY = 16;

const LITTLE_ROOM = {
  'net.ipv4.ip_forward': '1',
  'net.ipv4.ipfrag_low_thresh': '15000',
  'net.ipv4.ipfrag_high_thresh': '20000',
  'net.ipv4.neigh.default.gc_thresh1': '2',
  'net.ipv4.neigh.default.gc_thresh2': '4',
  'net.ipv4.neigh.default.gc_thresh3': '6',
};

const WATCHFUL = {
  'net.ipv4.conf.all.rp_filter': '1',
  'net.ipv4.conf.default.rp_filter': '1',
  'net.ipv4.conf.eth0.rp_filter': '1',
  'net.ipv4.conf.all.drop_gratuitous_arp': '1',
  'net.ipv4.conf.eth0.drop_gratuitous_arp': '1',
  'net.ipv4.conf.all.accept_source_route': '1',
  'net.ipv4.conf.eth0.accept_source_route': '1',
  'net.ipv4.icmp_echo_ignore_all': '1',
};

const FIREWALL = [
  'iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP',
  'iptables -A INPUT -p icmp -m limit --limit 20/sec --limit-burst 5 -j ACCEPT',
  'iptables -A INPUT -m length --length 0:30 -j DROP',
  'iptables -A INPUT -m ttl --ttl-lt 2 -j LOG --log-prefix low',
  'iptables -A INPUT -m pkttype --pkt-type broadcast -j DROP',
  'iptables -A INPUT -p tcp -m connlimit --connlimit-above 20 -j REJECT --reject-with tcp-reset',
  'iptables -A INPUT -p tcp --syn -m hashlimit --hashlimit-above 50/sec --hashlimit-name syn -j DROP',
  'iptables -A FORWARD -p tcp -m tcpmss --mss 1:100 -j DROP',
  'iptables -A FORWARD -p udp -m multiport --dports 1:20,5353 -j REJECT --reject-with icmp-port-unreachable',
  'iptables -A FORWARD -m recent --name seen --set',
  'iptables -A FORWARD -m statistic --mode nth --every 50 --packet 0 -j DROP',
  'iptables -A FORWARD -m iprange --src-range 192.168.1.70-192.168.1.80 -j REJECT',
  'iptables -A FORWARD -m addrtype --dst-type BROADCAST,MULTICAST -j DROP',
  'iptables -A FORWARD -f -j ACCEPT',
  'iptables -t mangle -A PREROUTING -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
  'iptables -t mangle -A PREROUTING -m dscp --dscp 46 -j MARK --set-mark 7',
  'iptables -t mangle -A POSTROUTING -m connmark --mark 1 -j TTL --ttl-set 9',
  'iptables -t mangle -A PREROUTING -j CONNMARK --save-mark',
  'iptables -t raw -A PREROUTING -p udp --dport 7 -j NOTRACK',
];

const FORWARDED = [
  'iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 192.168.1.10:80',
  'iptables -t nat -A PREROUTING -p udp --dport 53 -i eth0 -j REDIRECT --to-ports 5353',
];

const queue = (...words: string[]): readonly string[] =>
  words.flatMap((word) => ['eth0', 'eth1'].map((dev) => `tc qdisc replace dev ${dev} root ${word}`));

const FQ = 'fq limit 12 flow_limit 3';
const CODEL = 'fq_codel limit 10 flows 4 target 1ms interval 2ms';

const PEERS = ['192.0.2.65', '192.0.2.66', '198.51.100.2', '203.0.113.80'].map(ip);

const tcpScene = (sysctls: Readonly<Record<string, string>>): FuzzScene => ({
  sysctls: { 'net.ipv4.tcp_fastopen': '3', 'net.core.somaxconn': '64', ...sysctls },
  ports: CAMPAIGN_PORTS,
  programs: (random) => [everyState(random, PEERS)],
});

const TCP_SCENES: readonly FuzzScene[] = [
  tcpScene({ 'net.ipv4.tcp_syncookies': '2', 'net.ipv4.tcp_ecn': '3' }),
  tcpScene({ 'net.ipv4.tcp_syncookies': '0', 'net.ipv4.tcp_max_syn_backlog': '4', 'net.ipv4.tcp_ecn': '1' }),
  tcpScene({ 'net.ipv4.tcp_syncookies': '1', 'net.ipv4.tcp_ecn': '5', 'net.ipv4.tcp_rmem': '4096 4096 8192' }),
];

/** Sockets in every state, beside what the device does. */
const BUSY = tcpScene({
  'net.ipv4.tcp_max_syn_backlog': '4',
  'net.ipv4.tcp_syncookies': '0',
  'net.ipv4.tcp_ecn': '1',
  // Whoever opens a connection with data is taken at his word.
  'net.ipv4.tcp_fastopen': '0x603',
  'net.ipv4.ip_forward': '1',
});

const dns = (device: string): CampaignScene => ({ device, scenes: [{}, BUSY, { sysctls: LITTLE_ROOM }] });

export const SCENES: Readonly<Record<CampaignKind, CampaignScene>> = {
  host: {
    device: 'alice',
    scenes: [{}, { sysctls: WATCHFUL }, BUSY, { sysctls: LITTLE_ROOM, lines: queueAt('eth0', FQ) }],
  },
  server: {
    device: 'www',
    scenes: [{}, { lines: queueAt('eth0', CODEL) }, BUSY, { sysctls: WATCHFUL, lines: FIREWALL }],
  },
  tcp: { device: 'www', scenes: TCP_SCENES },
  router: { device: 'core1', scenes: [{}, { lines: [...FIREWALL, ...queue(FQ)] }, BUSY, { sysctls: WATCHFUL }] },
  nat: {
    device: 'home-router',
    scenes: [
      { lines: [...FIREWALL, ...FORWARDED, ...queue(CODEL)] },
      { sysctls: { 'net.netfilter.nf_conntrack_max': '20' } },
      BUSY,
      { sysctls: LITTLE_ROOM, lines: queue('tbf rate 1mbit burst 3000 limit 6000') },
    ],
  },
  switch: { device: 'home-switch', scenes: [{}] },
  'dns-root': dns('root-dns'),
  'dns-tld': dns('com-dns'),
  'dns-authoritative': dns('server-dns'),
  'dns-local': dns('local-dns'),
};

function queueAt(dev: string, word: string): readonly string[] {
  return [`tc qdisc replace dev ${dev} root ${word}`];
}

/** The scene of a round, with frames read as a person would and wires that do to frames what they like. */
export function sceneOf(kind: CampaignKind, seed: number): FuzzScene & { readonly device: string } {
  const { device, scenes } = SCENES[kind];
  const random = testRandom(`scene ${kind}`, seed);
  const scene = scenes[((seed % scenes.length) + scenes.length) % scenes.length]!;
  return {
    ...scene,
    device,
    // In every other round of a scene it is left as it is.
    turmoil: random.below(4) > 0,
    read: reader(random.fork('reader')),
    ...(random.below(3) === 0 ? { impairment: anyImpairment } : {}),
  };
}

function reader(random: Random): (frame: Uint8Array) => void {
  const filters = Array.from({ length: 12 }, () => anyFilter(random));
  let n = 0;
  return (frame) => {
    if (n++ % READ_EVERY !== 0) return;
    const read: Dissection = dissect(frame, { fcs: false });
    assert(read.layers.length > 0 && typeof read.info === 'string', 'every frame has a layer and a line');
    for (const filter of filters) assert(typeof filter(read) === 'boolean', 'a filter says yes or no');
  };
}

const OPERATORS = ['==', '===', '!=', '!==', '<', '<=', '>', '>=', '&', 'contains', 'matches'] as const;
const VALUES = ['0', '1', '80', '65535', '0x10', '10.0.0.1', '192.168.1.0/24', '02:00:00:00:00:01', '"www"', 'true'];

/** Any filter of Wireshark's words: made until one is well said, as half of them are not. */
export function anyFilter(random: Random): Filter {
  const made = parseFilter(filterOf(random));
  assert(!('problem' in made), 'it was parsed before');
  return made;
}

export function filterText(random: Random, depth = 0): string {
  const name = pick(random, filterNames);
  const choice = random.below(depth > 3 ? 3 : 6);
  if (choice === 0) return name;
  if (choice < 3) return `${name} ${pick(random, OPERATORS)} ${pick(random, VALUES)}`;
  if (choice === 3) return `!(${filterText(random, depth + 1)})`;
  if (choice === 4) return `${name} in {${pick(random, VALUES)}, ${pick(random, VALUES)}}`;
  const [left, right] = [filterText(random, depth + 1), filterText(random, depth + 1)];
  return `(${left}) ${pick(random, ['&&', '||', 'and', 'or'])} (${right})`;
}

function filterOf(random: Random): string {
  for (;;) {
    const text = filterText(random);
    if (!('problem' in parseFilter(text))) return text;
  }
}

/** Any knobs, and match rules among them. */
export function anyImpairment(random: Random): Impairment {
  const some = <T>(value: T): T | undefined => (random.below(3) === 0 ? value : undefined);
  const knobs: Record<string, unknown> = {
    delay: some(random.below(50 * MILLISECOND)),
    jitter: some(random.below(20 * MILLISECOND)),
    distribution: some(pick(random, ['uniform', 'normal', 'pareto', 'paretonormal'])),
    order: some(pick(random, ['kept', 'free'])),
    loss: some(random.below(30) / 100),
    duplicate: some(random.below(30) / 100),
    reorder: some(random.below(30) / 100),
    gap: some(1 + random.below(5)),
    corrupt: some(random.below(30) / 100),
    rate: some(1_000_000 + random.below(1e8)),
    limit: some(1 + random.below(100)),
    mtu: some(100 + random.below(1_400)),
    match: some([
      { frames: 'tcp.flags.syn==1', nth: 1 + random.below(4), every: 1 + random.below(4), loss: 1 },
      { frames: filterOf(random), corrupt: { ratio: random.below(100) / 100, layer: pick(random, ['ip', 'tcp']) } },
      { frames: filterOf(random), delay: random.below(SECOND), duplicate: random.below(2) },
    ]),
  };
  return Object.fromEntries(Object.entries(knobs).filter(([, value]) => value !== undefined)) as Impairment;
}
