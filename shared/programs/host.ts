/**
 * host: `host [-t TYPE] [-v] [-a] [-T] NAME|ADDRESS [SERVER]`, in the words of BIND 9.18's. Without -t it asks for A and
 * MX. Exit status 1 when the name was not found or nobody answered.
 *
 * Left out: AAAA without -t, zone listings (-l), SOA consistency (-C).
 */
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import { DNS_PORT, type DnsMessage, dnsQuery, type ResourceRecord } from '../header/dns.ts';
import { type DnsName, nameWithoutDot, parseName } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { formatRdata } from '../header/dns-text.ts';
import { CLASS, formatRcode, formatType, parseType, RCODE, TYPE } from '../header/dns-type.ts';
import { errorText } from '../net/errno.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { MILLISECOND, SECOND } from '../platform.ts';
import { reverseName } from './dig-options.ts';
import { askOnce, type Got } from './dns-ask.ts';
import { formatQuestionLine, formatRecordLine, headerLines } from './dns-print.ts';
import { Failure, program } from './failure.ts';
import { lookUpAddresses } from './getaddrinfo.ts';
import { getopt } from './options.ts';
import { candidateNames, readResolvConf } from './stub.ts';

const TIMEOUT_SECONDS = 5;
const USAGE = 'Usage: host [-aTv] [-c class] [-t type] [-W time] [-R number] hostname [server]';

interface Settings {
  readonly types: readonly number[];
  /** No -t: what has no answer is not worth a line. */
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly tcp: boolean;
  readonly recurse: boolean;
  readonly timeout: number;
  readonly tries: number;
}

export const host = program(async (context: ProgramContext) => {
  const line = getopt(context.argv, 'at:c:vTrdw4W:R:i');
  if (line.error !== undefined) throw new Failure(1, `${line.error}\n${USAGE}`);
  const [text, serverName] = line.operands;
  if (text === undefined) throw new Failure(1, USAGE);
  const flags = new Set(line.options.map((option) => option.name));
  const lastValue = (name: string) => line.options.findLast((option) => option.name === name)?.value;
  const typeText = flags.has('a') ? 'ANY' : lastValue('t');
  const type = typeText === undefined ? undefined : parseType(typeText);
  if (typeText !== undefined && type === undefined) throw new Failure(2, `host: invalid type: ${typeText}`);
  const isAddress = parseIpv4(text) !== undefined;
  const settings: Settings = {
    types: type !== undefined ? [type] : isAddress ? [TYPE.PTR] : [TYPE.A, TYPE.MX],
    quiet: type === undefined,
    verbose: flags.has('v') || flags.has('d') || flags.has('a'),
    tcp: flags.has('T'),
    recurse: !flags.has('r'),
    timeout: Number(lastValue('W') ?? TIMEOUT_SECONDS) * SECOND,
    tries: Number(lastValue('R') ?? 1) + 1,
  };
  const reverse = isAddress ? parseName(reverseName(text)) : undefined;
  const names = typeof reverse === 'string' ? [reverse] : candidateNames(text, readResolvConf(context.sys));
  if (names.length === 0) throw new Failure(1, `host: '${text}' is not a legal IDNA2008 name`);
  return await new HostProgram(context, settings, await serversFor(context, serverName)).run(names);
});

async function serversFor({ sys, out }: ProgramContext, name: string | undefined): Promise<readonly Ipv4[]> {
  if (name === undefined) return readResolvConf(sys).servers;
  const found = await lookUpAddresses(sys, name);
  if (typeof found === 'string') throw new Failure(1, `host: couldn't get address for '${name}': not found`);
  const [first] = found.addresses;
  await out(
    `Using domain server:\nName: ${name}\nAddress: ${first === undefined ? '' : formatIpv4(first)}#${DNS_PORT}\nAliases: \n\n`,
  );
  return found.addresses;
}

class HostProgram {
  private readonly context: ProgramContext;
  private readonly settings: Settings;
  private readonly servers: readonly Ipv4[];

  constructor(context: ProgramContext, settings: Settings, servers: readonly Ipv4[]) {
    this.context = context;
    this.settings = settings;
    this.servers = servers;
  }

