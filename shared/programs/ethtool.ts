/**
 * ethtool(8) 6.1: what a card is, can and counts: plain, -i, -S, -k, -K, -g, -G, -P, -a, -c, -C and the private flags. The card
 * here has no pause frames, and says so.
 */
import { formatMac } from '../header/address.ts';
import { type Errno, errorText, isErrno } from '../net/errno.ts';
import type { NetlinkTable } from '../net/netlink.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { coalesceOf, coalesceText, flagsOf, flagsText } from './ethtool-card.ts';
import { featureNamed, featureText, fixedFeature, kernelName } from './ethtool-features.ts';
import { Failure, program } from './failure.ts';

type Card = Exclude<NetlinkTable['ETHTOOL']['answer'], Errno>;

const BAD_LINE = 'ethtool: bad command line argument(s)\nFor more information run ethtool -h';
/** ethtool's own numbers for what went wrong. */
const STATUS = { driver: 71, noDevice: 75, ring: 81, coalesce: 81, features: 92, statistics: 94 } as const;

const ETHTOOL_USAGE = `ethtool version 6.1
Usage:
        ethtool DEVNAME	Display standard information about device
        ethtool -a|--show-pause DEVNAME	Show pause options
        ethtool -c|--show-coalesce DEVNAME	Show coalesce options
        ethtool -C|--coalesce DEVNAME	Set coalesce options
		[adaptive-rx on|off]
		[rx-usecs N]
		[rx-frames N]
        ethtool -g|--show-ring DEVNAME	Query RX/TX ring parameters
        ethtool -G|--set-ring DEVNAME	Set RX/TX ring parameters
		[ rx N ]
		[ tx N ]
        ethtool -k|--show-features|--show-offload DEVNAME	Get state of protocol offload and other features
        ethtool -K|--features|--offload DEVNAME	Set protocol offload and other features
		FEATURE on|off ...
        ethtool -i|--driver DEVNAME	Show driver information
        ethtool -S|--statistics DEVNAME	Show adapter statistics
        ethtool --show-priv-flags DEVNAME	Query private flags
        ethtool --set-priv-flags DEVNAME	Set private flags
		FLAG on|off ...
        ethtool -P|--show-permaddr DEVNAME	Show permanent hardware address
        ethtool -h|--help		Show this help
        ethtool --version		Show version number
`;

const LONG_NAMES: Readonly<Record<string, string>> = {
  '--show-pause': '-a',
  '--show-coalesce': '-c',
  '--coalesce': '-C',
  '--show-priv-flags': '-f',
  '--set-priv-flags': '-F',
  '--show-ring': '-g',
  '--set-ring': '-G',
  '--show-features': '-k',
  '--show-offload': '-k',
  '--features': '-K',
  '--offload': '-K',
  '--driver': '-i',
  '--statistics': '-S',
  '--show-permaddr': '-P',
  '--help': '-h',
};

export const ethtool = program(async (context) => {
  const [first, ...rest] = context.argv.slice(1);
  if (first === undefined) throw new Failure(1, BAD_LINE);
  if (first === '--version') {
    await context.out('ethtool version 6.1\n');
    return 0;
  }
  // Private flags have no short names; -f and -F are only known in here.
  const command = LONG_NAMES[first] ?? (/^-[fF]$/.test(first) ? '-?' : first);
  if (command === '-h') {
    await context.out(ETHTOOL_USAGE);
    return 0;
  }
  if (!command.startsWith('-')) return showSettings(context, command);
  const [dev, ...words] = rest;
  if (dev === undefined || !'acCfFiSkKgGPs'.includes(command.slice(1)) || command.length !== 2) {
    throw new Failure(1, BAD_LINE);
  }
  await runCommand(context, command, dev, words);
  return 0;
});

function cardOf({ sys }: ProgramContext, dev: string, status = 1): Card {
  const answer = sys.netlink({ type: 'ETHTOOL', dev });
  if (!isErrno(answer)) return answer;
  if (answer === 'ENODEV') {
    throw new Failure(status, 'netlink error: no device matches name (offset 24)\nnetlink error: No such device');
  }
  throw new Failure(status, `netlink error: ${errorText(answer)}`);
}

