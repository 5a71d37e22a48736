import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../app/config.ts'
import { loadRules } from '../../app/wire/detect.ts'
import { openStore } from '../../app/wire/store.ts'
import { createEngine } from '../../detectors/engine.ts'
import type { Database } from '../../store/database.ts'
import { createFindings } from '../../store/findings.ts'
import { createWatermarks } from '../../store/watermarks.ts'

/** One size of `bench tick`, in a process of its own: a history, the first tick, then ticks over a few new events. */
export interface HistoryResult {
  readonly firstTickSeconds: number
  /** Medians over the later ticks. */
  readonly tickMs: number
  readonly tickCpuMs: number
}

const [events = '0', days = '0', ticks = '0'] = process.argv.slice(2)
const ACTORS = 500
const NEW_EVENTS = 25
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
const database = await openStore(loadConfig({ data: folder }), () => {})
await load(database, Number(events), Number(days))

const engine = createEngine({
  query: (sql, params) => database.query(sql, params),
  findings: createFindings(database),
  watermarks: createWatermarks(database),
  rules: loadRules({ shipped: true, folders: [] }).rules,
  settleMs: 0,
  onFindings: async () => {},
})
const startMs = performance.now()
await engine.tick()
const firstTickSeconds = (performance.now() - startMs) / 1000

const wall: number[] = []
const cpu: number[] = []
for (let tick = 0; tick < Number(ticks); tick++) {
  await insert(database, `toDateTime64(now64(6), 6, 'UTC')`, `number + ${tick * NEW_EVENTS}`, NEW_EVENTS)
  await sleep(300)
  const before = process.cpuUsage()
  const beganMs = performance.now()
  await engine.tick()
  wall.push(performance.now() - beganMs)
  const { user, system } = process.cpuUsage(before)
  cpu.push((user + system) / 1000)
}
const result: HistoryResult = { firstTickSeconds, tickMs: median(wall), tickCpuMs: median(cpu) }
process.stdout.write(`${JSON.stringify(result)}\n`)
await database.close()
rmSync(folder, { recursive: true, force: true })
process.exit(0)

// Twenty calls a session, people of four shifts, nine servers; a few tools read what is sensitive or send.
async function load(store: Database, count: number, span: number): Promise<void> {
  const BLOCK = 500_000
  for (let first = 0; first < count; first += BLOCK) {
    const step = (span * 86_400) / count
    const at = `toDateTime64(toStartOfDay(now('UTC')), 6, 'UTC') - toIntervalSecond(toUInt64(${span * 86_400} - number * ${step}))`
    await insert(store, at, 'number', Math.min(BLOCK, count - first), first)
  }
}

function insert(store: Database, at: string, number: string, count: number, first = 0): Promise<void> {
  return store.command(
    `INSERT INTO events (event_id, occurred_at, tenant, topic, actor, mcp_server_name, gen_ai_tool_name, mcp_method_name, outcome, chain, capability, sensitivity)
     WITH ${number} AS n, sipHash64(intDiv(n, 20)) AS session, session % ${ACTORS} AS who, sipHash64(n) % 60 AS tool
     SELECT concat('${first}-', toString(n), '-', toString(now64(6))), ${at}, 'default', 'bench', concat('actor-', toString(who)),
            concat('server-', toString(tool % 9)), concat('tool-', toString((who * 7 + tool % 6) % 60)), 'tools/call', 'success',
            concat('session:', toString(session)), multiIf(tool = 0, 'send-external', tool < 4, 'read-sensitive', tool < 40, 'read', 'write'), 'none'
     FROM numbers(${first}, ${count})`,
  )
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
