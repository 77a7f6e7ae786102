/**
 * netstat -s: counters in sentences (net-tools 2.10 statistics.c). A counter that has no sentence is printed with its
 * name. Some are printed even at zero, the others when they have counted.
 */

/** Name -> sentence with %u; a leading `=` prints it at zero as well. */
type Sentences = Readonly<Record<string, string>>;

const IP: Sentences = {
  Forwarding: '=Forwarding: %u',
  InReceives: '=%u total packets received',
  InHdrErrors: '%u with invalid headers',
  InAddrErrors: '%u with invalid addresses',
  ForwDatagrams: '=%u forwarded',
  InUnknownProtos: '%u with unknown protocol',
  InDiscards: '=%u incoming packets discarded',
  InDelivers: '=%u incoming packets delivered',
  OutRequests: '=%u requests sent out',
  OutDiscards: '%u outgoing packets dropped',
  OutNoRoutes: '%u dropped because of missing route',
  ReasmTimeout: '%u fragments dropped after timeout',
  ReasmReqds: '%u reassemblies required',
  ReasmOKs: '%u packets reassembled ok',
  ReasmFails: '%u packet reassemblies failed',
  FragOKs: '%u outgoing packets fragmented ok',
  FragFails: '%u outgoing packets failed fragmentation',
  FragCreates: '%u fragments created',
};

const ICMP: Sentences = {
  InMsgs: '=%u ICMP messages received',
  InErrors: '=%u input ICMP message failed',
  OutMsgs: '=%u ICMP messages sent',
  OutErrors: '=%u ICMP messages failed',
};

/** Under `ICMP input histogram:` and `ICMP output histogram:`. */
const ICMP_HISTOGRAM: Sentences = {
  DestUnreachs: 'destination unreachable: %u',
  TimeExcds: 'timeout in transit: %u',
  ParmProbs: 'wrong parameters: %u',
  SrcQuenchs: 'source quenches: %u',
  Redirects: 'redirects: %u',
  Echos: 'echo requests: %u',
  EchoReps: 'echo replies: %u',
  Timestamps: 'timestamp request: %u',
  TimestampReps: 'timestamp reply: %u',
};

const TCP: Sentences = {
  ActiveOpens: '=%u active connection openings',
  PassiveOpens: '=%u passive connection openings',
  AttemptFails: '=%u failed connection attempts',
  EstabResets: '=%u connection resets received',
  CurrEstab: '=%u connections established',
  InSegs: '=%u segments received',
  OutSegs: '=%u segments sent out',
  RetransSegs: '=%u segments retransmitted',
  InErrs: '=%u bad segments received',
  OutRsts: '=%u resets sent',
};

const UDP: Sentences = {
  InDatagrams: '=%u packets received',
  NoPorts: '=%u packets to unknown port received',
  InErrors: '=%u packet receive errors',
  OutDatagrams: '=%u packets sent',
  RcvbufErrors: '=%u receive buffer errors',
  SndbufErrors: '=%u send buffer errors',
};

const TCP_EXT: Sentences = {
  SyncookiesSent: '%u SYN cookies sent',
  SyncookiesRecv: '%u SYN cookies received',
  SyncookiesFailed: '%u invalid SYN cookies received',
  EmbryonicRsts: '%u resets received for embryonic SYN_RECV sockets',
  PruneCalled: '%u packets pruned from receive queue because of socket buffer overrun',
  OfoPruned: '%u packets dropped from out-of-order queue because of socket buffer overrun',
  TW: '%u TCP sockets finished time wait in fast timer',
  TWRecycled: '%u time wait sockets recycled by time stamp',
  PAWSActive: '%u active connections rejected because of time stamp',
  PAWSEstab: '%u packetes rejected in established connections because of timestamp',
  DelayedACKs: '%u delayed acks sent',
  DelayedACKLocked: '%u delayed acks further delayed because of locked socket',
  DelayedACKLost: 'Quick ack mode was activated %u times',
  ListenOverflows: '%u times the listen queue of a socket overflowed',
  ListenDrops: '%u SYNs to LISTEN sockets dropped',
  TCPHPHits: '=%u packet headers predicted',
  TCPPureAcks: '%u acknowledgments not containing data payload received',
  TCPHPAcks: '%u predicted acknowledgments',
  TCPSackRecovery: '%u times recovered from packet loss by selective acknowledgements',
  TCPRenoRecovery: '%u times recovered from packet loss due to fast retransmit',
  TCPSACKReorder: 'Detected reordering %u times using SACK',
  TCPTSReorder: 'Detected reordering %u times using time stamp',
  TCPFullUndo: '%u congestion windows fully recovered without slow start',
  TCPPartialUndo: '%u congestion windows partially recovered using Hoe heuristic',
  TCPDSACKUndo: '%u congestion window recovered without slow start using DSACK',
  TCPLossUndo: '%u congestion windows recovered without slow start after partial ack',
  TCPFastRetrans: '%u fast retransmits',
  TCPForwardRetrans: '%u forward retransmits',
  TCPSlowStartRetrans: '%u retransmits in slow start',
  TCPRcvCollapsed: '%u packets collapsed in receive queue due to low socket buffer',
  TCPDSACKOldSent: '%u DSACKs sent for old packets',
  TCPDSACKOfoSent: '%u DSACKs sent for out of order packets',
  TCPDSACKRecv: '%u DSACKs received',
  TCPDSACKOfoRecv: '%u DSACKs for out of order packets received',
  TCPAbortOnData: '%u connections reset due to unexpected data',
  TCPAbortOnClose: '%u connections reset due to early user close',
  TCPAbortOnMemory: '%u connections aborted due to memory pressure',
  TCPAbortOnTimeout: '%u connections aborted due to timeout',
  TCPAbortOnLinger: '%u connections aborted after user close in linger timeout',
};

