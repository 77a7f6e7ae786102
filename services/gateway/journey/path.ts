/**
 * One packet followed from card to card: at each switch what it learned and where it sent the frame, at each router the
 * route, the TTL, the two MAC addresses and what NAT changed. A wire on which it was lost is named.
 */
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { type Evidence, type SeenFrame, textOf } from './recording.ts';
import type { Draft } from './step.ts';
import { TEXT } from './text.ts';

/** Steps for each device that passed the packet on, from the frame that its maker sent. */
export function pathSteps(evidence: Evidence, first: SeenFrame): Draft[] {
  const drafts: Draft[] = [];
  for (const seen of evidence.appearances(first)) {
    if (seen.direction !== 'in') continue;
    const device = evidence.deviceOf(seen.device);
    const events = evidence.eventsOf(seen, seen.device);
    if (device?.kind === 'switch') drafts.push(...switchSteps(seen, events));
    else if (device?.kind === 'router') drafts.push(...routerSteps(evidence, seen, events));
  }
  return drafts;
}

/** Where a device dropped the packet, with its reason. */
export function dropSteps(evidence: Evidence, first: SeenFrame): Draft[] {
  const devices = new Set(evidence.appearances(first).map((seen) => seen.device));
  return [...devices].flatMap((device) =>
    evidence
      .eventsOf(first, device)
      .filter((event) => event.point === 'kfree_skb')
      .map((event) => ({
        ...TEXT.dropped(device, event.fields),
        at: event.at,
        device,
        place: 'link' as const,
        event,
        frame: evidence.frameOf(event),
      })),
  );
}

/** The frame's last sighting: sent, and never seen at the other end. */
export function lostOn(evidence: Evidence, first: SeenFrame): SeenFrame | undefined {
  return evidence.appearances(first).find((seen) => seen.direction === 'out' && evidence.arrival(seen) === undefined);
}

function switchSteps(seen: SeenFrame, events: readonly TraceEvent[]): Draft[] {
  const drafts: Draft[] = [];
  const place = 'link' as const;
  for (const event of events) {
    const at = Math.max(event.at, seen.at);
    const base = { at, device: seen.device, place, event, frame: seen };
    if (event.point === 'br_fdb_update' && event.fields['new'] === true)
      drafts.push({ ...base, ...TEXT.switchLearns(event.fields) });
    else if (event.point === 'br_forward') drafts.push({ ...base, ...TEXT.switchForwards(event.fields) });
    else if (event.point === 'br_flood')
      drafts.push({ ...base, ...TEXT.switchFloods(textOf(seen, 'eth.dst'), event.fields) });
  }
  return drafts;
}

function routerSteps(evidence: Evidence, seen: SeenFrame, events: readonly TraceEvent[]): Draft[] {
  const forward = events.find((event) => event.point === 'ip_forward');
  if (forward === undefined) return [];
  const sent = evidence
    .appearances(seen)
    .find((other) => other.device === seen.device && other.direction === 'out' && other.at >= seen.at);
  const route = events.find((event) => event.point === 'fib_table_lookup');
  const drafts: Draft[] = [
    {
      ...TEXT.routerForwards(seen, sent, route?.fields),
      at: forward.at,
      device: seen.device,
      place: 'network',
      event: forward,
      frame: sent ?? seen,
    },
  ];
  for (const nat of events.filter((event) => event.point === 'nf_nat_manip_pkt')) {
    drafts.push({
      ...TEXT.routerTranslates(nat.fields),
      at: nat.at,
      device: seen.device,
      place: 'network',
      event: nat,
      frame: sent ?? seen,
    });
  }
  return drafts;
}
