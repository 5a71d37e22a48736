import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createManualClock } from '../core/clock.ts'
import { openEmbedded } from '../store/clickhouse.ts'
import type { Database } from '../store/database.ts'
import type { EventIdentity } from '../store/event-block.ts'
import { createEventQueries, type EventQueries } from '../store/event-queries.ts'
import { createKnownEvents } from '../store/known-events.ts'
import { migrate } from '../store/migrate.ts'
import type { Bench } from './benchmark.ts'
import { writeHistory } from './detection/traffic.ts'

const TENANT = 'default'
const DAYS = 28
const TIMES = 40
const DAY_MS = 86_400_000

// A look-up asks for events; what views make of them for detection only costs time and room here.
const OTHER_VIEWS = ['arrivals_view', 'calls_by_actor_view', 'calls_by_tool_view', 'tools_by_actor_view']

/**
 * What people wait for when they look for an event: one by its id, the newest hundred, an actor’s day; 95th percentiles of
 * forty questions each, over four weeks of calls as they lie in a store that merges as it goes. And what it costs to tell that
 * none of 10,000 events that arrive is known.
 */
export const run: Bench = async ({ quick, progress }) => {
  const calls = quick ? 5_000_000 : 100_000_000
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
  const database = await openEmbedded({ path: folder, maxMemoryBytes: 4 * 1024 ** 3 })
  try {
    await migrate(database)
    for (const view of OTHER_VIEWS) await database.command(`DROP VIEW IF EXISTS ${view}`)
    progress(`${calls} calls over ${DAYS} days …`)
    await writeHistory(database, {
      ...{ actors: 10_000, calls, days: DAYS },
      onWritten: (written) => {
        if (written % (calls / 20) === 0) progress(`${(100 * written) / calls} % written`)
      },
    })
    progress('look-ups …')
    const events = createEventQueries(database)
    const found = await someEvents(database)
    const nowMs = Date.parse(`${found.newest.replace(' ', 'T')}Z`) + 1
    const range = { from: new Date(nowMs - 7 * DAY_MS), to: new Date(nowMs) }
    const times = {
      by_id: await measure(async (at) => {
        const { id } = found.some[at] ?? { id: '' }
        if ((await events.byId(TENANT, id))?.event_id !== id) throw new Error(`${id} is not found`)
      }),
      newest_100: await measure(async () => expectPage(events, { ...range }, {})),
      actor_day: await measure(async (at) => {
        const { actor, day } = found.some[at] ?? { actor: '', day: '' }
        const from = new Date(`${day}T00:00:00Z`)
        await expectPage(events, { from, to: new Date(from.getTime() + DAY_MS) }, { actor })
      }),
    }
    const compared = await measureComparison(database, nowMs)
    const rows = await sizes(database)
    const p95 = Object.fromEntries(
      Object.entries(times).map(([name, list]) => [name, percentile(list, 0.95)]),
    )
    return {
      figures: {
        p95_ms: { value: Math.max(...Object.values(p95)), unit: 'ms', goal: '<= 200' },
        by_id_p95_ms: { value: p95['by_id'] ?? 0, unit: 'ms', goal: '<= 200' },
        newest_100_p95_ms: { value: p95['newest_100'] ?? 0, unit: 'ms', goal: '<= 100' },
        actor_day_p95_ms: { value: p95['actor_day'] ?? 0, unit: 'ms', goal: '<= 200' },
        compare_10k_cpu_ms: { value: compared, unit: 'ms' },
        event_ids_bytes_per_event: { value: rows.idBytes, unit: 'bytes' },
        events: { value: rows.events, unit: 'events' },
      },
    }
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function someEvents(database: Database) {
  const [last] = await database.query<{ newest: string }>('SELECT max(occurred_at) AS newest FROM events')
  const some = await database.query<{ id: string; actor: string; day: string }>(
    `SELECT event_id AS id, actor, toString(toDate(occurred_at)) AS day FROM events
     WHERE sipHash64(event_id) % 1000 = 7 LIMIT ${TIMES}`,
  )
  if (some.length < TIMES) throw new Error('too few events')
  return { newest: last?.newest ?? '', some }
}

async function expectPage(
  events: EventQueries,
  { from, to }: { readonly from: Date; readonly to: Date },
  selection: { readonly actor?: string },
): Promise<void> {
  const timestamp = (date: Date) => `${date.toISOString().slice(0, -1)}000Z`
  const scope = { tenant: TENANT, from: timestamp(from), to: timestamp(to), ...selection }
  const { events: page } = await events.search(scope, { limit: 100 })
  if (page.length === 0) throw new Error('an empty page')
}

/** Durations in milliseconds; the first question, which opens files, is not one of them. */
async function measure(ask: (at: number) => Promise<void>): Promise<number[]> {
  const times: number[] = []
  for (let at = 0; at <= TIMES; at++) {
    const start = performance.now()
    await ask(at % TIMES)
    if (at > 0) times.push(performance.now() - start)
  }
  return times
}

/** CPU of comparing 10,000 events that nobody knows with the store. */
async function measureComparison(database: Database, nowMs: number): Promise<number> {
  const compare = createKnownEvents(database, createManualClock(nowMs))
  const costs: number[] = []
  for (let round = 0; round < 5; round++) {
    const identities = Array.from(
      { length: 10_000 },
      (_, at): EventIdentity => ({
        tenant: TENANT,
        event_id: `new-${round}-${at}`,
        occurred_at: new Date(nowMs).toISOString(),
        actor: `actor-${at % 500}`,
      }),
    )
    const before = process.cpuUsage()
    const { release, duplicates } = await compare(
      { columns: [], rows: new Uint8Array(), count: identities.length },
      { repeated: false, identities },
    )
    const { user, system } = process.cpuUsage(before)
    release()
    if (duplicates.size > 0) throw new Error('a new event is taken for a known one')
    costs.push((user + system) / 1000)
  }
  return percentile(costs, 0.5)
}

async function sizes(database: Database): Promise<{ events: number; idBytes: number }> {
  const [row] = await database.query<{ events: number; idBytes: number }>(
    `SELECT sumIf(rows, table = 'events') AS events,
            round(sumIf(bytes_on_disk, table = 'event_ids') / sumIf(rows, table = 'event_ids'), 1) AS idBytes
     FROM system.parts WHERE active AND database = currentDatabase()`,
  )
  return row ?? { events: 0, idBytes: 0 }
}

const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
