/**
 * ip link: show and set (iproute2 ip/iplink.c, ip/ipaddress.c's link part). Left out: add, delete and every attribute
 * of devices that no lab has (vlan, bond, xdp, vf).
 */
import { formatMac, MAC_BROADCAST, MAC_ZERO, type Mac, parseMac } from '../header/address.ts';
import type { LinkRecord } from '../net/netlink.ts';
import { Failure, failOn, netlinkFailure } from './failure.ts';
import {
  choose,
  duplicateOrGarbage,
  type Ip,
  invalidArgument,
  links,
  matches,
  print,
  requireLink,
  requireListed,
  separator,
  USAGE_STATUS,
  unknownCommand,
  type Words,
} from './ip-common.ts';
import { linkStatistics, statisticsJson } from './ip-link-statistics.ts';
import type { Json } from './json.ts';
import { left } from './text.ts';

const LINK_USAGE = `Usage: ip link set { DEVICE | dev DEVICE }
		[ { up | down } ]
		[ address LLADDR ]
		[ promisc { on | off } ]
		[ mtu MTU ]

	ip link show [ DEVICE ] [up] [master DEV] [type TYPE]
	ip link help
`;

/** RFC 791; Linux: ETH_MIN_MTU. */
const MTU_MIN = 68;

/** What a device can do, shown with -d. `lo` says of no limit that it has one. */
function details(link: LinkRecord): { min_mtu: number; max_mtu: number; addrgenmode: 'eui64' | undefined } {
  if (link.kind === 'loopback') return { min_mtu: 0, max_mtu: 0, addrgenmode: undefined };
  return { min_mtu: MTU_MIN, max_mtu: link.mtuMax, addrgenmode: 'eui64' };
}

export async function ipLink(ip: Ip, words: Words): Promise<number> {
  const word = words.peek();
  if (word === undefined) return showLinks(ip, words);
  const command = choose(word, ['add', 'set', 'change', 'replace', 'delete', 'show', 'lst', 'list', 'help']);
  if (command === undefined) throw unknownCommand(word, 'link');
  words.next();
  switch (command) {
    case 'set':
    case 'change':
      return setLink(ip, words);
    case 'show':
    case 'lst':
    case 'list':
      return showLinks(ip, words);
    case 'help':
      throw new Failure(USAGE_STATUS, LINK_USAGE);
    case 'add':
    case 'replace':
      throw new Failure(2, 'Error: Unknown device type.');
    case 'delete':
      return deleteLink(ip, words);
  }
}

function deleteLink(ip: Ip, words: Words): number {
  const word = words.argument();
  requireLink(ip, word === 'dev' ? words.argument() : word);
  throw netlinkFailure('EOPNOTSUPP');
}

async function setLink(ip: Ip, words: Words): Promise<number> {
  let dev: string | undefined;
  const change: { up?: boolean; mtu?: number; promiscuous?: boolean; mac?: Mac } = {};
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'up') change.up = true;
    else if (word === 'down') change.up = false;
    else if (word === 'mtu') change.mtu = mtuArgument(words.argument());
    else if (word === 'promisc') change.promiscuous = onOff(words.argument(), 'promisc');
    else if (matches(word, 'address')) change.mac = macArgument(words.argument());
    else if (dev !== undefined) throw duplicateOrGarbage('dev', word);
    else dev = word === 'dev' ? words.argument() : word;
  }
  if (dev === undefined) throw new Failure(USAGE_STATUS, 'Not enough information: "dev" argument is required.');
  const link = requireLink(ip, dev);
  if (change.mtu !== undefined) checkMtu(link, change.mtu);
  failOn(ip.sys.netlink({ type: 'RTM_SETLINK', dev, ...change }));
  return 0;
}

function mtuArgument(text: string): number {
  if (!/^[0-9]+$/.test(text)) throw invalidArgument(text, 'Invalid "mtu" value');
  return Number(text);
}

/** dev_validate_mtu, whose words reach the user through the kernel's extended acknowledgement. */
function checkMtu(link: LinkRecord, mtu: number): void {
  const { min_mtu, max_mtu } = details(link);
  if (mtu < min_mtu) throw new Failure(2, 'Error: mtu less than device minimum.');
  if (max_mtu > 0 && mtu > max_mtu) throw new Failure(2, 'Error: mtu greater than device maximum.');
}

function onOff(text: string, keyword: string): boolean {
  if (text === 'on') return true;
  if (text === 'off') return false;
  throw new Failure(USAGE_STATUS, `Error: argument of "${keyword}" must be "on" or "off", not "${text}"`);
}

function macArgument(text: string): Mac {
  const mac = parseMac(text);
  if (mac === undefined) throw new Failure(1, `"${text}" is invalid lladdr.`);
  return mac;
}

async function showLinks(ip: Ip, words: Words): Promise<number> {
  let dev: string | undefined;
  let wanted: (link: LinkRecord) => boolean = () => true;
  const also = (test: (link: LinkRecord) => boolean) => {
    const before = wanted;
    wanted = (link) => before(link) && test(link);
  };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'up') also((link) => link.up);
    else if (word === 'master') {
      const master = requireListed(ip, words.argument()).name;
      also((link) => link.master === master);
    } else if (word === 'type') {
      const type = words.argument();
      also((link) => link.kind === type);
    } else if (dev !== undefined) throw duplicateOrGarbage('dev', word);
    else dev = word === 'dev' ? words.argument() : word;
  }
  if (dev !== undefined) requireListed(ip, dev);
  const shown = links(ip).filter((link) => (dev === undefined || link.name === dev) && wanted(link));
  return print(
    ip,
    () => shown.map((link) => linkJson(ip, link, true)),
    () => shown.map((link) => linkText(ip, link)).join(''),
  );
}

