import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRetentionPart } from '../../../app/wire/retention.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { createProfileStore } from '../../../store/profiles.ts'
import { expiredOn, type RetentionPolicy } from '../../../store/retention.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

// A Tuesday. Weeks begin on Monday: 2026-06-22, 2026-06-29.
const TODAY = '2026-06-30'
const STRANGE = "o'brien \\ söhne"

let folder: string
let database: Database
let offset = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-retention-'))
  database = await openMigratedStore(join(folder, 'store'))
  for (const tenant of ['acme', STRANGE, 'globex'])
    for (const day of ['2001-01-01', '2026-04-15', '2026-05-24', '2026-05-25', '2026-06-01', TODAY])
      await store(tenant, day)
  for (const tenant of ['acme', 'globex']) {
    // A tool that nobody used since: in the rollups only, as if its events were gone.
    await database.command(
      `INSERT INTO tools_by_actor (tenant, actor, mcp_server_name, gen_ai_tool_name, first_seen, last_seen, calls)
       VALUES ({tenant:String}, 'former', 's', 'forgotten', '2026-01-01 00:00:00', '2026-04-15 00:00:00', 3)`,
      { tenant },
    )
    const profiles = createProfileStore(database)
    for (const day of ['2026-04-15', TODAY])
      await profiles.write(tenant, 'hours', { day: Date.parse(day) / 86_400_000, body: '{}' }, 1)
  }
})
afterAll(async () => {
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})

async function store(tenant: string, day: string): Promise<void> {
  offset += 1
  const event = smallEvent({
    tenant,
    offset,
    event_id: `${tenant}/${day}`,
    occurred_at: `${day}T12:00:00.000000Z`,
  })
  await database.insert({
    table: 'events',
    columns: EVENT_COLUMNS,
    rows: Buffer.from(`${eventRow(event)}\n`),
    token: `${tenant}/${day}/${offset}`,
  })
}

const daysOf = async (table: string, time: string, tenant: string) =>
  (
    await database.query<{ day: string }>(
      `SELECT DISTINCT toString(toDate(${time})) AS day FROM ${table} WHERE tenant = {tenant:String} ORDER BY day`,
      { tenant },
    )
  ).map(({ day }) => day)

const POLICY: RetentionPolicy = {
  events: 0,
  rollups: 0,
  tenants: new Map([
    ['acme', { events: 30, rollups: 60 }],
    [STRANGE, { events: 29 }],
  ]),
}

const run = (policy: RetentionPolicy, registry = new Registry()) =>
  createRetentionPart({
    retention: { policy, every: '0 37 3 * * *' },
    database,
    clock: { now: () => Date.parse(`${TODAY}T03:37:00Z`) } as never,
    logger: pino({ level: 'silent' }),
    registry,
  }).run()

it('finds the weeks that are past as a whole, and changes nothing', async () => {
  const found = await expiredOn(database, POLICY, TODAY)
  // 30 days before are 2026-05-31, a Sunday whose own day is not past; its week stays. 29 days: 2026-06-01 is not past either,
  // the Sunday before it is.
  expect(found.map(({ table, tenant, from, to, rows }) => [table, tenant, from, to, rows])).toEqual([
    ['events', 'acme', '2001-01-01', '2001-01-01', 1],
    ['events', STRANGE, '2001-01-01', '2001-01-01', 1],
    ['events', 'acme', '2026-04-15', '2026-04-15', 1],
    ['events', STRANGE, '2026-04-15', '2026-04-15', 1],
    ['events', 'acme', '2026-05-24', '2026-05-24', 1],
    ['events', STRANGE, '2026-05-24', '2026-05-24', 1],
    ['events', STRANGE, '2026-05-25', '2026-05-25', 1],
    // Of ids a month goes at once, when its last day is past.
    ['event_ids', 'acme', '2001-01-01', '2001-01-01', 1],
    ['event_ids', STRANGE, '2001-01-01', '2001-01-01', 1],
    ['event_ids', 'acme', '2026-04-15', '2026-04-15', 1],
    ['event_ids', STRANGE, '2026-04-15', '2026-04-15', 1],
    ['event_ids', STRANGE, '2026-05-24', '2026-05-25', 2],
    ['calls_by_actor', 'acme', '2001-01-01', '2001-01-01', 1],
    ['calls_by_actor', 'acme', '2026-04-15', '2026-04-15', 1],
    ['calls_by_tool', 'acme', '2001-01-01', '2001-01-01', 1],
    ['calls_by_tool', 'acme', '2026-04-15', '2026-04-15', 1],
    // The tool of April was used in June too; the one that was not is past.
    ['tools_by_actor', 'acme', '2026-04-15', '2026-04-15', 1],
    ['profiles', 'acme', '2026-04-15', '2026-04-15', 1],
  ])
  expect(await daysOf('events', 'occurred_at', 'acme')).toHaveLength(6)
})

