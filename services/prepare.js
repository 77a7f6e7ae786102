/**
 * npm runs this after `npm ci` here, and before the project is linked into another (`npm install PATH-OF-THE-CHECKOUT`):
 * what is imported and started is what was built. Where the sources or the compiler are left out there is nothing to do.
 * With `--stale`, as `npm start` has it, only what has changed since is a reason to build.
 */
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const NEEDED = ['tsconfig.build.json', 'node_modules/typescript', 'node_modules/esbuild'];
/** What a build reads. */
const SOURCES = ['services', 'shared', 'test/bench', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
/** What it writes last of all: services/bundle.js. */
const BUILT = 'dist/services/built';

/** When a file, or anything below a folder, was changed last; a folder, too, is changed by what is taken out of it. */
function changed(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changed(join(path, name))));
}

function isBuilt() {
  const built = statSync(join(ROOT, BUILT), { throwIfNoEntry: false });
  return built !== undefined && SOURCES.every((path) => changed(join(ROOT, path)) < built.mtimeMs);
}

const wanted = !process.argv.includes('--stale') || !isBuilt();
if (wanted && NEEDED.every((path) => existsSync(join(ROOT, path)))) {
  try {
    execSync('npm run --silent build', { cwd: ROOT, stdio: 'inherit' });
  } catch ({ status }) {
    // What is wrong has been said.
    process.exitCode = status ?? 1;
  }
}
