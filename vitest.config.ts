import { defineConfig } from 'vitest/config';

/** One project a kind of test; test/README.md says when to write which. */
const project = (name: string, timeoutMs = 10_000, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeoutMs, hookTimeout: timeoutMs, ...extra },
});

/** Real processes on real ports: one file at a time, so that two labs never fight for two cores. */
const oneByOne = { fileParallelism: false, pool: 'forks' };

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('sim', 60_000),
      project('conformance'),
      project('fuzz', 60_000),
      project('e2e', 60_000, oneByOne),
      project('tidy', 60_000),
      project('long', 3_600_000, oneByOne),
      project('docker', 600_000, oneByOne),
      project('browser', 120_000, oneByOne),
      project('peers', 300_000, oneByOne),
    ],
  },
});
