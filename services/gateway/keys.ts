/**
 * Under Compose there is no supervisor to hand out secrets: this runs once before the others, writes a random token and
 * the lab clock's origin into a volume that they read (WIRELAB_TOKEN_FILE, WIRELAB_CLOCK_ORIGIN_FILE), and ends.
 *
 *   node dist/services/gateway/keys.js [FOLDER]      FOLDER is /run/keys when left out
 */
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TOKEN_BYTES = 24;
const MICROS_PER_MS = 1_000;

const folder = process.argv[2] ?? '/run/keys';
const options = { mode: 0o400, flush: true } as const;
for (const [name, value] of [
  ['token', randomBytes(TOKEN_BYTES).toString('base64url')],
  ['origin', String(Date.now() * MICROS_PER_MS)],
] as const) {
  // A volume that was used before holds read-only files: make way for the new ones.
  writeFileSync(join(folder, `${name}.new`), value, options);
  renameSync(join(folder, `${name}.new`), join(folder, name));
}
