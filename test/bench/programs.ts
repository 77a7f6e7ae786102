/** Programs that only the bench runs: a sink that throws away what it is sent, and a blast that sends. */

import { parseIpv4 } from '../../shared/header/address.ts';
import type { Program, ProgramContext } from '../../shared/net/syscalls.ts';

const CHUNK_BYTES = 131_072;
export const SINK_PORT = 5_001;

/** sink: accept connections for ever; answer each, when its sender is done, with the number of octets received. */
async function sink({ sys }: ProgramContext): Promise<number> {
  const listener = sys.socket('inet', 'stream');
  sys.setsockopt(listener, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
  sys.bind(listener, { address: 0 as never, port: SINK_PORT });
  sys.listen(listener, 16);
  const buffer = new Uint8Array(CHUNK_BYTES * 2);
  for (;;) {
    const { fd } = await sys.accept(listener);
    let octets = 0;
    for (let n = await sys.read(fd, buffer); n > 0; n = await sys.read(fd, buffer)) octets += n;
    await sys.write(fd, new TextEncoder().encode(String(octets)));
    sys.close(fd);
  }
}

/** blast ADDRESS SECONDS: send as fast as it goes; prints the octets that arrived and the microseconds it took. */
async function blast({ sys, argv, out }: ProgramContext): Promise<number> {
  const [, to = '', seconds = '1'] = argv;
  const address = parseIpv4(to);
  if (address === undefined) return 2;
  const fd = sys.socket('inet', 'stream');
  await sys.connect(fd, { address, port: SINK_PORT });
  const chunk = new Uint8Array(CHUNK_BYTES).fill(0x5a);
  const start = sys.clockGettime();
  const end = start + Number(seconds) * 1_000_000;
  while (sys.clockGettime() < end) await sys.write(fd, chunk);
  sys.shutdown(fd, 'write');
  const answer = new Uint8Array(32);
  const n = await sys.read(fd, answer);
  const took = sys.clockGettime() - start;
  await out(`${new TextDecoder().decode(answer.subarray(0, n))} ${took}\n`);
  return 0;
}

export const benchPrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['sink', sink],
  ['blast', blast],
]);
