/**
 * TCP connections that the browser opened: handshake with numbers and states, the way of the first segment, data by MSS,
 * what was sent again, and the close. The first connection is told in full, the others in a sentence.
 */
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { type Connection, connectionsOf, isSyn } from './connections.ts';
import { dropSteps, lostOn, pathSteps } from './path.ts';
import { type Evidence, numberOf, type SeenFrame, textOf } from './recording.ts';
import { serverSteps } from './server.ts';
import type { Draft } from './step.ts';
import { TEXT } from './text.ts';

/** A journey tells this many retransmissions one by one. */
const RETRANSMISSIONS_TOLD_MAX = 5;

export function connectionSteps(evidence: Evidence): Draft[] {
  return connectionsOf(evidence).flatMap((connection, i) => {
    if (i > 0) return [...another(evidence, connection), ...transfer(evidence, connection)];
    return [
      ...handshake(evidence, connection),
      ...transfer(evidence, connection),
      ...close(evidence, connection),
      ...serverSteps(evidence, connection),
    ];
  });
}

function handshake(evidence: Evidence, connection: Connection): Draft[] {
  const { frames, client } = connection;
  const drafts: Draft[] = [];
  const syns = frames.filter((frame) => frame.direction === 'out' && isSyn(frame));
  syns.forEach((syn, i) => {
    const event = transmitEvent(evidence, syn);
    if (event === undefined) return;
    const base = { at: syn.at, device: client, place: 'transport' as const, event, frame: syn };
    drafts.push(
      i === 0
        ? { ...base, ...TEXT.syn(syn) }
        : { ...base, ...TEXT.synAgain(syn, i, syn.at - (syns[i - 1]?.at ?? syn.at)) },
    );
    const lost = lostOn(evidence, syn);
    const isLast = i === syns.length - 1;
    if (lost !== undefined && !(isLast && arrivedAtServer(evidence, syn))) {
      drafts.push({
        ...TEXT.lost('SYN', lost),
        at: lost.at + 1,
        device: lost.device,
        place: 'physical',
        event,
        frame: lost,
      });
    }
    drafts.push(...(isLast ? pathSteps(evidence, syn) : []), ...dropSteps(evidence, syn));
  });
  const synAck = frames.find((frame) => frame.direction === 'in' && isSynAck(frame));
  if (synAck !== undefined) {
    const sent = evidence.appearances(synAck)[0] ?? synAck;
    const event = transmitEvent(evidence, sent);
    if (event !== undefined)
      drafts.push({ ...TEXT.synAck(sent), at: sent.at, device: sent.device, place: 'transport', event, frame: sent });
    const ack = frames.find((frame) => frame.direction === 'out' && frame.at >= synAck.at && !isSyn(frame));
    const ackEvent = ack === undefined ? undefined : transmitEvent(evidence, ack);
    if (ack !== undefined && ackEvent !== undefined) {
      drafts.push({
        ...TEXT.handshakeAck(ack),
        at: ack.at,
        device: client,
        place: 'transport',
        event: ackEvent,
        frame: ack,
      });
    }
  }
  return [...drafts, ...states(evidence, connection)];
}

/** Each state that either end's socket came into. */
function states(evidence: Evidence, connection: Connection): Draft[] {
  const drafts: Draft[] = [];
  const far = farEnds(evidence, connection);
  for (const event of evidence.events) {
    if (event.point !== 'inet_sock_set_state') continue;
    const [local, remote] = [String(event.fields['local']), String(event.fields['remote'])];
    const isClient = event.device === connection.client && local.endsWith(`:${connection.port}`);
    const isServer = event.device !== connection.client && far.has(`${event.device} ${remote}`);
    if (!isClient && !isServer) continue;
    const base = { at: event.at, device: event.device, place: 'transport' as const };
    drafts.push({ ...TEXT.state(event.fields), ...base, event, frame: evidence.frameOf(event) });
  }
  return drafts;
}

/** The client's address and port as each device sees them that its SYN came to: NAT changes them on the way. */
function farEnds(evidence: Evidence, connection: Connection): Set<string> {
  const syns = connection.frames.filter((frame) => frame.direction === 'out' && isSyn(frame));
  const seen = syns.flatMap((syn) => evidence.appearances(syn)).filter((frame) => frame.direction === 'in');
  return new Set(seen.map((frame) => `${frame.device} ${textOf(frame, 'ip.src')}:${numberOf(frame, 'tcp.srcport')}`));
}

