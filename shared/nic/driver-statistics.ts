/** What `ethtool -S` shows, by e1000e's names; those from rx_other_host on are this card's own. */
import type { NetDevice } from '../net/netdev.ts';
import type { Nic } from './nic.ts';

export interface NapiCounters {
  polls: number;
  /** Polls that used up their budget, so that more was there. */
  fullPolls: number;
  completes: number;
}

export function driverStatistics(
  dev: NetDevice,
  nic: Nic,
  merged: number,
  napi: NapiCounters,
): ReadonlyMap<string, number> {
  const phy = nic.phy.counters;
  const card = nic.counters;
  const errors = phy.rxCrcErrors + phy.rxShort + phy.rxLong + phy.rxBadPreamble;
  return new Map([
    ['rx_packets', dev.counters.rxPackets],
    ['tx_packets', dev.counters.txPackets],
    ['rx_bytes', dev.counters.rxBytes],
    ['tx_bytes', dev.counters.txBytes],
    ['rx_broadcast', card.rxBroadcast],
    ['tx_broadcast', card.txBroadcast],
    ['rx_multicast', card.rxMulticast],
    ['tx_multicast', card.txMulticast],
    ['rx_errors', errors],
    ['tx_errors', 0],
    ['tx_dropped', dev.counters.txDropped],
    ['multicast', card.rxMulticast],
    ['collisions', 0],
    ['rx_length_errors', phy.rxShort + phy.rxLong],
    ['rx_over_errors', 0],
    ['rx_crc_errors', phy.rxCrcErrors],
    ['rx_frame_errors', phy.rxBadPreamble],
    ['rx_no_buffer_count', card.rxMissed],
    ['rx_missed_errors', card.rxMissed],
    ['tx_aborted_errors', 0],
    ['tx_carrier_errors', dev.counters.txCarrier],
    ['tx_fifo_errors', 0],
    ['tx_heartbeat_errors', 0],
    ['tx_window_errors', 0],
    ['tx_abort_late_coll', 0],
    ['tx_deferred_ok', 0],
    ['tx_single_coll_ok', 0],
    ['tx_multi_coll_ok', 0],
    ['tx_timeout_count', 0],
    ['tx_restart_queue', card.txRestartQueue],
    ['rx_long_length_errors', phy.rxLong],
    ['rx_short_length_errors', phy.rxShort],
    ['rx_align_errors', phy.rxBadPreamble],
    ['tx_tcp_seg_good', card.txSegmentedGood],
    ['tx_tcp_seg_failed', 0],
    ['rx_csum_offload_good', card.rxChecksumGood],
    ['rx_csum_offload_errors', card.rxChecksumErrors],
    ['rx_other_host', card.rxOtherHost],
    ['rx_gro_merged', merged],
    ['tx_frames', phy.txFrames],
    ['interrupts', nic.irq.count],
    ['rx_coalesced', nic.coalescer.held],
    ['napi_polls', napi.polls],
    ['napi_polls_full', napi.fullPolls],
    ['napi_completes', napi.completes],
  ]);
}