it('keeps everything where nothing is said', async () => {
  expect(await expiredOn(database, { tenants: new Map() }, TODAY)).toEqual([])
  expect(
    await expiredOn(database, { events: 0, rollups: 0, tenants: new Map([['acme', {}]]) }, TODAY),
  ).toEqual([])
})

it('removes it by dropping parts, of that tenant only, and counts it', async () => {
  const registry = new Registry()
  await run(POLICY, registry)
  expect(await daysOf('events', 'occurred_at', 'acme')).toEqual(['2026-05-25', '2026-06-01', TODAY])
  expect(await daysOf('events', 'occurred_at', STRANGE)).toEqual(['2026-06-01', TODAY])
  expect(await daysOf('events', 'occurred_at', 'globex')).toHaveLength(6)
  // April ended less than 60 days before TODAY + 1: 2026-04-30 is 61 days ago.
  expect(await daysOf('calls_by_actor', 'bucket', 'acme')).toEqual([
    '2026-05-24',
    '2026-05-25',
    '2026-06-01',
    TODAY,
  ])
  expect(await daysOf('calls_by_tool', 'bucket', 'acme')).toHaveLength(4)
  expect(await daysOf('calls_by_actor', 'bucket', STRANGE)).toHaveLength(6)
  expect(await daysOf('event_ids', 'day', 'acme')).toEqual(['2026-05-24', '2026-05-25', '2026-06-01', TODAY])
  expect(await daysOf('event_ids', 'day', STRANGE)).toEqual(['2026-06-01', TODAY])
  expect(await daysOf('event_ids', 'day', 'globex')).toHaveLength(6)
  expect(await daysOf('profiles', 'day', 'acme')).toEqual([TODAY])
  expect(await daysOf('profiles', 'day', 'globex')).toEqual(['2026-04-15', TODAY])
  const pairs = await database.query(
    `SELECT tenant, actor, toString(min(tools_by_actor.first_seen)) AS first FROM tools_by_actor
     GROUP BY tenant, actor, mcp_server_name, gen_ai_tool_name ORDER BY tenant, actor`,
  )
  // What is still used keeps the time of its first use, however its rows lie.
  expect(pairs).toEqual([
    { tenant: 'acme', actor: expect.any(String), first: '2001-01-01 12:00:00.000000' },
    { tenant: 'globex', actor: expect.any(String), first: '2001-01-01 12:00:00.000000' },
    { tenant: 'globex', actor: 'former', first: '2026-01-01 00:00:00.000000' },
    { tenant: STRANGE, actor: expect.any(String), first: '2001-01-01 12:00:00.000000' },
  ])
  const metrics = await registry.metrics()
  expect(metrics).toContain('gatewatch_retention_removed_rows_total{table="events"} 7')
  expect(metrics).toMatch(/gatewatch_retention_last_success_seconds \d+/)
  expect(await expiredOn(database, POLICY, TODAY)).toEqual([])
  // No mutation rewrote events: what went, went as parts.
  expect(await database.query("SELECT 1 FROM system.mutations WHERE table = 'events'")).toEqual([])
})

it('takes late events, and removes them with the next run', async () => {
  await store('acme', '2001-01-01')
  expect(await daysOf('events', 'occurred_at', 'acme')).toContain('2001-01-01')
  await run(POLICY)
  expect(await daysOf('events', 'occurred_at', 'acme')).not.toContain('2001-01-01')
})

it('says that it failed, and works again afterwards', async () => {
  const registry = new Registry()
  const failing = createRetentionPart({
    retention: { policy: POLICY, every: '0 37 3 * * *' },
    database: { ...database, query: () => Promise.reject(new Error('away')) },
    clock: { now: () => Date.parse(`${TODAY}T03:37:00Z`) } as never,
    logger: pino({ level: 'silent' }),
    registry,
  })
  await failing.run()
  expect(await registry.metrics()).toContain('gatewatch_retention_failures_total 1')
})
