import { schedule as cron, validate } from 'node-cron'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { Engine, TickReport } from './engine.ts'

export interface ScheduleOptions {
  readonly engine: Pick<Engine, 'tick'>
  /** Cron expression with seconds, such as every five seconds: `*\/5 * * * * *`. */
  readonly expression: string
  readonly onTick?: (report: TickReport, durationMs: number) => void
  /** A failed tick is repeated by the next one; this is called for the first failure of a row and for the recovery. */
  readonly onTrouble?: (message: string | undefined) => void
}

export interface Schedule {
  /** Starts no more ticks and resolves when the running one has ended. */
  stop(): Promise<void>
}

// node-cron would print on the console, between the lines of the log, that a busy process missed a beat; the next tick
// does what the missed one would have done, and `onTrouble` tells of failures.
const SILENT = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }

/**
 * Drives an engine by node-cron; a tick that is still running swallows the next.
 * @throws GatewatchError `config_invalid` for a wrong expression
 */
export function startSchedule(options: ScheduleOptions): Schedule {
  const { engine, expression } = options
  if (!validate(expression)) {
    throw new GatewatchError('config_invalid', `“${expression}” is not a cron expression.`, {
      field: 'detect.schedule',
      remedy: 'Write it as six fields, such as */5 * * * * * for every five seconds.',
    })
  }
  let running: Promise<void> | undefined
  let inTrouble = false
  const runOnce = async () => {
    const startedMs = performance.now()
    try {
      const report = await engine.tick()
      if (inTrouble) options.onTrouble?.(undefined)
      inTrouble = false
      options.onTick?.(report, performance.now() - startedMs)
    } catch (error) {
      if (!inTrouble) options.onTrouble?.(messageOf(error))
      inTrouble = true
    }
  }
  const runAlone = () => {
    running ??= runOnce().finally(() => {
      running = undefined
    })
    return running
  }
  const task = cron(expression, runAlone, { logger: SILENT })
  return {
    stop: async () => {
      await task.stop()
      await running
    },
  }
}
