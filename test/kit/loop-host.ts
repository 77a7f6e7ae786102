/** One host without a network, and programs run on it: for tests of what programs and the system calls do. */
import { copySumView, copyView, sumView } from '../../shared/header/checksum.ts';
import { Host } from '../../shared/net/host.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import type { Platform } from '../../shared/platform.ts';
import { programs } from '../../shared/programs/registry.ts';
import { ManualClock } from './clock.ts';
import { loopStreamInit } from './loop-stream.ts';
import { testRandom } from './random.ts';
import { runWith } from './run-with.ts';

export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** The lab's folder as a record of paths and texts. */
export function folderPlatform(files: Readonly<Record<string, string | Uint8Array>> = {}): Platform {
  const bytes = (text: string | Uint8Array): Uint8Array =>
    typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return {
    crc32: () => 0,
    sum: sumView,
    copy: copyView,
    copySum: copySumView,
    packetMemory: () => undefined,
    hash: (_key, ...words) => words.reduce((sum, word) => (sum * 31 + word) >>> 0, 7),
    readFile: (path) => (files[path] === undefined ? undefined : bytes(files[path])),
    readDirectory: (path) => {
      const prefix = path === '' || path === '.' ? '' : `${path}/`;
      const names = new Set<string>();
      for (const name of Object.keys(files)) {
        if (name.startsWith(prefix)) names.add(name.slice(prefix.length).split('/')[0] ?? '');
      }
      return names.size === 0 ? undefined : [...names].sort();
    },
  };
}

export function testHost(files: Readonly<Record<string, string | Uint8Array>> = {}): {
  host: Host;
  clock: ManualClock;
} {
  const clock = new ManualClock();
  const host = new Host({
    name: 'alice',
    index: 1,
    clock,
    random: testRandom('host'),
    platform: folderPlatform(files),
  });
  loopStreamInit(host);
  host.processes.programs = programs;
  return { host, clock };
}

/** Start a program and collect what it writes; `kill` and `stdin` are the handle's. */
export function start(host: Host, program: Program | string, argv: readonly string[], cause = 0) {
  const decoder = { out: new TextDecoder(), err: new TextDecoder() };
  const text = { out: '', err: '' };
  const handle = host.processes.spawn(program, argv, {
    stdin: 'open',
    stdout: (bytes) => {
      text.out += decoder.out.decode(bytes, { stream: true });
    },
    stderr: (bytes) => {
      text.err += decoder.err.decode(bytes, { stream: true });
    },
    cause,
  });
  const outcome = handle.exited.then((status): Outcome => ({ status, ...text }));
  return { ...handle, text, outcome };
}

/** Run a command line to its end. */
export function run(
  lab: { host: Host; clock: ManualClock },
  program: Program | string,
  argv: readonly string[],
): Promise<Outcome> {
  const started = start(lab.host, program, argv);
  started.stdin.end();
  return runWith(lab.clock, started.outcome);
}