async function runCommand(context: ProgramContext, command: string, dev: string, words: string[]): Promise<void> {
  const { out } = context;
  switch (command) {
    case '-S': {
      const { statistics } = cardOf(context, dev, STATUS.statistics);
      if (statistics.size === 0) throw new Failure(STATUS.statistics, 'no stats available');
      const lines = [...statistics].map(([name, value]) => `     ${name}: ${value}\n`);
      return out(`NIC statistics:\n${lines.join('')}`);
    }
    case '-i':
      return out(driverText(cardOf(context, dev, STATUS.driver)));
    case '-k':
      return out(`Features for ${dev}:\n${featureText(cardOf(context, dev).features)}`);
    case '-K':
      return setFeatures(context, dev, words);
    case '-g':
      return out(ringText(dev, cardOf(context, dev)));
    case '-G':
      return setRings(context, dev, words);
    case '-c':
      return out(coalesceText(dev, cardOf(context, dev)));
    case '-C':
      return setCoalesce(context, dev, words);
    case '-f':
      return out(flagsText(dev, cardOf(context, dev)));
    case '-F':
      return setFlags(context, dev, words);
    case '-P':
      return out(`Permanent address: ${formatMac(cardOf(context, dev).permanentMac)}\n`);
    default:
      cardOf(context, dev);
      throw new Failure(1, 'netlink error: Operation not supported');
  }
}

async function showSettings(context: ProgramContext, dev: string): Promise<number> {
  const link = context.sys.netlink({ type: 'RTM_GETLINK' }).find((one) => one.name === dev);
  if (link === undefined) {
    await context.out('No data available\n');
    throw new Failure(
      STATUS.noDevice,
      'netlink error: no device matches name (offset 24)\nnetlink error: No such device',
    );
  }
  const detected = `\tLink detected: ${link.up && link.carrier ? 'yes' : 'no'}\n`;
  if (link.kind !== 'ether') {
    await context.out(`Settings for ${dev}:\n${detected}`);
    return 0;
  }
  const { carrier, speedMbit } = cardOf(context, dev, STATUS.noDevice);
  const lines = [
    'Supported ports: [  ]',
    'Supported link modes:   Not reported',
    'Supported pause frame use: No',
    'Supports auto-negotiation: No',
    'Supported FEC modes: Not reported',
    'Advertised link modes:  Not reported',
    'Advertised pause frame use: No',
    'Advertised auto-negotiation: No',
    'Advertised FEC modes: Not reported',
    `Speed: ${carrier ? `${speedMbit}Mb/s` : 'Unknown!'}`,
    `Duplex: ${carrier ? 'Full' : 'Unknown! (255)'}`,
    'Auto-negotiation: off',
    'Port: Twisted Pair',
    'PHYAD: 0',
    'Transceiver: internal',
    'MDI-X: Unknown',
  ];
  await context.out(`Settings for ${dev}:\n${lines.map((line) => `\t${line}\n`).join('')}${detected}`);
  return 0;
}

function driverText({ driver, statistics, flags }: Card): string {
  return [
    `driver: ${driver}`,
    'version: 1.0',
    'firmware-version: ',
    'expansion-rom-version: ',
    'bus-info: ',
    `supports-statistics: ${statistics.size > 0 ? 'yes' : 'no'}`,
    'supports-test: no',
    'supports-eeprom-access: no',
    'supports-register-dump: no',
    `supports-priv-flags: ${Object.keys(flags).length > 0 ? 'yes' : 'no'}`,
    '',
  ].join('\n');
}

function ringText(dev: string, card: Card): string {
  const block = (rx: number, tx: number) => [`RX:\t\t${rx}`, 'RX Mini:\tn/a', 'RX Jumbo:\tn/a', `TX:\t\t${tx}`];
  return [
    `Ring parameters for ${dev}:`,
    'Pre-set maximums:',
    ...block(card.rxRingMax, card.txRingMax),
    'Current hardware settings:',
    ...block(card.rxRing, card.txRing),
    'RX Buf Len:\tn/a',
    'CQE Size:\tn/a',
    'TX Push:\toff',
    '',
  ].join('\n');
}

