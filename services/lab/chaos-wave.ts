/** A knob that moves over time: constant, ramp, square or random between two values, in steps of lab time. */

import { formatDelay, formatRate, formatRatio, parseDelay, parseRate, parseRatio } from '../../shared/lab/units.ts';
import type { Random } from '../../shared/platform.ts';
import { CommandError, EXIT } from './exit.ts';
import type { Net, NetFault } from './net/types.ts';

/** A wave in so many steps when it does not say. */
const STEPS_DEFAULT = 20;
const STEP_MIN = 10_000;

export interface Wave {
  readonly target: string;
  readonly knob: string;
  readonly shape: 'constant' | 'ramp' | 'square' | 'random';
  readonly from: string;
  readonly to?: string;
  /** Microseconds. */
  readonly over: number;
  readonly every?: number;
  readonly period?: number;
  /** Share of a square's period at `to`. */
  readonly duty?: number;
}

interface Scale {
  readonly parse: (text: string) => number | undefined;
  readonly format: (value: number) => string;
}

function scaleOf(knob: string): Scale {
  if (knob === 'delay' || knob === 'jitter')
    return { parse: parseDelay, format: (value) => formatDelay(Math.round(value)) };
  if (knob === 'rate') return { parse: parseRate, format: (value) => formatRate(Math.max(1, Math.round(value))) };
  return { parse: parseRatio, format: formatRatio };
}

/** The value of a wave `at` microseconds after its start. */
export function waveAt(wave: Wave, low: number, high: number, at: number, random: Random): number {
  switch (wave.shape) {
    case 'constant':
      return low;
    case 'ramp':
      return low + (high - low) * Math.min(1, at / wave.over);
    case 'square': {
      const period = wave.period ?? wave.over / 2;
      return (at % period) / period < 1 - (wave.duty ?? 0.5) ? low : high;
    }
    case 'random':
      return low + (high - low) * (random.u32() / 0x1_0000_0000);
  }
}

/** Move the knob until the wave is over or `stopped` says so; then it is as it was. */
export async function runWave(net: Net, wave: Wave, random: Random, stopped: () => boolean): Promise<void> {
  const { parse, format } = scaleOf(wave.knob);
  const low = parse(wave.from);
  const high = wave.to === undefined ? low : parse(wave.to);
  if (low === undefined || high === undefined) {
    throw new CommandError(`a wave of ${wave.knob} from "${wave.from}" to "${wave.to ?? wave.from}"`, EXIT.BAD_USE);
  }
  const every = Math.max(STEP_MIN, wave.every ?? Math.min(wave.over, wave.period ?? wave.over) / STEPS_DEFAULT);
  let fault: NetFault | undefined;
  let words = '';
  for (let at = 0; at < wave.over && !stopped(); at += every) {
    const value = format(waveAt(wave, low, high, at, random));
    if (value !== words) {
      const before = fault;
      fault = await net.wire(wave.target).impair({ [wave.knob]: value });
      await before?.heal();
      words = value;
    }
    await net.wait.time(formatDelay(Math.round(Math.min(every, wave.over - at))));
  }
  await fault?.heal();
}
