import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '../store/clickhouse.ts'
import type { Database } from '../store/database.ts'
import { migrate } from '../store/migrate.ts'
import type { Bench } from './benchmark.ts'

/**
 * What it costs to read events of which some were completed later (docs/adr/0002): the same questions over a store
 * without corrections and over one where every tenth event has one, each beside the naive question (no sign).
 */
export const run: Bench = async ({ quick, progress }) => {
  const rows = quick ? 1_000_000 : 4_000_000
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
  const database = await openEmbedded({ path: join(folder, 'store') })
  try {
    await migrate(database)
    progress(`loading ${rows} events twice: without and with corrections …`)
    await load(database, 'once', rows, 0)
    await load(database, 'corrected', rows, 10)
    const figures: Record<string, { value: number; unit: string; goal?: string }> = {}
    for (const [question, ask] of Object.entries(QUESTIONS)) {
      const naive = await median(() => database.query(ask('once', false)))
      const once = await median(() => database.query(ask('once', true)))
      const corrected = await median(() => database.query(ask('corrected', true)))
      figures[`${question}_once_ratio`] = { value: round(once / naive), unit: '×', goal: '<= 1.2' }
      figures[`${question}_corrected_ratio`] = { value: round(corrected / naive), unit: '×' }
    }
    return { figures }
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const live = (tenant: string) =>
  `sign = 1 AND (event_id, version) NOT IN (SELECT event_id, version FROM events WHERE tenant = '${tenant}' AND sign = -1)`

const QUESTIONS: Record<string, (tenant: string, signed: boolean) => string> = {
  count: (tenant, signed) =>
    `SELECT actor, ${signed ? 'sum(sign)' : 'count()'} AS calls FROM events WHERE tenant = '${tenant}' GROUP BY actor`,
  newest: (tenant, signed) =>
    `SELECT event_id, actor, gen_ai_tool_name FROM events WHERE tenant = '${tenant}'${signed ? ` AND ${live(tenant)}` : ''} ORDER BY occurred_at DESC LIMIT 100`,
  actor: (tenant, signed) =>
    `SELECT event_id, gen_ai_tool_name FROM events WHERE tenant = '${tenant}' AND actor = 'actor-7'${signed ? ` AND ${live(tenant)}` : ''} ORDER BY occurred_at LIMIT 1000`,
}

async function load(database: Database, tenant: string, rows: number, every: number): Promise<void> {
  const select = (sign: number, version: number, where: string) =>
    `INSERT INTO events (event_id, occurred_at, tenant, actor, mcp_server_name, gen_ai_tool_name, outcome, mcp_session_id, sign, version)
     SELECT hex(sipHash128('${tenant}', number)), toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMillisecond(number * 600), '${tenant}',
            concat('actor-', toString(number % 200)), concat('server-', toString(number % 11)), concat('tool-', toString(number % 97)), 'success',
            toString(intDiv(number, 40)), ${sign}, ${version} FROM numbers(${rows}) WHERE ${where}`
  await database.command(select(1, 0, '1'))
  if (every > 0) {
    await database.command(select(-1, 0, `number % ${every} = 0`))
    await database.command(select(1, 1, `number % ${every} = 0`))
  }
}

async function median(ask: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 7; round++) {
    const start = performance.now()
    await ask()
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[3]!
}

const round = (value: number) => Math.round(value * 100) / 100
