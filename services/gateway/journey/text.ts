/** Every sentence of a story, in one place, so that it can be translated. Facts come in as fields and frames. */

import type { PlaceName } from '../../../shared/header/layers.ts';
import type { DnsRole } from '../../../shared/lab/plan-types.ts';
import { DROP_REASONS, type DropReason } from '../../../shared/net/drop.ts';
import type { TraceFields } from '../../../shared/net/trace.ts';
import { hopChange } from './hop.ts';
import { numberOf, type SeenFrame, textOf } from './recording.ts';

interface Sentence {
  readonly title: string;
  readonly text: string;
  readonly place?: PlaceName;
}

const of = (fields: TraceFields, name: string): string => String(fields[name] ?? '');
const isHit = (fields: TraceFields): boolean => fields['hit'] === true;

const ROLE_NAMES: Readonly<Record<DnsRole, string>> = {
  root: 'the root server',
  tld: 'the TLD server',
  authoritative: 'the authoritative server',
  local: 'the local DNS server',
};

function roleName(role: DnsRole | null): string {
  return role === null ? 'the DNS server' : ROLE_NAMES[role];
}

const KINDS: Readonly<Record<string, string>> = {
  referral: 'does not know, but knows who is nearer: a referral to the servers of',
  answer: 'knows the answer',
  cname: 'says that the name is an alias',
  nxdomain: 'says that the name does not exist (NXDOMAIN)',
  nodata: 'says that the name has no such record (NODATA)',
  refused: 'refuses: it does not serve that zone',
  servfail: 'could not find an answer (SERVFAIL)',
};

