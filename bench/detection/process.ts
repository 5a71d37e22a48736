import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../app/config/config.ts'
import { loadRules } from '../../app/wire/rules.ts'
import { openStore } from '../../app/wire/store.ts'
import { createEngine } from '../../detectors/engine.ts'
import { startSchedule } from '../../detectors/schedule.ts'
import { createFindings } from '../../store/findings.ts'
import { createProfileStore } from '../../store/profiles.ts'
import { createWatermarks } from '../../store/watermarks.ts'
import { type History, writeArrivals, writeHistory } from './traffic.ts'

/**
 * Detection in a process of its own (a process has one store), told by its parent what to do; it answers each order when
 * it is done, with what that cost, and ends when its parent lets go.
 */
export type Order =
  /** Writes calls that arrived when they happened, or now. */
  | { readonly do: 'history'; readonly history: History }
  /** Judges all there is. */
  | { readonly do: 'drain' }
  /** Writes this many new calls, waits until the insert is over, and ticks once. */
  | { readonly do: 'tick'; readonly actors: number; readonly calls: number }
  /** As the product runs: ticks each second beside the backfill, with new calls before each, for so long. */
  | { readonly do: 'run'; readonly actors: number; readonly calls: number; readonly seconds: number }
  /** One call that happened at this time. */
  | { readonly do: 'call'; readonly at: string }

export interface Cost {
  readonly wallMs: number
  readonly cpuMs: number
  /** Highest resident memory meanwhile less that before, bytes. */
  readonly grownBytes: number
  /** Of `run`: how long each tick took. */
  readonly tickMs: readonly number[]
  /** Of `run`: whether the backfill had work left at the end. */
  readonly busy: boolean
}

const [folder = ''] = process.argv.slice(2)
const database = await openStore(loadConfig({ data: folder }), () => {})
const engine = createEngine({
  query: (sql, params) => database.query(sql, params),
  backfillQuery: (sql, params) => database.queryForPeople(sql, params),
  findings: createFindings(database),
  watermarks: createWatermarks(database),
  profiles: createProfileStore(database),
  rules: loadRules({ shipped: true, folders: [] }).rules,
  settleMs: 0,
  onFindings: async () => {},
})
let ticks = 0

/** The work of an order; what it returns goes into the answer. */
async function carryOut(order: Order): Promise<readonly number[]> {
  switch (order.do) {
    case 'history':
      await writeHistory(database, order.history)
      return []
    case 'drain':
      await engine.drain()
      return []
    case 'tick':
      await engine.tick()
      return []
    case 'call':
      await database.command(
        `INSERT INTO events (event_id, occurred_at, tenant, topic, actor, gen_ai_tool_name, mcp_session_id, outcome)
         VALUES ('call-of-the-past', {at:DateTime64(6, 'UTC')}, 'default', 'bench', 'actor-1', 'tool-1', 's', 'success')`,
        { at: order.at },
      )
      return []
    case 'run':
      return runAsProduct(order)
  }
}

async function runAsProduct({ actors, calls, seconds }: Extract<Order, { do: 'run' }>): Promise<number[]> {
  const tookMs: number[] = []
  const schedule = startSchedule({
    engine,
    expression: '* * * * * *',
    backfillShare: 0.3,
    onTick: ({ rows }, ms) => {
      if (rows > 0) tookMs.push(ms)
    },
    onTrouble: (lane, message) => {
      if (message !== undefined) throw new Error(`${lane}: ${message}`)
    },
  })
  const untilMs = performance.now() + seconds * 1000
  while (performance.now() < untilMs) {
    await writeArrivals(database, { actors, tick: ticks++, calls })
    await sleep(700)
  }
  await schedule.stop()
  return tookMs
}

process.on('message', async (order: Order) => {
  if (order.do === 'tick') {
    await writeArrivals(database, { actors: order.actors, tick: ticks++, calls: order.calls })
    // What the insert left to do is not the tick’s.
    await sleep(300)
  }
  const before = process.cpuUsage()
  const beganMs = performance.now()
  const memory = watchMemory()
  const tickMs = await carryOut(order)
  const { user, system } = process.cpuUsage(before)
  const cost: Cost = {
    wallMs: performance.now() - beganMs,
    cpuMs: (user + system) / 1000,
    grownBytes: memory.stop(),
    tickMs,
    busy: engine.health().backfills.length > 0,
  }
  process.send?.(cost)
})
process.send?.('ready')
await once(process, 'disconnect')
await database.close()
process.exit(0)

function watchMemory(): { stop(): number } {
  const before = process.memoryUsage.rss()
  let most = before
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 100)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return most - before
    },
  }
}
