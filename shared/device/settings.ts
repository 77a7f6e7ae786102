/**
 * The settings that a device's kernel has, for whoever wants to know before there is a device: a lab file's `sysctl` is
 * tried on them. A kernel without ports, whose clock stands still.
 */

import type { Sysctl } from '../net/sysctl.ts';
import type { Clock, Timer } from '../platform.ts';
import { bootHost } from './kernel.ts';
import { nodePlatform } from './platform.ts';
import { seededRandom } from './random.ts';

const NEVER: Timer = { arm: () => {}, stop: () => {}, armed: false, deadline: 0 };
const STOPPED: Clock = { epoch: 0, now: () => 0, timer: () => NEVER, after: () => NEVER, armed: () => [] };

export function kernelSettings(): Sysctl {
  const parts = { clock: STOPPED, random: seededRandom(0), platform: nodePlatform() };
  return bootHost({ name: 'settings', index: 1, cpu: { irq: 0, poll: 0, packet: 0 } }, parts).sysctl;
}
