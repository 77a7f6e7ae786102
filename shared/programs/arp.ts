/** arp(8) of net-tools 2.10: the neighbour table as it was shown before ip(8). Left out: -f, -D, proxy entries. */
import { formatIpv4, formatMac, type Ipv4, parseMac } from '../header/address.ts';
import { errorText, isErrno } from '../net/errno.ts';
import type { NeighbourRecord } from '../net/netlink.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { HostNames } from './names.ts';
import { getopt } from './options.ts';
import { resolveHost } from './resolve.ts';
import { left } from './text.ts';

const ARP_USAGE = `Usage:
  arp [-vn]  [<HW>] [-i <if>] [-a] [<hostname>]             <-Display ARP cache
  arp [-v]          [-i <if>] -d  <host> [pub]               <-Delete ARP entry
  arp [-v]   [<HW>] [-i <if>] -s  <host> <hwaddr> [temp]            <-Add entry

        -a                       display (all) hosts in alternative (BSD) style
        -e                       display (all) hosts in default (Linux) style
        -s, --set                set a new ARP entry
        -d, --delete             delete a specified entry
        -v, --verbose            be verbose
        -n, --numeric            don't resolve names
        -i, --device             specify network interface (e.g. eth0)

  <HW>=Use '-H <hw>' to specify hardware address type. Default: ether
`;

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  verbose: 'v',
  numeric: 'n',
  set: 's',
  delete: 'd',
  device: 'i:',
  help: 'h',
  version: 'V',
  'hw-type': 'H:',
  protocol: 'A:',
};

/** E_USAGE and -1 of net-tools. */
const USAGE_STATUS = 3;
const ERROR_STATUS = 255;

export const arp = program(async (context) => {
  const line = getopt(context.argv, 'A:H:adei:hnsvV', LONG_OPTIONS);
  if (line.error !== undefined) throw new Failure(USAGE_STATUS, `${line.error}\n${ARP_USAGE}`);
  const has = (name: string) => line.options.some((option) => option.name === name);
  const dev = line.options.findLast((option) => option.name === 'i')?.value;
  if (has('h')) {
    await context.out(ARP_USAGE);
    return 0;
  }
  if (has('V')) {
    await context.out('net-tools 2.10\n');
    return 0;
  }
  if (has('d')) return deleteEntry(context, line.operands, dev);
  if (has('s')) return setEntry(context, line.operands, dev);
  const options = { numeric: has('n'), bsd: has('a') && !has('e'), verbose: has('v'), dev };
  return showEntries(context, line.operands[0], options);
});

async function hostArgument(sys: Syscalls, text: string | undefined): Promise<Ipv4> {
  if (text === undefined) throw new Failure(ERROR_STATUS, 'arp: need host name');
  const resolved = await resolveHost(sys, text);
  if (typeof resolved === 'string') throw new Failure(ERROR_STATUS, `${text}: Host name lookup failure`);
  return resolved.address;
}

async function deleteEntry(context: ProgramContext, operands: readonly string[], dev?: string): Promise<number> {
  const { sys } = context;
  const [host] = operands;
  const address = await hostArgument(sys, host);
  const entry = sys
    .netlink({ type: 'RTM_GETNEIGH' })
    .find((one) => one.address === address && (dev === undefined || one.dev === dev));
  const answer = entry === undefined ? 'ENXIO' : sys.netlink({ type: 'RTM_DELNEIGH', address, dev: entry.dev });
  if (answer === undefined) return 0;
  if (answer !== 'ENXIO' && answer !== 'ENOENT')
    throw new Failure(ERROR_STATUS, `SIOCDARP(dontpub): ${errorText(answer)}`);
  await context.out(`No ARP entry for ${host}\n`);
  return ERROR_STATUS;
}

async function setEntry(context: ProgramContext, operands: readonly string[], dev?: string): Promise<number> {
  const { sys } = context;
  const [host, hardware, temporary] = operands;
  const address = await hostArgument(sys, host);
  if (hardware === undefined) throw new Failure(ERROR_STATUS, 'arp: need hardware address');
  const mac = parseMac(hardware);
  if (mac === undefined) throw new Failure(ERROR_STATUS, 'arp: invalid hardware address');
  const route = dev === undefined ? sys.netlink({ type: 'RTM_LOOKUP', target: address }) : undefined;
  const device = dev ?? (route === undefined || isErrno(route) || route.gateway !== undefined ? undefined : route.dev);
  if (device === undefined) throw new Failure(ERROR_STATUS, 'SIOCSARP: Network is unreachable');
  const state = temporary === 'temp' ? 'STALE' : 'PERMANENT';
  const answer = sys.netlink({ type: 'RTM_NEWNEIGH', address, dev: device, mac, state, how: 'replace' });
  if (answer !== undefined) throw new Failure(ERROR_STATUS, `SIOCSARP: ${errorText(answer)}`);
  return 0;
}

interface ShowOptions {
  readonly numeric: boolean;
  readonly bsd: boolean;
  readonly verbose: boolean;
  readonly dev: string | undefined;
}

async function showEntries(context: ProgramContext, host: string | undefined, options: ShowOptions): Promise<number> {
  const { sys } = context;
  const wanted = host === undefined ? undefined : await hostArgument(sys, host);
  const names = new HostNames(sys);
  const all = sys.netlink({ type: 'RTM_GETNEIGH' }).filter((entry) => entry.state !== 'NOARP');
  const shown = all.filter(
    (entry) =>
      (wanted === undefined || entry.address === wanted) && (options.dev === undefined || entry.dev === options.dev),
  );
  let text = '';
  if (options.bsd) text = shown.map((entry) => bsdLine(entry, options.numeric ? undefined : names)).join('');
  else if (shown.length > 0) {
    const head = `${left('Address', 25)}HWtype  HWaddress           Flags Mask            Iface\n`;
    text = head + shown.map((entry) => linuxLine(entry, options.numeric ? undefined : names)).join('');
  }
  if (options.verbose)
    text += `Entries: ${all.length}\tSkipped: ${all.length - shown.length}\tFound: ${shown.length}\n`;
  else if (shown.length === 0 && (host !== undefined || options.dev !== undefined)) {
    const bare = host !== undefined && !options.bsd && options.dev === undefined && wanted !== undefined;
    text = bare ? `${host} (${formatIpv4(wanted)}) -- no entry\n` : `arp: in ${all.length} entries no match found.\n`;
  }
  await context.out(text);
  return 0;
}

function linuxLine(entry: NeighbourRecord, names: HostNames | undefined): string {
  const name = names?.show(entry.address) ?? formatIpv4(entry.address);
  const hardware =
    entry.mac === undefined || entry.state === 'FAILED'
      ? `${left('', 8)}${left('(incomplete)', 42)}`
      : `${left('ether', 8)}${left(formatMac(entry.mac), 20)}${left(flagsOf(entry), 6)}${left('', 16)}`;
  return `${left(name.slice(0, 23), 25)}${hardware}${entry.dev}\n`;
}

function flagsOf(entry: NeighbourRecord): string {
  return entry.state === 'PERMANENT' ? 'CM' : 'C';
}

function bsdLine(entry: NeighbourRecord, names: HostNames | undefined): string {
  const name = names?.name(entry.address) ?? '?';
  const incomplete = entry.mac === undefined || entry.state === 'FAILED';
  const hardware =
    entry.mac === undefined || incomplete
      ? '<incomplete>'
      : `${formatMac(entry.mac)} [ether]${entry.state === 'PERMANENT' ? ' PERM' : ''}`;
  return `${name} (${formatIpv4(entry.address)}) at ${hardware} on ${entry.dev}\n`;
}
