/** Crashes at random moments of whatever goes on, one after another; answers what did not go as it should. */
import type { ExecResult, Net } from '../../services/lab/index.ts';
import { seededRandom } from '../../shared/device/random.ts';
import type { SoakShape } from './soak-labs.ts';

/** From a program's start: name, ARP, handshake and transfer fall into it. */
const MOMENT_MICROS_MAX = 60_000;
const DOWN_MICROS_MAX = 1_500_000;
const BACK = '30s';

export async function crashes(
  net: Net,
  shape: SoakShape,
  { seed, kills }: { readonly seed: number; readonly kills: number },
): Promise<string[]> {
  const chance = seededRandom(seed).fork('crash');
  const problems: string[] = [];
  const gap = shape.ring[0] === undefined ? undefined : await net.unplug(shape.ring[0]);
  const wires = new Set((await net.ledger()).rows.map((row) => row.wire));
  for (const wire of gap?.wires ?? []) wires.delete(wire);
  const devices = net.devices();
  for (let i = 0; i < kills; i++) {
    const victim = devices[chance.below(devices.length)] ?? '';
    const after = chance.below(MOMENT_MICROS_MAX);
    const tell = (text: string): void => void problems.push(`seed ${seed}, crash ${i}, ${victim} ${after} us: ${text}`);
    // Neighbours are asked for anew, so that ARP is among what a crash may hit.
    for (const client of shape.clients) await net.host(client).exec('ip', 'neigh', 'flush', 'all');
    const going = shape.clients.map((client) => net.host(client).start('curl', '-sS', '-m', '8', shape.url));
    await net.wait.time(`${after + 1}us`);
    const fault = await net.kill(victim);
    const results = going.map(({ done }) => done.catch((error: Error) => error));
    await net.wait.time(`${chance.below(DOWN_MICROS_MAX) + 1}us`);
    await fault.heal();
    for (const [n, result] of (await Promise.all(results.map((result) => ended(net, result)))).entries()) {
      const client = shape.clients[n] ?? '';
      if (result instanceof Error) {
        if (client !== victim) tell(`${client}'s curl: ${result.message}`);
      } else if (result.status === 0 ? result.stdout !== shape.source : result.stderr === '') {
        tell(`${client}'s curl: status ${result.status}, ${result.stdout.length} octets, ${result.stderr}`);
      }
    }
    for (const wire of wires) await net.wait.carrier(wire, true, BACK).catch((error: Error) => tell(error.message));
    for (const client of shape.clients) {
      const fetched = async (): Promise<boolean> => {
        const { status, stdout } = await net.host(client).exec('curl', '-sS', '-m', '8', shape.url);
        return status === 0 && stdout === shape.source;
      };
      await net.wait.until(fetched, BACK).catch(() => tell(`${client} does not get the file any more`));
    }
  }
  await net.wait.time('2s');
  await net.wait
    .until(async () => (await net.ledger()).balances, BACK)
    .catch(async () => problems.push(`the ledger does not balance: ${JSON.stringify((await net.ledger()).rows)}`));
  return problems;
}

/** How a program ended, or an error when it is stuck. */
async function ended(net: Net, done: Promise<ExecResult | Error>): Promise<ExecResult | Error> {
  let result: ExecResult | Error | undefined;
  void done.then((how) => {
    result = how;
  });
  await net.wait.until(() => result !== undefined, BACK).catch(() => {});
  return result ?? new Error('is stuck');
}
