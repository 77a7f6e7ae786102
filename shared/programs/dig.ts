/**
 * dig: asks a name server and shows the answer as it came, in the columns of BIND 9.18's. It does not look into the
 * hosts file or any cache; without @server it asks the servers of /etc/resolv.conf. Exit status 0: an answer came
 * (whatever its rcode), 9: none, 10: internal error or bad name, 1: bad use.
 *
 * Left out: cookies, batch files (-f), TSIG, IXFR, +search by default.
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import { type DnsMessage, dnsQuery, type Question, type ResourceRecord } from '../header/dns.ts';
import { type DnsName, nameWithoutDot, parseName } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { formatRdata } from '../header/dns-text.ts';
import { CLASS, TYPE } from '../header/dns-type.ts';
import { errorText } from '../net/errno.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { MILLISECOND, SECOND } from '../platform.ts';
import { type Lookup, parseDig } from './dig-options.ts';
import { type Asking, askOnce, type Got, transferZone } from './dns-ask.ts';
import { ednsLines, formatQuestionLine, formatRecordLine, headerLines } from './dns-print.ts';
import { Failure, program } from './failure.ts';
import { lookUpAddresses } from './getaddrinfo.ts';
import { readResolvConf } from './stub.ts';
import { clockDate } from './text.ts';

export const DIG_VERSION = '9.18.49-wirelab';
/** Referrals that +trace follows. */
const TRACE_MAX = 30;

interface Server {
  readonly address: Ipv4;
  /** As it was named. */
  readonly name: string;
}

export const dig = program(async (context: ProgramContext) => {
  const line = parseDig(context.argv);
  for (const note of line.notes) await context.out(`${note}\n`);
  if (line.versionOnly) {
    await context.err(`DiG ${DIG_VERSION}\n`);
    return 0;
  }
  let status = 0;
  for (const [index, lookup] of line.lookups.entries())
    status = Math.max(status, await new Dig(context, lookup, index === 0).run());
  return status;
});

class Dig {
  private readonly context: ProgramContext;
  private readonly lookup: Lookup;
  /** Printed before the first thing that is. */
  private greeting: string;

  constructor(context: ProgramContext, lookup: Lookup, isFirst: boolean) {
    this.context = context;
    this.lookup = lookup;
    const { flags } = lookup;
    const given = lookup.server === undefined ? '' : '; (1 server found)\n';
    const words = ['', ...context.argv.slice(1)].join(' ');
    const greeting = `\n; <<>> DiG ${DIG_VERSION} <<>>${words}\n${given};; global options: +cmd\n`;
    this.greeting = isFirst && flags.cmd && !flags.short ? greeting : '';
  }

  async run(): Promise<number> {
    const { lookup } = this;
    const name = parseName(lookup.name);
    if (typeof name !== 'string') {
      throw new Failure(
        10,
        `dig: '${lookup.name}' is not a legal name (${name.malformed.replace('dns_', '').replaceAll('_', ' ')})`,
      );
    }
    const servers = await this.servers();
    const question = { name, type: lookup.type ?? TYPE.A, class: lookup.class ?? CLASS.IN };
    if (lookup.flags.trace) return await this.trace(servers, question);
    if (question.type === TYPE.AXFR) return await this.transfer(servers, question);
    const asked = await this.ask(servers, question, lookup.flags.recurse);
    if (asked === undefined) return await this.nobody();
    await this.show(asked.got, asked.server);
    return 0;
  }

  private async servers(): Promise<Server[]> {
    const { sys } = this.context;
    const { server } = this.lookup;
    if (server === undefined)
      return readResolvConf(sys).servers.map((address) => ({ address, name: formatIpv4(address) }));
    const found = await lookUpAddresses(sys, server);
    if (typeof found === 'string') throw new Failure(1, `dig: couldn't get address for '${server}': not found`);
    return found.addresses.map((address) => ({ address, name: server }));
  }

  private query(question: Question, recursionDesired: boolean): DnsMessage {
    const { flags, bufsize, ednsVersion } = this.lookup;
    const edns = { udpSize: bufsize, version: ednsVersion, dnssecOk: flags.dnssec, options: [] };
    const id = this.context.sys.getrandom() & 0xffff;
    const query = dnsQuery(question, { id, recursionDesired, ...(flags.edns ? { edns } : {}) });
    return { ...query, authenticData: flags.adflag, checkingDisabled: flags.cdflag, authoritative: flags.aaflag };
  }

  /** The first answer of any server; every try that failed is told. */
  private async ask(
    servers: readonly Server[],
    question: Question,
    recurse: boolean,
  ): Promise<{ got: Got; server: Server } | undefined> {
    const { lookup } = this;
    const { flags } = lookup;
    const query = this.query(question, recurse);
    if (flags.qr) await this.print([';; Sending:', ...this.messageLines(query), ''].join('\n'));
    for (let attempt = 0; attempt < lookup.tries; attempt++) {
      for (const server of servers) {
        const asking: Asking = { query, server: server.address, port: lookup.port, timeout: lookup.timeout * SECOND };
        let outcome = await askOnce(this.context.sys, asking, flags.tcp);
        if ('message' in outcome && outcome.message.truncated && !outcome.tcp && !flags.ignore) {
          if (!flags.short) await this.context.out(';; Truncated, retrying in TCP mode.\n');
          outcome = await askOnce(this.context.sys, asking, true);
        }
        if ('message' in outcome) return { got: outcome, server };
        const why =
          outcome.failed === 'timeout'
            ? 'timed out'
            : outcome.errno === undefined
              ? 'end of file'
              : errorText(outcome.errno).toLowerCase();
        await this.context.out(`;; communications error to ${formatIpv4(server.address)}#${lookup.port}: ${why}\n`);
      }
    }
    return undefined;
  }

