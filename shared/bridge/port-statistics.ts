/** A switch port's counters, for `ip -s link` and `ethtool -S`. */
import type { NetDevice } from '../net/netdev.ts';
import type { Phy } from '../nic/phy.ts';

export interface CountedPort {
  readonly dev: NetDevice;
  readonly phy: Phy;
  readonly queueFull: number;
  readonly queued: number;
}

/** Bring the net device's columns up to what the physical end has counted. */
export function syncCounters(port: CountedPort): void {
  const { counters } = port.dev;
  const phy = port.phy.counters;
  counters.rxPackets = phy.rxFrames;
  counters.rxBytes = phy.rxBytes;
  counters.txPackets = phy.txFrames;
  counters.txBytes = phy.txBytes;
  counters.rxCrc = phy.rxCrcErrors;
  counters.rxLength = phy.rxShort + phy.rxLong;
  counters.rxFrame = phy.rxBadPreamble;
  counters.rxErrors = phy.rxCrcErrors + phy.rxShort + phy.rxLong + phy.rxBadPreamble;
}

export function portStatistics(port: CountedPort): ReadonlyMap<string, number> {
  const phy = port.phy.counters;
  return new Map([
    ['rx_packets', phy.rxFrames],
    ['tx_packets', phy.txFrames],
    ['rx_bytes', phy.rxBytes],
    ['tx_bytes', phy.txBytes],
    ['rx_crc_errors', phy.rxCrcErrors],
    ['rx_short_length_errors', phy.rxShort],
    ['rx_long_length_errors', phy.rxLong],
    ['rx_align_errors', phy.rxBadPreamble],
    ['tx_queued', port.queued],
    ['tx_queue_full', port.queueFull],
  ]);
}
