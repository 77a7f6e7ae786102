/** Whether a lab of twice the size costs twice as much: boot, memory, and the goodput of one flow while the rest idles. */
import { type Bench, inTurn } from './group.ts';
import { alternate, atLeast, atMost, type Figure, type Row } from './harness.ts';
import { liveLab, starLab } from './live-lab.ts';
import { meanPssMb } from './machine.ts';
import type { Scale } from './scale.ts';

const COST_RATIO_MAX = 2.2;
/** What is flat: the goodput of a flow among the most devices beside that among the fewest. */
const FLAT_RATIO_MIN = 0.9;
/** Those before are the compiler's: the fourth takes half of the processor's time of the first. */
const WARM_DOWNLOADS = 3;
const MB = 1_000_000;

interface Costs {
  readonly boot: number[];
  readonly memory: number[];
  readonly goodput: number[];
}

/** A lab of so many devices: hosts, and their switch. */
async function measure(devices: number, { fileBytes, restMs, quietMs }: Scale, costs: Costs): Promise<number> {
  const lab = await liveLab(starLab(devices - 1, true), { 'site/file': new Uint8Array(fileBytes) });
  try {
    costs.boot.push(lab.seconds);
    costs.memory.push((await meanPssMb(lab.pids, restMs)) * lab.pids.length);
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    const argv = ['curl', '-s', '-o', '/dev/null', '-w', '%{size_download} %{speed_download}', 'http://10.0.0.2/file'];
    for (let i = 0; i < WARM_DOWNLOADS; i++) await lab.exec('h1', ...argv);
    const [octets, rate] = (await lab.exec('h1', ...argv)).split(' ').map(Number);
    if (octets !== fileBytes || rate === undefined) throw new Error(`${octets} octets of ${fileBytes} came`);
    costs.goodput.push(rate / MB);
    return rate;
  } finally {
    await lab.stop();
  }
}

export async function growth(bench: Bench): Promise<Row[]> {
  const { growth: sizes, rounds } = bench.scale;
  const costs = new Map(sizes.map((size): [number, Costs] => [size, { boot: [], memory: [], goodput: [] }]));
  const costsOf = (size: number): Costs => costs.get(size) ?? { boot: [], memory: [], goodput: [] };
  const measures = sizes.map((size) => [`${size}`, () => measure(size, bench.scale, costsOf(size))] as const);
  await alternate(rounds, Object.fromEntries(measures), inTurn(bench, 'growth'));
  const rows = (what: string, unit: string, of: keyof Costs): Figure[] =>
    sizes.slice(1).map((size, i) => ({
      name: `${what} of ${size} devices`,
      unit,
      ours: costsOf(size)[of],
      against: `${sizes[i]} devices`,
      theirs: costsOf(sizes[i] ?? 0)[of],
      target: atMost(COST_RATIO_MAX),
    }));
  const [fewest = 0] = sizes;
  const flow = sizes.slice(1).map(
    (size): Figure => ({
      name: `download by one of ${size} devices`,
      unit: 'MB/s',
      ours: costsOf(size).goodput,
      against: `one of ${fewest}`,
      theirs: costsOf(fewest).goodput,
      target: atLeast(FLAT_RATIO_MIN),
    }),
  );
  return [...rows('boot', 's', 'boot'), ...rows('memory (PSS)', 'MB', 'memory'), ...flow];
}
