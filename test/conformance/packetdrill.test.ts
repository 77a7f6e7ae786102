/**
 * Linux's own TCP tests against our stack: every script of the committed list passes. And the runner against itself: a
 * script with one number, time, flag or option changed fails, in the line that was changed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runScript } from '../packetdrill/interpreter.ts';
import { mutantsOf } from '../packetdrill/mutate.ts';
import { findScripts, runFile } from '../packetdrill/report.ts';

const SCRIPTS = fileURLToPath(new URL('../../../shared/conformance/packetdrill/', import.meta.url));
const LIST = fileURLToPath(new URL('packetdrill-passing.txt', import.meta.url));
const passing = readFileSync(LIST, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
/** Scripts whose every changed copy is run. */
const MUTATED = 20;

describe.skipIf(!existsSync(SCRIPTS))(
  'packetdrill (skipped where the scripts, which are not ours, are missing)',
  () => {
    for (const name of passing) {
      test(`${name} passes`, async () => {
        const { message, outcome } = await runFile(`${SCRIPTS}${name}`, undefined, true);
        expect(message).toBe('');
        expect(outcome).toBe('pass');
      });
    }

    test('every script can be read, or what it needs is said by name', async () => {
      for (const path of findScripts([SCRIPTS])) {
        const { outcome, message } = await runFile(path);
        expect(message.startsWith('cannot parse'), `${path}: ${message}`).toBe(false);
        if (outcome !== 'pass') expect(message, path).not.toBe('');
      }
    }, 60_000);

    for (const name of passing.slice(0, MUTATED)) {
      test(`${name} fails, at the line, when it is changed`, async () => {
        const text = readFileSync(`${SCRIPTS}${name}`, 'utf8');
        const mutants = mutantsOf(text);
        expect(mutants.length).toBeGreaterThan(0);
        for (const { what, line, text: changed } of mutants) {
          const { outcome, message } = await runScript(changed);
          expect(outcome, `${what}, line ${line}: ${message}`).toBe('fail');
          expect(message, what).toMatch(new RegExp(`^line ${line},`));
        }
      });
    }
  },
);
