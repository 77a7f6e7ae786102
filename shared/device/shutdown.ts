/**
 * The end of a process: once, in order, and soon. Asked for by SIGTERM or SIGINT, or because the supervisor's IPC
 * channel closed, which is how children of a killed supervisor go too.
 */

import { supervisorHasGone } from './ipc.ts';

/** Real time; after it the process exits whatever still hangs. */
const SHUTDOWN_MS_MAX = 2_000;

export interface Closable {
  close(): void | Promise<void>;
}

/** Close `parts` in their order, each whether or not the one before could, then exit. Returns what starts it. */
export function onShutdown(parts: readonly Closable[], report: (problem: string) => void): (why: string) => void {
  let started = false;
  const shutdown = (_why: string): void => {
    if (started) return;
    started = true;
    setTimeout(() => process.exit(1), SHUTDOWN_MS_MAX).unref();
    void closeAll(parts, report).then(() => process.exit(0));
  };
  process.once('SIGTERM', () => shutdown('SIGTERM'));
  process.once('SIGINT', () => shutdown('SIGINT'));
  process.once('disconnect', () => shutdown('the supervisor has gone'));
  if (supervisorHasGone()) shutdown('the supervisor has gone');
  return shutdown;
}

async function closeAll(parts: readonly Closable[], report: (problem: string) => void): Promise<void> {
  for (const part of parts) {
    try {
      await part.close();
    } catch (error) {
      report(error instanceof Error ? error.message : String(error));
    }
  }
}
