/** What `ethtool` sets on the card: ring sizes (-G), interrupt coalescing (-C), private flags (--set-priv-flags). */
import type { Errno } from '../net/errno.ts';
import type { CardControls } from '../net/netdev.ts';
import { type CoalesceSettings, RX_FRAMES_MAX, RX_USECS_MAX } from './coalesce.ts';
import type { Nic } from './nic.ts';
import { RING_DESCRIPTORS_MAX, RING_DESCRIPTORS_MIN, RING_DESCRIPTORS_MULTIPLE } from './ring.ts';

export class CardSettings implements CardControls {
  /** `napi` off: an interrupt for every frame, as drivers had it before NAPI. */
  readonly flags = { napi: true };
  private readonly nic: Nic;
  private readonly onRings: () => void;

  constructor(nic: Nic, onRings: () => void) {
    this.nic = nic;
    this.onRings = onRings;
  }

  /** With `adaptiveRx`, rxUsecs is what the card chose last. */
  get coalesce(): CoalesceSettings {
    const { settings, rxUsecs } = this.nic.coalescer;
    return { ...settings, rxUsecs };
  }

  /** Sizes are clamped and rounded as e1000e does; above the most the kernel itself says no. */
  setRings(rx: number, tx: number): Errno | undefined {
    if (!isCount(rx, RING_DESCRIPTORS_MAX) || !isCount(tx, RING_DESCRIPTORS_MAX)) return 'EINVAL';
    const { ringSizes } = this.nic;
    const wanted = { rx: fitting(rx), tx: fitting(tx) };
    if (wanted.rx === ringSizes.rx && wanted.tx === ringSizes.tx) return undefined;
    ringSizes.rx = wanted.rx;
    ringSizes.tx = wanted.tx;
    this.onRings();
    return undefined;
  }

  /** Frames that wait for others need a time after which they wait no more. */
  setCoalesce(wanted: Partial<CoalesceSettings>): Errno | undefined {
    const { coalescer } = this.nic;
    const settings = { ...coalescer.settings, ...wanted };
    const { rxUsecs, rxFrames, adaptiveRx } = settings;
    if (!isCount(rxUsecs, RX_USECS_MAX) || !isCount(rxFrames, RX_FRAMES_MAX)) return 'EINVAL';
    if (rxFrames > 1 && rxUsecs === 0 && !adaptiveRx) return 'EINVAL';
    coalescer.change(settings);
    return undefined;
  }

  setFlags(wanted: Readonly<Record<string, boolean>>): Errno | undefined {
    if (Object.keys(wanted).some((name) => name !== 'napi')) return 'EINVAL';
    this.flags.napi = wanted['napi'] ?? this.flags.napi;
    return undefined;
  }
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

function fitting(size: number): number {
  return Math.ceil(Math.max(size, RING_DESCRIPTORS_MIN) / RING_DESCRIPTORS_MULTIPLE) * RING_DESCRIPTORS_MULTIPLE;
}
