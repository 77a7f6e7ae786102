/**
 * The logger of a process: pino, JSON lines on standard output, where the engine collects them. Only device/ and services/ log.
 *
 * Lines go by process.stdout and not by pino's own writer, which at exit tries for ever to write to a pipe whose reader
 * has gone: that is how a killed supervisor would leave its children behind.
 */
import { type Logger, pino } from 'pino';

export type { Logger };

export function createLogger(options: { readonly device: string; readonly level: string }): Logger {
  const { device, level } = options;
  // A reader that has gone is no reason to stop; what is logged from then on is lost.
  process.stdout.on('error', () => {});
  const lines = { write: (line: string) => void process.stdout.write(line) };
  return pino({ level, base: { device, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, lines);
}
