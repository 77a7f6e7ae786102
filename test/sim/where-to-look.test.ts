/** The commands that shared/net/README.md sends readers to say something on every device that they are for. */
import { afterAll, describe, expect, test } from 'vitest';
import { testLab } from '../kit/lab.ts';
import { textOf } from '../kit/sources.ts';

const rows = textOf('shared/net/README.md')
  .split('## Where to look')[1]
  ?.split('\n## ')[0]
  ?.split('\n')
  .filter((line) => line.startsWith('| `'));
const commands = (rows ?? [])
  .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''))
  .map((command) => command.replace('ADDRESS', '192.0.2.80'));

describe('where to look', () => {
  const { lab, run } = testLab('url-to-page');
  afterAll(() => lab.stop());

  test('there are commands', () => expect(commands.length).toBeGreaterThan(15));

  test.each(commands)('%s', async (command) => {
    const device = command.startsWith('bridge') ? 'home-switch' : 'home-router';
    // It listens until it is told to end; one packet is enough.
    const line = command.startsWith('tcpdump') ? `${command} -c 1` : command;
    const outcome = run(device, line);
    if (line !== command) await run('alice', 'ping -c 1 -W 1 192.0.2.80');
    expect(await outcome).toMatchObject({ status: 0 });
  });
});
