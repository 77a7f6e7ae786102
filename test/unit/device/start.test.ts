import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const SERVICES = fileURLToPath(new URL('../../../services/', import.meta.url));

/** A program of two files; what it does is said by its environment. */
const MAIN = `import { utimesSync } from 'node:fs';
import { connect } from 'node:net';
import { fail } from './part.js';

declare const require: { cache: Record<string, unknown> };
const mapIsRead = () => Object.keys(require.cache).some((name) => name.endsWith('source-map.cjs'));

if (process.env['DO'] === 'refused') {
  connect(1, '127.0.0.1').on('error', ({ stack }) => {
    console.log(JSON.stringify({ stack, mapIsRead: mapIsRead() }));
  });
} else {
  // A build sets the time of the bundle.
  if (process.env['DO'] === 'rebuild') utimesSync(process.env['FILE'] ?? '', 1, 1);
  try {
    fail();
  } catch (error) {
    console.log(JSON.stringify({ stack: (error as Error).stack, mapIsRead: mapIsRead() }));
  }
}
`;
const PART = `
/** Some words, so that the lines differ. */
export function fail(): void {
  throw new RangeError('on purpose');
}
`;

let folder = '';
let bundle = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wirelab-start-'));
  bundle = join(folder, 'own/main.cjs');
  for (const name of ['start.cjs', 'source-map.cjs']) copyFileSync(join(SERVICES, name), join(folder, name));
  writeFileSync(join(folder, 'main.ts'), MAIN);
  writeFileSync(join(folder, 'part.ts'), PART);
  await build({
    entryPoints: [{ in: join(folder, 'main.ts'), out: 'own/main' }],
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    minifyWhitespace: true,
    sourcemap: 'external',
    banner: { js: '(function (exports, require, module, __filename, __dirname) { "use strict";' },
    footer: { js: '})' },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Said {
  readonly stack: string;
  readonly mapIsRead: boolean;
}

function run(environment: Readonly<Record<string, string>> = {}, flags: readonly string[] = []): Said {
  const said = execFileSync(process.execPath, [...flags, join(folder, 'start.cjs'), 'own'], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  });
  return JSON.parse(said);
}

interface SourceMaps {
  sourcesOf(
    file: string,
    places: readonly { readonly line: number; readonly column: number }[],
  ): (string | undefined)[];
}
const { sourcesOf } = createRequire(import.meta.url)(join(SERVICES, 'source-map.cjs')) as SourceMaps;

test('a stack trace of a bundle names file, line and column of the source', () => {
  const [head, thrown, caller] = run().stack.split('\n');
  expect(head).toBe('RangeError: on purpose');
  expect(thrown).toBe(`    at fail (${join(folder, 'part.ts')}:4:9)`);
  expect(caller).toContain(`${join(folder, 'main.ts')}:16:5`);
});

test('the trace of an error that comes from outside the bundle costs no look at its map', () => {
  const { stack, mapIsRead } = run({ DO: 'refused' });
  expect(stack).toMatch(/^Error: connect ECONNREFUSED 127\.0\.0\.1:1\n {4}at /);
  expect(mapIsRead).toBe(false);
  expect(run().mapIsRead).toBe(true);
});

test("every place of a bundle has the source that Node's own reader of maps finds", () => {
  const text = readFileSync(bundle, 'utf8').split('\n');
  const map = new SourceMap(JSON.parse(readFileSync(`${bundle}.map`, 'utf8')));
  const places = text.flatMap((line, i) => [...line].map((_, j) => ({ line: i + 1, column: j + 1 }))).reverse();
  const expected = places.map(({ line, column }) => {
    const found = map.findEntry(line - 1, column - 1);
    if (!('originalSource' in found) || found.generatedLine !== line - 1) return undefined;
    const source = fileURLToPath(new URL(found.originalSource, pathToFileURL(bundle)));
    return `${relative(folder, source)}:${found.originalLine + 1}:${found.originalColumn + 1}`;
  });
  expect(new Set(expected).size).toBeGreaterThan(20);
  const found = sourcesOf(bundle, places).map((place) => place && relative(folder, place));
  expect(found).toEqual(expected);
});

test('a place stays as it is when the map is missing, damaged or says nothing of it', () => {
  const places = [{ line: 1, column: 1 }];
  expect(sourcesOf(join(folder, 'none.cjs'), places)).toEqual([undefined]);
  writeFileSync(join(folder, 'damaged.cjs.map'), '{"mappings": "AA');
  expect(sourcesOf(join(folder, 'damaged.cjs'), places)).toEqual([undefined]);
  expect(sourcesOf(bundle, [{ line: 9_999, column: 1 }])).toEqual([undefined]);
});

test('a bundle without compiled code, or with some that V8 refuses, keeps its own for the next start', () => {
  const kept = `${bundle}.${process.version}.cache`;
  rmSync(kept, { force: true });
  run();
  const good = readFileSync(kept);
  // Asked of a process of its own: one that has set flags of V8's since it began refuses the code of all others.
  const ask = `const { readFileSync } = require('node:fs');
const [filename, kept] = process.argv.slice(1);
const options = { filename, cachedData: readFileSync(kept) };
console.log(new (require('node:vm').Script)(readFileSync(filename, 'latin1'), options).cachedDataRejected);`;
  const refused = (): string => execFileSync(process.execPath, ['-e', ask, bundle, kept], { encoding: 'utf8' }).trim();
  expect(refused()).toBe('false');
  // What another V8 made begins with another number.
  writeFileSync(kept, Buffer.concat([Buffer.alloc(16), good.subarray(16), Buffer.alloc(good.length)]));
  expect(refused()).toBe('true');
  run();
  expect(refused()).toBe('false');
});

test('compiled code that V8 accepts is left as it is', () => {
  const kept = `${bundle}.${process.version}.cache`;
  run();
  const before = statSync(kept);
  run();
  expect(statSync(kept).ino).toBe(before.ino);
  expect(statSync(kept).mtimeMs).toBe(before.mtimeMs);
});

test("a process with flags of V8's own keeps nothing, and undoes nothing", () => {
  const kept = `${bundle}.${process.version}.cache`;
  rmSync(kept, { force: true });
  run({}, ['--max-lazy']);
  expect(existsSync(kept)).toBe(false);
  run();
  const before = readFileSync(kept);
  expect(run({}, ['--max-lazy']).stack).toContain('on purpose');
  expect(readFileSync(kept)).toEqual(before);
});

test('a bundle that was built meanwhile is not given the compiled code of the one before', () => {
  const kept = `${bundle}.${process.version}.cache`;
  rmSync(kept, { force: true });
  run({ DO: 'rebuild', FILE: bundle });
  expect(existsSync(kept)).toBe(false);
});

test('without a bundle the modules themselves are started', () => {
  mkdirSync(join(folder, 'plain'));
  writeFileSync(join(folder, 'plain/main.js'), "console.log('as they are');\n");
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const said = execFileSync(process.execPath, [join(folder, 'start.cjs'), 'plain'], { encoding: 'utf8' });
  expect(said).toBe('as they are\n');
});
