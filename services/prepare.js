/**
 * npm runs this after `npm ci` here, and before the project is linked into another (`npm install PATH-OF-THE-CHECKOUT`):
 * what is imported and started is what was built. Where the sources or the compiler are left out there is nothing to do.
 */
import { execSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const NEEDED = ['tsconfig.build.json', 'node_modules/typescript', 'node_modules/esbuild'];

if (NEEDED.every((path) => existsSync(ROOT + path))) {
  execSync('npm run --silent build', { cwd: ROOT, stdio: 'inherit' });
}
