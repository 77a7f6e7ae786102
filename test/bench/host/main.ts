/** A host's process with the bench's programs beside its own, told by its parent what to run. */

import { build } from '../../../services/host/device.ts';
import type { Device } from '../../../shared/device/device.ts';
import { runDevice } from '../../../shared/device/run.ts';
import { benchPrograms } from '../programs.ts';

export interface Exec {
  readonly type: 'exec';
  readonly argv: readonly string[];
}
export interface Executed {
  readonly type: 'executed';
  readonly status: number;
  readonly output: string;
}

let device: Device | undefined;

process.on('message', (message: Exec) => {
  if (message.type === 'exec') void exec(message.argv);
});

async function exec(argv: readonly string[]): Promise<void> {
  let output = '';
  const take = (bytes: Uint8Array): void => {
    output += new TextDecoder().decode(bytes);
  };
  const program = device?.spawn(argv, { stdout: take, stderr: take, cause: 0 });
  const status = program === undefined ? 127 : await program.exited;
  process.send?.({ type: 'executed', status, output } satisfies Executed);
}

await runDevice((plan, parts) => {
  device = build(plan, parts);
  const { processes } = device.host;
  processes.programs = new Map([...processes.programs, ...benchPrograms]);
  device.spawn(['sink'], { stdout: () => {}, stderr: () => {}, cause: 0 });
  return device;
});
