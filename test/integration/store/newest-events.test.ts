import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { Database } from '../../../store/database.ts'
import { createEventQueries } from '../../../store/event-queries.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

const NOW = Date.now()
const DAY_MS = 86_400_000
const SECOND_OF_MANY = Math.floor((NOW - 3_600_000) / 1000) * 1000

let folder: string
let database: Database
let asked: string[] = []
let events: AuditEvent[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-newest-'))
  const opened = await openMigratedStore(join(folder, 'store'))
  const query: Database['query'] = (sql, ...rest) => {
    asked.push(sql)
    return opened.query(sql, ...rest)
  }
  database = { ...opened, query }
  // Older than what the look-up by time covers, lately, and many within one microsecond.
  const times = [
    ...Array.from({ length: 60 }, (_, at) => NOW - 30 * DAY_MS + at * 1000),
    ...Array.from({ length: 90 }, (_, at) => NOW - 2 * DAY_MS + at * 1000),
    ...Array.from({ length: 120 }, () => SECOND_OF_MANY),
    ...Array.from({ length: 300 }, (_, at) => NOW - 600_000 + at * 1000),
  ]
  events = times.map((time, at) =>
    smallEvent({ offset: at, actor: `actor-${(at * 7) % 41}`, occurred_at: fromMillis(time) }),
  )
  await insert(events, 'all')
  // Another tenant's, which are the newest of the store.
  await insert(
    Array.from({ length: 50 }, (_, at) =>
      smallEvent({ tenant: 'globex', offset: at, occurred_at: fromMillis(NOW - at) }),
    ),
    'globex',
  )
})
afterAll(async () => {
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})

async function insert(rows: readonly AuditEvent[], token: string, sign = 1, version = 0): Promise<void> {
  await database.insert({
    table: 'events',
    columns: [...EVENT_COLUMNS, 'sign', 'version'],
    rows: Buffer.from(rows.map((event) => `${eventRow(event).slice(0, -1)},${sign},${version}]\n`).join('')),
    token,
  })
}

const newestFirst = (all: readonly AuditEvent[]) =>
  all.map(({ occurred_at }) => occurred_at).toSorted((a, b) => (a < b ? 1 : -1))

async function walk(limit: number): Promise<AuditEvent[]> {
  const queries = createEventQueries(database)
  const scope = { tenant: 'default', from: fromMillis(NOW - 60 * DAY_MS), to: fromMillis(NOW) }
  const found: AuditEvent[] = []
  for (let cursor: string | undefined, pages = 0; pages < 200; pages++) {
    const page = await queries.search(scope, { limit, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.events)
    cursor = page.nextCursor
    if (cursor === undefined) return found
  }
  throw new Error('the pages do not end')
}

it.each([7, 50, 119, 400])('gives every event once, newest first, by pages of %i', async (limit) => {
  const found = await walk(limit)
  expect(found.map(({ occurred_at }) => occurred_at)).toEqual(newestFirst(events))
  expect(new Set(found.map(({ event_id }) => event_id)).size).toBe(events.length)
})

it('finds the newest page by time, without looking for it in the events', async () => {
  asked = []
  const page = await createEventQueries(database).search(
    { tenant: 'default', from: fromMillis(NOW - 60 * DAY_MS), to: fromMillis(NOW) },
    { limit: 100 },
  )
  expect(page.events).toHaveLength(100)
  expect(asked).toHaveLength(2)
  expect(asked[0]).toContain('FROM events_by_time')
})

it('shows what a filter asks for, which the look-up by time does not know', async () => {
  asked = []
  const page = await createEventQueries(database).search(
    { tenant: 'default', from: fromMillis(NOW - 60 * DAY_MS), to: fromMillis(NOW), actor: 'actor-7' },
    { limit: 5 },
  )
  expect(page.events.map(({ actor }) => actor)).toEqual(Array.from({ length: 5 }, () => 'actor-7'))
  expect(asked.join()).not.toContain('events_by_time')
})

it('shows no version that was cancelled, however many of the newest were', async () => {
  const changed = events.slice(-200)
  await insert(changed, 'cancelled', -1)
  const later = changed.map((event) => ({ ...event, outcome: 'denied' as const }))
  await insert(later, 'corrected', 1, 1)
  const found = await walk(50)
  expect(found.map(({ occurred_at }) => occurred_at)).toEqual(newestFirst(events))
  expect(found.filter(({ outcome }) => outcome === 'denied')).toHaveLength(200)
})
