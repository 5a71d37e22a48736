import { describe, expect, it } from 'vitest'
import { addDay, emptyCalibration, recalibration } from '../../../../detectors/statistics/tail-calibration.ts'
import { randomOf } from '../../../scenarios/office.ts'

/** Windows whose nominal score is `factor` times what it should be. */
function calibrationOf(factor: number, windows: number) {
  const random = randomOf(3)
  let calibration = emptyCalibration
  for (let day = 0; day < 20; day += 1) {
    const scores = Array.from({ length: windows / 20 }, () => -Math.log10(1 - random()) * factor)
    calibration = addDay(calibration, scores, 0)
  }
  return recalibration(calibration)
}

describe('the recalibration of tails', () => {
  it('leaves honest scores as they are', () => {
    const recalibrate = calibrationOf(1, 40_000)
    for (const score of [0.5, 1, 2, 3]) expect(recalibrate(score)).toBeCloseTo(score, 0)
  })

  it('brings scores that are twice too high down, also where nothing was seen', () => {
    const recalibrate = calibrationOf(2, 40_000)
    for (const honest of [0.5, 1, 2, 3]) expect(Math.abs(recalibrate(2 * honest) - honest)).toBeLessThan(0.25)
    expect(Math.abs(recalibrate(16) - 8)).toBeLessThan(1.5)
  })

  it('says nothing below a thousand windows', () => {
    expect(calibrationOf(2, 800)(3)).toBe(3)
  })

  it('keeps the order of scores', () => {
    const recalibrate = calibrationOf(1.5, 40_000)
    let before = -1
    for (let score = 0; score < 20; score += 0.05) {
      const now = recalibrate(score)
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
    }
  })
})
