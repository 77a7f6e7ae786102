/** Three bare `ws` processes in a row: what the machine gives without any network in it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ended } from './children.ts';
import type { FromRelay, ToRelay } from './relay-child.ts';
import { toUndo } from './undo.ts';

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
  private readonly end = toUndo(() => this.endAll());
  private readonly middle = start('relay');
  private echo: ChildProcess | undefined;
  private source: ChildProcess | undefined;

  static async start(): Promise<Relay> {
    const relay = new Relay();
    const { port } = await heard(relay.middle, 'port');
    relay.echo = start('echo', `ws://127.0.0.1:${port}`);
    await heard(relay.echo, 'open');
    relay.source = start('source', `ws://127.0.0.1:${port}`);
    await heard(relay.source, 'open');
    return relay;
  }

  /** Gbit/s through the row. */
  async goodput(seconds: number): Promise<number> {
    const { octets, micros } = await this.order({ type: 'blast', seconds });
    return (octets * 8) / micros / 1_000;
  }

  /** Round trips in microseconds. */
  async rounds(count: number, bytes: number, idleMs: number): Promise<readonly number[]> {
    return (await this.order({ type: 'round', count, bytes, idleMs })).rounds;
  }

  stop(): Promise<void> {
    return this.end();
  }

  private async endAll(): Promise<void> {
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
