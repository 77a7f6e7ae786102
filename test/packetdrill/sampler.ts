/** What asserts may name: fields of TCP_INFO, TCP_CC_INFO and SO_MEMINFO of the socket under test, and constants. */
import type { Fd, Syscalls } from '../../shared/net/syscalls.ts';
import { Mismatch, Unsupported } from './script.ts';
import { INFO_CONSTANTS, isErrnoError } from './values.ts';

/** Prefix of a name, and the option that has it. */
const SOURCES: readonly (readonly [prefix: string, level: string, option: string, field: (name: string) => string])[] =
  [
    ['tcpi_', 'SOL_TCP', 'TCP_INFO', (name) => name.slice('tcpi_'.length)],
    ['SK_MEMINFO_', 'SOL_SOCKET', 'SO_MEMINFO', (name) => name],
    ['bbr_', 'SOL_TCP', 'TCP_CC_INFO', (name) => name],
    ['dctcp_', 'SOL_TCP', 'TCP_CC_INFO', (name) => name],
    ['tcpv_', 'SOL_TCP', 'TCP_CC_INFO', (name) => name],
  ];

/** Values are those of the moment of the first look at each option. */
export function samplerOf(sys: Syscalls, fd: Fd | undefined): (name: string) => number | undefined {
  const taken = new Map<string, Record<string, unknown>>();
  return (name) => {
    const constant = INFO_CONSTANTS.get(name);
    if (constant !== undefined) return constant;
    const source = SOURCES.find(([prefix]) => name.startsWith(prefix));
    if (source === undefined || fd === undefined) return undefined;
    const [, level, option, field] = source;
    let values = taken.get(option);
    if (values === undefined) {
      values = optionOf(sys, fd, level, option);
      taken.set(option, values);
    }
    const value = values[field(name)];
    if (typeof value !== 'number') throw new Unsupported(`${option} field ${name}`);
    return value;
  };
}

function optionOf(sys: Syscalls, fd: Fd, level: string, option: string): Record<string, unknown> {
  try {
    return sys.getsockopt(fd, level, option) as Record<string, unknown>;
  } catch (error) {
    throw new Mismatch(`${option}: ${isErrnoError(error)}`);
  }
}
