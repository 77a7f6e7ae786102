/**
 * The last step of `npm run build`, after the compilers: each process becomes one file that loads fast (see start.cjs),
 * so does what a test imports, and the page's files that no compiler makes are put beside those that it did.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DEVICES = ['host', 'switch', 'router', 'dns'];
const PROCESSES = [...DEVICES, 'gateway', 'lab'];
/** One device of each kind: what starts and ends so that V8's compiled code can be kept. */
const SAMPLE = `name: sample
devices:
  host: { kind: host, eth0: 10.0.0.1/24 }
  switch: { kind: switch }
  router: { kind: router, eth0: 10.0.0.2/24 }
  dns: { kind: dns, role: local, eth0: 10.0.0.3/24, hints: hints }
wires:
${['host', 'router', 'dns'].map((device, i) => `  - ${device}:eth0 -- switch:p${i + 1}`).join('\n')}
`;
/** A bundle is the function that start.cjs calls: strict, as modules are. */
const MODULE_URL = `const moduleUrl = require('node:url').pathToFileURL(__filename).href;`;
const HEAD = `(function (exports, require, module, __filename, __dirname) { "use strict";
${MODULE_URL}`;
const HINTS = '. 3600 NS ns.\nns. 3600 A 10.0.0.9\n';

for (const name of ['index.html', 'style.css', 'icon.svg']) {
  cpSync(join(ROOT, 'services/dashboard/web', name), join(ROOT, 'dist/services/dashboard/web', name));
}
for (const name of ['start.cjs', 'source-map.cjs']) {
  cpSync(join(ROOT, 'services', name), join(ROOT, 'dist/services', name));
}
for (const name of PROCESSES) {
  const folder = join(ROOT, 'dist/services', name);
  for (const file of readdirSync(folder)) if (file.endsWith('.cache')) rmSync(join(folder, file));
}

const COMMON = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // Parts of `ws` in machine code: found in node_modules where they are installed.
  external: ['bufferutil', 'utf-8-validate'],
  define: { 'import.meta.url': 'moduleUrl' },
  logLevel: 'warning',
};

await build({
  ...COMMON,
  entryPoints: PROCESSES.map((name) => ({ in: join(ROOT, `services/${name}/main.ts`), out: `${name}/main` })),
  outdir: join(ROOT, 'dist/services'),
  outExtension: { '.js': '.cjs' },
  // Half the text for each process to hold; names stay.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: 'external',
  sourcesContent: false,
  banner: { js: HEAD },
  footer: { js: '})' },
});

// What `import { lab } from 'wirelab'` and require('wirelab') mean. A test runner that rewrites modules rewrites the two
// lines, and Node takes the rest as it is: an import takes a tenth of a second instead of three.
await build({
  ...COMMON,
  entryPoints: [join(ROOT, 'services/lab/index.ts')],
  outfile: join(ROOT, 'dist/services/lab/index.cjs'),
  banner: { js: `"use strict";\n${MODULE_URL}` },
});
writeFileSync(
  join(ROOT, 'dist/services/lab/index.js'),
  `import { createRequire } from 'node:module';
export const { EmuError, lab } = createRequire(import.meta.url)('./index.cjs');
`,
);

const folder = mkdtempSync(join(tmpdir(), 'wirelab-build-'));
const env = { ...process.env, XDG_RUNTIME_DIR: folder, CODE_CACHE: 'write' };
const wirelab = (...args) =>
  execFileSync(process.execPath, [join(ROOT, 'services/lab/wirelab.js'), ...args], { env, stdio: 'pipe' });
try {
  writeFileSync(join(folder, 'lab.yaml'), SAMPLE);
  writeFileSync(join(folder, 'hints'), HINTS);
  wirelab('up', folder, '--detach');
  wirelab('down');
} catch (error) {
  console.error(`no compiled code is kept, a lab will start more slowly: ${error.message}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// What services/prepare.js looks at: all is there, and is as old as what tsc wrote, since sources may have changed meanwhile.
const { atime, mtime } = statSync(join(ROOT, 'dist/services/host/device.js'));
writeFileSync(join(ROOT, 'dist/services/built'), '');
utimesSync(join(ROOT, 'dist/services/built'), atime, mtime);
