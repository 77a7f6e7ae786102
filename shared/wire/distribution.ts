/**
 * How jitter is spread: a factor that jitter is multiplied with, from one even draw. The curves are those of netem's
 * tables (iproute2's normal.dist, pareto.dist and paretonormal.dist), worked out instead of looked up.
 */
export type Distribution = 'uniform' | 'normal' | 'pareto' | 'paretonormal';

/** netem's tables are 16 bits wide with 8192 for one deviation: they end at four. */
export const FACTOR_MAX = 4;
/** netem's pareto table: shape 3, mean taken off, then widened, so that most frames are a little early and a few very late. */
const PARETO_SHAPE = 3;
const PARETO_WIDTH = 4 / 3;

/** Uniform from -1 to 1, normal with deviation 1, pareto with a long tail of late frames, or a quarter normal and the rest pareto. */
export function jitterOf(distribution: Distribution, draw: number): number {
  switch (distribution) {
    case 'uniform':
      return 2 * draw - 1;
    case 'normal':
      return normal(draw);
    case 'pareto':
      return pareto(draw);
    case 'paretonormal':
      return (normal(draw) + 3 * pareto(draw)) / 4;
  }
}

function pareto(draw: number): number {
  const mean = PARETO_SHAPE / (PARETO_SHAPE - 1);
  return Math.min(FACTOR_MAX, (1 / (1 - draw) ** (1 / PARETO_SHAPE) - mean) * PARETO_WIDTH);
}

/** Numerators and denominators of Acklam's approximation of the normal quantile, good to nine digits. */
const MIDDLE = [
  [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239],
  [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
] as const;
const TAIL = [
  [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ],
  [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
] as const;
const TAIL_BEGINS = 0.02425;

function normal(draw: number): number {
  if (draw < TAIL_BEGINS) return Math.max(-FACTOR_MAX, tail(draw));
  if (draw > 1 - TAIL_BEGINS) return Math.min(FACTOR_MAX, -tail(1 - draw));
  const q = draw - 0.5;
  return (q * polynomial(MIDDLE[0], q * q)) / polynomial(MIDDLE[1], q * q);
}

function tail(draw: number): number {
  const q = Math.sqrt(-2 * Math.log(Math.max(draw, Number.MIN_VALUE)));
  return polynomial(TAIL[0], q) / polynomial(TAIL[1], q);
}

function polynomial(factors: readonly number[], x: number): number {
  return factors.reduce((sum, factor) => sum * x + factor, 0);
}
