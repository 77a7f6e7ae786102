/**
 * nslookup: `nslookup [-type=TYPE] [-debug] NAME|ADDRESS [SERVER]`, in the words of BIND 9.18's. Exit status 1 when the
 * name was not found or nobody answered.
 *
 * Left out: the interactive mode, AAAA beside A.
 */
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import { DNS_PORT, type DnsMessage, dnsQuery, type ResourceRecord } from '../header/dns.ts';
import { type DnsName, nameWithoutDot, parseName } from '../header/dns-name.ts';
import { rdataName, readSoa } from '../header/dns-rdata.ts';
import { formatRdata } from '../header/dns-text.ts';
import { CLASS, formatRcode, formatType, parseType, RCODE, TYPE } from '../header/dns-type.ts';
import { errorText } from '../net/errno.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import { reverseName } from './dig-options.ts';
import { askOnce } from './dns-ask.ts';
import { Failure, program } from './failure.ts';
import { lookUpAddresses } from './getaddrinfo.ts';
import { candidateNames, readResolvConf } from './stub.ts';

const TRIES = 3;

interface Settings {
  type: number | undefined;
  port: number;
  timeout: number;
  retry: number;
  recurse: boolean;
  debug: boolean;
  tcp: boolean;
}

export const nslookup = program(async (context: ProgramContext) => {
  const settings: Settings = {
    type: undefined,
    port: DNS_PORT,
    timeout: 5,
    retry: TRIES,
    recurse: true,
    debug: false,
    tcp: false,
  };
  const operands: string[] = [];
  for (const word of context.argv.slice(1)) {
    if (word.startsWith('-') && word.length > 1) applyOption(settings, word.slice(1));
    else operands.push(word);
  }
  const [name, serverName] = operands;
  if (name === undefined) throw new Failure(1, 'nslookup: the interactive mode is not here: give a name');
  const servers = await serversFor(context, serverName);
  const question = questionsFor(context, name, settings);
  return await lookUp(context, settings, servers, question, serverName);
});

function applyOption(settings: Settings, text: string): void {
  const [key = '', value = ''] = text.toLowerCase().split('=');
  const number = Number(value);
  if (key === 'type' || key === 'querytype' || key === 'query' || key === 'ty' || key === 'q' || key === 'qt') {
    settings.type = parseType(value);
    if (settings.type === undefined) throw new Failure(1, `unknown query type: ${value}`);
  } else if (key === 'port') settings.port = number;
  else if (key === 'timeout') settings.timeout = number;
  else if (key === 'retry') settings.retry = Math.max(number, 1);
  else if (key === 'norecurse' || key === 'norec') settings.recurse = false;
  else if (key === 'debug') settings.debug = true;
  else if (key === 'vc') settings.tcp = true;
  else throw new Failure(1, `*** Invalid option: ${text}`);
}

async function serversFor({ sys }: ProgramContext, name: string | undefined): Promise<readonly Ipv4[]> {
  if (name === undefined) return readResolvConf(sys).servers;
  const found = await lookUpAddresses(sys, name);
  if (typeof found === 'string') throw new Failure(1, `nslookup: couldn't get address for '${name}': not found`);
  return found.addresses;
}

function questionsFor(
  { sys }: ProgramContext,
  text: string,
  settings: Settings,
): { names: readonly DnsName[]; type: number } {
  if (parseIpv4(text) !== undefined) {
    const name = parseName(reverseName(text));
    return { names: typeof name === 'string' ? [name] : [], type: settings.type ?? TYPE.PTR };
  }
  const names = candidateNames(text, readResolvConf(sys));
  if (names.length === 0) throw new Failure(1, `nslookup: '${text}' is not a legal name`);
  return { names, type: settings.type ?? TYPE.A };
}

async function lookUp(
  context: ProgramContext,
  settings: Settings,
  servers: readonly Ipv4[],
  { names, type }: { names: readonly DnsName[]; type: number },
  serverName: string | undefined,
): Promise<number> {
  let problem = '';
  for (const name of names) {
    const got = await ask(context, settings, servers, name, type);
    if (got === undefined) {
      await context.out(';; no servers could be reached\n\n');
      return 1;
    }
    const { message, server } = got;
    const isReverse = type === TYPE.PTR;
    if (!isReverse) {
      const shown = serverName ?? formatIpv4(server);
      await context.out(`Server:\t\t${shown}\nAddress:\t${formatIpv4(server)}#${settings.port}\n\n`);
    }
    if (settings.debug) await context.out(debugText(message));
    if (message.rcode === RCODE.NOERROR) {
      await context.out(answerText(message, type, name));
      return 0;
    }
    problem = `** server can't find ${nameWithoutDot(name)}: ${formatRcode(message.rcode)}\n\n`;
    if (message.rcode !== RCODE.NXDOMAIN) break;
  }
  await context.out(problem);
  return 1;
}

