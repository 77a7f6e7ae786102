/**
 * Which queueing disciplines there are, and what `tc` asks of the kernel: add, replace, change, delete, list (Linux:
 * sch_api.c). Only roots: no classes, no filters, no ingress.
 */
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import { netifWakeQueue, qdiscReset, qdiscRun } from './netdev.ts';
import type { NetlinkTable, QdiscRecord } from './netlink.ts';
import { Fifo, NoQueue, PfifoFast, type Qdisc, type QdiscKind } from './qdisc.ts';
import { FqCodel } from './qdisc-codel.ts';
import { Fq } from './qdisc-fq.ts';
import { Tbf } from './qdisc-tbf.ts';

type Maker = (host: Host, dev: NetDevice) => Qdisc;

const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['pfifo', (host, dev) => new Fifo(host, dev, 'pfifo')],
  ['bfifo', (host, dev) => new Fifo(host, dev, 'bfifo')],
  ['pfifo_fast', (host, dev) => new PfifoFast(host, dev)],
  ['noqueue', (host, dev) => new NoQueue(host, dev)],
  ['fq', (host, dev) => new Fq(host, dev)],
  ['fq_codel', (host, dev) => new FqCodel(host, dev)],
  ['tbf', (host, dev) => new Tbf(host, dev)],
]);
/** Those that net.core.default_qdisc takes: tbf has parameters that it cannot do without. */
export const DEFAULT_QDISCS: ReadonlySet<string> = new Set([...MAKERS.keys()].filter((kind) => kind !== 'tbf'));
/** Without options it cannot be made. */
const NEEDS_OPTIONS: ReadonlySet<string> = new Set(['tbf']);
/** Handles that the kernel chooses begin at 8001: (qdisc_alloc_handle). */
const HANDLE_FIRST = 0x8001;
const HANDLE_LAST = 0xfffe;

/** What a device has that nobody gave one (attach_default_qdiscs). */
export function attachDefaultQdisc(host: Host, dev: NetDevice): void {
  const kind = dev.queueless ? 'noqueue' : host.devices.defaultQdisc.value;
  dev.qdisc = MAKERS.get(kind)!(host, dev);
}

/** The old one's packets are lost; the new one begins empty. (Linux: dev_graft_qdisc) */
function graft(host: Host, dev: NetDevice, qdisc: Qdisc): void {
  qdiscReset(host, dev, 'qdisc_reset');
  dev.qdisc.destroy();
  dev.qdisc = qdisc;
  netifWakeQueue(host, dev);
}

export type QdiscAnswer = { readonly errno: Errno; readonly sentence?: string } | undefined;

export function qdiscInit(host: Host): void {
  let nextHandle = HANDLE_FIRST;
  const allocate = (): number => {
    const handle = nextHandle;
    nextHandle = nextHandle >= HANDLE_LAST ? HANDLE_FIRST : nextHandle + 1;
    return handle;
  };
  host.netlink.register('RTM_GETQDISC', () => host.devices.list().map(recordOf));
  host.netlink.register('RTM_NEWQDISC', (query) => modify(host, query, allocate));
  host.netlink.register('RTM_DELQDISC', ({ dev: name, handle }) => {
    const dev = host.devices.byName(name);
    if (dev === undefined) return { errno: 'ENODEV' };
    if (dev.qdisc.handle === 0) return { errno: 'ENOENT', sentence: 'Cannot delete qdisc with handle of zero' };
    if (handle !== undefined && handle !== dev.qdisc.handle) return { errno: 'EINVAL', sentence: 'Invalid handle' };
    const old = dev.qdisc;
    qdiscReset(host, dev, 'qdisc_reset');
    old.destroy();
    attachDefaultQdisc(host, dev);
    return undefined;
  });
}

/** Which of making anew and changing is meant, in the order in which Linux asks (tc_modify_qdisc). */
function modify(
  host: Host,
  { dev: name, kind, how, handle, options }: NetlinkTable['RTM_NEWQDISC']['query'],
  allocate: () => number,
): QdiscAnswer {
  const dev = host.devices.byName(name);
  if (dev === undefined) return { errno: 'ENODEV' };
  const present = dev.qdisc.handle === 0 ? undefined : dev.qdisc;
  const other = present === undefined || (handle !== undefined && handle !== present.handle);
  const differs = present !== undefined && kind !== undefined && kind !== present.kind;
  if (other || (differs && how === 'replace')) {
    if (handle !== undefined && present !== undefined && how !== 'replace')
      return { errno: 'EEXIST', sentence: 'NLM_F_REPLACE needed to override' };
    if (how === 'change') return { errno: 'ENOENT', sentence: 'Qdisc not found. To create specify NLM_F_CREATE flag' };
    return create(host, dev, { kind, options, handle: handle ?? allocate() });
  }
  if (how === 'add') return { errno: 'EEXIST', sentence: 'Exclusivity flag on, cannot modify' };
  if (differs) return { errno: 'EINVAL', sentence: 'Invalid qdisc name' };
  if (options === undefined) return undefined;
  const errno = present.change(options);
  if (errno === undefined && dev.up && dev.carrier) qdiscRun(host, dev);
  return errno === undefined ? undefined : { errno };
}

function create(
  host: Host,
  dev: NetDevice,
  wanted: { kind: QdiscKind | string | undefined; options: QdiscRecord['options'] | undefined; handle: number },
): QdiscAnswer {
  const maker = wanted.kind === undefined ? undefined : MAKERS.get(wanted.kind);
  if (wanted.kind === undefined) return { errno: 'EINVAL' };
  if (maker === undefined) return { errno: 'ENOENT', sentence: 'Specified qdisc kind is unknown' };
  if (wanted.options === undefined && NEEDS_OPTIONS.has(wanted.kind)) return { errno: 'EINVAL' };
  const qdisc = maker(host, dev);
  const errno = wanted.options === undefined ? undefined : qdisc.change(wanted.options);
  if (errno !== undefined) {
    qdisc.destroy();
    return { errno };
  }
  // noqueue is what Linux shows without a handle.
  qdisc.handle = qdisc.kind === 'noqueue' ? 0 : wanted.handle;
  graft(host, dev, qdisc);
  return undefined;
}

function recordOf(dev: NetDevice): QdiscRecord {
  const { qdisc } = dev;
  return {
    dev: dev.name,
    ifindex: dev.ifindex,
    kind: qdisc.kind,
    handle: qdisc.handle,
    options: qdisc.options(),
    statistics: qdisc.statistics(),
    sentBytes: qdisc.sentBytes,
    sentPackets: qdisc.sentPackets,
    drops: qdisc.drops,
    overlimits: qdisc.overlimits,
    requeues: qdisc.requeues,
    backlogBytes: qdisc.bytes,
    backlogPackets: qdisc.packets,
  };
}