const PROGRAMS = {
  parsedUrl: (f: TraceFields): Sentence => {
    const isDefault = of(f, 'path') === '/' ? '; no file is named, so the server will choose its default document' : '';
    return {
      title: 'The URL is parsed',
      text: `${of(f, 'url')}: scheme ${of(f, 'scheme')}, server ${of(f, 'host')}, port ${of(f, 'port')}, path ${of(f, 'path')}${isDefault}.`,
    };
  },
  httpCache: (f: TraceFields): Sentence => ({
    title: isHit(f) ? 'The page is in the browser’s cache' : 'The browser’s page cache has nothing',
    text: isHit(f)
      ? `${of(f, 'url')} was fetched before and is still fresh or can be checked.`
      : `${of(f, 'url')} must come from the server.`,
  }),
  browserDnsCache: (f: TraceFields): Sentence => ({
    title: isHit(f) ? 'The browser’s DNS cache knows the address' : 'The browser’s DNS cache does not know the name',
    text: isHit(f)
      ? `${of(f, 'name')} was looked up before; the entry lives for another ${of(f, 'ttl')} s.`
      : `${of(f, 'name')}: ask the operating system.`,
  }),
  osCache: (f: TraceFields): Sentence => ({
    title: isHit(f) ? 'The OS cache knows the name' : 'The OS cache does not know the name',
    text: isHit(f)
      ? `${of(f, 'name')} ${of(f, 'type')}: remembered for another ${of(f, 'ttl')} s.`
      : `${of(f, 'name')} ${of(f, 'type')}: look into the hosts file.`,
    place: 'application',
  }),
  hostsFile: (f: TraceFields): Sentence => ({
    title: isHit(f) ? 'The hosts file has the name' : 'The hosts file does not have the name',
    text: isHit(f)
      ? `/etc/hosts: ${of(f, 'name')} is ${of(f, 'address')}.`
      : `/etc/hosts has no line for ${of(f, 'name')}: ask the local DNS server.`,
  }),
  stubQuery: (f: TraceFields): Sentence => ({
    title: 'The local DNS server is asked',
    text: `A recursive question (RD=1) over UDP to ${of(f, 'server')}: ${of(f, 'name')} ${of(f, 'type')}? It shall come back with the answer, whomever it has to ask.`,
  }),
  stubAnswer: (f: TraceFields): Sentence => ({
    title: 'The local DNS server has answered',
    text: `${of(f, 'name')}: ${of(f, 'rcode')}${f['addresses'] === undefined ? '' : `, ${of(f, 'addresses')}`}. The OS keeps it in its cache.`,
  }),
  serverAsked: (f: TraceFields, role: DnsRole | null): Sentence => ({
    title: `${capital(roleName(role))} is asked`,
    text: `From ${of(f, 'from')}: ${of(f, 'name')} ${of(f, 'type')}? ${f['recursive'] === true ? 'Recursion is desired.' : 'No recursion: say what you know.'}`,
  }),
  serverCache: (f: TraceFields): Sentence => ({
    title: isHit(f) ? 'Its cache has the answer' : 'Its cache does not have the answer',
    text: isHit(f)
      ? `${of(f, 'name')} ${of(f, 'type')} is remembered; nobody else is asked.`
      : `${of(f, 'name')} ${of(f, 'type')}: find out, starting from the nearest zone it knows.`,
  }),
  serverIterates: (f: TraceFields): Sentence => ({
    title:
      of(f, 'name') === '.'
        ? 'It asks a root server who the root servers are'
        : `It asks a server of ${zoneText(of(f, 'zone'))}`,
    text: `An iterative question (RD=0) to ${of(f, 'server')}: ${of(f, 'name')} ${of(f, 'type')}?`,
  }),
  serverAnswers: (f: TraceFields, role: DnsRole | null): Sentence => {
    const kind = KINDS[of(f, 'kind')] ?? of(f, 'rcode');
    const zone = of(f, 'kind') === 'referral' ? ` ${zoneText(of(f, 'zone'))}` : '';
    const records = f['records'] === undefined ? '' : `: ${of(f, 'records')}`;
    return {
      title: `${capital(roleName(role))} answers`,
      text: `${of(f, 'name')} ${of(f, 'type')}: it ${kind}${zone}${records}.`,
    };
  },
  request: (f: TraceFields): Sentence => ({
    title: 'The HTTP request is written',
    text: `${of(f, 'method')} ${of(f, 'path')} HTTP/1.1, Host: ${of(f, 'host')}: a message, handed to the socket library; a system call copies it into the kernel.`,
  }),
  serverReads: (f: TraceFields): Sentence => ({
    title: 'The server process reads the request',
    text: `httpd read ${of(f, 'method')} ${of(f, 'path')} from its socket: kernel to user, the last copy on the way in.`,
  }),
  serverFile: (f: TraceFields): Sentence => ({
    title: 'The server answers with a file',
    text: `${of(f, 'status')}: ${of(f, 'path')}, ${of(f, 'bytes')} bytes; the response goes back the same way, with source and target exchanged.`,
  }),
  response: (f: TraceFields): Sentence => ({
    title: 'The response is complete',
    text: `Status ${of(f, 'status')}, ${of(f, 'bytes')} bytes${f['type'] === undefined ? '' : ` of ${of(f, 'type')}`}.`,
  }),
  failed: (f: TraceFields): Sentence => ({ title: 'The browser gives up', text: `${of(f, 'reason')}.` }),
  page: (f: TraceFields): Sentence => ({
    title: 'The page is shown',
    text: `“${of(f, 'title')}”: ${of(f, 'resources')} files, ${of(f, 'bytes')} bytes in all.`,
    place: 'presentation',
  }),
};

