import { setTimeout as sleep } from 'node:timers/promises'
import { createDispatcher } from '../../alerts/dispatcher.ts'
import { routeOf } from '../../alerts/notifier.ts'
import { createWebhookNotifier } from '../../alerts/notifiers/webhook.ts'
import { createOutbox } from '../../alerts/outbox.ts'
import { createAlertPipeline } from '../../alerts/pipeline.ts'
import { systemClock } from '../../core/clock.ts'
import { createAlerts } from '../../store/alerts.ts'
import { openEmbedded } from '../../store/clickhouse.ts'
import { createDeliveries } from '../../store/deliveries.ts'
import { findingOf } from './findings.ts'
import { PATIENCE_MS } from './patience.ts'

// A process of its own for digest-kill.test.ts, which kills it. It takes in a flood of alerts and sends, on a real store in a
// folder; at `stopAt` it says so on stdout and does nothing any more. Else it ends when nothing is due.

export interface DigestWork {
  readonly path: string
  readonly url: string
  readonly alerts: number
  readonly perSource: number
  readonly stopAt?: 'before put' | 'after put'
}

const work = JSON.parse(process.argv[2] ?? '{}') as DigestWork
const database = await openEmbedded({ path: work.path })
const alerts = createAlerts(database)
const stored = createDeliveries(database)
const reach = async (place: string) => {
  if (work.stopAt !== place) return
  process.stdout.write(`${place}\n`)
  await sleep(PATIENCE_MS)
}
const deliveries: typeof stored = {
  ...stored,
  putDigest: async (digest, members) => {
    await reach('before put')
    await stored.putDigest(digest, members)
    await reach('after put')
  },
}
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const notifier = createWebhookNotifier({
  receiver: 'hook',
  url: work.url,
  secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`],
  allowPrivate: true,
  budget: { perParty: 1, perSource: work.perSource, withinMs: 3_600_000, digestEveryMs: 2000 },
})
const outbox = createOutbox({ alerts, deliveries })
const clock = systemClock
const pipeline = createAlertPipeline({ alerts, outbox, receivers: [routeOf(notifier, 'low')], clock, logger })
// In one month with the deliveries, whatever the date is.
const window = { start: '2026-08-21T14:00:00.000000Z', end: '2026-08-21T15:00:00.000000Z' }
await pipeline.handle(
  Array.from({ length: work.alerts }, (_, index) => ({
    finding: findingOf({ actor: `actor-${index}`, finding_id: `f${index}`, severity: 'critical', window }),
    status: 'current' as const,
    history: false,
  })),
)
const dispatcher = createDispatcher({ deliveries, outbox, notifiers: [notifier], clock, logger, pollMs: 50 })
await dispatcher.start()
const deadline = performance.now() + PATIENCE_MS
while ((await deliveries.newest('default', 1000)).some(({ status }) => status === 'due')) {
  if (performance.now() > deadline) throw new Error('Something stays due.')
  await sleep(100)
}
await dispatcher.stop()
await database.close()
