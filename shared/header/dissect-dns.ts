/** DNS messages for people (dissect.ts): header, question and every record with the section it stands in. */
import type { Dissector, Field } from './dissection.ts';
import { DNS, type DnsMessage, decodeDns, type ResourceRecord } from './dns.ts';
import { DNS_ROOT, type DnsName, nameWithoutDot } from './dns-name.ts';
import { formatRdata } from './dns-text.ts';
import { formatClass, formatRcode, formatType, TYPE } from './dns-type.ts';
import { isMalformed } from './malformed.ts';

/** Over TCP a message comes after its length (RFC 1035 §4.2.2); one that goes on in the next segment is data here. */
const TCP_LENGTH_SIZE = 2;
/** Wireshark's word for the name that is empty. */
const ROOT = '<Root>';
/** Record data that is an address or a name, by Wireshark's word for it. */
const VALUE_NAMES: ReadonlyMap<number, string> = new Map([
  [TYPE.A, 'a'],
  [TYPE.NS, 'ns'],
  [TYPE.CNAME, 'cname'],
  [TYPE.PTR, 'ptr.domain_name'],
]);
/** More records than this are counted, not listed. */
const RECORDS_SHOWN_MAX = 64;

export function dissectDns(d: Dissector, start: number, end: number, overTcp: boolean): void {
  const at = overTcp ? start + TCP_LENGTH_SIZE : start;
  if (overTcp && (at > end || at + d.view.getUint16(start) > end)) return d.data(start, end);
  d.protocol = 'DNS';
  const message = decodeDns(d.bytes.subarray(at, overTcp ? at + d.view.getUint16(start) : end));
  if (isMalformed(message)) return d.malformed('DNS', message.malformed, start, end);
  const question = message.questions[0];
  const asked = question === undefined ? '' : `${formatType(question.type)} ${nameWithoutDot(question.name)}`;
  const id = `0x${d.view
    .getUint16(at + DNS.ID)
    .toString(16)
    .padStart(4, '0')}`;
  const kind = message.response ? 'query response' : 'query';
  const answers = message.answers.map(
    (record) => `${formatType(record.type)} ${formatRdata(record.type, record.data)}`,
  );
  const outcome = message.response && message.rcode !== 0 ? ` ${formatRcode(message.rcode)}` : '';
  d.info = `Standard ${kind} ${id}${outcome} ${asked}${answers.map((answer) => ` ${answer}`).join('')}`;
  d.add({
    protocol: 'dns',
    title: `Domain Name System (${message.response ? 'response' : 'query'}), ${asked}`,
    place: 'application',
    at: start,
    size: end - start,
    fields: [...headerFields(message, at), ...recordFields(message, at)],
  });
}

function shownName(name: DnsName): string {
  return name === DNS_ROOT ? ROOT : nameWithoutDot(name);
}

function headerFields(message: DnsMessage, at: number): Field[] {
  const flag = (name: string, label: string, on: boolean): Field => ({
    name: `dns.flags.${name}`,
    label: `${label}: ${on ? 'yes' : 'no'}`,
    value: on ? 1 : 0,
    at: at + DNS.FLAGS,
    size: 2,
  });
  const number = (name: string, label: string, value: number, offset: number): Field => {
    return { name, label: `${label}: ${value}`, value, at: at + offset, size: 2 };
  };
  const question = message.questions[0];
  const fields: Field[] = [
    { name: 'dns.id', label: `Transaction ID: ${message.id}`, value: message.id, at: at + DNS.ID, size: 2 },
    flag('response', 'Response', message.response),
    number('dns.flags.opcode', 'Opcode', message.opcode, DNS.FLAGS),
    flag('authoritative', 'Authoritative answer', message.authoritative),
    flag('truncated', 'Truncated', message.truncated),
    flag('recdesired', 'Recursion desired', message.recursionDesired),
    flag('recavail', 'Recursion available', message.recursionAvailable),
    {
      name: 'dns.flags.rcode',
      label: `Reply code: ${formatRcode(message.rcode)} (${message.rcode})`,
      // With EDNS there is more of it elsewhere.
      value: message.rcode & 15,
      at: at + DNS.FLAGS,
      size: 2,
    },
  ];
  const { questions, answers, authorities, additionals, edns } = message;
  fields.push(
    number('dns.count.queries', 'Questions', questions.length, DNS.QUESTIONS),
    number('dns.count.answers', 'Answer RRs', answers.length, DNS.ANSWERS),
    number('dns.count.auth_rr', 'Authority RRs', authorities.length, DNS.AUTHORITIES),
    number('dns.count.add_rr', 'Additional RRs', additionals.length + (edns === undefined ? 0 : 1), DNS.ADDITIONALS),
  );
  if (question === undefined) return fields;
  const name = shownName(question.name);
  return [
    ...fields,
    { name: 'dns.qry.name', label: `Question: ${name}`, value: name, at: at + DNS.SIZE, size: 0 },
    {
      name: 'dns.qry.type',
      label: `Question type: ${formatType(question.type)}`,
      value: question.type,
      at: at + DNS.SIZE,
      size: 0,
    },
    {
      name: 'dns.qry.class',
      label: `Question class: ${formatClass(question.class)}`,
      value: question.class,
      at: at + DNS.SIZE,
      size: 0,
    },
  ];
}

function recordFields(message: DnsMessage, at: number): Field[] {
  const sections = [
    ...message.answers.map((record) => ({ title: 'Answer', record })),
    ...message.authorities.map((record) => ({ title: 'Authority', record })),
    ...message.additionals.map((record) => ({ title: 'Additional', record })),
  ];
  const shown = sections.slice(0, RECORDS_SHOWN_MAX);
  return [...shown.flatMap(({ title, record }) => recordField(title, record, at)), ...ednsFields(message, at)];
}

function recordField(
  title: string,
  { name: owner, type, class: dnsClass, ttl, data }: ResourceRecord,
  at: number,
): Field[] {
  const name = shownName(owner);
  const text = `${nameWithoutDot(owner)} ${ttl} ${formatType(type)} ${formatRdata(type, data)}`;
  const part = (word: string, label: string, value: string | number): Field => {
    return { name: `dns.${word}`, label: `${label}: ${value}`, value, at, size: 0 };
  };
  const about = { name: 'dns.resp.name', label: `${title}: ${text}`, value: name, at, size: 0 };
  const fields = [
    about,
    part('resp.type', 'Type', type),
    part('resp.class', 'Class', dnsClass),
    part('resp.ttl', 'Time to live', ttl),
  ];
  const word = VALUE_NAMES.get(type);
  if (word !== undefined) fields.push(part(word, 'Data', formatRdata(type, data).replace(/\.$/, '')));
  return fields;
}

/** The OPT record is one of the additional ones to Wireshark. */
function ednsFields({ edns }: DnsMessage, at: number): Field[] {
  if (edns === undefined) return [];
  const label = `EDNS version ${edns.version}, UDP payload ${edns.udpSize}${edns.dnssecOk ? ', DNSSEC OK' : ''}`;
  return [
    { name: 'dns.resp.name', label, value: ROOT, at, size: 0 },
    { name: 'dns.resp.type', label: `Type: OPT`, value: TYPE.OPT, at, size: 0 },
  ];
}
