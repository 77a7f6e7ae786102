/**
 * getent: what the system's databases say. `getent hosts [NAME|ADDRESS…]`, `ahosts NAME…`, `ahostsv4 NAME…`,
 * `services [NAME|PORT…]`. Exit status 0, 1 for an unknown database, 2 when a key was not found.
 */
import { formatIpv4, parseIpv4 } from '../header/address.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { lookUpAddresses } from './getaddrinfo.ts';
import { namesOf } from './getnameinfo.ts';
import { hostsLines } from './hosts-file.ts';
import { linesOf } from './text.ts';

const KEY_WIDTH = 16;
const SERVICE_WIDTH = 22;

export const getent = program(async (context: ProgramContext) => {
  const [database, ...keys] = context.argv.slice(1).filter((word) => !word.startsWith('-'));
  switch (database) {
    case 'hosts':
      return keys.length === 0 ? await listHosts(context) : await each(keys, (key) => hosts(context, key));
    case 'ahosts':
    case 'ahostsv4':
      return await each(keys, (key) => addresses(context, key));
    case 'ahostsv6':
      return keys.length === 0 ? 0 : 2;
    case 'services':
      return await services(context, keys);
    case undefined:
      throw new Failure(
        1,
        "getent: wrong number of arguments\nTry `getent --help' or `getent --usage' for more information.",
      );
    default:
      throw new Failure(
        1,
        `Unknown database: ${database}\nTry \`getent --help' or \`getent --usage' for more information.`,
      );
  }
});

async function each(keys: readonly string[], show: (key: string) => Promise<boolean>): Promise<number> {
  let status = 0;
  for (const key of keys) if (!(await show(key))) status = 2;
  return status;
}

async function listHosts({ sys, out }: ProgramContext): Promise<number> {
  for (const { address, names } of hostsLines(sys))
    await out(`${formatIpv4(address).padEnd(KEY_WIDTH - 1)} ${names.join(' ')}\n`);
  return 0;
}

async function hosts({ sys, out }: ProgramContext, key: string): Promise<boolean> {
  const address = parseIpv4(key);
  if (address !== undefined) {
    const names = await namesOf(sys, address);
    if (names.length === 0) return false;
    await out(`${key.padEnd(KEY_WIDTH - 1)} ${names.join(' ')}\n`);
    return true;
  }
  const found = await lookUpAddresses(sys, key);
  if (typeof found === 'string') return false;
  const alias = found.canonicalName === key ? '' : ` ${key}`;
  for (const one of found.addresses)
    await out(`${formatIpv4(one).padEnd(KEY_WIDTH - 1)} ${found.canonicalName}${alias}\n`);
  return true;
}

async function addresses({ sys, out }: ProgramContext, key: string): Promise<boolean> {
  const found = await lookUpAddresses(sys, key);
  if (typeof found === 'string') return false;
  for (const [index, address] of found.addresses.entries()) {
    for (const kind of ['STREAM', 'DGRAM', 'RAW']) {
      const name = index === 0 && kind === 'STREAM' ? found.canonicalName : '';
      await out(`${formatIpv4(address).padEnd(KEY_WIDTH - 1)} ${kind.padEnd(6)} ${name}\n`);
    }
  }
  return true;
}

async function services({ sys, out }: ProgramContext, keys: readonly string[]): Promise<number> {
  const entries = linesOf(sys, '/etc/services')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .filter(([name, port]) => name !== undefined && port !== undefined);
  const show = async ([name = '', port = '', ...aliases]: readonly string[]): Promise<void> => {
    await out(`${name.padEnd(SERVICE_WIDTH - 1)} ${[port, ...aliases].join(' ')}\n`);
  };
  if (keys.length === 0) for (const entry of entries) await show(entry);
  return await each(keys, async (key) => {
    const [wanted = '', protocol] = key.split('/');
    const entry = entries.find(([name, port = '', ...aliases]) => {
      const [number, kind] = port.split('/');
      return [name, number, ...aliases].includes(wanted) && (protocol === undefined || kind === protocol);
    });
    if (entry !== undefined) await show(entry);
    return entry !== undefined;
  });
}