  private async nobody(): Promise<number> {
    await this.print(';; no servers could be reached\n');
    return 9;
  }

  private async print(text: string): Promise<void> {
    const greeting = this.greeting;
    this.greeting = '';
    await this.context.out(greeting + text);
  }

  private messageLines(message: DnsMessage): string[] {
    const { flags } = this.lookup;
    const style = { ttl: flags.ttlid, class: flags.class, multiline: flags.multiline, ttlUnits: flags.ttlunits };
    const lines: string[] = [];
    if (flags.comments) {
      lines.push(...headerLines(message));
      if (message.response && message.recursionDesired && !message.recursionAvailable) {
        lines.push(';; WARNING: recursion requested but not available');
      }
      lines.push('');
      if (message.edns !== undefined) lines.push(...ednsLines(message.edns));
    }
    const section = (title: string, shown: boolean, rows: readonly string[]): void => {
      if (!shown || rows.length === 0) return;
      if (flags.comments) lines.push(`;; ${title} SECTION:`);
      lines.push(...rows);
      if (flags.comments) lines.push('');
    };
    const records = (all: readonly ResourceRecord[]) => all.map((record) => formatRecordLine(record, style));
    section(
      'QUESTION',
      flags.question,
      message.questions.map((question) => formatQuestionLine(question, style)),
    );
    section('ANSWER', flags.answer, records(message.answers));
    section('AUTHORITY', flags.authority, records(message.authorities));
    section('ADDITIONAL', flags.additional, records(message.additionals));
    return lines;
  }

  private async show(got: Got, server: Server): Promise<void> {
    const { flags } = this.lookup;
    const { message } = got;
    if (flags.short) return this.showShort(got, server);
    const lines: string[] = flags.comments ? [';; Got answer:'] : [];
    lines.push(...this.messageLines(message));
    if (flags.stats) {
      lines.push(...this.stats(got, server), `;; MSG SIZE  rcvd: ${got.size}`, '');
    }
    await this.print(lines.map((line) => `${line}\n`).join(''));
  }

  private stats(got: Got, server: Server): string[] {
    const { sys } = this.context;
    return [
      `;; Query time: ${Math.floor(got.took / MILLISECOND)} msec`,
      `;; SERVER: ${formatIpv4(server.address)}#${this.lookup.port}(${server.name}) (${got.tcp ? 'TCP' : 'UDP'})`,
      `;; WHEN: ${clockDate(sys.clockRealtime())}`,
    ];
  }

  private async showShort(got: Got, server: Server): Promise<void> {
    const { identify } = this.lookup.flags;
    const tail = identify
      ? ` from server ${formatIpv4(server.address)} in ${Math.floor(got.took / MILLISECOND)} ms.`
      : '';
    for (const { type, data } of got.message.answers) await this.context.out(`${formatRdata(type, data)}${tail}\n`);
  }

  /** From the root down, asking each zone's servers ourselves; their addresses come from this host's resolver. */
  private async trace(servers: readonly Server[], question: Question): Promise<number> {
    let asked = await this.ask(servers, { name: '.' as DnsName, type: TYPE.NS, class: question.class }, true);
    for (let step = 0; step < TRACE_MAX; step++) {
      if (asked === undefined) return await this.nobody();
      await this.showTraced(asked.got, asked.server);
      const { message } = asked.got;
      const isAnswer = step > 0 && message.answers.length > 0;
      const ns = (step === 0 ? message.answers : message.authorities).filter((record) => record.type === TYPE.NS);
      if (isAnswer || ns.length === 0) return 0;
      asked = await this.ask(await this.addressesOf(ns), question, false);
    }
    return 0;
  }

  private async addressesOf(ns: readonly ResourceRecord[]): Promise<Server[]> {
    const servers: Server[] = [];
    for (const { data } of ns) {
      const target = rdataName(data);
      if (target === undefined) continue;
      const found = await lookUpAddresses(this.context.sys, target);
      if (typeof found === 'string')
        await this.context.out(`;; couldn't get address for '${nameWithoutDot(target)}': not found\n`);
      else servers.push(...found.addresses.map((address) => ({ address, name: nameWithoutDot(target) })));
    }
    return servers;
  }

  private async showTraced(got: Got, server: Server): Promise<void> {
    const { flags } = this.lookup;
    if (flags.short && got.message.answers.every((record) => record.type === TYPE.NS)) return;
    if (flags.short) return this.showShort(got, server);
    const lines = this.messageLines(got.message);
    const from = `${formatIpv4(server.address)}#${this.lookup.port}(${server.name})`;
    if (flags.stats)
      lines.push(`;; Received ${got.size} bytes from ${from} in ${Math.floor(got.took / MILLISECOND)} ms`, '');
    await this.print(lines.map((line) => `${line}\n`).join(''));
  }

  private async transfer(servers: readonly Server[], question: Question): Promise<number> {
    const { lookup } = this;
    const [server] = servers;
    if (server === undefined) return await this.nobody();
    const asking: Asking = {
      query: this.query(question, false),
      server: server.address,
      port: lookup.port,
      timeout: lookup.timeout * SECOND,
    };
    const got = await transferZone(this.context.sys, asking);
    if (got === undefined) return await this.nobody();
    if (got.records.length === 0) {
      await this.print('; Transfer failed.\n');
      return 0;
    }
    const lines = got.records.map((record) => formatRecordLine(record));
    const stats = this.stats({ message: asking.query, tcp: true, size: got.octets, took: got.took }, server);
    lines.push(
      ...stats,
      `;; XFR size: ${got.records.length} records (messages ${got.messages}, bytes ${got.octets})`,
      '',
    );
    await this.print(lines.map((line) => `${line}\n`).join(''));
    return 0;
  }
}
