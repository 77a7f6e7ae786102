/**
 * The yardstick of a boot: N Node processes that do nothing but listen, started by one process as the lab's are by the
 * command, each telling it that it is ready. `bare-up.js N` says `ready PID…`; `bare-up.js` is one of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const [count] = process.argv.slice(2);

async function start(): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  await once(child, 'message');
  return child.pid ?? 0;
}

if (count === undefined) {
  createServer().listen(0, '127.0.0.1', () => process.send?.('ready'));
  process.on('disconnect', () => process.exit(0));
} else {
  const pids = await Promise.all(Array.from({ length: Number(count) }, start));
  process.stdout.write(`ready ${pids.join(' ')}\n`);
  process.on('SIGTERM', () => process.exit(0));
}
