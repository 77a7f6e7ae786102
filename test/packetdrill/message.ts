/**
 * struct msghdr of a script: what sendmsg is given, and what recvmsg filled in, compared strictly: the flags, and every
 * control message in the order in which Linux puts them (sock_recv_timestamp, ip_cmsg_recv, ip_recv_error).
 */
import { formatIpv4, parseIpv4 } from '../../shared/header/address.ts';
import { ERRNO } from '../../shared/net/errno.ts';
import type { ReceivedMessage, SendOptions, SockAddress } from '../../shared/net/sock.ts';
import type { Micros } from '../../shared/platform.ts';
import { type Expression, Mismatch, ParseError, Unsupported } from './script.ts';
import { CONSTANTS, listOf, numberOf, structOf } from './values.ts';

/** What a control message of ours is: level, type, and what stands in it, ready to be compared. */
interface Control {
  readonly level: number;
  readonly type: number;
  readonly compare: (data: Expression) => void;
}

/** How times in a script relate to those of the host. */
export interface Epoch {
  readonly zero: Micros;
  readonly tolerance: Micros;
}

export function must(what: string, expected: unknown, got: unknown): void {
  if (expected !== got) throw new Mismatch(`${what}: expected ${String(expected)}, got ${String(got)}`);
}

/** Lengths of an iovec array: `[{..., 100}, {iov_base=..., iov_len=3}]`. */
export function partsOf(iov: Expression | undefined): number[] {
  if (iov === undefined || iov.kind === 'ellipsis') return [];
  return listOf(iov).map((entry) => {
    const { items, fields } = structOf(entry);
    const size = items[1] ?? fields.get('iov_len');
    return size === undefined ? 0 : numberOf(size);
  });
}

export function lengthOf(iov: Expression | undefined): number {
  return partsOf(iov).reduce((sum, part) => sum + part, 0);
}

const number = (name: string): number => CONSTANTS.get(name)!;

/** Options of a sendmsg from its msghdr. */
export function sendOptionsOf(fields: ReadonlyMap<string, Expression>, flags: number): SendOptions {
  const options: { -readonly [K in keyof SendOptions]: SendOptions[K] } = { flags };
  const parts = partsOf(fields.get('msg_iov'));
  if (parts.length > 1) options.parts = parts;
  const control = fields.get('msg_control');
  if (control === undefined || control.kind === 'ellipsis') return options;
  for (const item of listOf(control)) {
    const cmsg = structOf(item).fields;
    const [level, type, data] = ['cmsg_level', 'cmsg_type', 'cmsg_data'].map((name) => fieldOf(cmsg, name));
    const value = numberOf(data!);
    const key = `${numberOf(level!)}:${numberOf(type!)}`;
    if (key === `${number('SOL_SOCKET')}:${number('SO_TIMESTAMPING')}`) options.timestamping = value;
    else if (key === `${number('SOL_IP')}:${number('IP_TTL')}`) options.ttl = value;
    else if (key === `${number('SOL_IP')}:${number('IP_TOS')}`) options.tos = value;
    else throw new Unsupported(`control message ${key} of sendmsg`);
  }
  return options;
}

function fieldOf(fields: ReadonlyMap<string, Expression>, name: string): Expression {
  const field = fields.get(name);
  if (field === undefined) throw new ParseError(`${name} is missing`);
  return field;
}

/** `{sa_family=AF_UNSPEC, ...}`: connect() to nobody. */
export function isUnspecified(expression: Expression | undefined): boolean {
  const family = expression?.kind === 'struct' ? expression.fields.get('sa_family') : undefined;
  return family?.kind === 'word' && family.text === 'AF_UNSPEC';
}

export function isNull(expression: Expression | undefined): boolean {
  return expression?.kind === 'word' && expression.text === 'NULL';
}

/** A socket address that a script spells out; undefined for `...`. */
export function addressOf(expression: Expression | undefined): SockAddress | undefined {
  if (expression === undefined || expression.kind === 'ellipsis' || expression.kind === 'word') return undefined;
  const { fields } = structOf(expression);
  const family = fields.get('sa_family') ?? fields.get('sin_family');
  if (family !== undefined && numberOf(family) !== number('AF_INET'))
    throw new Unsupported('addresses that are not IPv4');
  const port = fields.get('sin_port');
  const host = fields.get('sin_addr');
  const text = host?.kind === 'call' && host.items[0]?.kind === 'text' ? host.items[0].text : undefined;
  const address = text === undefined ? undefined : parseIpv4(text);
  if (address === undefined) throw new ParseError('sin_addr=inet_addr("…") was expected');
  const value = port?.kind === 'call' ? port.items[0] : port;
  return { address, port: value === undefined || value.kind === 'ellipsis' ? 0 : numberOf(value) };
}

