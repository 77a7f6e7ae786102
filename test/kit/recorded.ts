/** Frames that really came in at the ports of labs/url-to-page while names were asked and pages fetched there. */
import { CABLE } from '../../shared/header/ethernet.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { SECOND } from '../../shared/platform.ts';
import { testLab } from './lab.ts';

/** The bulk of a download is the same frame over and over. */
const FRAMES_PER_PORT_MAX = 250;

/** One of every kind of traffic: pages, names, echoes whole and in pieces, errors, refusals. */
const LINES = [
  ['alice', 'browser http://www.server.com/'],
  ['bob', 'curl -sI http://www.server.com/'],
  ['carol', 'curl -s http://www.server.com/nosuch'],
  ['alice', 'curl -s http://www.server.com:81/'],
  ['alice', 'dig +tcp www.server.com'],
  ['bob', 'dig nosuch.server.com'],
  ['alice', 'dig +trace www.server.com'],
  ['carol', 'dig web.server.com AAAA'],
  ['alice', 'ping -c 1 192.168.1.11'],
  ['alice', 'ping -c 1 -s 4000 192.0.2.80'],
  ['www', 'ping -c 1 -W 1 -s 3000 198.51.100.2'],
  ['bob', 'traceroute -n 192.0.2.80'],
] as const;

export interface Recording {
  readonly plan: LabPlan;
  /** By port, `alice:eth0`, in the order in which they came; without FCS. */
  readonly frames: ReadonlyMap<string, readonly Uint8Array[]>;
}

export async function recordUrlToPage(): Promise<Recording> {
  const { lab, run, advance } = testLab('url-to-page');
  const frames = new Map<string, Uint8Array[]>();
  for (const [name, device] of lab.devices) {
    for (const [port, phy] of device.phys) {
      const list: Uint8Array[] = [];
      frames.set(`${name}:${port}`, list);
      phy.tap = (direction, bytes, at, size) => {
        if (direction === 'in') list.push(bytes.slice(at, at + size - CABLE.FCS));
      };
    }
  }
  for (const [device, line] of LINES) {
    await run(device, line);
    // ARP entries grow old in between, so that there is ARP in all of it.
    await advance(90 * SECOND);
  }
  lab.stop();
  return { plan: lab.plan, frames: new Map([...frames].map(([port, list]) => [port, thinned(list)])) };
}

/** The first of them, the last, and every so many between. */
function thinned(list: readonly Uint8Array[]): Uint8Array[] {
  const step = Math.max(1, list.length / FRAMES_PER_PORT_MAX);
  return Array.from({ length: Math.min(list.length, FRAMES_PER_PORT_MAX) }, (_, i) => list[Math.floor(i * step)]!);
}
