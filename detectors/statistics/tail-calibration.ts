/**
 * Makes nominal p-values honest: how often did windows of earlier days really score this high? A histogram of
 * s = −log10 p over all windows tested; where it thins out it is continued log-linearly.
 * Source: reference recipe “hurdle counts with pooled tail recalibration”, half-life 180 days.
 */
export interface TailCalibration {
  /** Faded number of windows tested. */
  readonly tested: number
  /** Faded number of windows with s in [i/10, (i+1)/10), i ≥ 1; those below 0.1 only count as tested. */
  readonly bins: readonly number[]
}

export const BIN_WIDTH = 0.1
const BINS = 400
const FADE_PER_DAY = 2 ** (-1 / 180)
const MIN_TESTED = 1_000
const MIN_EXCEEDANCES = 20

export const emptyCalibration: TailCalibration = { tested: 0, bins: [] }

/** The calibration after one more day: its windows’ scores, and the number of windows that scored about 0. */
export function addDay(
  before: TailCalibration,
  scores: readonly number[],
  silentWindows: number,
): TailCalibration {
  const bins = before.bins.map((count) => count * FADE_PER_DAY)
  for (const score of scores) {
    const bin = Math.min(BINS - 1, Math.floor(score / BIN_WIDTH))
    while (bins.length <= bin) bins.push(0)
    bins[bin] = (bins[bin] ?? 0) + 1
  }
  return { tested: before.tested * FADE_PER_DAY + scores.length + silentWindows, bins }
}

/** The calibration after `days` more days of `silentWindows` windows each that all scored about 0. */
export function addQuietDays(before: TailCalibration, days: number, silentWindows: number): TailCalibration {
  if (days === 0) return before
  const factor = FADE_PER_DAY ** days
  return {
    // Each day’s windows fade from the day after it on: a geometric series.
    tested: before.tested * factor + (silentWindows * (1 - factor)) / (1 - FADE_PER_DAY),
    bins: before.bins.map((count) => count * factor),
  }
}

/** Nominal score → honest score (−log10 of the calibrated p-value); made once a day, asked for every window. */
export type Recalibration = (score: number) => number

/** Below 1,000 windows tested: the nominal score. */
export function recalibration({ tested, bins }: TailCalibration): Recalibration {
  if (tested < MIN_TESTED) return (score) => score
  // exceeding[i]: windows with s ≥ i/10
  const exceeding: number[] = new Array(bins.length + 1).fill(0)
  for (let bin = bins.length - 1; bin >= 0; bin -= 1) {
    exceeding[bin] = (exceeding[bin + 1] ?? 0) + (bins[bin] ?? 0)
  }
  let last = 0
  while (last + 1 < exceeding.length && (exceeding[last + 1] ?? 0) >= MIN_EXCEEDANCES) last += 1
  const lastScore = last * BIN_WIDTH
  const slope = slopeBeyond(bins, last)
  const honest = (count: number) => Math.log10((tested + 1) / (count + 1))
  return (score) => {
    if (score < BIN_WIDTH) return Math.max(0, Math.min(score, honest(exceeding[1] ?? 0)))
    if (score >= lastScore) return honest(exceeding[last] ?? 0) + slope * (score - lastScore)
    const bin = Math.floor(score / BIN_WIDTH)
    const share = score / BIN_WIDTH - bin
    return (1 - share) * honest(exceeding[bin] ?? 0) + share * honest(exceeding[bin + 1] ?? 0)
  }
}

// Exponential tail: decades per unit of s = 1 / (mean excess · ln 10), kept within .25 … 1.
function slopeBeyond(bins: readonly number[], last: number): number {
  let count = 0
  let excess = 0
  for (let bin = last; bin < bins.length; bin += 1) {
    count += bins[bin] ?? 0
    excess += (bins[bin] ?? 0) * (bin + 0.5 - last) * BIN_WIDTH
  }
  if (count === 0 || excess === 0) return 1
  return Math.min(1, Math.max(0.25, count / (excess * Math.LN10)))
}
