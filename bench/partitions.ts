import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '../store/clickhouse.ts'
import type { Database } from '../store/database.ts'
import { migrate } from '../store/migrate.ts'
import type { Bench, BenchOptions, Figure } from './benchmark.ts'

/** The partition keys that were considered for `events`: docs/adr/0011-partitions-and-retention.md. */
const KEYS = {
  month: 'toYYYYMM(occurred_at)',
  week: 'toMonday(occurred_at)',
  day: 'toDate(occurred_at)',
  bucket_month: '(cityHash64(tenant) % 8, toYYYYMM(occurred_at))',
  tenant_month: '(tenant, toYYYYMM(occurred_at))',
  tenant_week: '(tenant, toMonday(occurred_at))',
  tenant_day: '(tenant, toDate(occurred_at))',
} as const
type KeyName = keyof typeof KEYS

const TENANTS = 8
const ACTORS = 300
const DAYS = 90
const BLOCK_ROWS = 10_000
const LATE_BLOCKS = 5
const MS_PER_DAY = 86_400_000
const NOW_MS = Date.UTC(2026, 5, 30)
const EXPIRED_DAYS = 45
const QUESTIONS = 20

interface Measured {
  readonly insert_cpu_ms: number
  readonly mixed_block_cpu_ms: number
  readonly late_block_cpu_ms: number
  readonly late_block_parts: number
  readonly parts: number
  readonly partitions: number
  readonly bytes: number
  readonly attach_ms: number
  readonly actor_day_ms: number
  readonly month_ms: number
  readonly drop_tenant_ms: number
  readonly drop_tenant_cpu_ms: number
}

/**
 * What a partition key of `events` costs: each key gets a table of the same rows — 90 days of eight tenants, one tenant
 * a block as Kafka's topics bring them, then blocks of all tenants, then blocks that are spread over a year —, is asked
 * the two usual questions, and drops what one tenant has that is older than 45 days. CPU is that of the process.
 */
