import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { createManualClock } from '../../../core/clock.ts'
import { stableId } from '../../../core/hash.ts'
import { SEPARATE_SOURCES } from '../../../core/sources.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { Database } from '../../../store/database.ts'
import { createEventQueries } from '../../../store/event-queries.ts'
import { createBatchWriter, createBlockEncoder, encodeBatch } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

const NOW_MS = Date.now()
const at = (agoMs: number) => fromMillis(NOW_MS - agoMs)
const DAY_MS = 86_400_000

let folder: string
let database: Database
let compare: ReturnType<typeof createKnownEvents>
let blocks = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-identity-'))
  database = await openMigratedStore(folder)
  compare = createKnownEvents(database, createManualClock(NOW_MS))
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

let offset = 0
/** A call as its source reports it; every delivery of it has coordinates of its own. */
const call = (tenant: string, id: string, fields: Partial<AuditEvent> = {}): AuditEvent =>
  smallEvent({ tenant, event_id: id, occurred_at: at(60_000), offset: offset++, ...fields })

type Way = 'columns' | 'lines'

const encoded = (events: readonly AuditEvent[], way: Way) => {
  const batch = { events, parts: [], deadLetters: [] }
  const encoder = createBlockEncoder()
  encoder.add(batch)
  const [table] = way === 'columns' ? encoder.finish() : encodeBatch(batch)
  if (table === undefined) throw new Error('no rows')
  return table
}

/** Compares a block and stores it, as the sources do. */
async function deliver(
  events: readonly AuditEvent[],
  options: { way?: Way; repeated?: boolean; token?: string } = {},
) {
  const { way = 'columns', repeated = false, token = `block-${blocks++}` } = options
  const table = encoded(events, way)
  const { replaced, duplicates, conflicts, release } = await compare(table, { repeated })
  const rows = replaced === undefined ? table : { table: 'events', ...replaced }
  if (rows.count > 0) await createBatchWriter(database).write([rows], token)
  release()
  return {
    duplicates: [...duplicates],
    conflicts: [...conflicts],
    rows: Buffer.from(rows.rows).toString('hex'),
  }
}

const stored = async (tenant: string) =>
  database.query<{ event_id: string; conflicting_event_id: string; tool: string }>(
    `SELECT event_id, conflicting_event_id, gen_ai_tool_name AS tool FROM events WHERE tenant = {tenant:String}
     ORDER BY offset`,
    { tenant },
  )

