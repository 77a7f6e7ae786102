/** A packetdrill script in a test: it passes, or the first difference is the failure. */
import { expect } from 'vitest';
import { runScript } from '../packetdrill/interpreter.ts';

export async function expectScript(text: string): Promise<void> {
  const { outcome, message } = await runScript(text);
  expect(message).toBe('');
  expect(outcome).toBe('pass');
}
