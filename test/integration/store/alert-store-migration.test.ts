import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAlerts, keepAlerts } from '../../../store/alerts.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries } from '../../../store/deliveries.ts'
import { createFindings } from '../../../store/findings.ts'
import { migrate } from '../../../store/migrate.ts'
import { migrationFiles, statementsOf } from '../../../store/migration-files.ts'
import { migrateThrough } from '../../helpers/old-schema.ts'

const MIGRATION = '0012_alert_store.sql'
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-alert-store-migration-'))
let database: Database
beforeAll(async () => {
  database = await openEmbedded({ path: folder })
  await migrateThrough(database, '0009_chain_computed.sql')
})
afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

const MONTHS = 150
const ALERT = JSON.stringify({ alert_id: 'a1', status: 'acknowledged', severity: 'high' })

/** As the versions before wrote them: a finding a month for more months than an insert may have, one of them superseded. */
async function fillOldTables(): Promise<void> {
  await database.command(
    `INSERT INTO findings
     SELECT 'f' || toString(number), 'current', 10, now64(3), 'volume-spike', 1, 'volume', 'high', 3.5, 'acme',
       toString(toDate(window_start)) || '/ada', 'actor', 'ada', 'ada', window_start, window_start + INTERVAL 1 HOUR,
       window_start, window_start, 7, ['e1'], 'A title', '{"observed":1,"expected":0,"history":"","silenced_by":""}'
     FROM (SELECT number, addMonths(toDateTime64('2014-01-10 10:00:00', 3, 'UTC'), toInt32(number)) AS window_start FROM numbers(${MONTHS}))`,
  )
  await database.command(
    "INSERT INTO findings SELECT * REPLACE ('superseded' AS status, 11 AS version) FROM findings WHERE finding_id = 'f3'",
  )
  await database.command(
    `INSERT INTO alert_actions
     SELECT 'acme', 'a1', number + 1, 'action' || toString(number), now64(3), ['opened', 'acknowledged'][number + 1], 'gatewatch',
       'print', 'f1', 'digest', ['open', 'acknowledged'][number + 1], 'high', now64(3), now64(3), ['d1', 'd2', 'd3'],
       '{"kind":"opened"}', if(number = 1, {state:String}, '{}')
     FROM numbers(2)`,
    { state: ALERT },
  )
  // d1 was delivered, d2 waits for its second attempt, d3 waits for its first.
  await database.command(
    `INSERT INTO deliveries
     SELECT d.1, d.2, 'acme', 'a' || d.1, 'soc', 'webhook', 'opened', 1, toDateTime64('2026-08-01 10:00:00', 3, 'UTC'), d.3, d.2 - 1,
       toDateTime64('2026-08-01 10:00:00', 3, 'UTC'), NULL, 0, '', '[]', '{"kind":"opened"}'
     FROM (SELECT arrayJoin([('d1', 1, 'due'), ('d1', 2, 'delivered'), ('d2', 1, 'due'), ('d2', 2, 'due'), ('d3', 1, 'due')]) AS d)`,
  )
}

async function expectCarriedOver(): Promise<void> {
  const findings = createFindings(database)
  expect(await findings.list({ tenant: 'acme' }, 1000)).toHaveLength(MONTHS - 1)
  expect(await findings.byId('f3', 'acme')).toMatchObject({ status: 'superseded', event_count: 7 })
  const alerts = createAlerts(database)
  expect(await alerts.byId('acme', 'a1')).toEqual(JSON.parse(ALERT))
  expect((await alerts.withActions('acme', 'a1'))?.actions).toHaveLength(2)
  const DUE_MS = Date.parse('2026-08-02T00:00:00Z')
  const deliveries = createDeliveries(database)
  expect(await deliveries.newest('acme', 10)).toMatchObject([
    { delivery_id: 'd1', status: 'delivered', attempts: 1 },
    { delivery_id: 'd2', status: 'due', attempts: 1 },
    { delivery_id: 'd3', status: 'due', attempts: 0 },
  ])
  const due = await deliveries.read(await deliveries.waiting(DUE_MS, ['soc'], 10), DUE_MS)
  expect(due.map(({ delivery_id, version }) => [delivery_id, version])).toEqual([
    ['d2', 2],
    ['d3', 1],
  ])
}

it('carries findings, alerts and deliveries over, whatever crashed in between', async () => {
  await fillOldTables()
  const { sql = '' } = (await migrationFiles()).find(({ name }) => name === MIGRATION) ?? {}
  const statements = statementsOf(sql)
  // A crash after each of the statements, and the file again from its beginning.
  for (let count = 1; count <= statements.length; count += 1)
    for (const statement of statements.slice(0, count)) await database.command(statement)
  expect(await migrate(database)).toContain(MIGRATION)
  expect(await migrate(database)).toEqual([])
  await expectCarriedOver()
  expect(
    await database.query(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ('findings', 'alert_actions', 'deliveries')`,
    ),
  ).toEqual([])
})

it('keeps them for the days that the settings say, and drops whole parts', async () => {
  await keepAlerts(database, 30)
  const tables = await database.query<{ name: string; query: string }>(
    `SELECT name, create_table_query AS query FROM system.tables
     WHERE database = currentDatabase() AND name IN ('finding_versions', 'alert_log', 'delivery_versions') ORDER BY name`,
  )
  expect(tables).toHaveLength(3)
  for (const { name, query } of tables) {
    expect(query, name).toMatch(/PARTITION BY toYYYYMM\(\w+\)/)
    expect(query, name).toContain('+ toIntervalDay(30)')
    expect(query, name).toContain('ttl_only_drop_parts = 1')
  }
})
