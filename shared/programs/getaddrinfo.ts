/**
 * getaddrinfo(3) for programs: a name becomes addresses. As `hosts: resolve [!UNAVAIL=return] files dns` has it: the
 * resident `resolved` (which looks into its cache, the hosts file, and asks the servers); when it does not run, the hosts
 * file and then the servers of resolv.conf.
 *
 * Left out: AAAA (no device has IPv6), services, sorting by RFC 6724.
 */
import { IPV4_LOOPBACK, type Ipv4, parseIpv4 } from '../header/address.ts';
import type { DnsMessage } from '../header/dns.ts';
import { type DnsName, nameWithoutDot, sameName } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { CLASS, RCODE, TYPE } from '../header/dns-type.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { hostsByName } from './hosts-file.ts';
import { askServers, candidateNames, type ResolvConf, readResolvConf, type StubOutcome } from './stub.ts';

/** Where systemd-resolved listens. */
export const RESOLVED_ADDRESS = 0x7f00_0035 as Ipv4;
/** It does its own waiting; we only must not give up before it does. */
const RESOLVED_SECONDS = 30;
/** CNAMEs in one answer. */
const ALIASES_MAX = 16;

/** gai_strerror(3). */
export const GAI_TEXT = {
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_FAIL: 'Non-recoverable failure in name resolution',
  EAI_NODATA: 'No address associated with hostname',
  EAI_NONAME: 'Name or service not known',
} as const;
export type GaiCode = keyof typeof GAI_TEXT;

export class GaiError extends Error {
  readonly code: GaiCode;

  constructor(code: GaiCode) {
    super(GAI_TEXT[code]);
    this.name = 'GaiError';
    this.code = code;
  }
}

export interface AddressInfo {
  /** At least one. */
  readonly addresses: readonly Ipv4[];
  readonly source: 'literal' | 'hosts' | 'resolved' | 'dns';
  /** AI_CANONNAME: where the aliases end. */
  readonly canonicalName: string;
}

/** Throws GaiError. */
export async function getaddrinfo(sys: Syscalls, name: string): Promise<AddressInfo> {
  const found = await lookUpAddresses(sys, name);
  if (typeof found === 'string') throw new GaiError(found);
  return found;
}

/** The same with the error as an answer. */
export async function lookUpAddresses(sys: Syscalls, name: string): Promise<AddressInfo | GaiCode> {
  const literal = parseIpv4(name);
  if (literal !== undefined) return { addresses: [literal], source: 'literal', canonicalName: name };
  const conf = readResolvConf(sys);
  if (candidateNames(name, conf).length === 0) return 'EAI_NONAME';
  if (/^localhost\.?$/i.test(name))
    return hosts(sys, name) ?? { addresses: [IPV4_LOOPBACK], source: 'hosts', canonicalName: 'localhost' };
  const resolvedConf = { ...conf, servers: [RESOLVED_ADDRESS], timeout: RESOLVED_SECONDS, attempts: 1 };
  const fromResolved = await search(sys, resolvedConf, name, 'resolved');
  if (fromResolved !== 'unreachable') return fromResolved;
  const fromFile = hosts(sys, name);
  if (fromFile !== undefined) return fromFile;
  const fromServers = await search(sys, conf, name, 'dns');
  return fromServers === 'unreachable' ? 'EAI_AGAIN' : fromServers;
}

function hosts(sys: Syscalls, name: string): AddressInfo | undefined {
  const addresses = hostsByName(sys, name);
  return addresses.length === 0 ? undefined : { addresses, source: 'hosts', canonicalName: name };
}

async function search(
  sys: Syscalls,
  conf: ResolvConf,
  text: string,
  source: 'resolved' | 'dns',
): Promise<AddressInfo | GaiCode | 'unreachable'> {
  let code: GaiCode = 'EAI_NONAME';
  for (const name of candidateNames(text, conf)) {
    const outcome = await askServers(sys, conf, { name, type: TYPE.A, class: CLASS.IN });
    const read = readOutcome(outcome, name);
    if (read === 'unreachable') return read;
    if (typeof read !== 'string') return { ...read, source };
    if (outcome === 'timeout') return read;
    // A name without addresses is remembered, yet the search goes on; so it does after SERVFAIL.
    if (read !== 'EAI_NONAME' && code !== 'EAI_AGAIN') code = read;
  }
  return code;
}

function readOutcome(
  outcome: StubOutcome,
  name: DnsName,
): { addresses: readonly Ipv4[]; canonicalName: string } | GaiCode | 'unreachable' {
  if (outcome === 'unreachable') return 'unreachable';
  if (outcome === 'timeout' || outcome.rcode === RCODE.SERVFAIL) return 'EAI_AGAIN';
  if (outcome.rcode === RCODE.NXDOMAIN) return 'EAI_NONAME';
  if (outcome.rcode !== RCODE.NOERROR) return 'EAI_FAIL';
  const { addresses, owner } = addressesFor(outcome, name);
  return addresses.length === 0 ? 'EAI_NODATA' : { addresses, canonicalName: nameWithoutDot(owner) };
}

/** Follow the aliases of an answer to its addresses. */
export function addressesFor(message: DnsMessage, name: DnsName): { addresses: Ipv4[]; owner: DnsName } {
  let owner = name;
  for (let links = 0; links < ALIASES_MAX; links++) {
    const here = message.answers.filter((record) => sameName(record.name, owner));
    const addresses = here.filter((record) => record.type === TYPE.A).map(({ data }) => parseIpv4(data.join('.')));
    const known = addresses.filter((address) => address !== undefined);
    const alias = here.find((record) => record.type === TYPE.CNAME);
    const target = alias === undefined ? undefined : rdataName(alias.data);
    if (known.length > 0 || target === undefined) return { addresses: known, owner };
    owner = target;
  }
  return { addresses: [], owner };
}
