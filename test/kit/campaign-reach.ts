/**
 * Drop reasons that no wire can set off at a kind of device, and why: the one place where they are named. All others are
 * asked for; a campaign that reaches one of these proves this list wrong.
 */
import { DROP_REASONS, type DropReason } from '../../shared/net/drop.ts';
import type { CampaignKind } from './campaign-scenes.ts';

/** All that a switch looks at: the frame, and the port that it goes to. */
const SWITCHED: readonly DropReason[] = [
  'fcs_error',
  'frame_too_short',
  'frame_too_long',
  'bad_preamble',
  'bridge_same_port',
  'bridge_port_down',
  'bridge_queue_full',
  'bridge_reserved',
];
/** Its own programs may set these off among themselves, over lo. */
const OVER_LOOPBACK: ReadonlySet<DropReason> = new Set<DropReason>([
  'no_socket',
  'socket_closed',
  'socket_rcvbuf',
  'ip_no_route',
  'tcp_reset',
  'tcp_closed',
  'tcp_old_data',
  'tcp_time_wait',
]);
const BRIDGED: readonly DropReason[] = ['bridge_same_port', 'bridge_port_down', 'bridge_queue_full', 'bridge_reserved'];

const NO_IP = 'a switch has no address: frames go from port to port, and nobody reads what is in them';
const NO_LENGTH = 'on a wire in memory nothing is under way as a port goes down';
const NO_BRIDGE = 'it has no bridge';
const CARDS_BELOW = 'the ports of its bridge are cards, in front of which a queueing discipline drops (qdisc_full)';

export function outOfReach(kind: CampaignKind): ReadonlyMap<DropReason, string> {
  if (kind === 'nat') return new Map([['bridge_queue_full', CARDS_BELOW]]);
  if (kind !== 'switch') return new Map(BRIDGED.map((reason) => [reason, NO_BRIDGE]));
  const all = Object.keys(DROP_REASONS) as DropReason[];
  const beyond = all.filter((reason) => !SWITCHED.includes(reason));
  return new Map(beyond.map((reason) => [reason, reason === 'dev_down' ? NO_LENGTH : NO_IP]));
}

/** Whether the device's own programs may do it, though no wire can. */
export const byItself = (kind: CampaignKind, reason: DropReason): boolean =>
  kind === 'switch' && OVER_LOOPBACK.has(reason);
