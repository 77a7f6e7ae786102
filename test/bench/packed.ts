/** Many hosts in one process, each pinging the next, beside a tenth of them. */
import { built } from './bench-lab.ts';
import { commandUntil } from './children.ts';
import { type Bench, inTurn } from './group.ts';
import { alternate, atMost, type Row } from './harness.ts';

const TIMES = 10;
const COST_RATIO_MAX = 11;

/** Seconds; megabytes go into `memory`. */
async function pings(hosts: number, memory: number[]): Promise<number> {
  const command = await commandUntil('done', [built('test/bench/packed-child.js'), 'ping', String(hosts)]);
  await command.end();
  const [, seconds, megabytes] = command.line.split(' ');
  memory.push(Number(megabytes));
  return Number(seconds);
}

export async function packed(bench: Bench): Promise<Row[]> {
  const few = bench.scale.packedHosts;
  const many = few * TIMES;
  const memory: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
  const times = await alternate(
    bench.scale.rounds,
    { ours: () => pings(many, memory.ours), theirs: () => pings(few, memory.theirs) },
    inTurn(bench, 'packed'),
  );
  const name = `${many} hosts in one process, each pinging the next`;
  const against = `${few} hosts`;
  const target = atMost(COST_RATIO_MAX);
  return [
    { name: `${name}: time`, unit: 's', ...times, against, target },
    { name: `${name}: memory (PSS)`, unit: 'MB', ...memory, against, target },
  ];
}
