/** Goodput and round trips through processes: host-switch-host, and two switches and a router between. */
import { BenchLab, CHAIN, processorSeconds, TWO_HOSTS } from './bench-lab.ts';
import { type Bench, inTurn, skipped } from './group.ts';
import { alternate, atLeast, atMost, type Figure, percentile, type Row } from './harness.ts';
import { Peer, type PeerKind, whyNot } from './peers.ts';
import { Relay } from './relay.ts';

/** 56 octets of data, ICMP, IP, Ethernet, preamble and FCS. */
const PING_BYTES = 110;
const RELAY = 'three bare ws processes';
const VDE = 'vde_switch between two TAPs';
const LINUX = 'Linux: two bridges and a router in namespaces';
/** A device in the chain may cost so much more per octet than one of three: its frames come in shorter batches. */
const CHAIN_COST_RATIO_MAX = 1.25;
/** Until the compiler has seen enough: each device of five has less of the processor, and sees less in a blast. */
const WARM_BLASTS = 4;

interface Blast {
  readonly gbit: number;
  /** Nanoseconds of the processor per octet, the mean of all devices. */
  readonly cost: number;
}

async function blast(lab: BenchLab, to: string, seconds: number, devices: readonly string[]): Promise<Blast> {
  const had = (): number => devices.reduce((sum, name) => sum + processorSeconds(lab.pid(name)), 0);
  const before = had();
  const answer = await lab.exec('alice', 'blast', to, String(seconds));
  const [octets = 0, micros = 1] = answer.split(' ').map(Number);
  return { gbit: (octets * 8) / micros / 1_000, cost: ((had() - before) * 1e9) / octets / devices.length };
}

/** A peer that measures nothing when it cannot be had. */
async function peerOf(kind: PeerKind): Promise<{ peer: Peer | undefined; why: string }> {
  const why = whyNot(kind);
  return why === undefined ? { peer: await Peer.start(kind), why: '' } : { peer: undefined, why };
}

export async function goodput(bench: Bench): Promise<Row[]> {
  const { rounds, blastSeconds } = bench.scale;
  const [lab, relay, vde] = await Promise.all([BenchLab.start(TWO_HOSTS), Relay.start(), peerOf('vde')]);
  try {
    const ours = async (): Promise<number> => (await blast(lab, '10.0.0.2', blastSeconds, ['alice', 'sw', 'bob'])).gbit;
    for (let i = 0; i < WARM_BLASTS; i++) await ours();
    const measured = await alternate(
      rounds,
      {
        ours,
        relay: () => relay.goodput(blastSeconds),
        vde: async () => (await vde.peer?.goodput(blastSeconds)) ?? Number.NaN,
      },
      inTurn(bench, 'goodput'),
    );
    const name = 'TCP goodput host-switch-host';
    const common = { name, unit: 'Gbit/s', ours: measured.ours };
    return [
      vde.peer === undefined
        ? skipped(`${name} beside ${VDE}`, vde.why)
        : { ...common, against: `${VDE}, iperf3`, theirs: measured.vde, target: atLeast(2.5) },
      { ...common, against: RELAY, theirs: measured.relay, target: atLeast(0.2) },
      // What any code on these wires could make beside it on this machine.
      ...(vde.peer === undefined
        ? []
        : [
            {
              name: `octets through ${RELAY}`,
              unit: 'Gbit/s',
              ours: measured.relay,
              against: `${VDE}, iperf3`,
              theirs: measured.vde,
            },
          ]),
    ];
  } finally {
    await Promise.all([lab.stop(), relay.stop(), vde.peer?.stop()]);
  }
}

export async function chain(bench: Bench): Promise<Row[]> {
  const { rounds, blastSeconds } = bench.scale;
  const [three, five, linux] = await Promise.all([BenchLab.start(TWO_HOSTS), BenchLab.start(CHAIN), peerOf('linux')]);
  const costs: { short: number[]; long: number[] } = { short: [], long: [] };
  const ours = async (): Promise<number> => {
    const { gbit, cost } = await blast(five, '10.0.2.1', blastSeconds, ['alice', 'sw1', 'r', 'sw2', 'bob']);
    costs.long.push(cost);
    return gbit;
  };
  const short = async (): Promise<number> => {
    const { gbit, cost } = await blast(three, '10.0.0.2', blastSeconds, ['alice', 'sw', 'bob']);
    costs.short.push(cost);
    return gbit;
  };
  try {
    for (let i = 0; i < WARM_BLASTS; i++) {
      await ours();
      await short();
    }
    costs.long.length = 0;
    costs.short.length = 0;
    const measured = await alternate(
      rounds,
      { ours, short, linux: async () => (await linux.peer?.goodput(blastSeconds)) ?? Number.NaN },
      inTurn(bench, 'chain'),
    );
    const name = 'TCP goodput through two switches and a router';
    return [
      linux.peer === undefined
        ? skipped(`${name} beside ${LINUX}`, linux.why)
        : { name, unit: 'Gbit/s', ours: measured.ours, against: `${LINUX}, iperf3`, theirs: measured.linux },
      {
        name: 'processor time per octet and device, two switches and a router',
        unit: 'ns',
        ours: costs.long,
        against: 'one switch',
        theirs: costs.short,
        target: atMost(CHAIN_COST_RATIO_MAX),
      },
    ];
  } finally {
    await Promise.all([three.stop(), five.stop(), linux.peer?.stop()]);
  }
}

export async function ping(bench: Bench): Promise<Row[]> {
  const { rounds, pings, pingIdleMs } = bench.scale;
  const [lab, relay, vde] = await Promise.all([BenchLab.start(TWO_HOSTS), Relay.start(), peerOf('vde')]);
  const p99: Record<'ours' | 'relay' | 'vde', number[]> = { ours: [], relay: [], vde: [] };
  const middle = (who: keyof typeof p99, times: readonly number[]): number => {
    p99[who].push(percentile(times, 0.99));
    return percentile(times, 0.5);
  };
  const argv = ['ping', '-c', String(pings), '-i', String(pingIdleMs / 1_000), '10.0.0.2'];
  const ours = async (): Promise<number[]> =>
    [...(await lab.exec('alice', ...argv)).matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1_000);
  try {
    await ours();
    const p50 = await alternate(
      rounds,
      {
        ours: async () => middle('ours', await ours()),
        relay: async () => middle('relay', await relay.rounds(pings, PING_BYTES, pingIdleMs)),
        vde: async () => middle('vde', (await vde.peer?.pings(pings, pingIdleMs)) ?? []),
      },
      inTurn(bench, 'ping'),
    );
    const row = (share: string, all: typeof p99): Row[] => {
      const common = { name: `ping host-switch-host, ${share}`, unit: 'us', ours: all.ours };
      const beside: Figure = { ...common, against: `a message through ${RELAY}`, theirs: all.relay, target: atMost(3) };
      const native = vde.peer === undefined ? skipped(`${common.name} beside ${VDE}`, vde.why) : undefined;
      return [beside, native ?? { ...common, against: `${VDE}, ping`, theirs: all.vde }];
    };
    return [...row('p50', p50), ...row('p99', p99)];
  } finally {
    await Promise.all([lab.stop(), relay.stop(), vde.peer?.stop()]);
  }
}