interface Section {
  readonly title: string;
  readonly prefix: string;
  readonly sentences: Sentences;
  /** With -t, -u, -w it is shown only when one of these is given. */
  readonly letters: string;
}

/** Longest prefixes first where one begins another. */
const SECTIONS: readonly Section[] = [
  { title: 'Ip', prefix: 'Ip', sentences: IP, letters: '' },
  { title: 'Icmp', prefix: 'Icmp', sentences: ICMP, letters: 'w' },
  { title: 'IcmpMsg', prefix: 'IcmpMsg', sentences: {}, letters: 'tuw' },
  { title: 'Tcp', prefix: 'Tcp', sentences: TCP, letters: 't' },
  { title: 'Udp', prefix: 'Udp', sentences: UDP, letters: 'u' },
  { title: 'UdpLite', prefix: 'UdpLite', sentences: UDP, letters: 'tuw' },
  { title: 'TcpExt', prefix: 'TcpExt', sentences: TCP_EXT, letters: 't' },
  { title: 'IpExt', prefix: 'IpExt', sentences: {}, letters: 'tuw' },
];

/** Settings, not counters. */
const SKIPPED: ReadonlySet<string> = new Set([
  'IpDefaultTTL',
  'TcpRtoAlgorithm',
  'TcpRtoMin',
  'TcpRtoMax',
  'TcpMaxConn',
]);

export function snmpText(counters: ReadonlyMap<string, number>, flags: ReadonlySet<string>): string {
  const only = ['t', 'u', 'w'].filter((letter) => flags.has(letter));
  let text = '';
  for (const section of SECTIONS) {
    if (only.length > 0 && !only.some((letter) => section.letters.includes(letter))) continue;
    text += `${section.title}:\n${sectionLines(section, counters)
      .map((line) => `    ${line}\n`)
      .join('')}`;
  }
  return text;
}

function sectionOf(name: string): Section | undefined {
  let best: Section | undefined;
  for (const section of SECTIONS) {
    if (name.startsWith(section.prefix) && section.prefix.length > (best?.prefix.length ?? 0)) best = section;
  }
  return best;
}

function sectionLines(section: Section, counters: ReadonlyMap<string, number>): string[] {
  const lines: string[] = [];
  let histogram = '';
  for (const [name, value] of counters) {
    if (sectionOf(name) !== section || SKIPPED.has(name)) continue;
    const counter = name.slice(section.prefix.length);
    const direction = section.title === 'Icmp' ? /^(In|Out)(.*)$/.exec(counter) : null;
    const histogramLine = direction === null ? undefined : ICMP_HISTOGRAM[direction[2] ?? ''];
    if (histogramLine !== undefined) {
      if (value === 0) continue;
      const title = direction?.[1] === 'In' ? 'ICMP input histogram:' : 'ICMP output histogram:';
      if (histogram !== title) lines.push(title);
      histogram = title;
      lines.push(`    ${histogramLine.replace('%u', String(value))}`);
      continue;
    }
    const sentence = section.sentences[counter];
    if (sentence === undefined) {
      if (value !== 0) lines.push(`${counter}: ${value}`);
    } else if (sentence.startsWith('=')) lines.push(sentence.slice(1).replace('%u', String(value)));
    else if (value !== 0) lines.push(sentence.replace('%u', String(value)));
  }
  return lines;
}
