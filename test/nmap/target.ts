/** A host of ours to be scanned: a card on a wire in memory, port 80 open, everything else closed. */

import { type RawPeer, rawPeer } from '../kit/raw-peer.ts';
import { listenOn } from '../kit/tcp-pair.ts';
import { fingerprintOf } from './analyse.ts';
import type { Fingerprint } from './fingerprint.ts';

export const PORTS = { open: 80, closed: 81, closedUdp: 40_125 };

/** As a kernel that the database knows: timestamps by pair of addresses. Other `sysctls` come after that. */
export async function target(sysctls: Readonly<Record<string, string>> = {}, name = 'target'): Promise<RawPeer> {
  const peer = await rawPeer({ 'wirelab.ts_offset': 'pair', ...sysctls }, name);
  listenOn(peer.host, PORTS.open, () => {});
  return peer;
}

export function fingerprintOfTarget({ link }: RawPeer): Promise<Fingerprint> {
  return fingerprintOf(link, PORTS);
}
