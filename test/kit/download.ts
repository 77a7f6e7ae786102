/** Downloads over real processes: through a bad wire, and through one that is out for a while. For e2e, and more of it in long. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../shared/device/random.ts';
import { Wirelab } from './wirelab.ts';

const SEED = 20_261_122;
const BYTES = 20_000_000;
const LAB = `
name: download
seed: ${SEED}
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob:   { kind: host, eth0: 10.0.0.2/24, run: [ httpd site/ ] }
  carol: { kind: host, eth0: 10.0.0.3/24 }
  sw:    { kind: switch }
wires:
  - alice:eth0 -- sw:p1: { delay: 5ms, loss: 2%, duplicate: 1%, reorder: 1% }
  - bob:eth0 -- sw:p2
  - carol:eth0 -- sw:p3
`;

function randomBytes(size: number): Uint8Array {
  const random = seededRandom(SEED);
  const words = new Uint32Array(size / 4);
  for (let i = 0; i < words.length; i++) words[i] = random.u32();
  return new Uint8Array(words.buffer);
}

/** `lossyBytes`: how much comes through the bad wire, which takes a second a megabyte. */
export function downloads(lossyBytes: number): void {
  describe(`20 MB over real processes, ${lossyBytes / 1e6} MB through a bad wire, seed ${SEED}`, () =>
    suite(lossyBytes));
}

function suite(lossyBytes: number): void {
  const wirelab = new Wirelab();
  const file = randomBytes(BYTES);
  const lossy = file.subarray(0, lossyBytes);
  const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  /** Download as a user does, and the digest of what came. */
  const download = (
    device: string,
    path: string,
  ): { done: Promise<{ status: number | null; digest: string; size: number }>; size: () => number } => {
    const hash = createHash('sha256');
    let size = 0;
    const command = wirelab.start(['exec', device, '--', 'curl', '-sS', `http://10.0.0.2/${path}`]);
    command.process.stdout?.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      size += chunk.length;
    });
    const done = command.done.then(({ status, stderr }) => {
      expect(stderr).toBe('');
      return { status, digest: hash.digest('hex'), size };
    });
    return { done, size: () => size };
  };

  beforeAll(async () => {
    const folder = wirelab.lab('download', LAB);
    mkdirSync(join(folder, 'site'));
    writeFileSync(join(folder, 'site', 'file.bin'), file);
    writeFileSync(join(folder, 'site', 'lossy.bin'), lossy);
    expect((await wirelab.run(['up', folder, '--detach'])).stderr).toBe('');
  });
  afterAll(() => wirelab.end());

  test('arrives byte for byte through 2 % loss, 1 % duplicates, 5 ms delay and disorder', async () => {
    expect(await download('alice', 'lossy.bin').done).toEqual({ status: 0, digest: digestOf(lossy), size: lossyBytes });
    const nstat = await wirelab.run(['exec', 'bob', '--', 'nstat', '-a', '-z', 'TcpRetransSegs']);
    expect(Number(/TcpRetransSegs\s+(\d+)/.exec(nstat.stdout)?.[1])).toBeGreaterThan(0);
  }, 60_000);

  test('survives a wire that is out for five seconds in the middle', async () => {
    const { done, size } = download('carol', 'file.bin');
    await expect.poll(size, { timeout: 20_000, interval: 2 }).toBeGreaterThan(BYTES / 20);
    expect((await wirelab.run(['unplug', 'carol:eth0'])).status).toBe(0);
    const before = size();
    expect(before).toBeLessThan(BYTES);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect((await wirelab.run(['plug', 'carol:eth0'])).status).toBe(0);
    expect(await done).toEqual({ status: 0, digest: digestOf(file), size: BYTES });
  }, 60_000);

  test('leaves no packet in memory and no connection but those in TIME-WAIT', async () => {
    const { token } = wirelab.state('download');
    for (const { name, control } of await wirelab.ps()) {
      const live = async (): Promise<number> => {
        const headers = { authorization: `Bearer ${token}` };
        const metrics = await (await fetch(`http://127.0.0.1:${control}/metrics`, { headers })).text();
        return Number(/^wirelab_skbs_live\{[^}]*\} (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN);
      };
      await expect.poll(live, { timeout: 5_000, message: `${name}: live sk_buffs` }).toBe(0);
      const stat = await wirelab.exec(name, 'cat', '/proc/net/sockstat');
      expect([name, stat]).toEqual([name, expect.stringMatching(/TCP: inuse [0-2] orphan 0 tw \d+/)]);
    }
  });
}
