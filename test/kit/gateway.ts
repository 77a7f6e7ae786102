/** A test's line to the gateway of a running lab, where the command has no verb for it. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Impairment } from '../../shared/lab/plan-types.ts';

export class Gateway {
  private readonly origin: string;
  private readonly token: string;

  /** `address`: as `up` prints it, with the token in the fragment. */
  constructor(address: string) {
    const url = new URL(address);
    this.origin = url.origin;
    this.token = new URLSearchParams(url.hash.slice(1)).get('token') ?? '';
  }

  async post(path: string, body: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${this.origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  }

  /** A port: what it sends. A wire: both ways. Ratios from 0 to 1, microseconds. {}: nothing any more. */
  impair(target: string, impairment: Impairment): Promise<unknown> {
    return this.post('/api/impair', { target, impairment, clear: true });
  }

  /** Resolves at the device's next trace event of that name. */
  async whenTraced(device: string, point: string): Promise<void> {
    const url = `${this.origin.replace('http', 'ws')}/api/trace?devices=${device}&token=${this.token}`;
    const socket = new WebSocket(url);
    try {
      for (;;) {
        const [data] = (await once(socket, 'message')) as [Buffer];
        if (String(data).includes(`"point":"${point}"`)) return;
      }
    } finally {
      socket.terminate();
    }
  }
}