async function ask(
  { sys, out }: ProgramContext,
  settings: Settings,
  servers: readonly Ipv4[],
  name: DnsName,
  type: number,
): Promise<{ message: DnsMessage; server: Ipv4 } | undefined> {
  const question = { name, type, class: CLASS.IN };
  const query = dnsQuery(question, { id: sys.getrandom() & 0xffff, recursionDesired: settings.recurse });
  for (let attempt = 0; attempt < settings.retry; attempt++) {
    for (const server of servers) {
      const asking = { query, server, port: settings.port, timeout: settings.timeout * SECOND };
      let got = await askOnce(sys, asking, settings.tcp);
      if ('message' in got && got.message.truncated && !got.tcp) {
        await out(';; Truncated, retrying in TCP mode.\n');
        got = await askOnce(sys, asking, true);
      }
      if ('message' in got) return { message: got.message, server };
      const why =
        got.failed === 'timeout' || got.errno === undefined ? 'timed out' : errorText(got.errno).toLowerCase();
      await out(`;; communications error to ${formatIpv4(server)}#${settings.port}: ${why}\n`);
    }
  }
  return undefined;
}

function answerText(message: DnsMessage, type: number, name: DnsName): string {
  const lines = message.answers.map((record) => recordText(record));
  const found = message.answers.some((record) => record.type === type || type === TYPE.ANY);
  if (!found && message.answers.length === 0) return `*** Can't find ${nameWithoutDot(name)}: No answer\n\n`;
  const warning = message.authoritative || type === TYPE.PTR ? '' : 'Non-authoritative answer:\n';
  return `${warning}${lines.join('')}\n`;
}

function recordText({ name, type, data }: ResourceRecord): string {
  const owner = nameWithoutDot(name);
  switch (type) {
    case TYPE.A:
      return `Name:\t${owner}\nAddress: ${data.join('.')}\n`;
    case TYPE.CNAME:
      return `${owner}\tcanonical name = ${rdataName(data) ?? ''}\n`;
    case TYPE.NS:
      return `${owner}\tnameserver = ${rdataName(data) ?? ''}\n`;
    case TYPE.PTR:
      return `${owner}\tname = ${rdataName(data) ?? ''}\n`;
    case TYPE.MX:
      return `${owner}\tmail exchanger = ${formatRdata(type, data)}\n`;
    case TYPE.TXT:
      return `${owner}\ttext = ${formatRdata(type, data)}\n`;
    case TYPE.SOA:
      return `${owner}\n${soaText(data)}`;
    default:
      return `${owner}\trdata_${type} = ${formatRdata(type, data)}\n`;
  }
}

function soaText(data: Uint8Array): string {
  const soa = readSoa(data);
  if (soa === undefined) return '';
  return [
    `\torigin = ${nameWithoutDot(soa.primary)}`,
    `\tmail addr = ${nameWithoutDot(soa.mailbox)}`,
    `\tserial = ${soa.serial}`,
    `\trefresh = ${soa.refresh}`,
    `\tretry = ${soa.retry}`,
    `\texpire = ${soa.expire}`,
    `\tminimum = ${soa.minimum}\n`,
  ].join('\n');
}

function debugText(message: DnsMessage): string {
  const rows = (title: string, records: readonly ResourceRecord[]): string =>
    `    ${title}:\n${records.map((record) => `    ->  ${nameWithoutDot(record.name)}\n${debugData(record)}\tttl = ${record.ttl}\n`).join('')}`;
  const questions = message.questions.map(
    ({ name, type }) => `\t${nameWithoutDot(name)}, type = ${formatType(type)}, class = IN\n`,
  );
  return [
    '------------\n    QUESTIONS:\n',
    ...questions,
    rows('ANSWERS', message.answers),
    rows('AUTHORITY RECORDS', message.authorities),
    rows('ADDITIONAL RECORDS', message.additionals),
    '------------\n',
  ].join('');
}

function debugData(record: ResourceRecord): string {
  if (record.type === TYPE.A) return `\tinternet address = ${record.data.join('.')}\n`;
  if (record.type === TYPE.SOA) return soaText(record.data);
  const text = recordText(record);
  return text.slice(text.indexOf('\t'));
}