describe.each<Way>(['columns', 'lines'])('a block of %s', (way) => {
  it('is stored without what is stored already, whatever its time and place in the block', async () => {
    const tenant = `again-${way}`
    const [recent, old] = [call(tenant, 'a'), call(tenant, 'b', { occurred_at: at(400 * DAY_MS) })]
    expect(await deliver([recent, old, { ...recent, offset: offset++ }], { way })).toMatchObject({
      duplicates: [2],
      conflicts: [],
    })
    // The table of ids looks back some days; an older event is found at its own day.
    await database.command(`ALTER TABLE event_ids DELETE WHERE tenant = '${tenant}' AND day < today() - 300`)
    const again = [call(tenant, 'new'), { ...old, offset: offset++ }, { ...recent, offset: offset++ }]
    expect(await deliver(again, { way })).toMatchObject({ duplicates: [1, 2], conflicts: [] })
    expect((await stored(tenant)).map(({ event_id: id }) => id)).toEqual(['a', 'b', 'new'])
  })

  it('keeps a call that comes under the id of another one, marked, once', async () => {
    const tenant = `conflict-${way}`
    await deliver([call(tenant, 'x', { 'gen_ai.tool.name': 'list' })], { way })
    const hidden = call(tenant, 'x', {
      ...{ 'gen_ai.tool.name': 'drop_table', actor: 'mallory', occurred_at: at(10_000) },
    })
    expect(await deliver([hidden], { way })).toMatchObject({ duplicates: [], conflicts: [0] })
    expect(await deliver([{ ...hidden, offset: offset++ }], { way })).toMatchObject({ duplicates: [0] })
    const rows = await stored(tenant)
    expect(rows).toMatchObject([
      { event_id: 'x', conflicting_event_id: '', tool: 'list' },
      { conflicting_event_id: 'x', tool: 'drop_table' },
    ])
    expect(rows[1]?.event_id).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('a call under the id of another', () => {
  it('is found: listed on a page of its own, by its id, by search', async () => {
    const tenant = 'visible'
    const queries = createEventQueries(database)
    const time = at(30_000)
    await deliver([call(tenant, 'x', { occurred_at: time, 'gen_ai.tool.name': 'list' })])
    await deliver([call(tenant, 'x', { occurred_at: time, 'gen_ai.tool.name': 'drop_table' })])
    const scope = { tenant, from: at(DAY_MS), to: at(0) }
    const seen: AuditEvent[] = []
    for (let cursor: string | undefined, page = 0; page < 5; page++) {
      const answer = await queries.search(scope, { limit: 1, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...answer.events)
      cursor = answer.nextCursor
      if (cursor === undefined) break
    }
    expect(seen.map((event) => event['gen_ai.tool.name']).sort()).toEqual(['drop_table', 'list'])
    const [marked] = (await queries.search({ ...scope, q: 'conflicting_event_id:*' }, { limit: 10 })).events
    expect(marked).toMatchObject({ conflicting_event_id: 'x', 'gen_ai.tool.name': 'drop_table' })
    expect(await queries.byId(tenant, 'x')).toMatchObject({ 'gen_ai.tool.name': 'list' })
    expect(await queries.byId(tenant, marked?.event_id ?? '')).toEqual(marked)
  })

  it('is not hidden by whoever knows the id that it would get', async () => {
    const tenant = 'foreseen'
    await deliver([call(tenant, 'x')])
    const victim = call(tenant, 'x', { 'gen_ai.tool.name': 'drop_table' })
    // What the attacker can work out: the id that this very call is given when it comes.
    const probe = call('probe', 'x')
    await deliver([probe])
    await deliver([{ ...victim, tenant: 'probe' }])
    const first = await database.query<{ event_id: string }>(
      "SELECT event_id FROM events WHERE tenant = 'probe' AND conflicting_event_id != ''",
    )
    expect(first).toHaveLength(1)
    const { idsOfConflict } = await import('../../../store/event-facts.ts')
    const table = encoded([victim], 'lines')
    const values = JSON.parse(Buffer.from(table.rows).toString('utf8')) as unknown[]
    const row = Object.fromEntries(table.columns.map((name, place) => [name, values[place]]))
    await deliver([call(tenant, idsOfConflict(row, SEPARATE_SOURCES)[0], { 'gen_ai.tool.name': 'harmless' })])
    expect(await deliver([victim])).toMatchObject({ duplicates: [], conflicts: [0] })
    expect((await stored(tenant)).map(({ tool }) => tool)).toEqual([
      'search_issues',
      'drop_table',
      'harmless',
    ])
  })
})

describe('a block that was begun before', () => {
  it('is the same block again, whatever of it is in the store', async () => {
    const tenant = 'replay'
    await deliver([call(tenant, 'old'), call(tenant, 'taken')])
    const events = [
      call(tenant, 'new'),
      call(tenant, 'old'),
      call(tenant, 'taken', { 'gen_ai.tool.name': 'drop_table' }),
      call(tenant, 'old', { actor: 'another', occurred_at: at(5 * DAY_MS) }),
    ]
    events[1] = {
      ...events[1],
      ...smallEvent({ tenant, event_id: 'old', occurred_at: at(60_000) }),
      offset: offset++,
    }
    const first = await deliver(events, { token: 'begun' })
    expect(first).toMatchObject({ duplicates: [1], conflicts: [2, 3] })
    const rows = await stored(tenant)
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await deliver(events, { token: 'begun', repeated: true })).toEqual(first)
      expect(await stored(tenant)).toEqual(rows)
    }
    // Read again later, under other boundaries, nothing is new any more.
    expect(await deliver(events)).toMatchObject({ duplicates: [0, 1, 2, 3], conflicts: [] })
  })
})

it('asks a server in pieces that it takes: no parameter over 128 KiB', async () => {
  const tenant = 'server'
  let longest = 0
  let questions = 0
  const server: Database = {
    ...database,
    kind: 'server',
    query: (sql, params = {}) => {
      questions++
      for (const value of Object.values(params)) longest = Math.max(longest, Buffer.byteLength(String(value)))
      return database.query(sql, params)
    },
  }
  // Two bytes a character, and one more when it is quoted.
  const events = Array.from({ length: 2000 }, (_, at) => call(tenant, `${'é"'.repeat(60)}${at}`))
  await deliver(events)
  const report = await createKnownEvents(server, createManualClock(NOW_MS))(encoded(events, 'columns'), {
    repeated: false,
  })
  report.release()
  expect(report.duplicates.size).toBe(2000)
  expect(questions).toBeGreaterThan(4)
  expect(longest).toBeLessThan(128 * 1024)
  expect(longest).toBeGreaterThan(64 * 1024)
})

describe('two blocks at once', () => {
  it('find each other’s events', async () => {
    const tenant = 'at-once'
    const events = Array.from({ length: 50 }, (_, index) => call(tenant, `n${index}`))
    const again = events.map((event) => ({ ...event, offset: offset++ }))
    const reports = await Promise.all([deliver(events), deliver(again), deliver(again, { way: 'lines' })])
    expect(reports.map(({ duplicates }) => duplicates.length).sort((a, b) => a - b)).toEqual([0, 50, 50])
    expect(await stored(tenant)).toHaveLength(50)
  })
})

it('takes a record without a time of its own for the same although the broker gave it another', async () => {
  const tenant = 'broker-time'
  const sent = call(tenant, 'a', { timestamp_source: 'broker' })
  await deliver([sent])
  expect(await deliver([{ ...sent, occurred_at: at(1000), offset: offset++ }])).toMatchObject({
    duplicates: [0],
  })
})

it('takes a record that is read again at its place for the same although more of it is understood by now', async () => {
  const tenant = 'understood'
  const id = stableId(tenant, 'place')
  const before = call(tenant, id)
  await deliver([before])
  expect(await deliver([{ ...before, 'user.id': 'alice' }])).toMatchObject({ duplicates: [0] })
  expect(await deliver([{ ...before, 'user.id': 'alice', offset: offset++ }])).toMatchObject({
    conflicts: [0],
  })
  expect(await deliver([{ ...before, 'gen_ai.tool.name': 'other' }])).toMatchObject({ conflicts: [0] })
})
