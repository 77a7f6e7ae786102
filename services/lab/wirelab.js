#!/usr/bin/env node
// The command as npm links it: plain JavaScript, so that an old Node or a missing build is one clear line.
import { existsSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
const main = new URL('../../dist/services/lab/main.js', import.meta.url);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`wirelab needs Node 20.19 or newer; this is ${process.versions.node}`);
  process.exitCode = 1;
} else if (!existsSync(main)) {
  console.error('wirelab is not built yet; run: npm run build');
  process.exitCode = 1;
} else {
  await import(main.href);
}
