import { expect, test } from 'vitest';
import type { PortVerdicts } from '../../../services/gateway/trouble-routes.ts';
import type { GatewayClient } from '../../../services/lab/client.ts';
import { showVerdicts } from '../../../services/lab/trouble.ts';
import { VerdictLog } from '../../../shared/wire/verdict.ts';

/** A gateway over one wire end, which is switched off and on again after some of the looks. */
function gateway(looks: readonly { readonly frames: number; readonly restarted?: boolean }[]): GatewayClient {
  let life = 1_000;
  let log = new VerdictLog(() => life);
  let look = 0;
  let frame = 0;
  const get = async (path: string): Promise<PortVerdicts[]> => {
    const { frames, restarted = false } = looks[look++] ?? { frames: 0 };
    if (restarted) {
      life++;
      log = new VerdictLog(() => life);
      frame = 0;
    }
    for (let n = 0; n < frames; n++) log.add(look * 1_000 + n, frame++, 'lost', `loss 5% in ${life}`);
    if (look === looks.length) process.emit('SIGINT');
    const since = new URLSearchParams(path.split('?')[1]).get('since') ?? '';
    const [, next = '0', said] = /^a:eth0=(\d+)@(\d+)$/.exec(since) ?? [];
    return [{ port: 'a:eth0', ...log.since(Number(next), said === undefined ? undefined : Number(said)) }];
  };
  return { get } as unknown as GatewayClient;
}

test('verdicts -f tells each verdict once, also when the device starts anew with more of them or fewer than before', async () => {
  const client = gateway([
    { frames: 5 },
    { frames: 2 },
    { frames: 3, restarted: true },
    { frames: 9, restarted: true },
    { frames: 1 },
  ]);
  const lines: string[] = [];
  await showVerdicts(client, undefined, { json: true, follow: true }, (line) => lines.push(line));
  const rows = lines.map((line) => JSON.parse(line) as { frame?: number; rule?: string; life?: number });
  const told = (life: number): number[] =>
    rows.flatMap(({ frame, rule }) => (rule === `loss 5% in ${life}` ? [frame!] : []));
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
  expect([told(1_000), told(1_001), told(1_002)]).toEqual([upTo(7), upTo(3), upTo(10)]);
  // That the numbers begin anew is told, too.
  expect(rows.flatMap(({ life }) => life ?? [])).toEqual([1_001, 1_002]);
});
