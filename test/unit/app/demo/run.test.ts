import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runLive } from '../../../../app/demo/run.ts'
import { systemClock } from '../../../../core/clock.ts'
import { GatewatchError } from '../../../../core/errors.ts'
import type { Batch, RawRecord } from '../../../../ingest/record.ts'
import { openSegmentLog, type SegmentLog } from '../../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../../ingest/telemetry.ts'
import { encodeBatch } from '../../../../store/event-writer.ts'
import { smallEvent } from '../../../helpers/events.ts'
import { compareByIds } from '../../../helpers/known-events.ts'

let folder: string
let log: SegmentLog
let isAway = true
const stored: string[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-demo-run-'))
  isAway = true
  stored.length = 0
  log = await openSegmentLog({
    folder,
    encode: encodeBatch,
    compare: compareByIds(),
    write: async (blocks) => {
      if (isAway) throw new GatewatchError('store_unavailable', 'away')
      for (const { rows } of blocks)
        for (const line of (await readFile(rows.path, 'utf8')).trimEnd().split('\n'))
          stored.push(JSON.parse(line)[0])
      return { rejected: 0 }
    },
    telemetry: silentTelemetry,
    backoff: { firstMs: 1, capMs: 5 },
    sealMs: 10,
    // Room for a few records: the next one is refused until the store takes them.
    maxBytes: 5000,
  })
})
afterEach(async () => {
  await log.close(0)
  await rm(folder, { recursive: true, force: true })
})

const pipeline = (records: readonly RawRecord[]): Batch => ({
  events: records.map(({ offset }) => smallEvent({ event_id: String(offset) })),
  parts: [],
  deadLetters: [],
})

it('outlives refused records: the live traffic of the demo waits, says so, and goes on without a gap', async () => {
  const live = new AbortController()
  const notes: string[] = []
  const traffic = runLive(
    { ingest: { pipeline }, segments: log },
    {
      // The story began an hour ago, so that its records come at once.
      ...{ seed: 1, nowMs: Date.now() - 3_600_000, clock: systemClock, signal: live.signal },
      note: (text: string) => notes.push(text),
      retryMs: 1,
    },
  )
  // A segment that is sealed makes room for a moment: then more is said before anybody looks.
  await expect.poll(() => notes[0]).toContain('waits')
  isAway = false
  await expect.poll(() => stored.length).toBeGreaterThan(20)
  live.abort()
  await traffic
  await log.flush()
  expect(notes.slice(0, 2)).toEqual([
    expect.stringContaining('Too much is waiting for the store.'),
    'demo traffic: goes on',
  ])
  expect(stored).toEqual(stored.map((_, index) => String(index)))
})

it('says what is wrong when a record is refused for good', async () => {
  const failing = (): never => {
    throw new TypeError('no pipeline')
  }
  const broken = { ingest: { pipeline: failing }, segments: log }
  const traffic = runLive(broken, {
    ...{ seed: 1, nowMs: Date.now() - 3_600_000, clock: systemClock, note: () => {} },
    signal: new AbortController().signal,
  })
  await expect(traffic).rejects.toThrow('no pipeline')
})
