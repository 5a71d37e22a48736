import { schedule as cron, type ScheduledTask } from 'node-cron'
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { isCarried } from '../../store/carry-events.ts'
import type { Database } from '../../store/database.ts'
import { expiredOn, removeExpired } from '../../store/retention.ts'
import type { RetentionConfig } from '../config/retention.ts'
import { type Part, STOPPING } from '../lifecycle.ts'

export interface RetentionPart extends Part {
  /** Removes what is past its time now; resolves when that is done. Never throws. */
  run(): Promise<void>
}

/** The day at a time, UTC, as `expiredOn` takes it. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

// node-cron would print on the console between the lines of the log.
const SILENT = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }

/**
 * Removes once a day what is past its time, and says what went. Part of the role `detect`; several processes that do it
 * at once do no harm, but one is enough.
 */
export function createRetentionPart(options: {
  readonly retention: RetentionConfig
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
  /** Whether this process is the one that does, now. Default: it is. */
  readonly mayRun?: () => boolean
}): RetentionPart {
  const { retention, database, clock, logger, registry, mayRun = () => true } = options
  const removed = new Counter({
    name: 'gatewatch_retention_removed_rows_total',
    help: 'Rows that were removed because they were past their time',
    labelNames: ['table'],
    registers: [registry],
  })
  const failures = new Counter({
    name: 'gatewatch_retention_failures_total',
    help: 'Runs that could not remove everything that is past its time',
    registers: [registry],
  })
  const succeeded = new Gauge({
    name: 'gatewatch_retention_last_success_seconds',
    help: 'When everything that was past its time had last been removed, in seconds since 1970',
    registers: [registry],
  })
  const runOnce = async () => {
    try {
      // Monthly partitions of all tenants cannot go by tenant; the next start carries them over.
      if (!(await isCarried(database)))
        throw new Error('the events are not carried over to weekly partitions yet')
      const expired = await expiredOn(database, retention.policy, dayOf(clock.now()))
      for (const each of expired) {
        await removeExpired(database, each)
        removed.inc({ table: each.table }, each.rows)
        logger.info(each, 'removed what is past its time')
      }
      succeeded.set(clock.now() / 1000)
      logger.info({ removals: expired.length }, 'retention is up to date')
    } catch (error) {
      if (error === STOPPING) return
      failures.inc()
      logger.error(
        { reason: messageOf(error) },
        'retention could not remove everything; the next run tries again',
      )
    }
  }
  let running: Promise<void> | undefined
  const run = () => {
    running ??= runOnce().finally(() => {
      running = undefined
    })
    return running
  }
  let task: ScheduledTask | undefined
  return {
    name: 'retention',
    run,
    start: async () => {
      task = cron(retention.every, () => (mayRun() ? run() : undefined), { logger: SILENT, timezone: 'UTC' })
    },
    stop: async () => {
      await task?.stop()
      await running
    },
  }
}
