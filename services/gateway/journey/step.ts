/** A step of a story: what happened, where, in which layer, and what it rests on. */
import { type PlaceName, placeOf } from '../../../shared/header/layers.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import type { SeenFrame } from './recording.ts';

export interface FrameCitation {
  readonly wire: string;
  /** The port that captured it, `alice:eth0`. */
  readonly end: string;
  readonly direction: 'in' | 'out';
  /** The frame's number in its direction on the wire. */
  readonly frame: number;
}

export interface EventCitation {
  readonly device: string;
  readonly point: string;
  /** Lab time, microseconds. */
  readonly at: number;
  /** Trace identity of the packet, when the event is one's. */
  readonly skb?: { readonly device: number; readonly number: number };
}

export interface Step {
  readonly number: number;
  /** Microseconds since the journey began. */
  readonly at: number;
  readonly device: string;
  readonly title: string;
  readonly text: string;
  readonly layer: { readonly osi: string; readonly tcpip: string; readonly unit: string };
  readonly event: EventCitation;
  /** Null where nothing was on a wire: a cache, a parser, a state. */
  readonly frame: FrameCitation | null;
}

/** A step before it has its number; chapters make these in any order. */
export interface Draft {
  readonly at: number;
  readonly device: string;
  readonly place: PlaceName;
  readonly title: string;
  readonly text: string;
  readonly event: TraceEvent;
  readonly frame: SeenFrame | undefined;
}

/** Drafts in order of time, numbered. Drafts of the same instant keep the order in which chapters made them. */
export function number(drafts: readonly Draft[], startedAt: number): Step[] {
  const inOrder = [...drafts].sort((a, b) => a.at - b.at);
  return inOrder.map((draft, i) => {
    const { osi, internet } = placeOf(draft.place);
    const { event, frame } = draft;
    return {
      number: i + 1,
      at: draft.at - startedAt,
      device: draft.device,
      title: draft.title,
      text: draft.text,
      layer: { osi: `${osi.number} ${osi.name}`, tcpip: internet.name, unit: internet.unit },
      event: {
        device: event.device,
        point: event.point,
        at: event.at,
        ...(event.skb === undefined ? {} : { skb: event.skb }),
      },
      frame:
        frame === undefined
          ? null
          : { wire: frame.wire, end: `${frame.device}:${frame.port}`, direction: frame.direction, frame: frame.number },
    };
  });
}