/** Compare what recvmsg filled in with what the script says of it; `...` is not compared. */
export function compareMessage(
  message: ReceivedMessage,
  fields: ReadonlyMap<string, Expression>,
  how: { readonly epoch: Epoch; readonly nanos: boolean },
): void {
  const flags = fields.get('msg_flags');
  if (flags !== undefined && flags.kind !== 'ellipsis') must('msg_flags', numberOf(flags), message.flags);
  const name = addressOf(fields.get('msg_name'));
  if (name !== undefined) {
    const text = ({ address, port }: SockAddress): string => `${formatIpv4(address)}:${port}`;
    must('msg_name', text(name), message.from === undefined ? 'nothing' : text(message.from));
  }
  const control = fields.get('msg_control');
  if (control === undefined || control.kind === 'ellipsis') return;
  const expected = listOf(control);
  const got = controlsOf(message, how);
  must('number of control messages', expected.length, got.length);
  for (const [i, item] of expected.entries()) {
    const cmsg = structOf(item).fields;
    const { level, type, compare } = got[i]!;
    const say = (what: string): string => `control message ${i + 1}: ${what}`;
    must(say('cmsg_level'), numberOf(fieldOf(cmsg, 'cmsg_level')), level);
    must(say('cmsg_type'), numberOf(fieldOf(cmsg, 'cmsg_type')), type);
    const data = cmsg.get('cmsg_data');
    if (data !== undefined && data.kind !== 'ellipsis') compare(data);
  }
}

const SOCKET = 1;
const IP = 0;
const TCP = 6;

function controlsOf(message: ReceivedMessage, how: { epoch: Epoch; nanos: boolean }): Control[] {
  const out: Control[] = [];
  const add = (level: number, type: string, compare: Control['compare']): void => {
    out.push({ level, type: number(type), compare });
  };
  const plain = (level: number, type: string, value: number): void => {
    add(level, type, (data) => must(type, numberOf(data), value));
  };
  if (message.timestamp !== undefined) {
    const { timestamp } = message;
    add(SOCKET, how.nanos ? 'SCM_TIMESTAMPNS' : 'SCM_TIMESTAMP', (data) => compareTime(data, timestamp, how.epoch));
  }
  if (message.softwareTimestamp !== undefined) {
    const { softwareTimestamp } = message;
    add(SOCKET, 'SCM_TIMESTAMPING', (data) => compareTime(data, softwareTimestamp, how.epoch));
  }
  if (message.timestampStats !== undefined) add(SOCKET, 'SCM_TIMESTAMPING_OPT_STATS', () => {});
  if (message.target !== undefined) add(IP, 'IP_PKTINFO', () => {});
  if (message.ttl !== undefined) plain(IP, 'IP_TTL', message.ttl);
  if (message.tos !== undefined) plain(IP, 'IP_TOS', message.tos);
  if (message.originalTarget !== undefined) add(IP, 'IP_ORIGDSTADDR', () => {});
  if (message.inq !== undefined) plain(TCP, 'TCP_CM_INQ', message.inq);
  if (message.extendedError !== undefined) add(IP, 'IP_RECVERR', (data) => compareError(data, message));
  return out;
}

/** `{scm_sec=0,scm_nsec=20000000}`, from the start of the script; or tv_sec and tv_usec. */
function compareTime(data: Expression, at: Micros, { zero, tolerance }: Epoch): void {
  const { fields } = structOf(data);
  const part = (names: readonly string[], unit: number): number => {
    for (const name of names) {
      const field = fields.get(name);
      if (field !== undefined) return numberOf(field) * unit;
    }
    return 0;
  };
  const expected = part(['scm_sec', 'tv_sec'], 1e6) + part(['scm_nsec', 'tv_nsec'], 1e-3) + part(['tv_usec'], 1) + zero;
  if (Math.abs(at - expected) > tolerance) {
    throw new Mismatch(`time stamp: expected ${(expected - zero) / 1e6} s, got ${(at - zero) / 1e6} s`);
  }
}

const ERROR_FIELDS = ['ee_errno', 'ee_origin', 'ee_type', 'ee_code', 'ee_info', 'ee_data'] as const;

/** struct sock_extended_err. */
function compareError(data: Expression, { extendedError }: ReceivedMessage): void {
  if (extendedError === undefined) return;
  const { errno, origin, type, code, info, data: value } = extendedError;
  const got = [errno === undefined ? 0 : ERRNO[errno][0], origin, type, code, info, value];
  const { fields } = structOf(data);
  for (const name of fields.keys()) {
    if (!(ERROR_FIELDS as readonly string[]).includes(name)) throw new ParseError(`${name} is no field of cmsg_data`);
  }
  for (const [i, name] of ERROR_FIELDS.entries()) {
    const field = fields.get(name);
    if (field !== undefined && field.kind !== 'ellipsis') must(name, numberOf(field), got[i]);
  }
}
