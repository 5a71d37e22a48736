/** A stretch without calls that was drawn short. */
export interface Fold {
  /** The gap lies after this index. */
  readonly after: number
  readonly ms: number
}

const SHORTEST_FOLD_MS = 30_000

/**
 * Places moments on a line from 0 to 1 in proportion to time, but long gaps fold to a fixed width, so that a burst
 * of calls stays readable beside an hour of silence. A gap folds when it is longer than half a minute and than
 * twenty times the median gap. `times` ascend, in milliseconds.
 */
export function foldGaps(times: readonly number[]): { positions: number[]; folds: Fold[] } {
  const gaps = times.slice(1).map((time, at) => Math.max(0, time - (times[at] ?? time)))
  const sorted = gaps.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  const limit = Math.max(SHORTEST_FOLD_MS, median * 20)
  const folds: Fold[] = []
  const along = [0]
  let total = 0
  gaps.forEach((gap, after) => {
    if (gap > limit) folds.push({ after, ms: gap })
    total += Math.min(gap, limit)
    along.push(total)
  })
  const positions = times.map((_, at) => (total === 0 ? 0 : (along[at] ?? 0) / total))
  return { positions, folds }
}
