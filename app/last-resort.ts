import { Counter, type Registry } from 'prom-client'
import type { Clock } from '../core/clock.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { HealthCheck } from '../core/health.ts'
import { endNow, STOP_AFTER_MS } from './stop-request.ts'

/** What the last resort needs of a logger; pino fits. */
interface FaultLogger {
  error(fields: Record<string, unknown>, text: string): void
}

/** - `goes_on`: the process is as it was. - `stops`: nobody knows what state it is in. */
export type Decision = 'goes_on' | 'stops'

/** What is done about errors that nothing else handles: the one place that decides whether the process may go on. */
export interface LastResort {
  /** Resolves at the first error after which the process must not go on. */
  readonly broken: Promise<void>
  /** Names errors of the last hour that the process has survived. */
  readonly check: HealthCheck
  /** Takes an error that its finder cannot handle. */
  report(error: unknown): void
  registerIn(registry: Registry): void
  close(): void
}

const NAMED_FOR_MS = 3_600_000

/**
 * What an error that nobody handled means. One of known meaning that a retry mends (the store is away, too much waits)
 * is the answer to an operation whose outcome somebody did not look at: nothing is in a state that it should not be in.
 * Of any other, and of whatever was thrown past all callers, nobody knows what it left half done.
 */
export const decide = (error: unknown, wasThrown: boolean): Decision =>
  !wasThrown && error instanceof GatewatchError && error.retryable ? 'goes_on' : 'stops'

/** Watches this process; the caller stops it in order when it is `broken`, and is given `STOP_AFTER_MS` for that. */
export function createLastResort(options: {
  readonly logger: FaultLogger
  readonly note: (text: string) => void
  readonly clock: Clock
}): LastResort {
  const { logger, note, clock } = options
  const { promise: broken, resolve: breakUp } = Promise.withResolvers<void>()
  let survived: { readonly atMs: number; readonly detail: string } | undefined
  const counter = new Counter({
    name: 'gatewatch_unhandled_errors_total',
    help: 'Errors that nothing handled, by what was decided: goes_on, or stops',
    labelNames: ['decision'],
    registers: [],
  })
  for (const decision of ['goes_on', 'stops'] satisfies Decision[]) counter.inc({ decision }, 0)

  const take = (error: unknown, wasThrown: boolean) => {
    const decision = decide(error, wasThrown)
    counter.inc({ decision })
    try {
      const stack = error instanceof Error ? error.stack : undefined
      const fields = { reason: messageOf(error), decision, ...(stack === undefined ? {} : { stack }) }
      logger.error(fields, 'an error that nothing handled')
    } catch {
      // The place where the log goes may be what has failed.
    }
    if (decision === 'goes_on') survived = { atMs: clock.now(), detail: messageOf(error) }
    else {
      breakUp()
      // Also where the start is still under way, and nobody looks at `broken` yet.
      setTimeout(
        () => endNow(note, `it did not stop after an error: ${messageOf(error)}`),
        STOP_AFTER_MS,
      ).unref()
    }
  }
  const onRejection = (error: unknown) => take(error, false)
  const onException = (error: unknown) => take(error, true)
  process.on('unhandledRejection', onRejection)
  process.on('uncaughtException', onException)

  return {
    broken,
    check: () =>
      survived === undefined || clock.now() - survived.atMs > NAMED_FOR_MS
        ? []
        : [{ state: 'degraded', reason: 'unhandled_error', detail: survived.detail }],
    report: onRejection,
    registerIn: (registry) => registry.registerMetric(counter),
    close: () => {
      process.off('unhandledRejection', onRejection)
      process.off('uncaughtException', onException)
    },
  }
}
