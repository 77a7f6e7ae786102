/** Peers that need root, in namespaces of their own: peers.sh does the work, this starts it and asks. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { projectRoot } from '../../services/lab/root.ts';
import { toUndo } from './undo.ts';

export type PeerKind = 'vde' | 'linux' | 'mininet' | 'shell';

const SCRIPT = join(projectRoot(), 'test/bench/peers.sh');

/** To iperf3 a part of a second is none, and none is for ever. */
const whole = (seconds: number): number => Math.max(1, Math.round(seconds));

/** In a word why a peer cannot be had here; undefined when it can. */
export function whyNot(kind: PeerKind): string | undefined {
  const { stdout, error } = spawnSync('bash', [SCRIPT, 'why', kind], { encoding: 'utf8' });
  if (error !== undefined) return 'no bash';
  return stdout.trim() === '' ? undefined : stdout.trim();
}

export class Peer {
  private readonly child: ChildProcess;
  private readonly lines: Interface;
  private readonly end: () => Promise<void>;

  private constructor(child: ChildProcess) {
    this.child = child;
    if (child.stdout === null) throw new Error('a peer speaks on its standard output');
    this.lines = createInterface({ input: child.stdout });
    this.end = toUndo(() => this.kill());
  }

  /** Resolves when it is up. */
  static async start(kind: PeerKind, ...argv: readonly string[]): Promise<Peer> {
    // A process group of its own: Ctrl-C reaches the bench, which ends it.
    const peer = new Peer(
      spawn('bash', [SCRIPT, kind, ...argv], { stdio: ['pipe', 'pipe', 'ignore'], detached: true }),
    );
    peer.child.stdin?.on('error', () => {});
    const line = await peer.line();
    if (line !== 'ready') throw new Error(`peer ${kind} said ${line}`);
    return peer;
  }

  async goodput(seconds: number): Promise<number> {
    return Number(await this.ask(`goodput ${whole(seconds)}`)) / 1e9;
  }

  async pings(count: number, idleMs: number): Promise<number[]> {
    return (await this.ask(`ping ${count} ${idleMs / 1_000}`)).trim().split(' ').map(Number);
  }

  async frames(seconds: number): Promise<number> {
    return Number(await this.ask(`frames ${whole(seconds)}`));
  }

  stop(): Promise<void> {
    return this.end();
  }

  private ask(command: string): Promise<string> {
    this.child.stdin?.write(`${command}\n`);
    return this.line();
  }

  private async line(): Promise<string> {
    const [line] = await Promise.race([
      once(this.lines, 'line') as Promise<[string]>,
      once(this.child, 'exit').then(() => Promise.reject(new Error('the peer has ended'))),
    ]);
    return line;
  }

  /** Its process is unshare's, whose end ends all that it holds. */
  private async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}
