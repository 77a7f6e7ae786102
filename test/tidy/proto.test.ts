import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the generated protobuf code is what `npm run proto` makes of wire.proto today', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-proto-'));
  try {
    const [, ...words] = (scripts['proto'] ?? '').split(' ');
    const argv = words.map((word) => (word === 'shared/wire/gen/wire.js' ? join(folder, 'wire.js') : word));
    execFileSync(process.execPath, ['node_modules/protobufjs-cli/bin/pbjs', ...argv]);
    for (const name of ['wire.js', 'wire.d.ts']) {
      expect(readFileSync(join(folder, name), 'utf8')).toBe(readFileSync(join('shared/wire/gen', name), 'utf8'));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
