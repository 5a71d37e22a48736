import { expect, it } from 'vitest'
import { barOf } from '../../../../alerts/ranking/bar.ts'
import { fromMillis } from '../../../../core/timestamp.ts'

const FROM_MS = Date.UTC(2026, 5, 29)
const DAY_MS = 86_400_000
const alert = (daysBefore: number, score: number) => ({
  first_event_at: fromMillis(FROM_MS - daysBefore * DAY_MS),
  score,
})

it('lets so many a day pass as the budget says, on the week before', () => {
  const week = Array.from({ length: 70 }, (_, index) => alert(1 + (index % 7), index))
  const bar = barOf(week, FROM_MS, 2)
  expect(week.filter(({ score }) => score >= bar)).toHaveLength(14)
})

it('does not look at the range itself, nor at what is older', () => {
  const others = [alert(-1, 100), alert(8, 100)]
  expect(barOf([...others, alert(3, 1)], FROM_MS, 1 / 7)).toBe(1)
})

it('lets everything pass where there is less than the budget', () => {
  expect(barOf([alert(3, 5)], FROM_MS, 20)).toBe(0)
})
