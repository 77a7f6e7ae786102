/**
 * A knob that moves over time: constant, ramp, square or random between two values, in steps of lab time. A step has the
 * value of its beginning; a square changes at its edges, whatever the steps. An engine that falls behind skips steps.
 */

import { formatDelay, formatRate, formatRatio } from '../../shared/lab/units.ts';
import type { Random } from '../../shared/platform.ts';
import type { Net, NetFault } from './net/types.ts';

/** A wave in so many steps when it does not say. */
const STEPS_DEFAULT = 20;
const STEP_MIN = 10_000;

export interface Wave {
  readonly target: string;
  readonly knob: string;
  readonly shape: 'constant' | 'ramp' | 'square' | 'random';
  /** In the knob's unit: microseconds, a ratio, bits per second, a whole number. */
  readonly from: number;
  readonly to?: number;
  /** Microseconds. */
  readonly over: number;
  readonly every?: number;
  readonly period?: number;
  /** Share of a square's period at `to`. */
  readonly duty?: number;
}

/** A knob's number in the words of a lab file. */
function formatKnob(knob: string, value: number): string {
  if (knob === 'delay' || knob === 'jitter') return formatDelay(Math.round(value));
  if (knob === 'gap' || knob === 'limit' || knob === 'mtu') return String(Math.round(value));
  return knob === 'rate' ? formatRate(Math.max(1, Math.round(value))) : formatRatio(value);
}

/** The value of a wave `at` microseconds after its start. */
export function waveAt(wave: Wave, at: number, random: Random): number {
  const { from: low, to: high = low } = wave;
  switch (wave.shape) {
    case 'constant':
      return low;
    case 'ramp':
      return low + (high - low) * Math.min(1, at / wave.over);
    case 'square': {
      const { period, rest } = squareOf(wave);
      return at % period < rest ? low : high;
    }
    case 'random':
      return low + (high - low) * (random.u32() / 0x1_0000_0000);
  }
}

/** A square's period, and how much of it is at `from`. */
function squareOf({ over, period = over / 2, duty = 0.5 }: Wave): { period: number; rest: number } {
  return { period, rest: Math.round(period * (1 - duty)) };
}

/** When the step that begins at `at` ends. */
function stepEnd(wave: Wave, at: number): number {
  const step = Math.max(STEP_MIN, wave.every ?? wave.over / STEPS_DEFAULT);
  if (wave.shape !== 'square') return wave.shape === 'constant' ? wave.over : Math.min(wave.over, at + step);
  const { period, rest } = squareOf(wave);
  const phase = at % period;
  return Math.min(wave.over, at - phase + (phase < rest ? rest : period));
}

/** Move the knob until the wave is over or `stopped` says so; then it is as it was. */
export async function runWave(net: Net, wave: Wave, random: Random, stopped: () => boolean): Promise<void> {
  const began = net.now();
  let fault: NetFault | undefined;
  let words = '';
  for (let at = 0; at < wave.over && !stopped(); ) {
    const value = formatKnob(wave.knob, waveAt(wave, at, random));
    if (value !== words) {
      const before = fault;
      fault = await net.wire(wave.target).impair({ [wave.knob]: value });
      await before?.heal();
      words = value;
    }
    const end = stepEnd(wave, at);
    await net.wait.time(formatDelay(Math.max(0, Math.round(began + end - net.now()))));
    at = Math.max(end, net.now() - began);
  }
  await fault?.heal();
}
