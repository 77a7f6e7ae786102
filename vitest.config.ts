import { defineConfig } from 'vitest/config';

/** One project a kind of test; test/README.md says when to write which. */
const project = (name: string, timeoutMs = 10_000, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeoutMs, hookTimeout: timeoutMs, ...extra },
});

/** Files of one worker share what they import, so that it is loaded once: no test changes a module's state for another. */
const together = { isolate: false, pool: 'threads' };

/** After each of their tests no packet may be left in memory. */
const noneLive = { setupFiles: ['test/kit/live.ts'], ...together };

/** Real processes on real ports: one file at a time, so that two labs never fight for two cores. */
const oneByOne = { fileParallelism: false, pool: 'forks' };

export default defineConfig({
  test: {
    projects: [
      project('unit', 10_000, noneLive),
      project('sim', 60_000, noneLive),
      project('conformance', 10_000, noneLive),
      project('fuzz', 60_000, together),
      project('e2e', 60_000, oneByOne),
      // The example that people copy runs as they run it, on the built package.
      { test: { ...project('example', 300_000, oneByOne).test, include: ['examples/**/*.test.ts'] } },
      project('hostile', 600_000, oneByOne),
      project('soak', 300_000, oneByOne),
      project('tidy', 60_000),
      project('long', 3_600_000, oneByOne),
      project('docker', 600_000, oneByOne),
      project('browser', 120_000, oneByOne),
      project('peers', 300_000, oneByOne),
    ],
  },
});
