/**
 * rndc: speaks to the named of this host. `rndc status | stats | dumpdb [-all|-cache|-zones] | flush | flushname NAME |
 * flushtree NAME`. Unlike BIND's, dumpdb prints what it would have written to named_dump.db.
 */
import { IPV4_LOOPBACK } from '../header/address.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { sendCommand } from './control-channel.ts';
import { Failure, program } from './failure.ts';
import { RNDC_PORT } from './named-control.ts';

export const rndc = program(async ({ sys, argv, out, err }: ProgramContext) => {
  const words = argv.slice(1);
  if (words.length === 0)
    throw new Failure(1, 'Usage: rndc command\n\ncommands: status stats dumpdb flush flushname flushtree');
  const answer = await sendCommand(sys, IPV4_LOOPBACK, RNDC_PORT, words.join(' '));
  if (answer === undefined) throw new Failure(1, 'rndc: connect failed: 127.0.0.1#953: connection refused');
  const failed = answer.startsWith('rndc: ');
  await (failed ? err : out)(answer);
  return failed ? 1 : 0;
});
