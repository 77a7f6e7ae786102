/** How soon neighbours know, on processes: 100 ms for unplug and kill, host to switch and switch to switch, 4 s for freeze. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lab, type Net } from 'wirelab';

const GOES = 20;
const HOSTS = Array.from({ length: GOES }, (_, i) => `h${i + 1}`);

function labFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-carrier-'));
  const lines = [
    'name: carrier',
    'devices:',
    `  sw: { kind: switch, ports: ${GOES + 1} }`,
    '  far: { kind: switch }',
    ...HOSTS.map((host, i) => `  ${host}: { kind: host, eth0: 10.0.0.${i + 1}/24 }`),
    'wires:',
    `  - sw:p${GOES + 1} -- far:p1`,
    ...HOSTS.map((host, i) => `  - ${host}:eth0 -- sw:p${i + 1}`),
  ];
  writeFileSync(join(folder, 'lab.yaml'), `${lines.join('\n')}\n`);
  return folder;
}

/** Milliseconds until none of these ends has carrier, asked without a pause. */
async function dark(net: Net, ends: readonly string[], since: number): Promise<number> {
  for (;;) {
    const carriers = await Promise.all(ends.map((end) => net.wire(end).carrier()));
    if (carriers.every((found, i) => found[ends[i]!] === false)) return performance.now() - since;
    if (performance.now() - since > 10_000) throw new Error(`${ends.join(', ')} never went dark`);
  }
}

const median = (of: readonly number[]): number => [...of].sort((a, b) => a - b)[of.length >> 1]!;
const said = (what: string, took: readonly number[]): void =>
  console.log(
    `${what}: ${Math.min(...took).toFixed(0)} to ${Math.max(...took).toFixed(0)} ms, median ${median(took).toFixed(0)}`,
  );

test('both ends know of an unplugged wire, and the neighbours of a killed device, within 100 ms', async () => {
  await using net = await lab(labFile());
  const wires = { 'host to switch': ['h1:eth0', 'sw:p1'], 'switch to switch': ['far:p1', `sw:p${GOES + 1}`] } as const;
  for (const [where, ends] of Object.entries(wires)) {
    const unplug: number[] = [];
    const kill: number[] = [];
    for (let go = 0; go < GOES; go++) {
      {
        const since = performance.now();
        await using _ = await net.unplug(ends[0]);
        unplug.push(await dark(net, ends, since));
      }
      await net.wait.carrier(ends[1]);
      {
        const since = performance.now();
        await using _ = await net.kill(ends[0].split(':')[0]!);
        kill.push(await dark(net, [ends[1]], since));
      }
      await net.wait.carrier(ends[1]);
    }
    said(`unplug, ${where}`, unplug);
    said(`kill, ${where}`, kill);
    expect(Math.max(...unplug)).toBeLessThan(100);
    expect(Math.max(...kill)).toBeLessThan(100);
  }
});

test('the neighbours of devices that freeze, each at a moment of its own, know within 4 s', async () => {
  await using net = await lab(labFile());
  const took = await Promise.all(
    HOSTS.map(async (host, i) => {
      await net.wait.time(`${Math.floor(Math.random() * 3_000)}ms`);
      await net.freeze(host);
      const since = performance.now();
      const limit = '10s';
      await net.wait.carrier(`sw:p${i + 1}`, false, limit);
      return performance.now() - since;
    }),
  );
  said('freeze', took);
  expect(Math.min(...took)).toBeGreaterThan(2_000);
  expect(Math.max(...took)).toBeLessThan(4_000);
});
