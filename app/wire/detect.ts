import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import { createDispatcher } from '../../alerts/dispatcher.ts'
import { type AlertLifecycle, createAlertLifecycle } from '../../alerts/lifecycle.ts'
import { type Notifier, type ReceiverRoute, routeOf } from '../../alerts/notifier.ts'
import { createPagerDutyNotifier } from '../../alerts/notifiers/pagerduty.ts'
import { createSlackNotifier } from '../../alerts/notifiers/slack.ts'
import { createWebhookNotifier } from '../../alerts/notifiers/webhook.ts'
import { createOperationalAlerts } from '../../alerts/operational.ts'
import { createOutbox } from '../../alerts/outbox.ts'
import { createAlertPipeline } from '../../alerts/pipeline.ts'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import { createEngine } from '../../detectors/engine.ts'
import { detectors } from '../../detectors/registry.ts'
import { type ParsedRules, parseRules } from '../../detectors/rule.ts'
import { type Schedule, startSchedule } from '../../detectors/schedule.ts'
import { createAlerts } from '../../store/alerts.ts'
import type { Database } from '../../store/database.ts'
import { createDeliveries } from '../../store/deliveries.ts'
import { createFindings } from '../../store/findings.ts'
import { createWatermarks } from '../../store/watermarks.ts'
import type { Config } from '../config/config.ts'
import type { ReceiverConfig } from '../config/receivers.ts'
import { reasonOf } from '../config/secrets.ts'
import type { Part } from '../lifecycle.ts'

const SHIPPED_RULES = fileURLToPath(new URL('../../detectors/rules/', import.meta.url))

/**
 * Reads the rule files of the shipped set and of the configured folders. Rules that are wrong are among the errors.
 * @throws GatewatchError `config_invalid` for a folder or a file that cannot be read
 */
export function loadRules({ shipped, folders, places = [] }: Config['rules']): ParsedRules {
  const files = [
    ...(shipped ? ruleFilesIn(SHIPPED_RULES) : []),
    ...folders.flatMap((folder, index) => {
      try {
        return ruleFilesIn(folder)
      } catch (cause) {
        throw new GatewatchError(
          'config_invalid',
          `The rules in ${folder} cannot be read: ${reasonOf(cause)}.`,
          {
            cause,
            ...(places[index] ?? { field: `rules.folders.${index}` }),
            remedy: 'Name a folder of rule files (*.yaml) that this user may read, or leave it out.',
          },
        )
      }
    }),
  ]
  return parseRules(files, detectors)
}

const ruleFilesIn = (folder: string): { readonly path: string; readonly text: string }[] =>
  readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(folder, name))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))

/** The configured receivers as notifiers, with the routes that tell the pipeline who hears what. */
export function createReceivers(
  receivers: readonly ReceiverConfig[],
  publicUrl: string | undefined,
): { readonly notifiers: readonly Notifier[]; readonly routes: readonly ReceiverRoute[] } {
  const made = receivers.map((receiver, index) => ({
    receiver,
    notifier: atItsPlace(receiver, () => notifierOf(receiver, index, publicUrl)),
  }))
  return {
    notifiers: made.map(({ notifier }) => notifier),
    routes: made.map(({ receiver, notifier }) => routeOf(notifier, receiver.minSeverity)),
  }
}

// What a notifier refuses (a private address, a secret of the wrong form) is said in the configuration.
function atItsPlace<Made>({ at }: ReceiverConfig, make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof GatewatchError) || at === undefined) throw error
    throw new GatewatchError(error.code, error.message, { ...error.place, at, cause: error })
  }
}

function notifierOf(receiver: ReceiverConfig, index: number, publicUrl: string | undefined): Notifier {
  const common = {
    receiver: receiver.name,
    field: `receivers.${index}`,
    allowPrivate: receiver.allowPrivate,
    publicUrl,
  }
  const secret = receiver.secret ?? ''
  switch (receiver.type) {
    case 'webhook':
      return createWebhookNotifier({ ...common, url: receiver.url ?? '', secrets: [secret] })
    case 'slack':
      return createSlackNotifier({ ...common, url: receiver.url ?? secret })
    case 'pagerduty':
      return createPagerDutyNotifier({
        ...common,
        routingKey: secret,
        ...(receiver.url ? { url: receiver.url } : {}),
      })
  }
}

