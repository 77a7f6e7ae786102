import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedFiles } from '../kit/generated.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test.each([...generatedFiles(ROOT)])(
  '%s is what its lab file or schema makes of it (npm run generate)',
  (path, text) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text);
  },
);
