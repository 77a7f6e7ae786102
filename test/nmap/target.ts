/** A host of ours to be scanned: a card on a wire in memory, port 80 open, everything else closed. */
import type { Host } from '../../shared/net/host.ts';
import { assert } from '../../shared/platform.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { ip } from '../kit/cable.ts';
import { addCard, cardHost } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { listenOn } from '../kit/tcp-pair.ts';
import { fingerprintOf } from './analyse.ts';
import type { Fingerprint } from './fingerprint.ts';
import { WireLink } from './link.ts';

export const PORTS = { open: 80, closed: 81, closedUdp: 40_125 };

export interface Target {
  readonly clock: ManualClock;
  readonly host: Host;
  readonly link: WireLink;
}

/** As a kernel that the database knows: timestamps by pair of addresses. Other `sysctls` come after that. */
export function target(sysctls: Readonly<Record<string, string>> = {}, name = 'target'): Target {
  const clock = new ManualClock(60_000_000);
  const [ours, theirs] = memoryWire(clock, `${name}:eth0`, 'nmap:eth0');
  const host = cardHost(name, clock);
  addCard(host, 'eth0', ours, { addresses: ['10.0.0.2/24'] });
  for (const [key, value] of Object.entries({ 'wirelab.ts_offset': 'pair', ...sysctls })) {
    assert(host.sysctl.set(key, value) === undefined, `sysctl ${key}=${value}`);
  }
  listenOn(host, PORTS.open, () => {});
  return { clock, host, link: new WireLink(clock, theirs, { address: ip('10.0.0.9'), target: ip('10.0.0.2') }) };
}

export async function fingerprintOfTarget({ link }: Target): Promise<Fingerprint> {
  assert(await link.resolve(), 'the target answers ARP');
  return fingerprintOf(link, PORTS);
}
