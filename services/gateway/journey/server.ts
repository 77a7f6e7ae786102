/** The request at the server: each layer takes off its header and hands the rest up, until a process wakes. */
import type { PlaceName } from '../../../shared/header/layers.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import type { Connection } from './connections.ts';
import { type Evidence, fieldOf } from './recording.ts';
import type { Draft } from './step.ts';
import { TEXT } from './text.ts';

/** Points that the request itself passes at the server, from the bottom up. */
const LAYERS: readonly (readonly [point: string, place: PlaceName])[] = [
  ['netif_receive_skb', 'link'],
  ['ip_rcv', 'network'],
  ['ip_local_deliver', 'network'],
  ['tcp_v4_rcv', 'transport'],
];

export function serverSteps(evidence: Evidence, connection: Connection): Draft[] {
  const request = connection.frames.find(
    (frame) => frame.direction === 'out' && fieldOf(frame, 'http.request') !== undefined,
  );
  if (request === undefined) return [];
  const arrived = evidence.appearances(request).findLast((frame) => frame.direction === 'in');
  if (arrived === undefined) return [];
  const { device } = arrived;
  const events = evidence.eventsOf(request, device);
  const received = events.find((event) => event.point === 'netif_receive_skb');
  if (received === undefined) return [];
  // One interrupt, one poll and one waking may serve several packets: theirs are the nearest, not the request's own.
  const here = evidence.events.filter((event) => event.device === device);
  const before = (point: string): TraceEvent | undefined =>
    here.findLast((event) => event.point === point && event.at <= received.at);
  const after = (point: string): TraceEvent | undefined =>
    here.find((event) => event.point === point && event.at >= received.at);
  const around = [
    { event: before('irq_handler_entry'), at: received.at, place: 'physical' as const },
    { event: after('napi_poll'), at: received.at, place: 'link' as const },
    ...LAYERS.map(([point, place]) => {
      const event = events.find((other) => other.point === point);
      return { event, at: event?.at ?? received.at, place };
    }),
    { event: after('sock_def_readable'), at: after('sock_def_readable')?.at ?? received.at, place: 'session' as const },
  ];
  return around.flatMap(({ event, at, place }) => {
    if (event === undefined) return [];
    const frame = event.skb === undefined ? undefined : evidence.frameOf(event);
    return [{ ...TEXT.unwrapped(event.point, arrived, event.fields), at, device, place, event, frame }];
  });
}
