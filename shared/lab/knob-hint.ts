/** What was meant by a value of a wire's knob that cannot be had: a unit that is missing, a word of netem's that is left out. */
import { parseDelay, parseRate, parseRatio } from './units.ts';

const NO_CORRELATION =
  'correlation is left out: what becomes of a frame hangs on its number alone; losses in bursts: loss gemodel';

export function delayHint(text: string): string | undefined {
  if (parseDelay(`${text}ms`) !== undefined) return `add the unit: did you mean "${text}ms"?`;
  if (/^[0-9.]+ ?(us|usecs?)$/i.test(text)) return 'lab time counts whole microseconds';
  const [delay = '', jitter = '', ...more] = text.split(/\s+(?=[0-9.])/);
  if (parseDelay(delay) === undefined || parseDelay(jitter) === undefined) return undefined;
  const knobs = `jitter is a knob of its own: delay ${delay}, jitter ${jitter}`;
  return more.length === 0 ? knobs : `${knobs}; ${NO_CORRELATION}`;
}

export function ratioHint(text: string): string | undefined {
  if (parseRatio(`${text}%`) !== undefined) return `add the unit: did you mean "${text}%"?`;
  const [share = '', second = '', ...more] = text.split(/\s+(?!%)/);
  if (parseRatio(share) === undefined) return undefined;
  const gap = [second, ...more].indexOf('gap');
  if (gap >= 0) return 'gap is a knob of its own';
  return parseRatio(second) === undefined ? undefined : NO_CORRELATION;
}

export function lossHint(text: string): string | undefined {
  const [model, ...words] = text.trim().split(/\s+(?!%)/);
  if (model === 'state') return 'the four-state model is left out; gemodel is the one for bursts';
  if (words.includes('ecn')) return 'marking with ecn instead of losing is left out';
  return model === 'gemodel' ? undefined : ratioHint(model === 'random' ? words.join(' ') : text);
}

export function rateHint(text: string): string | undefined {
  if (parseRate(`${text}mbit`) !== undefined) return `add the unit: did you mean "${text}mbit"?`;
  const [rate = '', ...more] = text.split(/\s+(?=[0-9-])/);
  if (parseRate(rate) !== undefined && more.length > 0) {
    return 'overhead and cells are left out: a frame takes the time of its octets, preamble, FCS and gap';
  }
  return /^[0-9.]+ ?[kmgt]i?b?$/i.test(text)
    ? "tc's units are bit, kbit, mbit, gbit, and kbps for 1000 octets"
    : undefined;
}
