/** The logger of a process: pino, JSON lines on standard output, where the engine collects them. Only device/ and services/ log. */
import { type Logger, pino } from 'pino';

export type { Logger };

export function createLogger(options: { readonly device: string; readonly level: string }): Logger {
  return pino({
    level: options.level,
    base: { device: options.device, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}
