/**
 * Every name that a display filter may use: Wireshark's names for the fields that dissect.ts shows, each with the kind of
 * its values, the protocols, and the short words that mean either of two fields (`ip.addr`). A test holds this table
 * and the dissectors together, another holds the kinds to tshark's.
 */

/** Numbers by their widest value; `present`: it is there or not, and has no value of its own. */
export type FieldKind = 'u8' | 'u16' | 'u24' | 'u32' | 'flag' | 'ipv4' | 'mac' | 'text' | 'octets' | 'present';

/** `frame` is what was captured; each other one has the octets of its header, and those that it carries. */
export const FILTER_PROTOCOLS: readonly string[] = [
  'arp',
  'data',
  'dns',
  'eth',
  'frame',
  'http',
  'icmp',
  'ip',
  'tcp',
  'udp',
];

/** A word that stands for more than one field: its values are those of each. */
export const FILTER_EITHER: ReadonlyMap<string, readonly string[]> = new Map([
  ['eth.addr', ['eth.src', 'eth.dst']],
  ['ip.addr', ['ip.src', 'ip.dst']],
  ['tcp.port', ['tcp.srcport', 'tcp.dstport']],
  ['udp.port', ['udp.srcport', 'udp.dstport']],
]);

const HEADER_NAMES = [
  'accept',
  'accept_encoding',
  'accept_language',
  'authorization',
  'cache_control',
  'connection',
  'content_encoding',
  'content_type',
  'cookie',
  'date',
  'host',
  'last_modified',
  'location',
  'referer',
  'server',
  'set_cookie',
  'transfer_encoding',
  'upgrade',
  'user_agent',
  'www_authenticate',
  'x_forwarded_for',
] as const;

/** Header lines that Wireshark knows by name; another one is an `http.unknown_header`. */
export const HTTP_HEADERS: ReadonlySet<string> = new Set([
  'http.content_length',
  ...HEADER_NAMES.map((name) => `http.${name}`),
]);

const named = (prefix: string, kind: FieldKind, ...names: readonly string[]): [string, FieldKind][] =>
  names.map((name) => [`${prefix}.${name}`, kind]);

const TCP_FLAGS = ['ack', 'ae', 'cwr', 'ece', 'fin', 'push', 'reset', 'syn', 'urg'] as const;

export const FILTER_FIELDS: ReadonlyMap<string, FieldKind> = new Map<string, FieldKind>([
  ...named('arp', 'mac', 'dst.hw_mac', 'src.hw_mac'),
  ...named('arp', 'ipv4', 'dst.proto_ipv4', 'src.proto_ipv4'),
  ...named('arp', 'u16', 'opcode'),
  ...named('data', 'octets', 'data'),
  ...named('data', 'u32', 'len'),
  ...named('dns', 'ipv4', 'a'),
  ...named('dns', 'text', 'cname', 'ns', 'ptr.domain_name', 'qry.name', 'resp.name'),
  ...named('dns.count', 'u16', 'add_rr', 'answers', 'auth_rr', 'queries'),
  ...named('dns.flags', 'flag', 'authoritative', 'recavail', 'recdesired', 'response', 'truncated'),
  ...named('dns', 'u16', 'flags.opcode', 'flags.rcode', 'id', 'qry.class', 'qry.type', 'resp.class', 'resp.type'),
  ...named('dns', 'u32', 'resp.ttl'),
  ...named('eth', 'mac', 'dst', 'src'),
  ...named('eth', 'u16', 'type'),
  ...named('eth', 'u32', 'fcs'),
  ...named('eth', 'u8', 'fcs.status'),
  ...named('frame', 'u32', 'cap_len', 'len'),
  ...named('http', 'flag', 'request', 'response'),
  ...named('http', 'text', 'request.method', 'request.uri', 'request.version', 'response.phrase', 'response.version'),
  ...named('http', 'text', 'unknown_header', ...HEADER_NAMES),
  ...named('http', 'u16', 'response.code'),
  ...named('http', 'u32', 'content_length'),
  ...named('icmp', 'u16', 'checksum', 'ident', 'mtu', 'seq'),
  ...named('icmp', 'u8', 'code', 'type'),
  ...named('icmp', 'ipv4', 'redir_gw'),
  ...named('ip', 'ipv4', 'dst', 'src'),
  ...named('ip', 'flag', 'flags.df', 'flags.mf'),
  ...named('ip', 'u16', 'checksum', 'frag_offset', 'id', 'len'),
  ...named('ip', 'u8', 'dsfield', 'dsfield.dscp', 'dsfield.ecn', 'flags', 'hdr_len', 'proto', 'ttl', 'version'),
  ...named('tcp', 'u32', 'ack_raw', 'len', 'options.timestamp.tsecr', 'options.timestamp.tsval', 'seq_raw'),
  ...named('tcp', 'u16', 'checksum', 'dstport', 'flags', 'options.mss_val', 'srcport'),
  ...named('tcp', 'u16', 'urgent_pointer', 'window_size_value'),
  ...named('tcp', 'u8', 'flags.ace', 'hdr_len', 'options.wscale.shift'),
  ...named('tcp.flags', 'flag', ...TCP_FLAGS),
  ...named('tcp.options', 'present', 'acc_ecn', 'sack', 'sack_perm', 'unknown'),
  ...named('tcp.options.acc_ecn', 'u24', 'eceb', 'ee0b', 'ee1b'),
  ...named('tcp', 'octets', 'payload'),
  ...named('udp', 'u16', 'checksum', 'dstport', 'length', 'srcport'),
  ...named('udp', 'octets', 'payload'),
]);

/** Names that Wireshark has and works out from more frames than one, and what there is in their place. */
export const FILTER_OF_MANY: ReadonlyMap<string, string> = new Map([
  ['tcp.seq', 'tcp.seq_raw'],
  ['tcp.ack', 'tcp.ack_raw'],
  ['tcp.window_size', 'tcp.window_size_value'],
  ['tcp.nxtseq', 'tcp.seq_raw and tcp.len'],
  ['tcp.stream', 'tcp.port and ip.addr'],
  ['udp.stream', 'udp.port and ip.addr'],
  ['tcp.analysis', ''],
  ['tcp.time_delta', ''],
  ['tcp.time_relative', ''],
  ['frame.number', 'nth'],
  ['frame.time', ''],
  ['frame.time_relative', ''],
  ['frame.time_delta', ''],
  ['icmp.resptime', ''],
  ['dns.time', ''],
  ['http.time', ''],
]);