  async run(names: readonly DnsName[]): Promise<number> {
    const { out } = this.context;
    let problem = '';
    for (const name of names) {
      for (const [index, type] of this.settings.types.entries()) {
        const got = await this.ask(name, type);
        if (got === undefined) {
          await out(';; no servers could be reached\n');
          return 1;
        }
        const { message } = got.got;
        if (message.rcode !== RCODE.NOERROR) {
          problem = `Host ${type === TYPE.PTR ? name : nameWithoutDot(name)} not found: ${message.rcode}(${formatRcode(message.rcode)})\n`;
          break;
        }
        problem = '';
        await this.show(got.got, got.server, type, name);
        // The address's aliases are the name's: they were said once.
        if (index === 0 && this.settings.types.length > 1 && message.answers.some((r) => r.type === TYPE.CNAME))
          return 0;
      }
      if (problem === '') return 0;
    }
    await out(problem);
    return 1;
  }

  private async ask(name: DnsName, type: number): Promise<{ got: Got; server: Ipv4 } | undefined> {
    const { sys, out } = this.context;
    const { settings } = this;
    if (settings.verbose) await out(`Trying "${nameWithoutDot(name)}"\n`);
    const question = { name, type, class: CLASS.IN };
    const query = dnsQuery(question, { id: sys.getrandom() & 0xffff, recursionDesired: settings.recurse });
    for (let attempt = 0; attempt < settings.tries; attempt++) {
      for (const server of this.servers) {
        const asking = { query, server, port: DNS_PORT, timeout: settings.timeout };
        let got = await askOnce(sys, asking, settings.tcp || type === TYPE.ANY);
        if ('message' in got && got.message.truncated && !got.tcp) got = await askOnce(sys, asking, true);
        if ('message' in got) return { got, server };
        const why =
          got.failed === 'timeout' || got.errno === undefined ? 'timed out' : errorText(got.errno).toLowerCase();
        await out(`;; communications error to ${formatIpv4(server)}#${DNS_PORT}: ${why}\n`);
      }
    }
    return undefined;
  }

  private async show(got: Got, server: Ipv4, type: number, name: DnsName): Promise<void> {
    const { out } = this.context;
    const { message } = got;
    if (this.settings.verbose) {
      const took = Math.floor(got.took / MILLISECOND);
      await out(
        `${verboseText(message)}Received ${got.size} bytes from ${formatIpv4(server)}#${DNS_PORT} in ${took} ms\n`,
      );
      return;
    }
    for (const record of message.answers) await out(`${sentence(record)}\n`);
    if (message.answers.length === 0 && !this.settings.quiet)
      await out(`${nameWithoutDot(name)} has no ${formatType(type)} record\n`);
  }
}

function sentence({ name, type, data }: ResourceRecord): string {
  const owner = nameWithoutDot(name);
  const target = (offset = 0) => rdataName(data, offset) ?? '';
  switch (type) {
    case TYPE.A:
      return `${owner} has address ${data.join('.')}`;
    case TYPE.AAAA:
      return `${owner} has IPv6 address ${formatRdata(type, data)}`;
    case TYPE.CNAME:
      return `${owner} is an alias for ${target()}`;
    case TYPE.NS:
      return `${owner} name server ${target()}`;
    case TYPE.MX:
      return `${owner} mail is handled by ${formatRdata(type, data)}`;
    case TYPE.PTR:
      return `${owner} domain name pointer ${target()}`;
    case TYPE.TXT:
      return `${owner} descriptive text ${formatRdata(type, data)}`;
    case TYPE.SOA:
      return `${owner} has SOA record ${formatRdata(type, data)}`;
    default:
      return `${owner} has ${formatType(type)} record ${formatRdata(type, data)}`;
  }
}

function verboseText(message: DnsMessage): string {
  const lines = [...headerLines(message), ''];
  const section = (title: string, rows: readonly string[]): void => {
    if (rows.length > 0) lines.push(`;; ${title} SECTION:`, ...rows, '');
  };
  section(
    'QUESTION',
    message.questions.map((question) => formatQuestionLine(question)),
  );
  section(
    'ANSWER',
    message.answers.map((record) => formatRecordLine(record)),
  );
  section(
    'AUTHORITY',
    message.authorities.map((record) => formatRecordLine(record)),
  );
  section(
    'ADDITIONAL',
    message.additionals.map((record) => formatRecordLine(record)),
  );
  return lines.map((line) => `${line}\n`).join('');
}
