/**
 * A device's trace points as a stream: JSON, one event a line, many lines a message. Bounded like the capture: a slow
 * watcher loses events, and its next message starts with a line {"lost": n}.
 */
import type { TraceEvent } from '../net/trace.ts';
import { WATCHER_BACKLOG_BYTES_MAX } from './capture.ts';

/** Events and octets that wait for one watcher. */
const EVENTS_MAX = 8_192;
const FLUSH_MS = 10;
/** Send at once when this many are there. */
const EVENTS_EAGER = 512;

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
    if (filter.causes !== undefined && !filter.causes.has(event.cause)) return;
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
