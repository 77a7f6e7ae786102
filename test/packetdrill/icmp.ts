/** `< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]`: an ICMP message of the peer's, with what it quotes of ours. */
import { finish, sumBytes } from '../../shared/header/checksum.ts';
import { emitIpv4, IPV4, IPV4_DF, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP } from '../../shared/header/tcp.ts';
import { UDP } from '../../shared/header/udp.ts';
import type { Flow } from './flow.ts';
import { type IcmpLine, Unsupported } from './script.ts';

const TTL = 64;
const ICMP_SIZE = 8;
/** Octets of the transport header that a message quotes. */
const QUOTED_OCTETS = 8;

/** Types by name, each with the names of its codes. */
const TYPES: ReadonlyMap<string, readonly [number, ReadonlyMap<string, number>]> = new Map([
  ['echo_reply', [0, new Map()]],
  [
    'unreachable',
    [
      3,
      new Map([
        ['net_unreachable', 0],
        ['host_unreachable', 1],
        ['protocol_unreachable', 2],
        ['port_unreachable', 3],
        ['frag_needed', 4],
        ['source_route_failed', 5],
        ['net_unknown', 6],
        ['host_unknown', 7],
        ['source_host_isolated', 8],
        ['net_prohibited', 9],
        ['host_prohibited', 10],
        ['net_unreachable_for_tos', 11],
        ['host_unreachable_for_tos', 12],
        ['pkt_filtered', 13],
        ['packet_filtered', 13],
        ['precedence_violation', 14],
        ['precedence_cutoff', 15],
      ]),
    ],
  ],
  ['source_quench', [4, new Map()]],
  ['redirect', [5, new Map()]],
  ['echo_request', [8, new Map()]],
  [
    'time_exceeded',
    [
      11,
      new Map([
        ['exc_ttl', 0],
        ['exc_fragtime', 1],
      ]),
    ],
  ],
  ['parameter_problem', [12, new Map()]],
]);

function typeAndCode(line: IcmpLine): readonly [number, number] {
  const known = TYPES.get(line.type);
  const type = known?.[0] ?? (/^\d+$/.test(line.type) ? Number(line.type) : undefined);
  const code =
    line.code === '' ? 0 : (known?.[1].get(line.code) ?? (/^\d+$/.test(line.code) ? Number(line.code) : undefined));
  if (type === undefined || code === undefined) throw new Unsupported(`icmp ${line.type} ${line.code}`.trim());
  return [type, code];
}

/** Without a range in the script, it is about sequence number 0. */
export function buildIcmp(line: IcmpLine, flow: Flow): Uint8Array {
  const [type, code] = typeAndCode(line);
  const echo = type === 0 || type === 8;
  const body = line.quoted.protocol === 'raw' ? line.quoted.length : echo ? 0 : IPV4.SIZE + QUOTED_OCTETS;
  const bytes = new Uint8Array(IPV4.SIZE + ICMP_SIZE + body);
  const view = new DataView(bytes.buffer);
  const common = { tos: 0, id: 0, fragment: IPV4_DF, ttl: TTL };
  const { remoteAddress, localAddress } = flow;
  const totalLength = bytes.length;
  emitIpv4(bytes, view, 0, { ...common, totalLength, protocol: 1, source: remoteAddress, target: localAddress });
  const at = IPV4.SIZE;
  view.setUint16(at, (type << 8) | code);
  if (line.id !== undefined) view.setUint16(at + 4, line.id);
  if (line.mtu > 0) view.setUint16(at + 6, line.mtu);
  if (!echo && line.quoted.protocol !== 'raw') quote(bytes, view, at + ICMP_SIZE, line, flow);
  view.setUint16(at + 2, finish(sumBytes(bytes, at, bytes.length)));
  return bytes;
}

/** The IP header of our packet, and the first octets of what it carried. */
function quote(bytes: Uint8Array, view: DataView, at: number, { quoted }: IcmpLine, flow: Flow): void {
  const udp = quoted.protocol === 'udp';
  const length = udp ? UDP.SIZE + quoted.length : TCP.SIZE + quoted.length;
  emitIpv4(bytes, view, at, {
    tos: 0,
    id: 0,
    fragment: IPV4_DF,
    ttl: TTL,
    totalLength: IPV4.SIZE + length,
    protocol: udp ? PROTOCOL.UDP : PROTOCOL.TCP,
    source: flow.localAddress,
    target: flow.remoteAddress,
  });
  const th = at + IPV4.SIZE;
  view.setUint16(th, flow.localPort);
  view.setUint16(th + 2, flow.remotePort);
  if (udp) view.setUint16(th + UDP.LENGTH, length);
  else view.setUint32(th + TCP.SEQUENCE, flow.toLiveLocal(quoted.start));
}
