/** Numbers of the domain name system and their names (IANA "Domain Name System (DNS) Parameters"). */

export const TYPE = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  RT: 21,
  SIG: 24,
  KEY: 25,
  PX: 26,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  CDS: 59,
  CDNSKEY: 60,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;

/** EDNS options (RFC 5001, 7871, 7873, 7828, 8914). */
export const EDNS_OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
} as const;

/** Extended DNS errors that we give (RFC 8914 §4). */
export const EDE = {
  OTHER: 0,
  STALE_ANSWER: 3,
  CACHED_ERROR: 13,
  PROHIBITED: 18,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const;

const nameByNumber = (table: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(table).map(([name, number]) => [number, name]));

const TYPE_NAMES = nameByNumber(TYPE);
const CLASS_NAMES = nameByNumber(CLASS);
const OPCODE_NAMES = nameByNumber(OPCODE);
const RCODE_NAMES = nameByNumber(RCODE);

/** `A`, or `TYPE65280` for what has no name (RFC 3597 §5). */
export function formatType(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

export function formatClass(dnsClass: number): string {
  return CLASS_NAMES.get(dnsClass) ?? `CLASS${dnsClass}`;
}

export function formatOpcode(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `RESERVED${opcode}`;
}

export function formatRcode(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RESERVED${rcode}`;
}

/** `MX`, `mx` or `TYPE15`; undefined for anything else. */
export function parseType(text: string): number | undefined {
  return parseNumbered(text.toUpperCase(), TYPE, 'TYPE');
}

export function parseClass(text: string): number | undefined {
  return parseNumbered(text.toUpperCase(), CLASS, 'CLASS');
}

export function parseRcode(text: string): number | undefined {
  return parseNumbered(text.toUpperCase(), RCODE, 'RESERVED');
}

function parseNumbered(text: string, table: Readonly<Record<string, number>>, prefix: string): number | undefined {
  if (Object.hasOwn(table, text)) return table[text];
  if (!text.startsWith(prefix) || !/^[0-9]{1,5}$/.test(text.slice(prefix.length))) return undefined;
  const number = Number(text.slice(prefix.length));
  return number <= 0xffff ? number : undefined;
}
