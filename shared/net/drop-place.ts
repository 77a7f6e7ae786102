/**
 * Where packets are dropped: the function, by Linux's name, that a reason's packets usually end in. A place that drops
 * for the same reason elsewhere says so itself: `skbs.drop(skb, reason, 'ip_forward')`. What the card throws away before
 * there is an sk_buff is its own: `phy` (damaged frames) and `nic` (filter, ring).
 */
import type { DropReason } from './drop.ts';

/** Places that are hardware; all others are functions of the kernel. */
const HARDWARE: ReadonlySet<string> = new Set(['phy', 'nic']);

export function dropOrigin(place: string): 'hardware' | 'software' {
  return HARDWARE.has(place) ? 'hardware' : 'software';
}

export const DROP_PLACES: Readonly<Record<DropReason, string>> = {
  fcs_error: 'phy',
  frame_too_short: 'phy',
  frame_too_long: 'phy',
  bad_preamble: 'phy',
  other_host: 'nic',
  rx_ring_full: 'nic',
  no_carrier: '__dev_queue_xmit',
  dev_down: '__dev_queue_xmit',
  qdisc_full: '__dev_queue_xmit',
  qdisc_congested: 'codel_dequeue',
  qdisc_reset: 'qdisc_reset',
  fq_flow_limit: 'fq_enqueue',
  fq_horizon: 'fq_enqueue',
  bridge_same_port: 'br_handle_frame_finish',
  bridge_port_down: 'br_forward',
  bridge_queue_full: 'br_dev_queue_push_xmit',
  bridge_reserved: 'br_handle_frame',
  cpu_backlog: 'enqueue_to_backlog',
  unhandled_protocol: '__netif_receive_skb_core',
  packet_type_other: 'ip_rcv_core',
  arp_malformed: 'arp_rcv',
  arp_gratuitous: 'arp_process',
  arp_ignored: 'arp_process',
  neigh_queue_full: '__neigh_event_send',
  neigh_failed: 'neigh_invalidate',
  neigh_dead: 'neigh_destroy',
  neigh_table_full: 'ip_finish_output2',
  ip_header_too_short: 'ip_rcv_core',
  ip_bad_version: 'ip_rcv_core',
  ip_bad_checksum: 'ip_rcv_core',
  ip_truncated: 'ip_rcv_core',
  ip_bad_length: 'ip_rcv_core',
  ip_source_route: 'ip_rcv_options',
  ip_bad_options: 'ip_rcv_options',
  ip_invalid_source: 'ip_route_input_slow',
  ip_invalid_target: 'ip_route_input_slow',
  ip_not_member: 'ip_route_input_rcu',
  ip_rpfilter: 'fib_validate_source',
  ip_no_route: 'ip_error',
  ip_not_forwarding: 'ip_error',
  ip_ttl_exceeded: 'ip_forward',
  ip_too_big: 'ip_fragment',
  ip_no_protocol: 'ip_protocol_deliver_rcu',
  ip_link_broadcast: 'ip_rcv_finish_core',
  frag_overlap: 'inet_frag_queue_insert',
  frag_duplicate: 'inet_frag_queue_insert',
  frag_too_far: 'ip_frag_reinit',
  frag_timeout: 'ip_expire',
  frag_memory: 'ip_defrag',
  frag_malformed: 'ip_frag_queue',
  netfilter_drop: 'nf_hook_slow',
  conntrack_full: 'nf_conntrack_in',
  nat_no_port: 'nf_confirm',
  icmp_too_short: 'icmp_rcv',
  icmp_bad_checksum: 'icmp_rcv',
  icmp_unknown_type: 'icmp_rcv',
  icmp_ignored: 'icmp_echo',
  icmp_broadcast: 'icmp_rcv',
  udp_too_short: '__udp4_lib_rcv',
  udp_bad_length: '__udp4_lib_rcv',
  udp_bad_checksum: '__udp4_lib_rcv',
  no_socket: '__udp4_lib_rcv',
  socket_rcvbuf: '__sock_queue_rcv_skb',
  socket_closed: 'skb_queue_purge',
  tcp_header: 'tcp_v4_rcv',
  tcp_bad_checksum: 'tcp_v4_rcv',
  tcp_flags: 'tcp_rcv_state_process',
  tcp_old_data: 'tcp_data_queue',
  tcp_overwindow: 'tcp_data_queue',
  tcp_out_of_order_full: 'tcp_prune_ofo_queue',
  tcp_invalid_sequence: 'tcp_validate_incoming',
  tcp_invalid_end_sequence: 'tcp_validate_incoming',
  tcp_invalid_ack: 'tcp_ack',
  tcp_paws: 'tcp_validate_incoming',
  tcp_invalid_syn: 'tcp_validate_incoming',
  tcp_reset: 'tcp_validate_incoming',
  tcp_closed: 'tcp_rcv_state_process',
  tcp_listen_overflow: 'tcp_conn_request',
  tcp_syn_queue_full: 'tcp_conn_request',
  tcp_rcvbuf: 'tcp_data_queue',
  tcp_zero_window: 'tcp_data_queue',
  tcp_md5_not_found: 'tcp_inbound_hash',
  tcp_md5_unexpected: 'tcp_inbound_hash',
  tcp_md5_failure: 'tcp_inbound_hash',
  tcp_fastopen: 'tcp_rcv_state_process',
  tcp_time_wait: 'tcp_timewait_state_process',
};

export type DropPlaces = Map<DropReason, Map<string, number>>;

/** Count a drop by its reason, and by the function that dropped; returns that. */
export function countDropAt(
  { drops, dropPlaces }: { readonly drops: Map<DropReason, number>; readonly dropPlaces: DropPlaces },
  reason: DropReason,
  place: string,
): string {
  drops.set(reason, (drops.get(reason) ?? 0) + 1);
  let places = dropPlaces.get(reason);
  if (places === undefined) {
    places = new Map();
    dropPlaces.set(reason, places);
  }
  places.set(place, (places.get(place) ?? 0) + 1);
  return place;
}
