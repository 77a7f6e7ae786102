/** DNS messages for people (dissect.ts): header, question and every record with the section it stands in. */
import type { Dissector, Field } from './dissection.ts';
import { DNS, type DnsMessage, decodeDns, type ResourceRecord } from './dns.ts';
import { nameWithoutDot } from './dns-name.ts';
import { formatRdata } from './dns-text.ts';
import { formatRcode, formatType } from './dns-type.ts';
import { isMalformed } from './malformed.ts';

/** Over TCP a message comes after its length (RFC 1035 §4.2.2); one that goes on in the next segment is data here. */
const TCP_LENGTH_SIZE = 2;
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

function headerFields(message: DnsMessage, at: number): Field[] {
  const flag = (name: string, label: string, on: boolean): Field => ({
    name: `dns.flags.${name}`,
    label: `${label}: ${on ? 'yes' : 'no'}`,
    value: on ? 1 : 0,
    at: at + DNS.FLAGS,
    size: 2,
  });
  const question = message.questions[0];
  const fields: Field[] = [
    { name: 'dns.id', label: `Transaction ID: ${message.id}`, value: message.id, at: at + DNS.ID, size: 2 },
    flag('response', 'Response', message.response),
    flag('authoritative', 'Authoritative answer', message.authoritative),
    flag('truncated', 'Truncated', message.truncated),
    flag('recdesired', 'Recursion desired', message.recursionDesired),
    flag('recavail', 'Recursion available', message.recursionAvailable),
    {
      name: 'dns.flags.rcode',
      label: `Reply code: ${formatRcode(message.rcode)} (${message.rcode})`,
      value: message.rcode,
      at: at + DNS.FLAGS,
      size: 2,
    },
  ];
  if (question === undefined) return fields;
  const name = nameWithoutDot(question.name);
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
  ];
}

function recordFields(message: DnsMessage, at: number): Field[] {
  const section = (title: string, records: readonly ResourceRecord[]): Field[] =>
    records.map((record) => {
      const name = nameWithoutDot(record.name) || '.';
      const text = `${name} ${record.ttl} ${formatType(record.type)} ${formatRdata(record.type, record.data)}`;
      return { name: 'dns.resp.name', label: `${title}: ${text}`, value: name, at, size: 0 };
    });
  return [
    ...section('Answer', message.answers),
    ...section('Authority', message.authorities),
    ...section('Additional', message.additionals),
  ].slice(0, RECORDS_SHOWN_MAX);
}
