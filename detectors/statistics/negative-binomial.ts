import { gammaln } from 'simple-statistics'

/**
 * ln P(Y ≥ k) for Y negative binomial with this mean and dispersion (variance = mean + dispersion · mean²).
 * P(Y ≥ k) = I_q(k, r) with r = 1/dispersion and q = mean/(mean + r): the regularised incomplete beta function,
 * in logarithms, so that far tails keep their digits.
 */
export function lnTailAtLeast(k: number, mean: number, dispersion: number): number {
  if (k <= 0) return 0
  if (mean <= 0) return Number.NEGATIVE_INFINITY
  const r = 1 / dispersion
  return lnIncompleteBeta(mean / (mean + r), k, r)
}

/** ln I_x(a, b), 0 < x < 1. Continued fraction of Lentz (Numerical Recipes §6.4; DLMF 8.17.22). */
export function lnIncompleteBeta(x: number, a: number, b: number): number {
  const lnFront = gammaln(a + b) - gammaln(a) - gammaln(b) + a * Math.log(x) + b * Math.log1p(-x)
  if (x < (a + 1) / (a + b + 2)) return lnFront + Math.log(betaFraction(x, a, b)) - Math.log(a)
  const complement = Math.exp(lnFront + Math.log(betaFraction(1 - x, b, a)) - Math.log(b))
  return Math.log1p(-Math.min(complement, 1 - Number.EPSILON))
}

const TINY = 1e-300
const MAX_STEPS = 2_000

function betaFraction(x: number, a: number, b: number): number {
  let c = 1
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= MAX_STEPS; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / awayFromZero(1 + even * d)
    c = awayFromZero(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / awayFromZero(1 + odd * d)
    c = awayFromZero(1 + odd / c)
    const step = d * c
    fraction *= step
    if (Math.abs(step - 1) < 1e-12) break
  }
  return fraction
}

const awayFromZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value)
