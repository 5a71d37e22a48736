import { fadeOf, HALF_HOURS, type Rhythm, WEEK_CELLS } from './rhythm.ts'

/** Cells by class of day: 48 half hours of Monday to Friday, then 48 of the weekend. */
export const CLASS_CELLS = 2 * HALF_HOURS

/** Counts as of the last day in local time, five weekdays and two days of a weekend folded into two classes. */
export function classCells(rhythm: Rhythm): Float64Array {
  const classes = new Float64Array(CLASS_CELLS)
  const fade = fadeOf(rhythm)
  for (const [weekday, weights] of rhythm.weekdays.entries()) {
    if (weights === undefined) continue
    for (let halfHour = 0; halfHour < HALF_HOURS; halfHour += 1) {
      const weight = weights[halfHour] ?? 0
      if (weight === 0) continue
      const local = (weekday * HALF_HOURS + halfHour + rhythm.offset + WEEK_CELLS) % WEEK_CELLS
      const cell = (local < 5 * HALF_HOURS ? 0 : HALF_HOURS) + (local % HALF_HOURS)
      classes[cell] = (classes[cell] ?? 0) + fade * weight
    }
  }
  return classes
}

// Circular Gaussian with σ = 0.75 h over half hours, normalized.
const KERNEL = (() => {
  const weights = Array.from({ length: HALF_HOURS }, (_, index) => {
    const hours = Math.min(index, HALF_HOURS - index) / 2
    return Math.exp(-0.5 * (hours / 0.75) ** 2)
  })
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
})()

// Beyond this many half hours the kernel is below 1e-5.
const KERNEL_REACH = 8

function smoothed(classes: Float64Array, offset: number): Float64Array {
  const smooth = new Float64Array(HALF_HOURS)
  for (let from = 0; from < HALF_HOURS; from += 1) {
    const count = classes[offset + from] ?? 0
    if (count === 0) continue
    for (let step = -KERNEL_REACH; step <= KERNEL_REACH; step += 1) {
      const to = (from + step + HALF_HOURS) % HALF_HOURS
      smooth[to] = (smooth[to] ?? 0) + count * (KERNEL[Math.abs(step)] ?? 0)
    }
  }
  return smooth
}

const sumOf = (values: Float64Array, from: number, to: number): number => {
  let sum = 0
  for (let index = from; index < to; index += 1) sum += values[index] ?? 0
  return sum
}

/**
 * Probability of each class cell: smoothed own counts, half of the other class’s, and three of the peers’; the share
 * of each class is pooled with five of the peers’. Sums to 1. The peers’ own density is made with a flat prior.
 */
export function densityOf(classes: Float64Array, peers?: Float64Array): Float64Array {
  const density = new Float64Array(CLASS_CELLS)
  const totals = [sumOf(classes, 0, HALF_HOURS), sumOf(classes, HALF_HOURS, CLASS_CELLS)] as const
  const smooth = [smoothed(classes, 0), smoothed(classes, HALF_HOURS)] as const
  for (const own of [0, 1] as const) {
    const other = own === 0 ? 1 : 0
    const peerShare =
      peers === undefined
        ? own === 0
          ? 5 / 7
          : 2 / 7
        : sumOf(peers, own * HALF_HOURS, (own + 1) * HALF_HOURS)
    const share = (totals[own] + 5 * peerShare) / (totals[0] + totals[1] + 5)
    const weight = totals[own] + 0.5 * totals[other] + 3
    for (let index = 0; index < HALF_HOURS; index += 1) {
      const peer =
        peers === undefined
          ? 1 / HALF_HOURS
          : (peers[own * HALF_HOURS + index] ?? 0) / Math.max(peerShare, 1e-9)
      const count = (smooth[own][index] ?? 0) + 0.5 * (smooth[other][index] ?? 0)
      density[own * HALF_HOURS + index] = (share * (count + 3 * peer)) / weight
    }
  }
  return density
}
