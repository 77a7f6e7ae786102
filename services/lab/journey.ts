/** `wirelab journey`: the gateway records and tells; here it is only printed. */
import type { GatewayClient } from './client.ts';
import { EXIT } from './exit.ts';

/** Real time: a browser gives up by itself, at the latest after a DNS and a TCP timeout in a row. */
const STORY_MS_MAX = 120_000;

/** Prints the story; resolves with the exit status that the fetch had. */
export async function journey(client: GatewayClient, device: string, url: string, json: boolean): Promise<number> {
  const { text, headers } = await client.ask('POST', '/api/journey', {
    body: { device, url },
    accept: json ? 'application/json' : 'text/plain',
    timeoutMs: STORY_MS_MAX,
  });
  const shown = json ? JSON.stringify(JSON.parse(text), null, 2) : text;
  process.stdout.write(shown.endsWith('\n') ? shown : `${shown}\n`);
  const status = json ? (JSON.parse(text) as { exitStatus?: number }).exitStatus : Number(headers['x-exit-status']);
  return status === undefined || Number.isNaN(status) ? EXIT.DONE : status;
}
