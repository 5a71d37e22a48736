import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../app/config/config.ts'
import { loadRules } from '../../app/wire/rules.ts'
import { openStore } from '../../app/wire/store.ts'
import { createEngine } from '../../detectors/engine.ts'
import { createFindings } from '../../store/findings.ts'
import { createWatermarks } from '../../store/watermarks.ts'
import { writeArrivals, writeHistory } from './traffic.ts'

/**
 * One size of `bench tick`, in a process of its own (a process has one store): writes a history, ticks once and tells
 * what that cost; then ticks over a few new events each time it is told to, and ends when its parent lets go.
 */
export interface TickCost {
  readonly wallMs: number
  readonly cpuMs: number
}

const NEW_EVENTS = 25

const [calls = '0', days = '0'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
const database = await openStore(loadConfig({ data: folder }), () => {})
await writeHistory(database, { calls: Number(calls), days: Number(days) })

const engine = createEngine({
  query: (sql, params) => database.query(sql, params),
  findings: createFindings(database),
  watermarks: createWatermarks(database),
  rules: loadRules({ shipped: true, folders: [] }).rules,
  settleMs: 0,
  onFindings: async () => {},
})
await tellCost()

let ticks = 0
process.on('message', async () => {
  await writeArrivals(database, { tick: ticks++, calls: NEW_EVENTS })
  // What the insert left to do is not the tick’s.
  await sleep(300)
  await tellCost()
})
process.once('disconnect', async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
  process.exit(0)
})

async function tellCost(): Promise<void> {
  const before = process.cpuUsage()
  const beganMs = performance.now()
  await engine.tick()
  const { user, system } = process.cpuUsage(before)
  const cost: TickCost = { wallMs: performance.now() - beganMs, cpuMs: (user + system) / 1000 }
  process.send?.(cost)
}
