/**
 * resolvectl: asks the host's resolved, and looks into it. `resolvectl [status]`, `query NAME|ADDRESS…`, `statistics`,
 * `reset-statistics`, `flush-caches`, `show-cache` (each record with the seconds that it has left).
 */
import { formatIpv4, parseIpv4 } from '../header/address.ts';
import { type DnsMessage, dnsQuery } from '../header/dns.ts';
import { nameWithoutDot, parseName } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { formatRdata } from '../header/dns-text.ts';
import { CLASS, formatRcode, formatType, parseType, RCODE, TYPE } from '../header/dns-type.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { MILLISECOND, type Micros, SECOND } from '../platform.ts';
import { sendCommand } from './control-channel.ts';
import { reverseName } from './dig-options.ts';
import { askOnce } from './dns-ask.ts';
import { Failure, program } from './failure.ts';
import { addressesFor, RESOLVED_ADDRESS } from './getaddrinfo.ts';
import { getopt } from './options.ts';
import { RESOLVECTL_PORT } from './resolved.ts';
import { candidateNames, readResolvConf } from './stub.ts';

const QUERY_TIMEOUT: Micros = 120 * SECOND;
const NOT_RUNNING = 'Failed to get global data: resolved is not running (start it with: resolved)';

export const resolvectl = program(async (context: ProgramContext) => {
  const line = getopt(context.argv, 't:46p:', { type: 't:', legend: 'l:', cache: 'c:', 'no-pager': 'n' });
  if (line.error !== undefined) throw new Failure(1, line.error);
  const [verb = 'status', ...words] = line.operands;
  if (verb === 'query') {
    const typeText = line.options.findLast((option) => option.name === 't')?.value;
    const type = typeText === undefined ? undefined : parseType(typeText);
    if (typeText !== undefined && type === undefined)
      throw new Failure(1, `Failed to parse RR record type ${typeText}`);
    if (words.length === 0) throw new Failure(1, 'Too few arguments.');
    let status = 0;
    for (const word of words) status = Math.max(status, await query(context, word, type));
    return status;
  }
  const answer = await sendCommand(context.sys, RESOLVED_ADDRESS, RESOLVECTL_PORT, verb);
  if (answer === undefined) throw new Failure(1, NOT_RUNNING);
  if (answer.startsWith('Unknown command')) throw new Failure(1, answer);
  await context.out(answer);
  return 0;
});

async function query(context: ProgramContext, text: string, type: number | undefined): Promise<number> {
  const { sys, err } = context;
  const isAddress = parseIpv4(text) !== undefined;
  const names = isAddress ? [parseName(reverseName(text))] : candidateNames(text, readResolvConf(sys));
  const started = sys.clockGettime();
  let problem = `${text}: resolve call failed: Invalid argument`;
  for (const name of names) {
    if (typeof name !== 'string') continue;
    const question = { name, type: type ?? (isAddress ? TYPE.PTR : TYPE.A), class: CLASS.IN };
    const id = sys.getrandom() & 0xffff;
    const asking = {
      query: dnsQuery(question, { id, recursionDesired: true }),
      server: RESOLVED_ADDRESS,
      port: 53,
      timeout: QUERY_TIMEOUT,
    };
    let got = await askOnce(sys, asking, false);
    if ('message' in got && got.message.truncated) got = await askOnce(sys, asking, true);
    if (!('message' in got)) throw new Failure(1, `${text}: resolve call failed: resolved is not running`);
    const rows = answerRows(got.message, text, question.type, type !== undefined);
    if (rows.length > 0) {
      await show(context, rows, sys.clockGettime() - started);
      return 0;
    }
    problem = `${text}: resolve call failed: ${problemOf(got.message, nameWithoutDot(name))}`;
  }
  await err(`${problem}\n`);
  return 1;
}

function problemOf({ rcode }: DnsMessage, name: string): string {
  if (rcode === RCODE.NXDOMAIN) return `Name '${name}' not found`;
  if (rcode === RCODE.NOERROR) return `Name '${name}' does not have any RR of the requested type`;
  return `Could not resolve '${name}', server or network returned error ${formatRcode(rcode)}`;
}

function answerRows(message: DnsMessage, text: string, type: number, raw: boolean): string[] {
  if (raw) {
    return message.answers.map(
      (record) =>
        `${nameWithoutDot(record.name)} IN ${formatType(record.type)} ${formatRdata(record.type, record.data)}`,
    );
  }
  const found = message.answers.filter((record) => record.type === type);
  if (type === TYPE.PTR)
    return found.map(({ data }, index) => lead(text, index) + nameWithoutDot(rdataName(data) ?? ('.' as never)));
  const [question] = message.questions;
  const { addresses, owner } =
    question === undefined ? { addresses: [], owner: undefined } : addressesFor(message, question.name);
  const rows = addresses.map((address, index) => lead(text, index) + formatIpv4(address));
  const alias =
    owner === undefined || question === undefined || owner === question.name
      ? []
      : [`${' '.repeat(text.length + 2)}(${nameWithoutDot(owner)})`];
  return [...rows, ...alias];
}

const lead = (text: string, index: number): string => (index === 0 ? `${text}: ` : ' '.repeat(text.length + 2));

async function show({ out }: ProgramContext, rows: readonly string[], took: Micros): Promise<void> {
  for (const row of rows) await out(`${row}\n`);
  await out(
    `\n-- Information acquired via protocol DNS in ${(took / MILLISECOND).toFixed(1)}ms.\n-- Data is authenticated: no; Data was acquired via local or encrypted transport: no\n`,
  );
}
