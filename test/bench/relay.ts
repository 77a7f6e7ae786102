/** Three bare `ws` processes in a row: what the machine gives without any network in it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ended } from './bench-lab.ts';
import type { FromRelay, ToRelay } from './relay-child.ts';

function start(...argv: string[]): ChildProcess {
  return fork(fileURLToPath(new URL('./relay-child.js', import.meta.url)), argv);
}

function heard<T extends FromRelay['type']>(child: ChildProcess, type: T): Promise<Extract<FromRelay, { type: T }>> {
  return new Promise((resolve) => {
    const hear = (message: FromRelay): void => {
      if (message.type !== type) return;
      child.off('message', hear);
      resolve(message as Extract<FromRelay, { type: T }>);
    };
    child.on('message', hear);
  });
}

export class Relay {
  private readonly middle = start('relay');
  private echo: ChildProcess | undefined;
  private source: ChildProcess | undefined;

  async start(): Promise<void> {
    const { port } = await heard(this.middle, 'port');
    this.echo = start('echo', `ws://127.0.0.1:${port}`);
    await heard(this.echo, 'open');
    this.source = start('source', `ws://127.0.0.1:${port}`);
    await heard(this.source, 'open');
  }

  /** Gbit/s through the row. */
  async goodput(seconds: number): Promise<number> {
    const { octets, micros } = await this.order({ type: 'blast', seconds });
    return (octets * 8) / micros / 1_000;
  }

  /** Median round trip in microseconds. */
  async rounds(count: number, bytes: number, idleMs: number): Promise<number> {
    const { rounds } = await this.order({ type: 'round', count, bytes, idleMs });
    return [...rounds].sort((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? Number.NaN;
  }

  async stop(): Promise<void> {
    const all = [this.source, this.echo, this.middle].filter((child) => child !== undefined);
    await Promise.all(all.map((child) => ended(child)));
  }

  private async order(order: ToRelay): Promise<Extract<FromRelay, { type: 'done' }>> {
    const { source } = this;
    if (source === undefined) throw new Error('start the relay first');
    const done = heard(source, 'done');
    source.send(order);
    return await done;
  }
}
