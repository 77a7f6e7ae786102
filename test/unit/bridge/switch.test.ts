import { expect, test } from 'vitest';
import { Switch } from '../../../shared/bridge/switch.ts';
import { parseMac } from '../../../shared/header/address.ts';
import { MTU_DEFAULT } from '../../../shared/header/ethernet.ts';
import type { Host } from '../../../shared/net/host.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import type { Nic } from '../../../shared/nic/nic.ts';
import type { FrameBatch } from '../../../shared/wire/frame-batch.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import type { Wire } from '../../../shared/wire/wire.ts';
import { ip } from '../../kit/cable.ts';
import { addCard, cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';

interface Station {
  readonly host: Host;
  readonly nic: Nic;
  readonly wire: Wire;
  readonly seen: string[];
}

function lan(count: number) {
  const clock = new ManualClock();
  const swHost = cardHost('sw', clock);
  const sw = new Switch(swHost);
  const events: TraceEvent[] = [];
  swHost.trace.listen((event) => events.push(event));
  const stations: Station[] = [];
  for (let n = 1; n <= count; n++) {
    const [wire, portWire] = memoryWire(clock, `h${n}:eth0`, `sw:p${n}`);
    sw.addPort({ name: `p${n}`, mtu: MTU_DEFAULT, wire: portWire });
    const host = cardHost(`h${n}`, clock);
    const { nic } = addCard(host, 'eth0', wire, { addresses: [`10.0.0.${n}/24`] });
    const seen: string[] = [];
    nic.phy.tap = (direction, bytes, at, size) => {
      seen.push(`${direction} ${Buffer.from(bytes.subarray(at, at + size)).toString('hex')}`);
    };
    stations.push({ host, nic, wire, seen });
  }
  const drops = (): Record<string, number> => Object.fromEntries(swHost.skbs.counters.drops);
  const points = (): string[] => events.map((event) => event.point);
  return { clock, sw, swHost, stations, events, points, drops };
}

/** Put a frame of our own making on a station's wire: addresses, then filler. */
function inject(station: Station, target: string, source: string, size = 60): void {
  const frame = Buffer.alloc(size, 0x5a);
  const octets = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
  octets(target).copy(frame, 0);
  octets(source).copy(frame, 6);
  frame.writeUInt16BE(0x88b5, 12);
  const { phy } = station.nic;
  const at = phy.start(size, 9, 1, 0);
  phy.out.bytes.set(frame, at);
  phy.finish();
  phy.kick();
}

test('the question is flooded, the answer teaches, and what follows goes to one port alone, octets unchanged', () => {
  const { clock, stations, points } = lan(3);
  const [one, two, three] = stations as [Station, Station, Station];
  const echoes = listenEcho(one.host);
  sendEcho(one.host, ip('10.0.0.2'), { sequence: 1 });
  clock.advance(1_000);
  expect(echoes.replies).toHaveLength(1);
  // The third station saw the ARP question and nothing else.
  expect(three.seen).toHaveLength(1);
  expect(points().filter((point) => point === 'br_flood')).toHaveLength(1);
  expect(points().filter((point) => point === 'br_forward')).toHaveLength(3);
  const sent = one.seen.filter((line) => line.startsWith('out')).map((line) => line.slice(4));
  expect(two.seen.filter((line) => line.startsWith('in')).map((line) => line.slice(3))).toEqual(sent);
});

test('an address that moves to another port is followed there', () => {
  const { clock, sw, stations } = lan(3);
  const [one, two, three] = stations as [Station, Station, Station];
  inject(one, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  clock.advance(0);
  inject(three, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  clock.advance(0);
  one.seen.length = three.seen.length = 0;
  inject(two, '02:aa:00:00:00:01', '02:aa:00:00:00:02');
  clock.advance(0);
  expect([one.seen.length, three.seen.length]).toEqual([0, 1]);
  expect(sw.fdb.list(clock.now()).map((entry) => entry.port.name)).toEqual(['p3', 'p2']);
});

test('an address that is silent for 300 seconds is forgotten, and frames for it are flooded again', () => {
  const { clock, sw, stations } = lan(3);
  const [one, two, three] = stations as [Station, Station, Station];
  inject(one, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  clock.advance(299_000_000);
  three.seen.length = 0;
  inject(two, '02:aa:00:00:00:01', '02:aa:00:00:00:02');
  clock.advance(0);
  expect(three.seen).toHaveLength(0);
  clock.advance(2_000_000);
  inject(two, '02:aa:00:00:00:01', '02:aa:00:00:00:02');
  clock.advance(0);
  expect(three.seen).toHaveLength(1);
  expect(sw.fdb.size).toBe(1);
});

test('a frame for the port it came from, and one for a reserved address, go nowhere and are counted', () => {
  const { clock, stations, drops } = lan(2);
  const [one, two] = stations as [Station, Station];
  inject(one, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  inject(one, '02:aa:00:00:00:01', '02:aa:00:00:00:03');
  inject(one, '01:80:c2:00:00:0e', '02:aa:00:00:00:01');
  clock.advance(0);
  expect(two.seen).toHaveLength(1);
  expect(drops()).toEqual({ bridge_same_port: 1, bridge_reserved: 1 });
});

test('a frame with a wrong FCS is dropped at the switch and not learned from', () => {
  const { clock, sw, stations, drops } = lan(2);
  const [one, two] = stations as [Station, Station];
  const { phy } = one.nic;
  inject(one, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  phy.out.bytes[phy.out.offset(0) + 30]! ^= 4;
  clock.advance(0);
  expect(two.seen).toHaveLength(0);
  expect(sw.fdb.size).toBe(0);
  expect(drops()).toEqual({ fcs_error: 1 });
});

test('a port that loses carrier is forgotten by the database, and frames for it are flooded to the others', () => {
  const { clock, sw, swHost, stations, drops } = lan(3);
  const [one, two, three] = stations as [Station, Station, Station];
  inject(one, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  clock.advance(0);
  one.wire.unplug();
  expect(swHost.devices.byName('p1')?.carrier).toBe(false);
  expect(sw.fdb.size).toBe(0);
  three.seen.length = 0;
  inject(two, '02:aa:00:00:00:01', '02:aa:00:00:00:02');
  clock.advance(0);
  expect(three.seen).toHaveLength(1);
  expect(drops()).toEqual({});
});

test('a port whose wire is not ready keeps 1000 frames, loses the rest with a reason, and goes on in order', () => {
  const { clock, sw, stations, drops } = lan(2);
  const [one, two] = stations as [Station, Station];
  const port = sw.ports[1]!;
  inject(two, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:02');
  clock.advance(0);
  two.seen.length = 0;
  const wire = port.phy.wire as unknown as { ready: boolean };
  wire.ready = false;
  for (let i = 0; i < 1_200; i++) {
    inject(one, '02:aa:00:00:00:02', '02:aa:00:00:00:01', 60 + (i % 1_000));
    if (i % 100 === 0) clock.advance(0);
  }
  clock.advance(0);
  expect(two.seen).toHaveLength(0);
  expect(drops()).toEqual({ bridge_queue_full: 200 });
  expect(port.dev.counters.txDropped).toBe(200);
  wire.ready = true;
  port.onReady();
  clock.advance(0);
  expect(two.seen).toHaveLength(1_000);
  expect(two.seen.map((line) => (line.length - 3) / 2 - 64)).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
});

test('bridge fdb show is answered with ports and ages', () => {
  const { clock, swHost, stations } = lan(2);
  inject(stations[0]!, 'ff:ff:ff:ff:ff:ff', '02:aa:00:00:00:01');
  clock.advance(7);
  expect(swHost.netlink.ask({ type: 'FDB_GET' })).toEqual({
    answer: [{ mac: parseMac('02:aa:00:00:00:01'), port: 'p1', age: 7, permanent: false }],
  });
  expect(swHost.netlink.ask({ type: 'FDB_FLUSH' })).toEqual({ answer: 1 });
});

test('a batch whose frames all go one way leaves in the memory it came in; one that goes two ways is copied', () => {
  const { clock, sw, stations, drops } = lan(3);
  const [one, two, three] = stations as [Station, Station, Station];
  const mac = (n: number): string => `02:00:00:00:00:0${n}`;
  const burst = (...targets: string[]): void => {
    for (const target of targets) inject(one, target, mac(1));
    clock.advance(10);
  };
  // The switch learns all three.
  inject(two, mac(9), mac(2));
  inject(three, mac(9), mac(3));
  burst(mac(9));
  const out: FrameBatch[] = [];
  const inwards: FrameBatch[] = [];
  for (const port of sw.ports) {
    const passOn = port.phy.wire!.passOn.bind(port.phy.wire);
    port.phy.wire!.passOn = (batch) => {
      const passed = passOn(batch);
      if (passed) out.push(batch);
      return passed;
    };
    const onBatch = port.phy.onBatch.bind(port.phy);
    port.phy.onBatch = (batch) => {
      inwards.push(batch);
      onBatch(batch);
    };
  }
  two.seen.length = 0;
  three.seen.length = 0;

  burst(mac(2), mac(2), mac(2));
  expect(out).toEqual(inwards);
  expect(out).toHaveLength(1);
  burst(mac(2), mac(3), mac(2));
  expect(out).toHaveLength(1);
  burst(mac(3), mac(3));
  expect(out).toHaveLength(2);

  expect([two.seen.length, three.seen.length]).toEqual([5, 3]);
  expect(drops()).toEqual({});
});