/** IFF_ flags in print_link_flags' order. */
export function linkFlags(link: LinkRecord): string[] {
  const flags: string[] = [];
  if (link.up && !link.carrier) flags.push('NO-CARRIER');
  if (link.kind === 'loopback') flags.push('LOOPBACK');
  else flags.push('BROADCAST', 'MULTICAST');
  if (link.promiscuous) flags.push('PROMISC');
  if (link.up) flags.push('UP');
  if (link.up && link.carrier) flags.push('LOWER_UP');
  return flags;
}

/** RFC 2863 operational state as Linux derives it from carrier. */
export function operationalState(link: LinkRecord): string {
  if (!link.up || !link.carrier) return 'DOWN';
  return link.kind === 'loopback' ? 'UNKNOWN' : 'UP';
}

/** Interface part of `ip link` and `ip addr`: the first line, without its end. */
export function linkHead(link: LinkRecord, mode: boolean): string {
  return [
    `${link.ifindex}: ${link.name}: <${linkFlags(link).join(',')}>`,
    `mtu ${link.mtu} qdisc ${link.qdisc}`,
    ...(link.master === undefined ? [] : [`master ${link.master}`]),
    `state ${operationalState(link)}`,
    ...(mode ? ['mode DEFAULT'] : []),
    `group default qlen ${link.queueLength}`,
  ].join(' ');
}

/** How many want to hear everything: who said so with `ip link`, and a bridge over its ports. */
function promiscuity(link: LinkRecord): number {
  return (link.promiscuous ? 1 : 0) + (link.master === undefined ? 0 : 1);
}

function broadcastMac(link: LinkRecord): string {
  return formatMac(link.kind === 'loopback' ? MAC_ZERO : MAC_BROADCAST);
}

/** A switch's port has no address: ARPHRD_NONE, as a tunnel without one. */
export function linkType(link: LinkRecord): string {
  if (link.kind === 'port') return 'none';
  return link.kind === 'loopback' ? 'loopback' : 'ether';
}

/** Nothing (no IFLA_ADDRESS) when the device has no address. */
function addressOf(link: LinkRecord): string | undefined {
  return link.kind === 'port' ? undefined : formatMac(link.mac);
}

/** `    link/ether …` and what -d adds to it, without the line's end. */
export function linkLine(ip: Ip, link: LinkRecord): string {
  const address = addressOf(link);
  const line = `    link/${linkType(link)} ${address === undefined ? '' : `${address} brd ${broadcastMac(link)}`}`;
  if (!ip.options.details) return line;
  const { min_mtu, max_mtu, addrgenmode } = details(link);
  const mode = addrgenmode === undefined ? '' : `addrgenmode ${addrgenmode} `;
  const slave = link.master === undefined ? '' : `${separator(ip)}    bridge_slave state ${portState(link)} `;
  return `${line} promiscuity ${promiscuity(link)}  allmulti 0 minmtu ${min_mtu} maxmtu ${max_mtu} ${slave}${mode}numtxqueues 1 numrxqueues 1 `;
}

export function portState(link: LinkRecord): string {
  return link.up && link.carrier ? 'forwarding' : 'disabled';
}

function linkText(ip: Ip, link: LinkRecord): string {
  if (ip.options.brief) {
    const address = addressOf(link);
    return `${briefHead(link)}${address === undefined ? '' : `${address} `}<${linkFlags(link).join(',')}> \n`;
  }
  const end = separator(ip);
  const lines = [linkHead(link, true), linkLine(ip, link)];
  if (ip.options.statistics > 0) lines.push(...linkStatistics(link.counters, ip.options.statistics > 1));
  return `${lines.join(end)}\n`;
}

export function briefHead(link: LinkRecord): string {
  return `${left(link.name, 16)} ${left(operationalState(link), 14)} `;
}

/** The record of one link; `mode`: `ip link` shows the link mode, `ip addr` does not. */
export function linkJson(ip: Ip, link: LinkRecord, mode: boolean): { [key: string]: Json | undefined } {
  if (ip.options.brief) {
    const head = { ifname: link.name, operstate: operationalState(link) };
    return mode ? { ...head, address: addressOf(link), flags: linkFlags(link) } : head;
  }
  const { min_mtu, max_mtu, addrgenmode } = details(link);
  const detailed = {
    promiscuity: promiscuity(link),
    allmulti: 0,
    min_mtu,
    max_mtu,
    inet6_addr_gen_mode: addrgenmode,
    num_tx_queues: 1,
    num_rx_queues: 1,
  };
  return {
    ifindex: link.ifindex,
    ifname: link.name,
    flags: linkFlags(link),
    mtu: link.mtu,
    qdisc: link.qdisc,
    master: link.master,
    operstate: operationalState(link),
    linkmode: mode ? 'DEFAULT' : undefined,
    group: 'default',
    txqlen: link.queueLength,
    link_type: linkType(link),
    address: addressOf(link),
    broadcast: link.kind === 'port' ? undefined : broadcastMac(link),
    ...(ip.options.details ? detailed : {}),
    ...(mode && ip.options.statistics > 0 ? statisticsJson(link.counters, ip.options.statistics > 1) : {}),
  };
}
