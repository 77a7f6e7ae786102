import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Cables } from '../../../shared/device/cables.ts';
import { serveControl } from '../../../shared/device/control.ts';
import { testLab } from '../../kit/lab.ts';

const TOKEN = 'a-token-that-is-long-enough';

test('the first questions, which load what answers them, are all answered, with and without the token', async () => {
  const { lab } = testLab('name: one\ndevices:\n  alice: { kind: host, eth0: 10.0.0.1/24 }\n');
  const device = lab.device('alice');
  const cables: Cables = {
    wires: device.wires,
    impair: () => {},
    impairmentOf: () => ({}),
    countsOf: () => undefined,
    verdictsOf: () => undefined,
    refusedAt: () => new Map(),
    upgrade: () => false,
    garbage: 0,
    close: () => {},
  };
  const log = pino({ level: 'silent' });
  const server = await serveControl({ device, cables, token: TOKEN, listen: { host: '127.0.0.1', port: 0 }, log });
  const ask = async (path: string, token: string): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  const asked = Array.from({ length: 8 }, () => [ask('/state', TOKEN), ask('/state', 'wrong'), ask('/healthz', '')]);
  const answers = await Promise.all(asked.flat());
  expect(answers).toEqual(Array.from({ length: 8 }, () => [200, 401, 200]).flat());
  expect(await ask('/nothing', TOKEN)).toBe(404);
  await server.close();
});
