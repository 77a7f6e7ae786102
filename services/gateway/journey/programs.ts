/**
 * What programs said of themselves (their marks): the URL, caches, the hosts file, DNS servers, HTTP. Each mark is a
 * step; where a message was on a wire, the step cites the frame that carried it.
 */
import type { PlaceName } from '../../../shared/header/layers.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { type Evidence, fieldOf, type SeenFrame, textOf } from './recording.ts';
import type { Draft } from './step.ts';
import { TEXT } from './text.ts';

interface Telling {
  readonly title: string;
  readonly text: string;
  readonly place?: PlaceName;
  readonly frame?: SeenFrame | undefined;
}

type Teller = (event: TraceEvent, evidence: Evidence) => Telling;

/** A DNS message about `name` with QR as asked. */
function dnsMessage(name: string, isResponse: boolean): (frame: SeenFrame) => boolean {
  return (frame) => {
    const asked = textOf(frame, 'dns.qry.name').toLowerCase();
    return (
      asked === name.replace(/\.$/, '').toLowerCase() &&
      Number(fieldOf(frame, 'dns.flags.response') ?? -1) === (isResponse ? 1 : 0)
    );
  };
}

function httpMessage(start: string): (frame: SeenFrame) => boolean {
  return ({ dissection }) => dissection.protocol === 'HTTP' && dissection.info.startsWith(start);
}

const field = (event: TraceEvent, name: string): string => String(event.fields[name] ?? '');

const TELLERS: Readonly<Record<string, Teller>> = {
  'browser:parse_url': (event) => TEXT.parsedUrl(event.fields),
  'browser:http_cache': (event) => TEXT.httpCache(event.fields),
  'browser:dns_cache': (event) => TEXT.browserDnsCache(event.fields),
  'resolved:cache': (event) => TEXT.osCache(event.fields),
  'resolved:hosts': (event) => TEXT.hostsFile(event.fields),
  'resolved:query': (event, evidence) => ({
    ...TEXT.stubQuery(event.fields),
    frame: evidence.nearest(event.device, 'out', event.at, dnsMessage(field(event, 'name'), false)),
  }),
  'resolved:answer': (event, evidence) => ({
    ...TEXT.stubAnswer(event.fields),
    frame: evidence.nearest(event.device, 'in', event.at, dnsMessage(field(event, 'name'), true)),
  }),
  'named:query': (event, evidence) => ({
    ...TEXT.serverAsked(event.fields, evidence.deviceOf(event.device)?.role ?? null),
    frame: evidence.nearest(event.device, 'in', event.at, dnsMessage(field(event, 'name'), false)),
  }),
  'named:cache': (event) => TEXT.serverCache(event.fields),
  'named:iterate': (event, evidence) => ({
    ...TEXT.serverIterates(event.fields),
    frame: evidence.nearest(event.device, 'out', event.at, dnsMessage(field(event, 'name'), false)),
  }),
  'named:answer': (event, evidence) => ({
    ...TEXT.serverAnswers(event.fields, evidence.deviceOf(event.device)?.role ?? null),
    frame: evidence.nearest(event.device, 'out', event.at, dnsMessage(field(event, 'name'), true)),
  }),
  'browser:request': (event, evidence) => ({
    ...TEXT.request(event.fields),
    frame: evidence.nearest(
      event.device,
      'out',
      event.at,
      httpMessage(`${field(event, 'method')} ${field(event, 'path')}`),
    ),
  }),
  'httpd:request': (event, evidence) => ({
    ...TEXT.serverReads(event.fields),
    frame: evidence.nearest(
      event.device,
      'in',
      event.at,
      httpMessage(`${field(event, 'method')} ${field(event, 'path')}`),
    ),
  }),
  'httpd:file': (event, evidence) => ({
    ...TEXT.serverFile(event.fields),
    frame: evidence.nearest(event.device, 'out', event.at, httpMessage('HTTP/')),
  }),
  'browser:response': (event, evidence) => ({
    ...TEXT.response(event.fields),
    frame: evidence.nearest(event.device, 'in', event.at, httpMessage('HTTP/')),
  }),
  'browser:error': (event) => TEXT.failed(event.fields),
  'browser:page': (event) => TEXT.page(event.fields),
};

export function programSteps(evidence: Evidence): Draft[] {
  const drafts: Draft[] = [];
  for (const event of evidence.events) {
    const tell = TELLERS[event.point];
    if (tell === undefined) continue;
    const { title, text, place = 'application', frame } = tell(event, evidence);
    drafts.push({ at: event.at, device: event.device, place, title, text, event, frame });
  }
  return drafts;
}
