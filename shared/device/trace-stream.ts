/**
 * A device's trace points as a stream: JSON, one event a line, many lines a message. Bounded like the capture: a slow
 * watcher loses events, and its next message starts with a line {"lost": n}.
 */
import type { TraceEvent } from '../net/trace.ts';
import { WATCHER_BACKLOG_BYTES_MAX } from './capture.ts';
import { EmuError } from './errors.ts';
import { type DeviceNames, FilterError, type Matches, parseFilter } from './trace-filter.ts';

/** Events and octets that wait for one watcher. */
const EVENTS_MAX = 8_192;
const FLUSH_MS = 10;
/** Send at once when this many are there. */
const EVENTS_EAGER = 512;
/** Names that a filter can speak of: it has 1000 characters. */
const NAMES_MAX = 1_000;

export interface TraceSink {
  send(lines: string): void;
  readonly backlog: number;
}

export interface TraceSource {
  listen(listener: (event: TraceEvent) => void): () => void;
}

export interface TraceFilter {
  /** Only events of these causes; undefined: every event. */
  readonly causes?: ReadonlySet<number> | undefined;
  /** Only events of this packet, DEVICE/NUMBER with the device's number. */
  readonly skb?: string | undefined;
  readonly matches?: Matches | undefined;
}

/** What `/trace?cause=7&skb=1/17&filter=EXPR&name=1:alice` asks for; an EmuError says what is wrong with it. */
export function traceFilterOf(query: URLSearchParams): TraceFilter {
  const skb = query.get('skb') ?? undefined;
  if (skb !== undefined && !/^\d{1,10}\/\d{1,10}$/.test(skb))
    throw new EmuError('EMU_BAD_REQUEST', `skb: expected NUMBER/NUMBER, found ${skb}`);
  const filter = query.get('filter');
  const names = new Map<number, string>();
  for (const pair of query.getAll('name').slice(0, NAMES_MAX)) {
    const colon = pair.indexOf(':');
    names.set(Number(pair.slice(0, colon)), pair.slice(colon + 1));
  }
  return {
    causes: causesOf(query.getAll('cause')),
    skb,
    matches: filter === null ? undefined : parseOrSay(filter, names),
  };
}

function causesOf(asked: readonly string[]): ReadonlySet<number> | undefined {
  if (asked.length === 0) return undefined;
  const causes = asked.map(Number);
  if (causes.some((cause) => !Number.isSafeInteger(cause) || cause < 0)) {
    throw new EmuError('EMU_BAD_REQUEST', 'cause: expected a whole number');
  }
  return new Set(causes);
}

/** A filter, or an EmuError that says in which column it is wrong. */
export function parseOrSay(filter: string, names?: DeviceNames): Matches {
  try {
    return parseFilter(filter, names);
  } catch (error) {
    if (error instanceof FilterError) throw new EmuError('EMU_BAD_REQUEST', `filter: ${error.message}`);
    throw error;
  }
}

function passes({ causes, skb, matches }: TraceFilter, event: TraceEvent): boolean {
  if (causes !== undefined && !causes.has(event.cause)) return false;
  if (skb !== undefined && (event.skb === undefined || `${event.skb.device}/${event.skb.number}` !== skb)) return false;
  return matches === undefined || matches(event);
}

/** Send what passes `filter` to `sink` until the returned function is called. */
export function streamTrace(trace: TraceSource, sink: TraceSink, filter: TraceFilter = {}): () => void {
  let lines: string[] = [];
  let lost = 0;
  let timer: NodeJS.Timeout | undefined;
  let eager: NodeJS.Immediate | undefined;

  const stopTimers = (): void => {
    clearTimeout(timer);
    clearImmediate(eager);
    timer = undefined;
    eager = undefined;
  };
  const flush = (): void => {
    stopTimers();
    if (sink.backlog > WATCHER_BACKLOG_BYTES_MAX) {
      timer = setTimeout(flush, FLUSH_MS);
      return;
    }
    if (lost > 0) lines.unshift(JSON.stringify({ lost }));
    sink.send(`${lines.join('\n')}\n`);
    lines = [];
    lost = 0;
  };
  const unlisten = trace.listen((event) => {
    if (!passes(filter, event)) return;
    if (lines.length >= EVENTS_MAX) {
      lost++;
      return;
    }
    lines.push(JSON.stringify(event));
    if (lines.length >= EVENTS_EAGER) eager ??= setImmediate(flush);
    else timer ??= setTimeout(flush, FLUSH_MS);
  });
  return () => {
    unlisten();
    stopTimers();
  };
}
