/** `/metrics`: a device's counters in Prometheus' text format. */
import { refusals } from '../nic/phy.ts';
import type { Wire } from '../wire/wire.ts';
import type { Cables } from './cables.ts';
import type { Device } from './device.ts';

type Labels = Readonly<Record<string, string>>;

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

class Page {
  private readonly lines: string[] = [];

  metric(name: string, type: 'counter' | 'gauge', help: string, samples: readonly (readonly [Labels, number])[]): void {
    this.lines.push(`# HELP wirelab_${name} ${help}`, `# TYPE wirelab_${name} ${type}`);
    for (const [labels, value] of samples) {
      const inner = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
      this.lines.push(`wirelab_${name}{${inner.join(',')}} ${value}`);
    }
  }

  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }
}

export function renderMetrics(device: Device, cables: Cables, garbage: ReadonlyMap<string, number>): string {
  const page = new Page();
  const own = { device: device.name };
  const skbs = device.host.skbs.counters;
  wireMetrics(page, device, cables);
  page.metric(
    'drops_total',
    'counter',
    'Packets dropped, by reason.',
    [...skbs.drops].map(([reason, count]) => [{ ...own, reason }, count]),
  );
  page.metric('skbs_live', 'gauge', 'Packets in memory.', [[own, skbs.live]]);
  page.metric('skbs_allocated_total', 'counter', 'Packets born.', [[own, skbs.allocated]]);
  page.metric('skbs_cloned_total', 'counter', 'Packets that share the octets of others.', [[own, skbs.cloned]]);
  page.metric('skbs_copied_total', 'counter', 'Packets copied whole.', [[own, skbs.copied]]);
  page.metric(
    'copies_total',
    'counter',
    'Copies of packets, by cause.',
    Object.entries(skbs.copies).map(([cause, count]) => [{ ...own, cause }, count]),
  );
  page.metric(
    'copied_bytes_total',
    'counter',
    'Octets that those copies moved; a clone moves none.',
    Object.entries(skbs.copiedBytes).map(([cause, count]) => [{ ...own, cause }, count]),
  );
  page.metric(
    'garbage_total',
    'counter',
    'Connections closed because what came in made no sense.',
    [...garbage].map(([where, count]) => [{ ...own, where }, count]),
  );
  page.metric('resident_bytes', 'gauge', 'Memory of the process.', [[own, process.memoryUsage.rss()]]);
  return page.text;
}

function wireMetrics(page: Page, device: Device, cables: Cables): void {
  const own = { device: device.name };
  const wires = [...device.wires];
  const each = (read: (wire: (typeof wires)[number][1]) => number): [Labels, number][] =>
    wires.map(([port, wire]) => [{ ...own, port, wire: wire.name }, read(wire)]);
  page.metric(
    'frames_sent_total',
    'counter',
    'Frames sent on the wire.',
    each((wire) => wire.counters.sentFrames),
  );
  page.metric(
    'frames_received_total',
    'counter',
    'Frames received.',
    each((wire) => wire.counters.receivedFrames),
  );
  page.metric(
    'bytes_sent_total',
    'counter',
    'Octets sent on the wire.',
    each((wire) => wire.counters.sentBytes),
  );
  page.metric(
    'bytes_received_total',
    'counter',
    'Octets received.',
    each((wire) => wire.counters.receivedBytes),
  );
  page.metric(
    'frames_lost_with_peer_total',
    'counter',
    'Numbered by the far end, never seen here.',
    each((wire) => wire.counters.lostWithPeer),
  );
  page.metric(
    'frames_lost_by_unplug_total',
    'counter',
    'Under way to us when the plug came out.',
    each((wire) => wire.counters.lostByUnplug),
  );
  page.metric(
    'frames_lost_by_cut_total',
    'counter',
    'Sent into the direction that is cut.',
    each((wire) => wire.counters.lostByCut),
  );
  page.metric(
    'frames_refused_total',
    'counter',
    'Refused by the physical layer, by reason.',
    [...device.phys].flatMap(([port, { counters }]) =>
      refusals(counters).map(([reason, count]): [Labels, number] => [{ ...own, port, reason }, count]),
    ),
  );
  page.metric(
    'frames_lost_without_carrier_total',
    'counter',
    'Sent while there was no carrier.',
    each((wire) => wire.counters.lostWithoutCarrier),
  );
  page.metric(
    'wire_malformed_messages_total',
    'counter',
    'Messages on a wire that closed it.',
    each((wire) => wire.counters.malformedMessages),
  );
  page.metric(
    'wire_refused_total',
    'counter',
    'Connections of a wire that were closed or not let in, by why.',
    wires.flatMap(([port, wire]) =>
      [...cables.refusedAt(port)].map(([why, count]): [Labels, number] => [
        { ...own, port, wire: wire.name, why },
        count,
      ]),
    ),
  );
  plugMetrics(page, each);
}

type Each = (read: (wire: Wire) => number) => [Labels, number][];

function plugMetrics(page: Page, each: Each): void {
  page.metric(
    'carrier_down_total',
    'counter',
    'How often carrier went.',
    each((wire) => wire.counters.carrierDown),
  );
  page.metric(
    'carrier',
    'gauge',
    'Whether the port has carrier.',
    each((wire) => (wire.carrier ? 1 : 0)),
  );
  page.metric(
    'plugged',
    'gauge',
    'Whether the plug is in.',
    each((wire) => (wire.plugged ? 1 : 0)),
  );
}
