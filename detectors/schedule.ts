import { setTimeout as sleep } from 'node:timers/promises'
import { schedule as cron, validate } from 'node-cron'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { Engine } from './engine.ts'
import type { BackfillReport, TickReport } from './reports.ts'

export interface ScheduleOptions {
  readonly engine: Pick<Engine, 'tick' | 'backfill'>
  /** Cron expression with seconds, such as every five seconds: `*\/5 * * * * *`. */
  readonly expression: string
  /** Share of the time, 0 to 1, that the backfill works while it has work. */
  readonly backfillShare: number
  /** What the engine’s questions end with; what fails after it has aborted is no trouble. */
  readonly signal?: AbortSignal
  readonly onTick?: (report: TickReport, durationMs: number) => void
  readonly onBackfill?: (report: BackfillReport, durationMs: number) => void
  /** A failed tick is repeated by the next one; this is called for the first failure of a row and for the recovery. */
  readonly onTrouble?: (lane: Lane, message: string | undefined) => void
}

export type Lane = 'tick' | 'backfill'

export interface Schedule {
  /** How long the running tick has taken so far, milliseconds; undefined while none runs. */
  tickRunsForMs(): number | undefined
  /** What a lane failed with last, until it works again. */
  trouble(lane: Lane): string | undefined
  /** Starts no more work and resolves when what runs has ended. */
  stop(): Promise<void>
}

// node-cron would print on the console, between the lines of the log, that a busy process missed a beat; the next tick
// does what the missed one would have done, and `onTrouble` tells of failures.
const SILENT = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }

/** The backfill looks for work this often, and rests no longer than this between two pieces. */
const IDLE_MS = 1_000
const LONGEST_REST_MS = 10_000

/** Share of the time while ticks leave rules out until the work is done. */
const URGENT_SHARE = 0.8

/**
 * Drives an engine: ticks by node-cron, where a tick that is still running swallows the next; and between ticks the
 * backfill, piece by piece, resting after each so that it takes its share of the time and no more.
 * @throws GatewatchError `config_invalid` for a wrong expression
 */
export function startSchedule(options: ScheduleOptions): Schedule {
  const { engine, expression, backfillShare } = options
  if (!validate(expression)) {
    throw new GatewatchError('config_invalid', `“${expression}” is not a cron expression.`, {
      field: 'detect.schedule',
      remedy: 'Write it as six fields, such as */5 * * * * * for every five seconds.',
    })
  }
  const troubles = new Map<Lane, string>()
  const stopping = new AbortController()
  const isOver = () => stopping.signal.aborted || options.signal?.aborted === true
  let running: Promise<void> | undefined
  let beganMs: number | undefined

  async function guarded<T>(lane: Lane, work: () => Promise<T>, onDone?: (report: T, ms: number) => void) {
    const startedMs = performance.now()
    try {
      const report = await work()
      if (troubles.delete(lane)) options.onTrouble?.(lane, undefined)
      onDone?.(report, performance.now() - startedMs)
      return report
    } catch (error) {
      if (isOver()) return undefined
      const message = messageOf(error)
      if (!troubles.has(lane)) options.onTrouble?.(lane, message)
      troubles.set(lane, message)
      return undefined
    }
  }

  const tickAlone = () => {
    beganMs ??= performance.now()
    running ??= guarded('tick', () => engine.tick(), options.onTick).then(() => {
      running = undefined
      beganMs = undefined
    })
    return running
  }

  async function backfill(): Promise<void> {
    while (!isOver()) {
      // A tick may have run when the stop was asked for: no piece begins after it.
      await running
      if (isOver()) return
      const startedMs = performance.now()
      const report = await guarded('backfill', () => engine.backfill(), options.onBackfill)
      const tookMs = performance.now() - startedMs
      const share = report?.urgent ? Math.max(backfillShare, URGENT_SHARE) : backfillShare
      const restMs = report?.worked ? Math.min(LONGEST_REST_MS, tookMs / share - tookMs) : IDLE_MS
      await sleep(restMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  // What waited while nobody ran is judged at once.
  void tickAlone()
  const task = cron(expression, tickAlone, { logger: SILENT })
  const filling = backfill()
  return {
    tickRunsForMs: () => (beganMs === undefined ? undefined : performance.now() - beganMs),
    trouble: (lane) => troubles.get(lane),
    stop: async () => {
      stopping.abort()
      await task.stop()
      await running
      await filling
    },
  }
}
