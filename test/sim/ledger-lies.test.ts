/** Seeds whose faults fall upon each other on the same wires, packed: the ledger says of every frame what somebody else counted. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { LedgerRow } from '../../services/gateway/ledger-row.ts';
import type { Net } from '../../services/lab/index.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { PackedDriver } from '../../services/lab/net/packed.ts';
import type { FrameBatch } from '../../shared/wire/frame-batch.ts';
import { MemoryWireEnd } from '../../shared/wire/memory-wire.ts';
import { LIES_LAB, lies } from '../kit/ledger-lies.ts';
import { TEST_SEED } from '../kit/random.ts';
import { site } from '../kit/soak-labs.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

/** LEDGER_SEEDS says how many, from WIRELAB_SEED on; otherwise those that lay in wait for a lie. */
const many = process.env['LEDGER_SEEDS'];
const SEEDS =
  many === undefined ? [5, 6, 61, TEST_SEED] : Array.from({ length: Number(many) }, (_, i) => TEST_SEED + i);

const folder = mkdtempSync(join(tmpdir(), 'wirelab-lies-'));
mkdirSync(join(folder, 'site'));
site(join(folder, 'site'), 200_000);
writeFileSync(join(folder, 'lab.yaml'), LIES_LAB);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Frames that went over a wire and that came, counted where they do, by the lives of both ends. */
class Counting {
  private readonly sent = new Map<string, number>();
  private readonly went = new Map<string, number>();
  private readonly came = new Map<string, number>();

  constructor(net: Net) {
    const { packed } = (net as LabNet).driver as PackedDriver;
    const { cores } = packed as unknown as { readonly cores: ReadonlyMap<string, MemoryWireEnd> };
    for (const [port, core] of cores) {
      expect(core).toBeInstanceOf(MemoryWireEnd);
      const inner = core as unknown as { transmit(batch: FrameBatch): void; deliver(batch: FrameBatch): void };
      const { transmit, deliver } = inner;
      inner.transmit = (batch) => {
        add(this.went, `${port} ${core.epoch} ${core.peer.end} ${core.peer.epoch}`, batch.count);
        add(this.sent, `${port} ${core.epoch}`, batch.count);
        transmit.call(core, batch);
      };
      inner.deliver = (batch) => {
        add(this.came, `${core.peer.end} ${core.peer.epoch} ${port} ${core.epoch}`, batch.count);
        deliver.call(core, batch);
      };
    }
  }

  /** What does not agree with the rows; '' when all does. */
  against(rows: readonly LedgerRow[], net: Net): string {
    const { packed } = (net as LabNet).driver as PackedDriver;
    const epoch = (port: string): number => packed.end(port).numbers.epoch;
    const odd = rows.filter((row) => {
      const life = `${row.from} ${epoch(row.from)}`;
      const sent = this.sent.get(life) ?? 0;
      const both = `${life} ${row.to} ${epoch(row.to)}`;
      const toEarlier = sent - (this.went.get(both) ?? 0);
      const received = this.came.get(both) ?? 0;
      return sent !== row.sent || toEarlier !== row.toEarlier || received !== row.received;
    });
    return odd.length === 0 ? '' : `another counted otherwise than ${JSON.stringify(odd)}`;
  }
}

function add(counts: Map<string, number>, key: string, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}

test(`${SEEDS.length} seeds of faults upon faults: nothing is ever unaccounted for (seed ${TEST_SEED})`, async () => {
  for (const seed of SEEDS) {
    await using net = await virtualLab(folder, { seed });
    const counting = new Counting(net);
    const { problems, log } = await lies(net, seed, (rows) => counting.against(rows, net));
    if (problems.length > 0) process.stderr.write(`${log.join('\n')}\n`);
    expect(problems).toEqual([]);
  }
});