/** Data by MSS in each direction, and what had to be sent again. */
function transfer(evidence: Evidence, connection: Connection): Draft[] {
  const drafts: Draft[] = [];
  const data = connection.frames.filter((frame) => frame.direction === 'in' && numberOf(frame, 'tcp.len') > 0);
  const first = data[0];
  if (first !== undefined) {
    const sent = evidence.appearances(first)[0] ?? first;
    const event = transmitEvent(evidence, sent);
    const sizes = data.map((frame) => numberOf(frame, 'tcp.len'));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const text = TEXT.segments(data.length, total, Math.max(...sizes), mssOf(connection));
    if (event !== undefined)
      drafts.push({ ...text, at: sent.at, device: sent.device, place: 'transport', event, frame: sent });
  }
  const again = evidence.events.filter((event) => event.point === 'tcp_retransmit_skb' && !isSynEvent(event));
  for (const event of again.slice(0, RETRANSMISSIONS_TOLD_MAX)) {
    drafts.push({
      ...TEXT.retransmitted(event.fields, again.length),
      at: event.at,
      device: event.device,
      place: 'transport',
      event,
      frame: evidence.frameOf(event),
    });
  }
  return drafts;
}

/** FIN, ACK, FIN, ACK; two of them may travel in one segment, and then the story says so. */
function close(evidence: Evidence, connection: Connection): Draft[] {
  const drafts: Draft[] = [];
  const tell = (frame: SeenFrame, text: { title: string; text: string }): void => {
    const sent = evidence.appearances(frame)[0] ?? frame;
    const event = transmitEvent(evidence, sent);
    if (event === undefined) return;
    drafts.push({ ...text, at: sent.at, device: sent.device, place: 'transport', event, frame: sent });
  };
  const isFin = (frame: SeenFrame): boolean => numberOf(frame, 'tcp.flags.fin') === 1;
  const first = connection.frames.find(isFin);
  const second = connection.frames.find((frame) => isFin(frame) && frame.direction !== first?.direction);
  const firstAck = first === undefined ? undefined : ackOf(connection, first);
  if (first !== undefined) tell(first, TEXT.fin(first, '1'));
  const isJoint = firstAck !== undefined && firstAck === second;
  if (firstAck !== undefined && !isJoint) tell(firstAck, TEXT.finAck(firstAck, '2'));
  if (second !== undefined) {
    tell(second, TEXT.fin(second, isJoint ? '2 and 3' : '3'));
    const secondAck = ackOf(connection, second);
    if (secondAck !== undefined) tell(secondAck, TEXT.finAck(secondAck, '4'));
  }
  const reset = connection.frames.find((frame) => numberOf(frame, 'tcp.flags.reset') === 1);
  if (reset !== undefined) tell(reset, TEXT.reset(reset));
  return drafts;
}

/** The first segment from the other side that acknowledges a FIN. */
function ackOf(connection: Connection, fin: SeenFrame): SeenFrame | undefined {
  const end = (numberOf(fin, 'tcp.seq_raw') + numberOf(fin, 'tcp.len') + 1) >>> 0;
  return connection.frames.find(
    (frame) => frame.direction !== fin.direction && frame.at >= fin.at && numberOf(frame, 'tcp.ack_raw') === end,
  );
}

function another(evidence: Evidence, connection: Connection): Draft[] {
  const syn = connection.frames[0];
  const event = syn === undefined ? undefined : transmitEvent(evidence, syn);
  if (syn === undefined || event === undefined) return [];
  return [
    {
      ...TEXT.anotherConnection(connection.port),
      at: syn.at,
      device: connection.client,
      place: 'transport',
      event,
      frame: syn,
    },
  ];
}

function transmitEvent(evidence: Evidence, frame: SeenFrame): TraceEvent | undefined {
  const maker = evidence.appearances(frame)[0] ?? frame;
  const events = evidence.eventsOf(maker, maker.device);
  return (
    events.find((event) => event.point === 'tcp_transmit_skb' || event.point === 'tcp_retransmit_skb') ??
    events.find((event) => event.point.startsWith('tcp_')) ??
    events[0]
  );
}

function arrivedAtServer(evidence: Evidence, syn: SeenFrame): boolean {
  return evidence
    .appearances(syn)
    .some(
      (seen) =>
        seen.direction === 'in' && evidence.eventsOf(syn, seen.device).some((event) => event.point === 'tcp_v4_rcv'),
    );
}

function mssOf(connection: Connection): number {
  const offers = connection.frames.map((frame) => numberOf(frame, 'tcp.options.mss_val')).filter((mss) => mss > 0);
  return Math.min(...offers);
}

function isSynEvent(event: TraceEvent): boolean {
  return String(event.fields['flags'] ?? '').includes('SYN') || event.fields['reason'] === 'syn';
}

function isSynAck(frame: SeenFrame): boolean {
  return numberOf(frame, 'tcp.flags.syn') === 1 && numberOf(frame, 'tcp.flags.ack') === 1;
}
