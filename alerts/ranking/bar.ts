import type { RankedAlert } from './rank.ts'

/** Days before a range that its bar is solved on; a week has each day of it once. */
const BAR_DAYS = 7
const DAY_MS = 86_400_000

/**
 * The score from which alerts are told so that they are `pagesPerDay` a day: solved on the alerts of the week before, so it is known
 * when the range begins. 0 where that week had fewer.
 * @param alerts of one tenant, those of the week before `fromMs` among them
 */
export function barOf(
  alerts: readonly Pick<RankedAlert, 'first_event_at' | 'score'>[],
  fromMs: number,
  pagesPerDay: number,
): number {
  const past = alerts.filter(({ first_event_at }) => {
    const ms = Date.parse(first_event_at)
    return ms >= fromMs - BAR_DAYS * DAY_MS && ms < fromMs
  })
  const scores = past.map(({ score }) => score).sort((a, b) => b - a)
  return scores[Math.max(0, Math.floor(pagesPerDay * BAR_DAYS) - 1)] ?? 0
}
