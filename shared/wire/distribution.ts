/** How jitter is spread: a factor that jitter is multiplied with, from one or two even draws. (netem's distributions) */
export type Distribution = 'uniform' | 'normal' | 'pareto';

/** netem cuts its tables at four times the jitter. */
const FACTOR_MAX = 4;
/** netem's pareto table: shape 3, mean taken off, so that most frames are a little early and a few very late. */
const PARETO_SHAPE = 3;

/** A factor with mean 0: uniform from -1 to 1, normal with deviation 1, pareto with a long tail of late frames. */
export function jitterOf(distribution: Distribution, draw: number, second: number): number {
  if (distribution === 'uniform') return 2 * draw - 1;
  if (distribution === 'normal') {
    // Box and Muller.
    const radius = Math.sqrt(-2 * Math.log(1 - draw));
    return clamp(radius * Math.cos(2 * Math.PI * second));
  }
  const mean = PARETO_SHAPE / (PARETO_SHAPE - 1);
  return clamp(1 / (1 - draw) ** (1 / PARETO_SHAPE) - mean);
}

function clamp(factor: number): number {
  return Math.min(FACTOR_MAX, Math.max(-FACTOR_MAX, factor));
}
