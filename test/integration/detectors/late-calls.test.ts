import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Database } from '../../../store/database.ts'
import { smallEvent } from '../../helpers/events.ts'
import { engineOver, openTestStore, shippedRules, store } from './support.ts'

// gatewatch_detect_late_calls_total counted a late call again each time that its minutes were read again.

let database: Database
let close: () => Promise<void>
beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())

const DAY_MS = 86_400_000
const at = (id: string, ms: number) =>
  smallEvent({ event_id: id, occurred_at: new Date(ms).toISOString().replace('Z', '000Z') })

/** An insert that becomes visible when ticks have passed its time. */
const appear = (rows: number, daysOld: number) =>
  database.command(
    `INSERT INTO touched (recorded_at, tenant, dimension, bucket, server, key, rows)
     SELECT now64(6) - toIntervalSecond(20), tenant, dimension, now() - toIntervalDay({days:UInt32}), server, key, {rows:UInt32}
     FROM touched WHERE dimension = 'actor' LIMIT 1`,
    { rows, days: daysOld },
  )

it('a late call is counted once, however often its minutes are read', async () => {
  const engine = engineOver(database, shippedRules())
  await engine.tick()
  const now = Date.now()
  await store(database, [at('old-1', now - 30 * DAY_MS), at('old-2', now - 31 * DAY_MS), at('new-1', now)])
  expect(await engine.tick()).toMatchObject({ rows: 3, lateRows: 2 })
  await appear(1, 0)
  expect(await engine.tick()).toMatchObject({ lateRows: 0 })
  await appear(3, 40)
  expect(await engine.tick()).toMatchObject({ lateRows: 3 })
  expect(await engine.tick()).toMatchObject({ lateRows: 0 })
  // The next process knows what this one has counted.
  await appear(1, 0)
  expect(await engineOver(database, shippedRules()).tick()).toMatchObject({ lateRows: 0 })
})