const LINKS = {
  arpAsks: (device: string, asked: string): Sentence => ({
    title: `Who has ${asked}?`,
    text: `${device} knows the next hop's IP address but not its MAC: an ARP question to everybody on this network (ff:ff:ff:ff:ff:ff).`,
  }),
  arpAnswered: (device: string, answered: string, mac: string): Sentence => ({
    title: `${answered} is at ${mac}`,
    text: `The owner alone answers, to ${device} alone, which writes it into its neighbour table and sends what was waiting.`,
  }),
  switchLearns: (f: TraceFields): Sentence => ({
    title: `The switch learns ${of(f, 'mac')}`,
    text: `The source address was new: ${of(f, 'mac')} is on port ${of(f, 'port')}.`,
  }),
  switchForwards: (f: TraceFields): Sentence => ({
    title: `The switch forwards to port ${of(f, 'port')}`,
    text: `FCS checked; ${of(f, 'mac')} is in the table on port ${of(f, 'port')}: the frame leaves there alone, unchanged.`,
  }),
  switchFloods: (target: string, f: TraceFields): Sentence => ({
    title: 'The switch floods the frame',
    text: `${target} is ${target === 'ff:ff:ff:ff:ff:ff' ? 'the broadcast address' : 'not in the table'}: out of every port but the one it came from (${of(f, 'ports')}).`,
  }),
  routerForwards: (seen: SeenFrame, sent: SeenFrame | undefined, route: TraceFields | undefined): Sentence => {
    const { ttlIn, ttlOut, macsIn, macsOut, out } = hopChange(seen, sent);
    const gateway = route === undefined ? '' : of(route, 'gateway');
    const isOnLink = gateway === '' || gateway === '0.0.0.0';
    const rule =
      route === undefined
        ? ''
        : `route ${of(route, 'prefix')} ${isOnLink ? 'on this link' : `via ${gateway}`} dev ${of(route, 'dev')}; `;
    return {
      title: `${seen.device} forwards the packet: TTL ${ttlIn} → ${ttlOut}`,
      text: `In by ${seen.port} (MAC ${macsIn}); the Ethernet header is taken off; ${rule}out by ${out} with a new one (MAC ${macsOut}).`,
    };
  },
  routerTranslates: (f: TraceFields): Sentence => ({
    title: 'NAT changes an address',
    text: `${of(f, 'from')} becomes ${of(f, 'to')} (${of(f, 'direction')}); connection tracking remembers it for the way back.`,
  }),
  dropped: (device: string, f: TraceFields): Sentence => {
    const reason = of(f, 'reason');
    return { title: `${device} drops the packet: ${reason}`, text: DROP_REASONS[reason as DropReason] ?? reason };
  },
  lost: (what: string, frame: SeenFrame): Sentence => ({
    title: `The ${what} is lost`,
    text: `It left ${frame.device}:${frame.port} as frame ${frame.number} of ${frame.wire} and never arrived at the other end.`,
  }),
};

const TRANSPORT = {
  syn: (f: SeenFrame): Sentence => ({
    title: 'Handshake 1 of 3: SYN',
    text: `${endpoints(f)}, Seq=${numberOf(f, 'tcp.seq_raw')}: the first number of my bytes. MSS ${numberOf(f, 'tcp.options.mss_val')}, window ${numberOf(f, 'tcp.window_size_value')}.`,
  }),
  synAgain: (f: SeenFrame, times: number, after: number): Sentence => ({
    title: `SYN again (retransmission ${times})`,
    text: `No answer for ${(after / 1_000).toFixed(0)} ms: the same SYN, Seq=${numberOf(f, 'tcp.seq_raw')}, once more.`,
  }),
  synAck: (f: SeenFrame): Sentence => ({
    title: 'Handshake 2 of 3: SYN, ACK',
    text: `${endpoints(f)}, Seq=${numberOf(f, 'tcp.seq_raw')} Ack=${numberOf(f, 'tcp.ack_raw')}: I heard you, and these are my numbers. MSS ${numberOf(f, 'tcp.options.mss_val')}.`,
  }),
  handshakeAck: (f: SeenFrame): Sentence => ({
    title: 'Handshake 3 of 3: ACK',
    text: `${endpoints(f)}, Seq=${numberOf(f, 'tcp.seq_raw')} Ack=${numberOf(f, 'tcp.ack_raw')}: both ends can send and receive.`,
  }),
  state: (f: TraceFields): Sentence => {
    const [from, to] = [rfcState(of(f, 'from')), rfcState(of(f, 'to'))];
    return { title: `${from} → ${to}`, text: `The socket ${of(f, 'local')} – ${of(f, 'remote')} is now in ${to}.` };
  },
  segments: (count: number, bytes: number, largest: number, mss: number): Sentence => ({
    title: `The response travels in ${count} segments`,
    text: `${bytes} bytes of messages, cut into segments of at most ${largest} bytes: the MSS of ${mss} less the TCP options.`,
  }),
  retransmitted: (f: TraceFields, total: number): Sentence => ({
    title: 'A segment is sent again',
    text: `Seq=${of(f, 'seq')}${f['reason'] === undefined ? '' : ` (${of(f, 'reason')})`}; ${total} retransmission${total === 1 ? '' : 's'} in all.`,
  }),
  anotherConnection: (port: number): Sentence => ({
    title: 'Another connection for what the page needs',
    text: `From port ${port}, with a handshake of its own.`,
  }),
  fin: (f: SeenFrame, which: string): Sentence => ({
    title: `Close ${which} of 4: ${which === '2 and 3' ? 'ACK and FIN in one segment' : 'FIN'}`,
    text: `${endpoints(f)}, Seq=${numberOf(f, 'tcp.seq_raw')}: ${which === '1' ? 'I have nothing more to send.' : 'and neither have I.'}`,
  }),
  finAck: (f: SeenFrame, which: string): Sentence => ({
    title: `Close ${which} of 4: ACK`,
    text: `${endpoints(f)}, Ack=${numberOf(f, 'tcp.ack_raw')}: your FIN has come.`,
  }),
  reset: (f: SeenFrame): Sentence => ({ title: 'The connection is reset', text: `${endpoints(f)}, RST.` }),
};

