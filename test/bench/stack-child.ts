/**
 * The stack by itself, measured on request: two hosts with cards on a wire in memory, one process, a manual clock, no
 * event loop in between. And what the machine gives without any protocol: the same octets copied as often, through the
 * same rings and packet memory.
 */
import { isErrno } from '../../shared/net/errno.ts';
import { setSocketOption } from '../../shared/net/socket.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { RxRing, TxRing } from '../../shared/nic/ring.ts';
import { assert } from '../../shared/platform.ts';
import { ip } from '../kit/cable.ts';
import { connectTo, listenOn, type Pair, pumpOut, tcpPair } from '../kit/tcp-pair.ts';

/** What is measured: TCP with and without segmentation and merging by the cards, datagrams of a 64-octet frame. */
export type StackWork = 'tcp' | 'tcp-plain' | 'udp' | 'copy' | 'copy-small';
export interface StackOrder {
  readonly work: StackWork;
  /** Count seconds of the processor instead of the wall's. */
  readonly processor: boolean;
  /** Of the whole amount of work, 0 to 1. */
  readonly share: number;
}
/** Octets, or packets, a second. */
export interface StackAnswer {
  readonly rate: number;
}

const STREAM_BYTES = 64_000_000;
const WRITE_BYTES = 65_536;
/** MTU 1500, timestamps: what a segment carries, and what its frame is from link header to the end. */
const SEGMENT_BYTES = 1_448;
const FRAME_BYTES = 1_514;
const DATAGRAMS = 200_000;
/** 64 octets with FCS. */
const SMALL_FRAME_BYTES = 60;
const SMALL_BYTES = SMALL_FRAME_BYTES - 42;
/** What a poll takes, and a ring holds. */
const BURST = 64;

/** Of which clock: the wall's, or that of the processor, which stands still while another process has it. */
let processor = false;
let share = 1;

function seconds(work: () => void): number {
  const began = performance.now();
  const before = process.cpuUsage();
  work();
  if (!processor) return (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000_000;
}

function stream(offloads: boolean): number {
  const pair = tcpPair();
  for (const host of [pair.alice, pair.bob]) {
    const dev = host.devices.byName('eth0');
    assert(dev !== undefined, 'both have a card');
    if (!offloads) Object.assign(dev.features, { tso: false, gso: false, gro: false });
  }
  const buffer = new Uint8Array(WRITE_BYTES);
  let received = 0;
  listenOn(pair.bob, 80, (child) => {
    const read = (): void => {
      for (;;) {
        const answer = tcpProto.recvmsg(child, buffer, 0);
        if (isErrno(answer) || answer.length === 0) return;
        received += answer.length;
      }
    };
    child.wait.add(read);
    read();
  });
  const sk = connectTo(pair.alice, '10.0.0.2', 80);
  pair.clock.advance(10_000);
  const size = Math.ceil(STREAM_BYTES * share);
  const bytes = new Uint8Array(size);
  const took = seconds(() => {
    pumpOut(sk, bytes, () => {}, WRITE_BYTES);
    for (let n = 0; received < size; n++) {
      assert(n < 1_000_000, 'the stream arrives');
      pair.clock.advance(1_000);
    }
  });
  return size / took;
}

function datagrams(): number {
  const { alice, bob, clock }: Pair = tcpPair();
  const create = (host: typeof alice) => {
    const sk = host.sockets.create(host, 'inet', 'dgram', 0);
    assert(!isErrno(sk), 'UDP is there');
    return { sk, proto: sk.proto };
  };
  const from = create(alice);
  const to = create(bob);
  setSocketOption(to.sk, 'SOL_SOCKET', 'SO_RCVBUF', 4_000_000);
  to.proto.bind(to.sk, { address: ip('10.0.0.2'), port: 7 });
  from.proto.connect(from.sk, { address: ip('10.0.0.2'), port: 7 });
  const bytes = new Uint8Array(SMALL_BYTES);
  const buffer = new Uint8Array(2_048);
  let received = 0;
  const burst = (): void => {
    for (let i = 0; i < BURST; i++) from.proto.sendmsg(from.sk, bytes, {});
    clock.advance(1);
    while (!isErrno(to.proto.recvmsg(to.sk, buffer, 0))) received++;
  };
  burst();
  clock.advance(1_000_000);
  const took = seconds(() => {
    for (let sent = 0; sent < DATAGRAMS * share; sent += BURST) burst();
  });
  assert(received > 0.99 * DATAGRAMS * share, `datagrams arrive: ${received}`);
  return received / took;
}

/** user -> sk_buff -> TX ring -> the wire's batch -> RX ring -> user: the four copies that every packet has. */
function copies(frames: number, frameBytes: number, payload: number): number {
  const { skbs } = tcpPair().alice;
  const [tx, rx] = [new TxRing(), new RxRing()];
  const user = new Uint8Array(WRITE_BYTES);
  const batch = new Uint8Array(BURST * frameBytes);
  const target = new Uint8Array(WRITE_BYTES);
  return seconds(() => {
    for (let sent = 0; sent < frames; sent += BURST) {
      for (let i = 0; i < BURST; i++) {
        const skb = skbs.alloc(frameBytes);
        skb.bytes.set(user.subarray(0, payload), frameBytes - payload);
        skb.put(frameBytes);
        tx.post(skb);
      }
      for (let i = 0; i < BURST; i++) {
        batch.set(tx.take().bytes.subarray(0, frameBytes), i * frameBytes);
        skbs.consume(tx.reclaim());
      }
      for (let i = 0; i < BURST; i++) {
        const slot = rx.claim();
        const pages = skbs.pages(frameBytes);
        pages.bytes.set(batch.subarray(i * frameBytes, (i + 1) * frameBytes));
        rx.pages[slot] = pages;
      }
      for (let i = 0; i < BURST; i++) {
        const skb = skbs.build(rx.pages[rx.first]!, 0, frameBytes);
        rx.release();
        target.set(skb.bytes.subarray(frameBytes - payload, frameBytes));
        skbs.consume(skb);
      }
    }
  });
}

function measure(work: StackWork): number {
  switch (work) {
    case 'tcp':
      return stream(true);
    case 'tcp-plain':
      return stream(false);
    case 'udp':
      return datagrams();
    case 'copy': {
      const frames = Math.ceil((STREAM_BYTES * share) / SEGMENT_BYTES);
      return (frames * SEGMENT_BYTES) / copies(frames, FRAME_BYTES, SEGMENT_BYTES);
    }
    case 'copy-small':
      return (DATAGRAMS * share) / copies(Math.ceil(DATAGRAMS * share), SMALL_FRAME_BYTES, SMALL_BYTES);
  }
}

const [again, work] = process.argv.slice(2);
if (again !== undefined && work !== undefined) {
  // By hand, for a profile: node --cpu-prof dist/test/bench/stack-child.js 10 tcp
  for (let n = 0; n < Number(again); n++) console.log((measure(work as StackWork) / 1e6).toFixed(2));
} else {
  process.on('message', (order: StackOrder) => {
    processor = order.processor;
    share = order.share;
    process.send?.({ rate: measure(order.work) } satisfies StackAnswer);
  });
}
