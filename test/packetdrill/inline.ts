/** Scripts in packetdrill's words that are our own, written into the test that runs them. */
import { expect } from 'vitest';
import { runScript } from './interpreter.ts';

/**
 * Run it after defaults.sh; a packet, time or assertion that differs fails the test with the line and both texts.
 * `--options` come first, then lines of commands in backquotes, then events.
 */
export async function expectScript(text: string): Promise<void> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const options = lines.filter((line) => line.startsWith('--'));
  const rest = lines.slice(options.length);
  const first = rest.findIndex((line) => !/^`.*`$/.test(line));
  const commands = ['./defaults.sh', ...rest.slice(0, first).map((line) => line.slice(1, -1))];
  const script = [...options, `\`${commands.join('\n')}\``, ...rest.slice(first)].join('\n');
  const { message, outcome } = await runScript(script);
  expect(message, script).toBe('');
  expect(outcome).toBe('pass');
}
