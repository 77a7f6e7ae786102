/**
 * Why a packet was dropped: one list, one plain sentence each, named after Linux's SKB_DROP_REASON_* where it has one.
 * A drop counts under its reason and can be traced; there is no other way to lose a packet. README.md shows the list as a
 * table; a test holds the two together, and each reason to a place that uses it.
 */
export const DROP_REASONS = {
  // Card and driver.
  fcs_error: 'The frame check sequence did not match: bits changed on the wire.',
  frame_too_short: 'The frame was shorter than an Ethernet header and FCS.',
  frame_too_long: "The frame was longer than the port's MTU allows.",
  bad_preamble: 'The frame did not start with preamble and start frame delimiter.',
  other_host: "The frame's target MAC is another host's, and the card is not promiscuous.",
  rx_ring_full: 'No free descriptor in the receive ring: frames come faster than the driver polls.',
  no_carrier: 'The port has no carrier: the wire is unplugged or the far end is down.',
  dev_down: 'The interface is administratively down.',
  qdisc_full: 'The transmit queue was full (tail drop).',
  qdisc_congested: 'CoDel dropped it: packets had waited too long in the transmit queue (fq_codel).',
  qdisc_reset: 'The transmit queue was replaced or taken away while the packet waited in it.',
  fq_flow_limit: 'Too many packets of one flow were waiting in fq (flow_limit).',
  fq_horizon: 'The packet’s departure time lay too far ahead for fq (horizon).',
  // Switch.
  bridge_same_port: 'The switch learned the target on the very port the frame came from.',
  bridge_port_down: 'The target is on a port without carrier.',
  bridge_queue_full: "The switch port's transmit queue was full.",
  bridge_reserved: 'Sent to a link-local bridge address (01:80:c2:00:00:0X), which a switch does not forward.',
  // Link layer.
  cpu_backlog: 'Too many packets were waiting in the softirq backlog (netdev_max_backlog).',
  unhandled_protocol: 'No handler for the frame’s type field.',
  packet_type_other: 'IP packet in a frame for another host.',
  arp_malformed: 'The ARP packet was too short or not IPv4 over Ethernet.',
  arp_gratuitous: 'An announcement while drop_gratuitous_arp is set.',
  arp_ignored: 'The ARP packet asks for nobody here and answers no question of ours.',
  neigh_queue_full: 'Too many packets were waiting for the same address to resolve.',
  neigh_failed: 'The next hop did not answer ARP.',
  neigh_dead: 'The neighbour entry was removed while packets waited in it.',
  neigh_table_full: 'No neighbour entry could be made: the table is full (gc_thresh3).',
  // IP.
  ip_header_too_short: 'The packet is shorter than an IPv4 header.',
  ip_bad_version: 'Version is not 4, or the header length is below five words.',
  ip_bad_checksum: 'The IPv4 header checksum did not match.',
  ip_truncated: 'The packet is shorter than its total length says.',
  ip_bad_length: 'The total length is below the header length.',
  ip_source_route: 'A source route that is not accepted here (accept_source_route), or leads nowhere.',
  ip_bad_options: 'A malformed IPv4 option.',
  ip_invalid_source: 'A broadcast, multicast or loopback source address (martian).',
  ip_invalid_target: 'A target address that no packet may carry here (martian).',
  ip_not_member: 'To a multicast group that nobody here has joined.',
  ip_rpfilter: 'The reverse path filter: the way back to the source leads out of another interface.',
  ip_no_route: 'No route to the target.',
  ip_not_forwarding: 'Not for us, and forwarding is off.',
  ip_ttl_exceeded: 'The TTL ran out here.',
  ip_too_big: 'Larger than the MTU of the next hop, and DF is set.',
  ip_no_protocol: 'No protocol handler for the protocol number.',
  ip_link_broadcast: 'A unicast IP packet in a link-layer broadcast is not forwarded (RFC 1812 §5.3.4).',
  frag_overlap: 'Fragments overlap: the whole datagram is dropped (RFC 8200 §4.5, as Linux does for IPv4).',
  frag_duplicate: 'A fragment that had come before.',
  frag_too_far: 'More than ipfrag_max_dist fragments of this source came since: its ID has been used again.',
  frag_timeout: 'A fragment was missing for too long.',
  frag_memory: 'Reassembly memory is used up.',
  frag_malformed: 'A fragment that is empty, not a multiple of eight, or reaches beyond 65535.',
  netfilter_drop: 'A netfilter rule dropped it.',
  conntrack_full: 'No room for another tracked connection (nf_conntrack_max).',
  nat_no_port: 'No free port was left to translate to.',
  // ICMP.
  icmp_too_short: 'The ICMP message is shorter than its header.',
  icmp_bad_checksum: 'The ICMP checksum did not match.',
  icmp_unknown_type: 'An ICMP type that we do not handle: silently dropped (RFC 1122 §3.2.2).',
  icmp_ignored: 'An echo request while net.ipv4.icmp_echo_ignore_all is set.',
  icmp_broadcast: 'An echo request to a broadcast address is ignored.',
  // UDP, raw and packet sockets.
  udp_too_short: 'Shorter than a UDP header.',
  udp_bad_length: 'The UDP length does not fit the packet.',
  udp_bad_checksum: 'The UDP checksum did not match.',
  no_socket: 'No socket for this address and port.',
  socket_rcvbuf: "The socket's receive buffer is full.",
  socket_closed: 'The socket was closed while the packet waited in it.',
  // TCP.
  tcp_header: 'The TCP header is cut short or its offset field is wrong.',
  tcp_bad_checksum: 'The TCP checksum did not match.',
  tcp_flags: 'A combination of flags that calls for silence (SYN+FIN, none, …).',
  tcp_old_data: 'All of the data had been received before.',
  tcp_overwindow: 'Data beyond the window that we offered.',
  tcp_out_of_order_full: 'No room for another out-of-order segment.',
  tcp_invalid_sequence: 'The sequence number is outside the window.',
  tcp_invalid_end_sequence: 'The data goes on beyond the window, and there is more to be read already.',
  tcp_invalid_ack: 'The acknowledgement is for data we never sent or long since acknowledged.',
  tcp_paws: 'The timestamp is older than the last one seen (RFC 7323 §5).',
  tcp_invalid_syn: 'A SYN in the middle of a connection.',
  tcp_reset: 'The segment carried a RST, or the connection was reset.',
  tcp_closed: 'The connection is closed or closing and takes no more data.',
  tcp_listen_overflow: 'The queue of connections waiting for accept() is full.',
  tcp_syn_queue_full: 'The queue of half-open connections is full.',
  tcp_rcvbuf: 'The receive buffer is full, even after pruning.',
  tcp_zero_window: 'Data came while our window is closed.',
  tcp_md5_not_found: 'A signature (RFC 2385) is expected from this peer, and there is none.',
  tcp_md5_unexpected: 'A signature came that nobody asked for.',
  tcp_md5_failure: 'The signature is wrong.',
  tcp_fastopen: 'A Fast Open connection whose SYN-ACK is not yet acknowledged cannot use it.',
  tcp_time_wait: 'The connection is in TIME-WAIT.',
} as const;

export type DropReason = keyof typeof DROP_REASONS;

/** A malformed header's word as a drop reason, when it is one; else the given one. */
export function dropReasonOf(word: string, otherwise: DropReason): DropReason {
  return word in DROP_REASONS ? (word as DropReason) : otherwise;
}
