import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '../store/clickhouse.ts'
import type { Database } from '../store/database.ts'
import { createDeliveries } from '../store/deliveries.ts'
import { migrate } from '../store/migrate.ts'
import type { Bench } from './benchmark.ts'

const RECEIVERS = ['chat', 'on-call', 'soc']
const DUE = 50
const BLOCK = 100_000

/**
 * What one look of the dispatcher at what is due costs, with very many settled deliveries behind it, in CPU time of the
 * process. Beside it the question of versions up to 0.1: the newest version of every delivery that there is.
 */
export const run: Bench = async ({ quick, progress }) => {
  const settled = quick ? 200_000 : 1_000_000
  const looks = quick ? 10 : 20
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
  const database = await openEmbedded({ path: join(folder, 'store') })
  try {
    await migrate(database)
    for (let from = 0; from < settled; from += BLOCK) {
      await fill(database, from, Math.min(BLOCK, settled - from))
      progress(`${Math.min(from + BLOCK, settled)} settled deliveries`)
    }
    await fillDue(database)
    const deliveries = createDeliveries(database)
    const nowMs = Date.now() + 60_000
    const look = async (atMs: number) => deliveries.read(await deliveries.waiting(atMs, RECEIVERS, DUE), atMs)
    const due = await look(nowMs)
    if (due.length !== DUE) throw new Error(`${due.length} deliveries are due, not ${DUE}.`)
    const outbox = await cpuMs(looks, async () => {
      await look(nowMs)
    })
    const whole = await cpuMs(looks, async () => {
      await database.query(OLD_QUESTION, { receivers: RECEIVERS, now: nowMs, limit: DUE })
    })
    const idle = await cpuMs(looks, async () => {
      await look(0)
    })
    return {
      figures: {
        cpu_ms_per_look: { value: outbox, unit: 'ms' },
        cpu_ms_per_idle_look: { value: idle, unit: 'ms' },
        share_of_before: { value: Math.round((outbox / whole) * 1000) / 1000, unit: '×', goal: '<= 0.2' },
        settled_deliveries: { value: settled, unit: 'deliveries' },
      },
      baselines: { cpu_ms_per_look_over_all_deliveries: whole },
    }
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const OLD_QUESTION = `
  SELECT tenant, delivery_id FROM (
    SELECT tenant, delivery_id, receiver, alert_id, sequence, created_at, next_attempt_at
    FROM delivery_versions FINAL
    WHERE status = 'due' AND receiver IN {receivers:Array(String)}
    ORDER BY receiver, alert_id, sequence, delivery_id
    LIMIT 1 BY receiver, alert_id)
  WHERE next_attempt_at <= fromUnixTimestamp64Milli({now:Int64})
  ORDER BY created_at, sequence, delivery_id
  LIMIT {limit:UInt32} BY receiver`

const COLUMNS = `delivery_id, version, tenant, alert_id, receiver, kind, notice, sequence, created_at, status, attempts,
  next_attempt_at, last_attempt_at, last_status, last_error, attempt_log, body`
const OUTBOX_COLUMNS =
  'tenant, delivery_id, version, receiver, alert_id, sequence, created_at, next_attempt_at, sign'

const delivery = (version: number, status: string, from: number, count: number): string =>
  `SELECT lower(hex(MD5(toString(number)))) AS delivery_id, ${version}, 'acme', 'alert' || toString(intDiv(number, 4)),
     ['chat', 'on-call', 'soc'][number % 3 + 1], 'webhook', 'opened', 1, toDateTime64(today(), 3, 'UTC') - INTERVAL (number % 90) DAY, '${status}',
     ${version - 1}, toDateTime64(today(), 3, 'UTC') - INTERVAL (number % 90) DAY, NULL, 204, '', '[]', repeat('x', 2000)
   FROM numbers(${from}, ${count})`

// As they came in and went: due, then delivered; and in the outbox both signs.
async function fill(database: Database, from: number, count: number): Promise<void> {
  await database.command(`INSERT INTO delivery_versions (${COLUMNS}) ${delivery(1, 'due', from, count)}`)
  await database.command(
    `INSERT INTO delivery_versions (${COLUMNS}) ${delivery(2, 'delivered', from, count)}`,
  )
  for (const sign of [1, -1]) {
    await database.command(
      `INSERT INTO outbox (${OUTBOX_COLUMNS})
       SELECT 'acme', lower(hex(MD5(toString(number)))), 1, ['chat', 'on-call', 'soc'][number % 3 + 1],
         'alert' || toString(intDiv(number, 4)), 1, toDateTime64(today(), 3, 'UTC') - INTERVAL (number % 90) DAY, toDateTime64(today(), 3, 'UTC') - INTERVAL (number % 90) DAY, ${sign}
       FROM numbers(${from}, ${count})`,
    )
  }
}

async function fillDue(database: Database): Promise<void> {
  const at = new Date().toISOString()
  await createDeliveries(database).put(
    Array.from({ length: DUE }, (_, index) => ({
      delivery_id: `due-${index}`,
      version: 1,
      tenant: 'acme',
      alert_id: `waiting-${index}`,
      receiver: 'soc',
      kind: 'webhook' as const,
      notice: 'opened' as const,
      sequence: 1,
      status: 'due' as const,
      attempts: 0,
      created_at: at,
      next_attempt_at: at,
      attempt_log: [],
      body: '{}',
      severity: 'high' as const,
      score: 1,
      source: 'gateway',
      party: `actor-${index}`,
    })),
  )
}

/** CPU time of the process for one of so many looks, in milliseconds: the engine's threads are in this process. */
async function cpuMs(looks: number, look: () => Promise<void>): Promise<number> {
  await look()
  const before = process.cpuUsage()
  for (let count = 0; count < looks; count += 1) await look()
  const { user, system } = process.cpuUsage(before)
  return Math.round((user + system) / looks / 100) / 10
}
