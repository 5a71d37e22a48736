import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { addSegmentGauges, checkSegments } from '../../../../app/wire/segments.ts'
import { createManualClock } from '../../../../core/clock.ts'
import { openSegmentLog } from '../../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../../ingest/telemetry.ts'
import { encodeBatch } from '../../../../store/event-writer.ts'
import { smallEvent } from '../../../helpers/events.ts'
import { compareByIds } from '../../../helpers/known-events.ts'

// Calls that were accepted and not stored were in no metric, and /readyz said ready.

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-waiting-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const batchOf = (...ids: string[]) => ({
  events: ids.map((event_id) => smallEvent({ event_id })),
  parts: [],
  deadLetters: [],
})

it('what waits in the segment log is measured, and named when it waits for longer than a minute', async () => {
  const clock = createManualClock(Date.now())
  const store = Promise.withResolvers<{ rejected: number }>()
  const options = {
    folder,
    encode: encodeBatch,
    compare: compareByIds(),
    telemetry: silentTelemetry,
    now: () => clock.now(),
  }
  const log = await openSegmentLog({ ...options, write: () => store.promise })
  const registry = new Registry()
  addSegmentGauges(log, clock, registry)
  const figure = async (name: string) =>
    Number((await registry.metrics()).match(new RegExp(`^gatewatch_segments_${name} (.*)$`, 'm'))?.[1])
  const beganMs = clock.now()
  expect(await figure('oldest_seconds')).toBe(0)
  await log.append(batchOf('a', 'b'))
  clock.set(beganMs + 30_000)
  await log.append(batchOf('c'))
  clock.set(beganMs + 60_000)
  expect(checkSegments(log, clock.now())).toEqual([])
  clock.set(beganMs + 61_000)
  expect(await figure('oldest_seconds')).toBe(61)
  expect(await figure('waiting_rows')).toBe(3)
  expect(await figure('waiting_bytes')).toBeGreaterThan(100)
  expect(checkSegments(log, clock.now())).toEqual([
    {
      state: 'degraded',
      reason: 'segments_waiting',
      detail: expect.stringMatching(/^what was accepted 61 s ago is not stored yet: 3 rows wait/),
    },
  ])
  store.resolve({ rejected: 0 })
  await log.flush()
  expect(await figure('oldest_seconds')).toBe(0)
  expect(await figure('waiting_rows')).toBe(0)
  expect(checkSegments(log, clock.now())).toEqual([])
  await log.close()
})

it('what an earlier run left is as old as its last append', async () => {
  const options = { folder, encode: encodeBatch, compare: compareByIds(), telemetry: silentTelemetry }
  const away = () => Promise.reject(new Error('away'))
  const before = await openSegmentLog({ ...options, write: away })
  await before.append(batchOf('a'))
  await before.close(0)
  const log = await openSegmentLog({ ...options, write: away })
  expect(checkSegments(log, Date.now() + 120_000)).toMatchObject([{ state: expect.any(String) }])
  expect(log.status()).toMatchObject({ waitingRows: 1, waitingSinceMs: expect.any(Number) })
  await log.close(0)
})