export interface AlertingOptions {
  readonly database: Database
  readonly receivers: readonly ReceiverConfig[]
  readonly publicUrl: string | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly notifyWithinHours: number
}

/** Everything between a finding and a receiver, over one set of stores. */
export function createAlerting(options: AlertingOptions) {
  const { database, clock, logger } = options
  const alerts = createAlerts(database)
  const deliveries = createDeliveries(database)
  const { notifiers, routes } = createReceivers(options.receivers, options.publicUrl)
  const outbox = createOutbox({ alerts, deliveries, onPlaced: () => dispatcher.wake() })
  const dispatcher = createDispatcher({ deliveries, outbox, notifiers, clock, logger })
  const pipeline = createAlertPipeline({
    alerts,
    outbox,
    receivers: routes,
    clock,
    logger,
    maxNotifyAgeMs: options.notifyWithinHours * 3_600_000,
  })
  const lifecycle: AlertLifecycle = createAlertLifecycle({ alerts, outbox, receivers: routes, clock })
  const operational = createOperationalAlerts({ pipeline, findings: createFindings(database), clock })
  return { alerts, deliveries, outbox, dispatcher, pipeline, lifecycle, operational }
}

export type Alerting = ReturnType<typeof createAlerting>

export interface DetectOptions {
  readonly config: Config
  readonly database: Database
  readonly alerting: Alerting
  readonly logger: Logger
  readonly registry: Registry
}

export interface DetectPart extends Part {
  /** One tick now, beside the scheduled ones: what arrived so far is judged when it resolves. */
  tick(): Promise<void>
}

/**
 * The part that judges what arrives and sends what it finds.
 * @throws GatewatchError `rule_invalid` for the first bad rule file of the shipped set; bad rules of users are logged
 * and left out
 */
export function createDetectPart({
  config,
  database,
  alerting,
  logger,
  registry,
}: DetectOptions): DetectPart {
  const { rules, errors } = loadRules(config.rules)
  for (const error of errors)
    logger.error({ rule: error.place.at, remedy: error.place.remedy }, error.toLine())
  const metrics = {
    ticks: new Counter({
      name: 'gatewatch_detect_ticks_total',
      help: 'Ticks that ended well',
      registers: [registry],
    }),
    seconds: new Gauge({
      name: 'gatewatch_detect_tick_seconds',
      help: 'Duration of the last tick',
      registers: [registry],
    }),
    findings: new Counter({
      name: 'gatewatch_detect_findings_total',
      help: 'Findings made or changed',
      registers: [registry],
    }),
    watermark: new Gauge({
      name: 'gatewatch_detect_watermark_seconds',
      help: 'Arrivals are judged up to this time',
      registers: [registry],
    }),
  }
  const engine = createEngine({
    query: (sql, params) => database.query(sql, params),
    findings: createFindings(database),
    watermarks: createWatermarks(database),
    rules,
    settleMs: config.detect.settleMs,
    onFindings: async (changes) => {
      await alerting.pipeline.handle(changes)
    },
  })
  let schedule: Schedule | undefined
  return {
    name: 'detect',
    tick: async () => {
      await engine.tick()
    },
    start: async () => {
      schedule = startSchedule({
        engine,
        expression: config.detect.every,
        onTick: (report, durationMs) => {
          metrics.ticks.inc()
          metrics.seconds.set(durationMs / 1000)
          metrics.findings.inc(report.findings)
          metrics.watermark.set(report.recordedThroughUs / 1e6)
          if (report.findings + report.superseded > 0) {
            logger.info(
              { findings: report.findings, superseded: report.superseded, ms: Math.round(durationMs) },
              'findings',
            )
          }
        },
        onTrouble: (message) => {
          if (message === undefined) logger.info({}, 'ticks work again')
          else logger.error({ reason: message }, 'a tick failed; the next one repeats it')
        },
      })
      await alerting.dispatcher.start()
    },
    stop: async () => {
      await schedule?.stop()
      await alerting.dispatcher.stop()
    },
  }
}
