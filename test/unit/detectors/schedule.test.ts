import { expect, it } from 'vitest'
import { NOTHING_JUDGED } from '../../../detectors/reports.ts'
import { startSchedule } from '../../../detectors/schedule.ts'

// Issue 9, section 1, fault 17: a stop that came while a tick ran waited for a piece of the backfill after it.

const TICKED = { ...NOTHING_JUDGED, rows: 0, lateRows: 0, waiting: 0, recordedThroughUs: 0 }
const SELDOM = '0 0 0 1 1 *'

it('begins no piece of the backfill after a stop that came during a tick', async () => {
  const tick = Promise.withResolvers<typeof TICKED>()
  let pieces = 0
  const schedule = startSchedule({
    engine: {
      tick: () => tick.promise,
      backfill: async () => {
        pieces += 1
        return { worked: true, urgent: false, ...NOTHING_JUDGED }
      },
    },
    expression: SELDOM,
    backfillShare: 1,
  })
  const stopped = schedule.stop()
  tick.resolve(TICKED)
  await stopped
  expect(pieces).toBe(0)
})

it('takes what a stop interrupts for no trouble', async () => {
  const stopping = new AbortController()
  const troubles: unknown[] = []
  const interrupted = () =>
    new Promise<never>((_, reject) => {
      stopping.signal.addEventListener('abort', () => reject(new Error('gatewatch is stopping')))
    })
  const schedule = startSchedule({
    engine: { tick: interrupted, backfill: interrupted },
    expression: SELDOM,
    backfillShare: 1,
    signal: stopping.signal,
    onTrouble: (...trouble) => troubles.push(trouble),
  })
  stopping.abort()
  await schedule.stop()
  expect(troubles).toEqual([])
  expect(schedule.trouble('tick')).toBeUndefined()
})