async function setRings(context: ProgramContext, dev: string, words: readonly string[]): Promise<void> {
  const wanted: { rxRing?: number; txRing?: number } = {};
  for (let at = 0; at < words.length; at += 2) {
    const value = Number(words[at + 1]);
    if (!Number.isInteger(value) || value < 0) throw new Failure(1, BAD_LINE);
    if (words[at] === 'rx') wanted.rxRing = value;
    else if (words[at] === 'tx') wanted.txRing = value;
    else throw new Failure(1, BAD_LINE);
  }
  const card = cardOf(context, dev, STATUS.ring);
  if ((wanted.rxRing ?? 0) > card.rxRingMax || (wanted.txRing ?? 0) > card.txRingMax) {
    throw new Failure(
      STATUS.ring,
      'netlink error: requested ring size exceeds maximum\nnetlink error: Invalid argument',
    );
  }
  const answer = context.sys.netlink({ type: 'ETHTOOL_SET', dev, ...wanted });
  if (answer !== undefined) throw new Failure(STATUS.ring, `netlink error: ${errorText(answer)}`);
}

async function setCoalesce(context: ProgramContext, dev: string, words: readonly string[]): Promise<void> {
  const coalesce = coalesceOf(words);
  if (coalesce === undefined) throw new Failure(1, BAD_LINE);
  cardOf(context, dev, STATUS.coalesce);
  const answer = context.sys.netlink({ type: 'ETHTOOL_SET', dev, coalesce });
  if (answer !== undefined) throw new Failure(STATUS.coalesce, `netlink error: ${errorText(answer)}`);
}

async function setFlags(context: ProgramContext, dev: string, words: readonly string[]): Promise<void> {
  const flags = flagsOf(words);
  if (flags === undefined) throw new Failure(1, BAD_LINE);
  cardOf(context, dev);
  const answer = context.sys.netlink({ type: 'ETHTOOL_SET', dev, flags });
  if (answer !== undefined) throw new Failure(1, `netlink error: ${errorText(answer)}`);
}

async function setFeatures(context: ProgramContext, dev: string, words: readonly string[]): Promise<void> {
  if (words.length === 0) throw new Failure(1, 'Could not change any device features');
  const features: Record<string, boolean> = {};
  const fixed: string[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const value = words[at + 1];
    const found = featureNamed(words[at] ?? '');
    if (value !== 'on' && value !== 'off') {
      throw new Failure(1, `ethtool (-K): flag '${value}' for parameter '(null)' is not followed by 'on' or 'off'`);
    }
    if (found === undefined && fixedFeature(words[at] ?? '') !== undefined) {
      if (value === 'on') fixed.push(`${fixedFeature(words[at] ?? '')}: off [requested on]\n`);
      continue;
    }
    if (found === undefined) {
      throw new Failure(
        STATUS.features,
        'netlink error: bit name not found (offset 56)\nnetlink error: Operation not supported',
      );
    }
    features[found] = value === 'on';
  }
  const before = cardOf(context, dev, STATUS.features).features;
  const answer = context.sys.netlink({ type: 'ETHTOOL_SET', dev, features });
  if (answer !== undefined) throw new Failure(STATUS.features, `netlink error: ${errorText(answer)}`);
  const after = cardOf(context, dev, STATUS.features).features;
  const followed = Object.keys(after).filter((name) => before[name] !== after[name] && !(name in features));
  const refused = Object.keys(features).filter((name) => after[name] !== features[name]);
  if (fixed.length > 0 && Object.keys(features).length === 0) {
    throw new Failure(1, 'Could not change any device features');
  }
  if (followed.length === 0 && refused.length === 0 && fixed.length === 0) return;
  const state = (name: string) => (after[name] ? 'on' : 'off');
  const lines = [
    ...fixed,
    ...refused.map((name) => `${kernelName(name)}: ${state(name)} [requested ${features[name] ? 'on' : 'off'}]\n`),
    ...followed.map((name) => `${kernelName(name)}: ${state(name)} [not requested]\n`),
  ];
  await context.out(`Actual changes:\n${lines.join('')}`);
}
