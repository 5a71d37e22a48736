import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import { messageOf } from '../../core/errors.ts'
import { type Part, STOPPING } from '../lifecycle.ts'

const MEASURE_EVERY_MS = 60_000

export interface StoreFiguresOptions {
  /** How many events are stored more than once. May take long, and may fail. */
  readonly countDoubled: () => Promise<number>
  readonly registry: Registry
  readonly logger: Pick<Logger, 'warn' | 'info'>
  readonly everyMs?: number
}

/**
 * Figures that only the store knows, asked for in the background once a minute. A scrape reads the last answer: it costs the
 * store nothing, and is answered while the store is away. `NaN` until the first answer; a second gauge says how old it is.
 */
export function createStoreFigures(options: StoreFiguresOptions): Part {
  const { countDoubled, registry, logger, everyMs = MEASURE_EVERY_MS } = options
  const doubled = new Gauge({
    name: 'gatewatch_store_duplicate_events',
    help: 'Events that are stored more than once, at the last measurement',
    registers: [registry],
  })
  doubled.set(Number.NaN)
  const measuredAt = new Gauge({
    name: 'gatewatch_store_measured_timestamp_seconds',
    help: 'When the figures of the store were measured last',
    registers: [registry],
  })
  let timer: NodeJS.Timeout | undefined
  let measuring: Promise<void> | undefined
  let failing = false

  const measure = async () => {
    try {
      doubled.set(await countDoubled())
      measuredAt.setToCurrentTime()
      if (failing) logger.info({}, 'the figures of the store are measured again')
      failing = false
    } catch (error) {
      if (error === STOPPING) return
      if (!failing) {
        logger.warn(
          { reason: messageOf(error) },
          'the figures of the store cannot be measured; the last ones stay',
        )
      }
      failing = true
    }
  }
  const kick = () => {
    measuring ??= measure().finally(() => {
      measuring = undefined
    })
  }

  return {
    name: 'store-figures',
    start: async () => {
      kick()
      timer = setInterval(kick, everyMs)
    },
    stop: async () => {
      clearInterval(timer)
      await measuring
    },
  }
}