export const run: Bench = async ({ quick, progress }) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
  const database = await openEmbedded({ path: join(folder, 'store') })
  try {
    await migrate(database)
    const blocks = quick ? 100 : 1000
    const measured: Partial<Record<KeyName, Measured>> = {}
    for (const name of Object.keys(KEYS) as KeyName[]) {
      measured[name] = await measure(database, name, blocks, progress)
      progress(`${name.padEnd(14)} ${JSON.stringify(measured[name])}`)
    }
    return { figures: figuresOf(measured as Record<KeyName, Measured>) }
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(
  database: Database,
  name: KeyName,
  blocks: number,
  progress: BenchOptions['progress'],
): Promise<Measured> {
  const table = `events_by_${name}`
  await database.command(
    `CREATE TABLE ${table} AS events ENGINE = VersionedCollapsingMergeTree(sign, version) PARTITION BY ${KEYS[name]}
     ORDER BY (tenant, toDate(occurred_at), actor, occurred_at, event_id) SETTINGS non_replicated_deduplication_window = 10000`,
  )
  const startMs = NOW_MS - DAYS * MS_PER_DAY
  const spanMs = (DAYS * MS_PER_DAY) / blocks
  const live = await costOf(async () => {
    for (let block = 0; block < blocks; block++)
      await insertBlock(database, table, {
        seed: block,
        fromMs: startMs + block * spanMs,
        spanMs,
        tenant: block % TENANTS,
      })
  })
  const mixed = await costOf(async () => {
    for (let block = 0; block < LATE_BLOCKS; block++)
      await insertBlock(database, table, {
        seed: 10_000 + block,
        fromMs: NOW_MS - MS_PER_DAY / 24,
        spanMs: 60_000,
      })
  })
  const partsBefore = await partCount(database, table)
  // Merges are stopped, so that what is counted is what the inserts made.
  await database.command(`SYSTEM STOP MERGES ${table}`)
  const late = await costOf(async () => {
    for (let block = 0; block < LATE_BLOCKS; block++)
      await insertBlock(database, table, {
        seed: 20_000 + block,
        fromMs: NOW_MS - 365 * MS_PER_DAY,
        spanMs: 365 * MS_PER_DAY,
        tenant: block % TENANTS,
      })
  })
  const partsAfter = await partCount(database, table)
  await database.command(`SYSTEM START MERGES ${table}`)
  await settle(database, table)
  const settled = await state(database, table)
  const attach = await costOf(async () => {
    await database.command(`DETACH TABLE ${table}`)
    await database.command(`ATTACH TABLE ${table}`)
  })
  const actorDay = await medianMs(QUESTIONS, (at) =>
    database.query(
      `SELECT count(), sum(sign) FROM ${table} WHERE tenant = 'tenant-0' AND actor = 'agent-${at * 7}'
       AND occurred_at >= toDateTime64('2026-05-${String(1 + at).padStart(2, '0')} 00:00:00', 6, 'UTC')
       AND occurred_at < toDateTime64('2026-05-${String(2 + at).padStart(2, '0')} 00:00:00', 6, 'UTC')`,
    ),
  )
  const month = await medianMs(5, () =>
    database.query(
      `SELECT actor, sum(sign) FROM ${table} WHERE tenant = 'tenant-0'
       AND occurred_at >= toDateTime64('2026-05-01 00:00:00', 6, 'UTC')
       AND occurred_at < toDateTime64('2026-06-01 00:00:00', 6, 'UTC') GROUP BY actor`,
    ),
  )
  const drop = await costOf(() => dropTenant(database, table, name, progress))
  await database.command(`DROP TABLE ${table} SYNC`)
  return {
    insert_cpu_ms: round(live.cpuMs / blocks),
    mixed_block_cpu_ms: round(mixed.cpuMs / LATE_BLOCKS),
    late_block_cpu_ms: round(late.cpuMs / LATE_BLOCKS),
    late_block_parts: round((partsAfter - partsBefore) / LATE_BLOCKS),
    parts: settled.parts,
    partitions: settled.partitions,
    bytes: settled.bytes,
    attach_ms: round(attach.ms),
    actor_day_ms: round(actorDay),
    month_ms: round(month),
    drop_tenant_ms: round(drop.ms),
    drop_tenant_cpu_ms: round(drop.cpuMs),
  }
}

interface BlockPlan {
  readonly seed: number
  readonly fromMs: number
  readonly spanMs: number
  /** All tenants when absent. */
  readonly tenant?: number
}

const insertBlock = (database: Database, table: string, { seed, fromMs, spanMs, tenant }: BlockPlan) =>
  database.command(
    `INSERT INTO ${table} (event_id, occurred_at, timestamp_source, source_format, tenant, topic, partition, offset, user_id,
       gen_ai_agent_id, client_address, actor, gateway_id, mcp_server_name, mcp_method_name, gen_ai_tool_name,
       gen_ai_tool_call_arguments, argument_keys, outcome, duration_ms, request_bytes, response_bytes, mcp_session_id, trace_id,
       span_id, capability, sensitivity)
     SETTINGS insert_deduplication_token = 'bench/${seed}', optimize_on_insert = 0, max_partitions_per_insert_block = 0
     SELECT lower(hex(sipHash128(${seed}, number))), fromUnixTimestamp64Micro(toInt64(${Math.round(fromMs * 1000)} + rand64(1) % ${Math.round(spanMs * 1000)}), 'UTC'),
       'record', 'native', concat('tenant-', toString(${tenant ?? `rand(2) % ${TENANTS}`})) AS t, concat('audit-', t), 0, number, concat('user-', toString(rand(3) % ${ACTORS})),
       concat('agent-', toString(rand(4) % ${ACTORS})) AS agent, concat('10.0.0.', toString(rand(5) % 250)), agent, 'gateway-1',
       concat('server-', toString(rand(6) % 12)), 'tools/call', concat('tool-', toString(rand(7) % 60)),
       concat('{"path":"/srv/', toString(rand(8) % 5000), '"}'), ['path'], if(rand(9) % 20 = 0, 'failure', 'success'), rand(10) % 900, rand(11) % 2000,
       rand(12) % 9000, lower(hex(sipHash128(${seed}, rand(13) % 300))), lower(hex(sipHash128(${seed}, number, 1))), lower(hex(sipHash64(${seed}, number, 2))), 'read-sensitive', 'internal'
     FROM numbers(${BLOCK_ROWS})`,
  )

/** What one tenant has that is older than 45 days: by dropping partitions where these are the tenant’s alone. */
async function dropTenant(
  database: Database,
  table: string,
  name: KeyName,
  progress: BenchOptions['progress'],
): Promise<void> {
  const before = new Date(NOW_MS - EXPIRED_DAYS * MS_PER_DAY).toISOString().slice(0, 10)
  if (!name.startsWith('tenant')) {
    await database.command(
      `ALTER TABLE ${table} DELETE WHERE tenant = 'tenant-0' AND occurred_at < toDateTime64('${before} 00:00:00', 6, 'UTC') SETTINGS mutations_sync = 1`,
    )
    return
  }
  const ids = await database.query<{ id: string }>(
    `SELECT _partition_id AS id FROM ${table} WHERE tenant = 'tenant-0'
     GROUP BY id HAVING max(occurred_at) < toDateTime64('${before} 00:00:00', 6, 'UTC')`,
  )
  for (const { id } of ids) await database.command(`ALTER TABLE ${table} DROP PARTITION ID '${id}'`)
  progress(`${name}: ${ids.length} partitions dropped`)
}

const partCount = async (database: Database, table: string): Promise<number> =>
  (await state(database, table)).parts

async function state(database: Database, table: string) {
  const [row] = await database.query<{ parts: number; partitions: number; bytes: number }>(
    `SELECT toUInt32(count()) AS parts, toUInt32(uniqExact(partition_id)) AS partitions, toFloat64(sum(bytes_on_disk)) AS bytes FROM system.parts
     WHERE active AND database = currentDatabase() AND table = {table:String}`,
    { table },
  )
  return row ?? { parts: 0, partitions: 0, bytes: 0 }
}

/** Waits, within bounds, until merges have done their work. */
async function settle(database: Database, table: string): Promise<void> {
  for (let round = 0; round < 60; round++) {
    const [row] = await database.query<{ merges: number }>(
      'SELECT toUInt32(count()) AS merges FROM system.merges WHERE table = {table:String}',
      { table },
    )
    if (row?.merges === 0 && round > 3) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

async function costOf(work: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const startedMs = performance.now()
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return { ms: performance.now() - startedMs, cpuMs: (user + system) / 1000 }
}

async function medianMs(times: number, ask: (at: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = []
  for (let at = 0; at < times; at++) taken.push((await costOf(() => ask(at))).ms)
  return taken.sort((left, right) => left - right)[times >> 1] ?? 0
}

function figuresOf(measured: Readonly<Record<KeyName, Measured>>): Record<string, Figure> {
  const units: Record<keyof Measured, string> = {
    insert_cpu_ms: 'ms/block',
    mixed_block_cpu_ms: 'ms/block',
    late_block_cpu_ms: 'ms/block',
    late_block_parts: 'parts',
    parts: 'parts',
    partitions: 'partitions',
    bytes: 'bytes',
    attach_ms: 'ms',
    actor_day_ms: 'ms',
    month_ms: 'ms',
    drop_tenant_ms: 'ms',
    drop_tenant_cpu_ms: 'ms',
  }
  return Object.fromEntries(
    Object.entries(measured).flatMap(([name, figures]) =>
      Object.entries(figures).map(([figure, value]) => [
        `${name}.${figure}`,
        { value, unit: units[figure as keyof Measured] },
      ]),
    ),
  )
}

const round = (value: number): number => Number(value.toFixed(1))
