import type { Logger } from 'pino'
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
import { createAlerts } from '../../store/alerts.ts'
import type { Database } from '../../store/database.ts'
import { createDeliveries } from '../../store/deliveries.ts'
import { createEventQueries } from '../../store/event-queries.ts'
import { createFindings } from '../../store/findings.ts'
import type { ReceiverConfig } from '../config/receivers.ts'
import type { Part } from '../lifecycle.ts'

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
    budget: receiver.budget,
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
  /** Whether this process is the one that sends: `DispatcherOptions.mayRun`. */
  readonly mayRun?: () => boolean | Promise<boolean>
}

// Part of the ten seconds that a whole stop may take. What is cut off is sent again by the next start.
const SEND_GRACE_MS = 3_000

/** Everything between a finding and a receiver, over one set of stores. */
export function createAlerting(options: AlertingOptions) {
  const { database, clock, logger } = options
  const alerts = createAlerts(database)
  const deliveries = createDeliveries(database)
  const { notifiers, routes } = createReceivers(options.receivers, options.publicUrl)
  const outbox = createOutbox({
    alerts,
    deliveries,
    sourcesOf: createEventQueries(database).sourcesOf,
    onPlaced: () => dispatcher.wake(),
  })
  const dispatcher = createDispatcher({
    deliveries,
    outbox,
    notifiers,
    clock,
    logger,
    graceMs: SEND_GRACE_MS,
    ...(options.mayRun ? { mayRun: options.mayRun } : {}),
  })
  const pipeline = createAlertPipeline({
    alerts,
    outbox,
    receivers: routes,
    clock,
    logger,
    maxNotifyAgeMs: options.notifyWithinHours * 3_600_000,
  })
  const lifecycle: AlertLifecycle = createAlertLifecycle({ alerts, outbox, receivers: routes, clock })
  const operational = createOperationalAlerts({
    ...{ pipeline, alerts, lifecycle, clock },
    findings: createFindings(database),
  })
  return { alerts, deliveries, outbox, dispatcher, pipeline, lifecycle, operational }
}

export type Alerting = ReturnType<typeof createAlerting>

/** The part that sends what is due. It starts before detection and stops after it, so that what was found goes out. */
export const createDispatchPart = ({ dispatcher }: Pick<Alerting, 'dispatcher'>): Part => ({
  name: 'dispatch',
  start: () => dispatcher.start(),
  stop: () => dispatcher.stop(),
})
