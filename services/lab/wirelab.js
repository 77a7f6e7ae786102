#!/usr/bin/env node
// The command as npm links it: plain JavaScript, so that an old Node or a missing build is one clear line.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
const start = new URL('../../dist/services/start.cjs', import.meta.url);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`wirelab needs Node 20.19 or newer; this is ${process.versions.node}`);
  process.exitCode = 1;
} else if (!existsSync(start)) {
  console.error('wirelab is not built yet; run: npm run build');
  process.exitCode = 1;
} else {
  createRequire(import.meta.url)(fileURLToPath(start)).start('lab');
}
