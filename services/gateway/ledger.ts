/**
 * The ledger of a lab: per wire and direction, where every frame is that a port gave to its wire. The sender's end knows
 * what it was given and what became of it there; the receiver's end knows, by the numbers of the frames, which came and
 * which did not. What neither can say is `unaccounted`: in a lab that works it is 0, always.
 *
 *   given + duplicated = by verdict + waiting + sent            (at the sender's end)
 *   sent = toEarlier + received + lost by reason + underWay     (by the numbers; an epoch is one life of an end)
 *   received = taken in + refused by reason                     (at the receiver's phy)
 *
 * An end's counts die with its process. Of a sender that is down, only what was heard of it is known; what was sent to a
 * receiver that is no more (`toEarlier`) was received by it or lost with it, and nobody can say which. A receiver that
 * stands still has lost nothing: until it can be asked, what was sent is under way.
 */
import type { EndLedger, PortState } from '../../shared/device/state-types.ts';
import { refusals } from '../../shared/nic/phy.ts';
import type { WireCounters } from '../../shared/wire/wire.ts';
import type { LabView } from './lab.ts';
import type { LedgerRow } from './ledger-row.ts';
import { nameOf, type PortRef } from './names.ts';

type AskedRow = Omit<LedgerRow, 'fromSilent' | 'toSilent'>;

/** States of a device whose process is there and says nothing. */
const SILENT: ReadonlySet<string> = new Set(['frozen', 'silent']);

interface End {
  readonly counters: Readonly<WireCounters>;
  readonly ledger: EndLedger;
}

/** Two rows a wire, in the order of the lab file. */
export function ledgerOf(view: LabView): LedgerRow[] {
  const ends = new Map<string, End>();
  for (const { name: device, detail } of view.devices) {
    for (const port of detail?.ports ?? []) {
      const end = endOf(port);
      if (end !== undefined) ends.set(nameOf({ device, port: port.name } satisfies PortRef), end);
    }
  }
  const silent = new Set(view.devices.filter(({ state }) => SILENT.has(state)).map(({ name }) => name));
  const isSilent = (port: string): boolean => silent.has(port.split(':')[0] ?? '');
  return view.wires.flatMap(({ name, a, b }) =>
    [
      [a, b],
      [b, a],
    ].map(([from = '', to = '']) => ({
      ...rowOf(name, from, to, ends.get(from), ends.get(to)),
      ...(isSilent(to) ? { toEarlier: 0, underWay: ends.get(from)?.ledger.numbers.next ?? 0 } : {}),
      fromSilent: isSilent(from),
      toSilent: isSilent(to),
    })),
  );
}

/** Every frame is accounted for, and none is on its way. */
export function balances(rows: readonly LedgerRow[]): boolean {
  return rows.every((row) => row.unaccounted === 0 && row.underWay === 0 && row.waiting === 0);
}

function endOf({ counters, ledger }: PortState): End | undefined {
  return counters === null || ledger === null ? undefined : { counters, ledger };
}

function rowOf(wire: string, from: string, to: string, sender: End | undefined, receiver: End | undefined): AskedRow {
  const atSender = sender === undefined ? undefined : sending(sender);
  const atReceiver = receiver === undefined ? undefined : receiving(receiver);
  const heard = receiver?.ledger.numbers;
  const sent = atSender?.sent ?? heard?.expected ?? 0;
  // Does the receiver that is there listen to the sender that is there?
  const known = heard !== undefined && (sender === undefined || heard.peerEpoch === sender.ledger.numbers.epoch);
  const through = known
    ? { toEarlier: heard.listenedFrom, underWay: sent - heard.expected }
    : { toEarlier: sent, underWay: 0 };
  return {
    wire,
    from,
    to,
    fromUp: sender !== undefined,
    toUp: receiver !== undefined,
    given: atSender?.given ?? sent,
    duplicated: atSender?.duplicated ?? 0,
    takenAway: atSender?.takenAway ?? {},
    waiting: sender?.ledger.waiting ?? 0,
    sent,
    ...through,
    received: known ? heard.received : 0,
    lost: known ? (atReceiver?.lost ?? {}) : {},
    refused: atReceiver?.refused ?? {},
    unaccounted: (atSender?.missing ?? 0) + (atReceiver?.missing ?? 0),
  };
}

function sending({ counters, ledger }: End) {
  const { given, waiting, verdicts, numbers } = ledger;
  const takenAway = some({
    loss: verdicts.lost,
    mtu: verdicts.tooLong,
    limit: verdicts.overLimit,
    darkened: verdicts.darkened,
    no_carrier: counters.lostWithoutCarrier,
    cut: counters.lostByCut,
  });
  const { duplicated } = verdicts;
  const missing = given + duplicated - sum(takenAway) - waiting - counters.sentFrames;
  // Numbers and counts are two ways to know what was sent; the port's own count is a third.
  const disagree = Math.abs(counters.sentFrames - numbers.next) + Math.abs(ledger.phy.txFrames - given);
  return { given, duplicated, takenAway, sent: numbers.next, missing: missing === 0 ? disagree : missing };
}

function receiving({ counters, ledger }: End) {
  const { numbers, phy } = ledger;
  const refused = some(Object.fromEntries(refusals(phy)));
  const byNumber = numbers.expected - numbers.listenedFrom - numbers.received - numbers.lost;
  const byPhy = counters.receivedFrames - phy.rxFrames - sum(refused);
  const lost = some({ with_peer: numbers.lost - numbers.lostByUnplug, unplug: numbers.lostByUnplug });
  return { refused, lost, missing: byNumber === 0 ? byPhy : byNumber };
}

/** Those that are not 0. */
function some(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
