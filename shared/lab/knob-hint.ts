/** What was meant by a value of a wire's knob that cannot be had: a unit that is missing, a word of netem's that is left out. */
import { closest } from './closest.ts';
import { didYouMean } from './problem.ts';
import { parseDelay, parseRate, parseRatio } from './units.ts';

const NO_CORRELATION =
  'correlation is left out: what becomes of a frame hangs on its number alone; losses in bursts: loss gemodel';

/** A number with a unit that people write, and the one that is known here; undefined when that is no value either. */
function otherUnit(
  text: string,
  units: readonly (readonly [word: RegExp, unit: string])[],
  parse: (text: string) => unknown,
): string | undefined {
  const [, number = '', word = ''] = /^([0-9]+(?:[.][0-9]+)?)\s*([a-zµμ]+)$/i.exec(text.trim()) ?? [];
  const unit = units.find(([like]) => like.test(word))?.[1];
  return unit === undefined || parse(number + unit) === undefined ? undefined : didYouMean(number + unit);
}

const TIMES = [
  [/^(µ|μ|micro)/i, 'us'],
  [/^(m$|milli)/i, 'ms'],
  [/^second/i, 's'],
] as const;
const SHARES = [[/^p/i, '%']] as const;

/** `none` where `off` is the word. */
export function offHint(text: string): string | undefined {
  return /^(of|fo|offf?|none|no|null)$/i.test(text) ? didYouMean('off') : undefined;
}

export function delayHint(text: string): string | undefined {
  if (parseDelay(`${text}ms`) !== undefined) return `add the unit: did you mean "${text}ms"?`;
  if (/^[0-9.]+ ?(us|usecs?)$/i.test(text)) return 'lab time counts whole microseconds';
  const meant = otherUnit(text, TIMES, parseDelay);
  if (meant !== undefined) return meant;
  const [delay = '', jitter = '', ...more] = text.split(/\s+(?=[0-9.])/);
  if (parseDelay(delay) === undefined || parseDelay(jitter) === undefined) return undefined;
  const knobs = `jitter is a knob of its own: delay ${delay}, jitter ${jitter}`;
  return more.length === 0 ? knobs : `${knobs}; ${NO_CORRELATION}`;
}

export function ratioHint(text: string): string | undefined {
  if (parseRatio(`${text}%`) !== undefined) return `add the unit: did you mean "${text}%"?`;
  const meant = otherUnit(text, SHARES, parseRatio);
  if (meant !== undefined) return meant;
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
  const near = closest(model ?? '', ['gemodel', 'random']);
  const signed = words.map((word) => (/^[0-9.]+$/.test(word) && word !== '0' ? `${word}%` : word));
  const meant = [near, ...signed].join(' ');
  if (near !== undefined && words.length > 0 && meant !== text.trim()) return didYouMean(meant);
  return model === 'gemodel' ? undefined : ratioHint(model === 'random' ? words.join(' ') : text);
}

export function corruptHint(text: string): string | undefined {
  const [share = '', layer = '', ...more] = text.trim().split(/\s+(?!%)/);
  const near = closest(layer, ['fcs', 'ip', 'tcp']);
  if (near === undefined || near === layer || more.length > 0) return ratioHint(layer === '' ? text : share);
  return parseRatio(share) === undefined ? undefined : didYouMean(`${share} ${near}`);
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
