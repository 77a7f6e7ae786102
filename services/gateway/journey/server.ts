/** The request at the server: each layer takes off its header and hands the rest up, until a process wakes. */
import type { PlaceName } from '../../../shared/header/layers.ts';
import type { Connection } from './connection.ts';
import { type Evidence, textOf } from './recording.ts';
import type { Draft } from './step.ts';
import { TEXT } from './text.ts';

const LAYERS: readonly (readonly [point: string, place: PlaceName])[] = [
  ['irq_handler_entry', 'physical'],
  ['napi_poll', 'link'],
  ['netif_receive_skb', 'link'],
  ['ip_rcv', 'network'],
  ['ip_local_deliver', 'network'],
  ['tcp_v4_rcv', 'transport'],
  ['sock_def_readable', 'session'],
];

export function serverSteps(evidence: Evidence, connection: Connection): Draft[] {
  const request = connection.frames.find(
    (frame) => frame.direction === 'out' && textOf(frame, 'http.request.line') !== '',
  );
  if (request === undefined) return [];
  const arrived = evidence.appearances(request).findLast((frame) => frame.direction === 'in');
  if (arrived === undefined) return [];
  const drafts: Draft[] = [];
  const events = evidence.eventsOf(request, arrived.device);
  for (const [point, place] of LAYERS) {
    const event = events.find((other) => other.point === point);
    if (event === undefined) continue;
    drafts.push({
      ...TEXT.unwrapped(point, arrived, event.fields),
      at: event.at,
      device: arrived.device,
      place,
      event,
      frame: arrived,
    });
  }
  return drafts;
}