const UNWRAPPING: Readonly<Record<string, (frame: SeenFrame, f: TraceFields) => Sentence>> = {
  irq_handler_entry: (_, f) => ({
    title: 'The server’s card interrupts',
    text: `DMA has put the frame into the receive ring; interrupt ${of(f, 'irq')} is masked and a softirq raised.`,
  }),
  napi_poll: (_, f) => ({
    title: 'NAPI polls the ring',
    text: `${of(f, 'work')} of at most ${of(f, 'budget')} frames taken; fewer than the budget, so the interrupt is unmasked.`,
  }),
  netif_receive_skb: (frame) => ({
    title: 'Ethernet: for my MAC',
    text: `${textOf(frame, 'eth.dst')} is this card; type 0x${numberOf(frame, 'eth.type').toString(16).padStart(4, '0')} says IPv4. The header comes off.`,
  }),
  ip_rcv: (frame) => ({
    title: 'IP: the header is sound',
    text: `Checksum right, ${textOf(frame, 'ip.src')} → ${textOf(frame, 'ip.dst')}, TTL ${numberOf(frame, 'ip.ttl')}.`,
  }),
  ip_local_deliver: (frame) => ({
    title: 'IP: for my address',
    text: `${textOf(frame, 'ip.dst')} is mine; protocol ${numberOf(frame, 'ip.proto')} says TCP. The header comes off.`,
  }),
  tcp_v4_rcv: (frame) => ({
    title: 'TCP: for a connection of mine',
    text: `${endpoints(frame)}: the four numbers name one socket; Seq=${numberOf(frame, 'tcp.seq_raw')} is the byte it waits for.`,
  }),
  sock_def_readable: () => ({
    title: 'The process wakes',
    text: 'The segment’s data waits in the socket’s receive queue; the process that called the kernel goes on.',
  }),
};

function unwrapped(point: string, frame: SeenFrame, fields: TraceFields): Sentence {
  return UNWRAPPING[point]?.(frame, fields) ?? { title: point, text: '' };
}

export const TEXT = { ...PROGRAMS, ...LINKS, ...TRANSPORT, unwrapped };

function zoneText(zone: string): string {
  return zone === '.' ? 'the root zone' : `the zone ${zone}`;
}

/** RFC 9293's name of a state; Linux writes CLOSE, SYN_SENT and SYN_RECV. */
function rfcState(linux: string): string {
  const names: Readonly<Record<string, string>> = { CLOSE: 'CLOSED', SYN_RECV: 'SYN-RCVD', NEW_SYN_RECV: 'SYN-RCVD' };
  return names[linux] ?? linux.replace(/_WAIT(\d)/, '-WAIT-$1').replace(/_/g, '-');
}

function endpoints(f: SeenFrame): string {
  return `${textOf(f, 'ip.src')}:${numberOf(f, 'tcp.srcport')} → ${textOf(f, 'ip.dst')}:${numberOf(f, 'tcp.dstport')}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
