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
  'dev_down',
  'bridge_same_port',
  'bridge_port_down',
  'bridge_queue_full',
  'bridge_reserved',
];
/** Its own programs speak to each other over lo, and it lets them. */
const OVER_LOOPBACK: readonly DropReason[] = ['no_socket', 'tcp_reset'];
const BRIDGED: readonly DropReason[] = ['bridge_same_port', 'bridge_port_down', 'bridge_queue_full', 'bridge_reserved'];

const NO_IP = 'a switch has no address: frames go from port to port, and nobody reads what is in them';
const NO_BRIDGE = 'it has no bridge';
const CARDS_BELOW = 'the ports of its bridge are cards, in front of which a queueing discipline drops (qdisc_full)';

export function outOfReach(kind: CampaignKind): ReadonlyMap<DropReason, string> {
  if (kind === 'nat') return new Map([['bridge_queue_full', CARDS_BELOW]]);
  if (kind !== 'switch') return new Map(BRIDGED.map((reason) => [reason, NO_BRIDGE]));
  const own = new Set([...SWITCHED, ...OVER_LOOPBACK]);
  const all = Object.keys(DROP_REASONS) as DropReason[];
  return new Map(all.filter((reason) => !own.has(reason)).map((reason) => [reason, NO_IP]));
}
