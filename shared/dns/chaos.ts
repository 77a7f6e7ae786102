/** Class CHAOS: who is this server? (`dig @server CH TXT version.bind`, RFC 4892) */
import type { Question } from '../header/dns.ts';
import { dnsName, nameKey } from '../header/dns-name.ts';
import { CLASS, RCODE, TYPE } from '../header/dns-type.ts';
import type { Reply } from './respond.ts';

const VERSION = 'wirelab named';
const VERSION_NAMES: ReadonlySet<string> = new Set(['version.bind.', 'version.server.'].map(dnsName));
const HOST_NAMES: ReadonlySet<string> = new Set(['hostname.bind.', 'id.server.'].map(dnsName));

/** undefined: the question is of another class. */
export function chaosAnswer(question: Question, hostname: string): Reply | undefined {
  if (question.class !== CLASS.CH) return undefined;
  const key = nameKey(question.name);
  const text = VERSION_NAMES.has(key) ? VERSION : HOST_NAMES.has(key) ? hostname : undefined;
  if (text === undefined) return { rcode: RCODE.REFUSED };
  if (question.type !== TYPE.TXT && question.type !== TYPE.ANY) return { rcode: RCODE.NOERROR, authoritative: true };
  const octets = new TextEncoder().encode(text.slice(0, 255));
  const data = Uint8Array.from([octets.length, ...octets]);
  const answers = [{ name: question.name, type: TYPE.TXT, class: CLASS.CH, ttl: 0, data }];
  return { rcode: RCODE.NOERROR, authoritative: true, answers };
}
