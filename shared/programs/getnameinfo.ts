/**
 * Names for addresses, as getnameinfo(3) finds them: the hosts file, then the PTR record, asked of resolved first. What
 * was asked once is remembered as long as the program runs, an answer that there is none, too.
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import { nameWithoutDot, parseName } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { CLASS, TYPE } from '../header/dns-type.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { reverseName } from './dig-options.ts';
import { RESOLVED_ADDRESS } from './getaddrinfo.ts';
import { hostsByAddress } from './hosts-file.ts';
import { askServers, readResolvConf } from './stub.ts';

/** resolved waits as long as it takes; so do we. */
const RESOLVED_SECONDS = 30;

/** Every name of an address, the first one its own; none when nobody knows it. */
export async function namesOf(sys: Syscalls, address: Ipv4): Promise<readonly string[]> {
  return hostsByAddress(sys, address) ?? (await pointers(sys, address));
}

async function pointers(sys: Syscalls, address: Ipv4): Promise<string[]> {
  const name = parseName(reverseName(formatIpv4(address)));
  if (typeof name !== 'string') return [];
  const question = { name, type: TYPE.PTR, class: CLASS.IN };
  const conf = readResolvConf(sys);
  const resolved = { ...conf, servers: [RESOLVED_ADDRESS], attempts: 1, timeout: RESOLVED_SECONDS };
  let outcome = await askServers(sys, resolved, question);
  if (outcome === 'unreachable') outcome = await askServers(sys, conf, question);
  if (typeof outcome === 'string') return [];
  const targets = outcome.answers.filter((record) => record.type === TYPE.PTR).map(({ data }) => rdataName(data));
  return targets.filter((target) => target !== undefined).map(nameWithoutDot);
}

export class AddressNames {
  private readonly sys: Syscalls;
  private readonly known = new Map<Ipv4, string | undefined>();

  constructor(sys: Syscalls) {
    this.sys = sys;
  }

  async name(address: Ipv4): Promise<string | undefined> {
    if (!this.known.has(address)) this.known.set(address, (await namesOf(this.sys, address))[0]);
    return this.known.get(address);
  }
}
