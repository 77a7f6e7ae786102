/** What a process loads before it is asked anything: every module that its main.ts imports, but for those that it awaits. */
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../../services/lab/root.ts';

const SERVICES = ['host', 'switch', 'router', 'dns', 'gateway', 'lab'];
const entryOf = (service: string): string => join('services', service, 'main.ts');

let inputs: Metafile['inputs'];
beforeAll(async () => {
  const { metafile } = await build({
    absWorkingDir: projectRoot(),
    entryPoints: SERVICES.map(entryOf),
    bundle: true,
    write: false,
    outdir: 'nowhere',
    platform: 'node',
    format: 'esm',
    external: ['bufferutil', 'utf-8-validate'],
    metafile: true,
    logLevel: 'silent',
  });
  inputs = metafile.inputs;
}, 60_000);

/** Packages and files of ours. */
function loaded(service: string, when: 'at start' | 'ever'): Set<string> {
  const seen = new Set<string>();
  const waiting = [entryOf(service)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const next of inputs[path]?.imports ?? []) {
      if (next.external !== true && (when === 'ever' || next.kind !== 'dynamic-import')) waiting.push(next.path);
    }
  }
  const packages = [...seen].map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path);
  return new Set(packages);
}

test.each(['host', 'switch', 'router', 'dns'])(
  'a %s loads Fastify when it is first asked, not when it starts',
  (service) => {
    expect(loaded(service, 'ever')).toContain('fastify');
    expect(loaded(service, 'ever')).toContain('@fastify/swagger');
    expect(loaded(service, 'at start')).toContain('ws');
    for (const name of loaded(service, 'at start')) expect(name).not.toMatch(/fastify|swagger|ajv|yaml|commander/);
  },
);

test('the gateway loads what describes it when that is asked for', () => {
  expect(loaded('gateway', 'ever')).toContain('@fastify/swagger');
  expect(loaded('gateway', 'at start')).not.toContain('@fastify/swagger');
});

test('the command loads what each of its words needs when that word is said', () => {
  const late = ['yaml', 'ws', 'services/lab/engine-processes.ts', 'services/lab/engine-packed.ts'];
  for (const name of late) {
    expect(loaded('lab', 'ever')).toContain(name);
    expect(loaded('lab', 'at start')).not.toContain(name);
  }
});
