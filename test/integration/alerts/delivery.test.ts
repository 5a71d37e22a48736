import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AlertLog } from '../../../alerts/alert-log.ts'
import { createDemoReceiver } from '../../../alerts/demo-receiver.ts'
import type { DigestStore } from '../../../alerts/digester.ts'
import { createDispatcher, type Dispatcher } from '../../../alerts/dispatcher.ts'
import { createAlertLifecycle } from '../../../alerts/lifecycle.ts'
import { type Notifier, routeOf } from '../../../alerts/notifier.ts'
import { createPagerDutyNotifier } from '../../../alerts/notifiers/pagerduty.ts'
import { createSlackNotifier } from '../../../alerts/notifiers/slack.ts'
import { createWebhookNotifier } from '../../../alerts/notifiers/webhook.ts'
import { createOutbox, type DeliveryStore, type OutboxOptions } from '../../../alerts/outbox.ts'
import { createAlertPipeline } from '../../../alerts/pipeline.ts'
import { createManualClock } from '../../../core/clock.ts'
import type { Finding } from '../../../core/finding.ts'
import { type Alerts, createAlerts, keepAlerts } from '../../../store/alerts.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries, type Deliveries } from '../../../store/deliveries.ts'
import { dying } from '../../helpers/dying.ts'
import { findingOf } from '../../helpers/findings.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { startReceiver, type TestReceiver } from '../../helpers/receivers.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

let folder: string
let database: Database
let alerts: Alerts
let deliveries: Deliveries
let receiver: TestReceiver
// Each test has a tenant and receivers of its own, so that they do not see each other's outbox.
let count = 0
let tenant = ''
const clock = createManualClock(0)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-delivery-'))
  database = await openMigratedStore(folder)
  // The clock of these tests stands still; the store’s does not.
  await keepAlerts(database, 3650)
  alerts = createAlerts(database)
  deliveries = createDeliveries(database)
})

afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  receiver = await startReceiver()
  count += 1
  tenant = `tenant-${count}`
  clock.set(Date.parse('2026-08-21T15:00:07.000Z'))
})

afterEach(() => receiver.close())

const webhook = (name = `hook-${count}`, url = receiver.url, timeoutMs = 2000): Notifier =>
  createWebhookNotifier({ receiver: name, url, secrets: [SECRET], allowPrivate: true, timeoutMs })

interface Parts {
  alerts?: AlertLog
  deliveries?: DeliveryStore & DigestStore
  mayRun?: () => boolean | Promise<boolean>
  sourcesOf?: NonNullable<OutboxOptions['sourcesOf']>
}

function system(notifiers: readonly Notifier[], parts: Parts = {}) {
  const its = { alerts, deliveries, ...parts }
  const outbox = createOutbox(its)
  const receivers = notifiers.map((notifier) => routeOf(notifier, 'low'))
  const dispatcher: Dispatcher = createDispatcher({
    deliveries: its.deliveries,
    outbox,
    notifiers,
    clock,
    logger: quiet,
    pollMs: 20,
    graceMs: 300,
    ...(its.mayRun ? { mayRun: its.mayRun } : {}),
  })
  return {
    outbox,
    dispatcher,
    pipeline: createAlertPipeline({ ...its, outbox, receivers, clock, logger: quiet }),
    lifecycle: createAlertLifecycle({ alerts: its.alerts, outbox, receivers, clock }),
  }
}

const current = (...findings: Finding[]) =>
  findings.map((finding) => ({ finding, status: 'current' as const }))
const finding = (given: Partial<Finding> = {}): Finding => findingOf({ tenant, ...given })
const idsSent = () => receiver.requests.map(({ headers }) => headers['webhook-id'])

describe('from finding to receiver', () => {
  it('delivers once, signed, and a replay adds nothing', async () => {
    const demo = createDemoReceiver({ secret: SECRET, clock: { now: () => Date.now() } })
    // The library that verifies looks at its own clock.
    clock.set(Date.now())
    const url = await demo.listen()
    const { pipeline, dispatcher } = system([webhook(`demo-${count}`, url)])
    const hour = new Date(Date.now() - 3_600_000).toISOString().slice(0, 13)
    const found = finding({ window: { start: `${hour}:00:00.000000Z`, end: `${hour}:59:59.000000Z` } })
    expect(await pipeline.handle(current(found))).toEqual({ opened: 1, updated: 0, deliveries: 1 })
    expect(await dispatcher.runOnce()).toBe(1)
    expect(await pipeline.handle(current(found))).toEqual({ opened: 0, updated: 0, deliveries: 0 })
    expect(await dispatcher.runOnce()).toBe(0)
    const [delivery, ...more] = await deliveries.newest(tenant, 10)
    expect(more).toEqual([])
    expect(delivery).toMatchObject({ status: 'delivered', attempts: 1, last_status: 204, kind: 'webhook' })
    expect(demo.received()).toMatchObject([
      {
        webhook_id: delivery?.delivery_id,
        verified: true,
        type: 'finding.created',
        body: { data: { class_uid: 2004, finding_info: { uid: delivery?.alert_id } } },
      },
    ])
    await demo.close()
  })

  it('tells again only when it gets worse, and takes many findings into one alert', async () => {
    const { pipeline, dispatcher } = system([webhook()])
    const hours = ['12', '13', '14'].map((hour, index) =>
      finding({
        finding_id: `f${index}`,
        window: { start: `2026-08-21T${hour}:00:00.000000Z`, end: `2026-08-21T${hour}:59:00.000000Z` },
      }),
    )
    await pipeline.handle(current(...hours))
    await dispatcher.runOnce()
    expect(receiver.requests).toHaveLength(1)
    await pipeline.handle(current(finding({ finding_id: 'f3' })))
    await pipeline.handle(current(finding({ finding_id: 'f3', severity: 'critical' })))
    await pipeline.handle([{ finding: hours[0] ?? finding(), status: 'superseded' }])
    await dispatcher.runOnce()
    expect(receiver.requests.map(({ body }) => JSON.parse(body).type)).toEqual([
      'finding.created',
      'finding.updated',
    ])
    const { alerts: all } = await alerts.list({ tenant }, { limit: 10 })
    expect(all).toMatchObject([{ severity: 'critical', finding_count: 4, superseded_finding_ids: ['f0'] }])
    const log = await alerts.withActions(tenant, all[0]?.alert_id ?? '')
    expect(log?.actions.map(({ kind }) => kind)).toEqual([
      'opened',
      'finding_added',
      'finding_added',
      'finding_added',
      'finding_added',
      'finding_superseded',
    ])
  })

  it('makes alerts of history without telling anyone, and tells of the next finding', async () => {
    const { pipeline, dispatcher } = system([webhook()])
    const old = finding({
      finding_id: 'old',
      window: { start: '2026-08-01T14:00:00.000000Z', end: '2026-08-01T15:00:00.000000Z' },
    })
    expect(await pipeline.handle(current(old))).toEqual({ opened: 1, updated: 0, deliveries: 0 })
    expect(await pipeline.handle(current(finding()))).toEqual({ opened: 0, updated: 1, deliveries: 1 })
    await dispatcher.runOnce()
    expect(receiver.requests).toHaveLength(1)
  })

  it('opens a new alert after a close, and not for what was closed', async () => {
    const { pipeline, lifecycle } = system([webhook()])
    await pipeline.handle(current(finding()))
    const [first] = (await alerts.list({ tenant }, { limit: 1 })).alerts
    await lifecycle.close({ tenant, alertId: first?.alert_id ?? '', by: 'dana', reason: 'false_positive' })
    expect(await pipeline.handle(current(finding({ event_count: 500 })))).toMatchObject({
      opened: 0,
      updated: 1,
    })
    expect(await pipeline.handle(current(finding({ finding_id: 'next' })))).toMatchObject({ opened: 1 })
    expect(await pipeline.handle(current(finding({ severity: 'critical' })))).toMatchObject({ opened: 0 })
    expect((await alerts.list({ tenant, status: 'open' }, { limit: 9 })).alerts).toHaveLength(1)
  })

  it('sends acknowledge and resolve to PagerDuty under the same key, in order', async () => {
    receiver.behave({ status: 202 })
    const pagerduty = createPagerDutyNotifier({
      receiver: `pd-${count}`,
      routingKey: 'a'.repeat(32),
      url: receiver.url,
      allowPrivate: true,
    })
    const { pipeline, lifecycle, dispatcher } = system([pagerduty])
    await pipeline.handle(current(finding()))
    const [alert] = (await alerts.list({ tenant }, { limit: 1 })).alerts
    const request = { tenant, alertId: alert?.alert_id ?? '', by: 'dana' }
    const acknowledged = await lifecycle.acknowledge({ ...request, expectedRevision: alert?.revision ?? 0 })
    await expect(lifecycle.close({ ...request, reason: 'other', expectedRevision: 1 })).rejects.toMatchObject(
      {
        code: 'conflict',
      },
    )
    await lifecycle.close({ ...request, reason: 'true_positive', expectedRevision: acknowledged.revision })
    await expect(lifecycle.acknowledge(request)).rejects.toMatchObject({ code: 'conflict' })
    for (let round = 0; round < 3; round += 1) expect(await dispatcher.runOnce()).toBe(1)
    const events = receiver.requests.map(({ body }) => JSON.parse(body))
    expect(events.map(({ event_action }) => event_action)).toEqual(['trigger', 'acknowledge', 'resolve'])
    expect(new Set(events.map(({ dedup_key }) => dedup_key))).toEqual(
      new Set([`gatewatch:${alert?.alert_id}`]),
    )
  })
})

describe('when receivers fail', () => {
  it('tries again on schedule under the same id, and records each attempt without secrets', async () => {
    const { pipeline, dispatcher } = system([webhook()])
    const answers = [{ status: 500 }, 'reset' as const, { status: 302, headers: { location: 'http://x/' } }]
    receiver.behave((_request, n) => answers[n - 1] ?? { status: 200 })
    await pipeline.handle(current(finding()))
    for (const pauseMs of [0, 7_000, 80_000, 400_000]) {
      clock.advance(pauseMs)
      await dispatcher.runOnce()
    }
    expect(receiver.requests).toHaveLength(4)
    expect(new Set(idsSent()).size).toBe(1)
    const [delivery] = await deliveries.newest(tenant, 1)
    expect(delivery).toMatchObject({ status: 'delivered', attempts: 4 })
    expect(delivery?.attempt_log.map(({ status }) => status)).toEqual([500, 0, 302, 200])
    expect(delivery?.last_error).toBeUndefined()
    expect(JSON.stringify(delivery)).not.toMatch(/hunter2|whsec|127\.0\.0\.1/)
  })

  it('waits as long as Retry-After says', async () => {
    const { pipeline, dispatcher } = system([webhook()])
    receiver.behave((_request, n) =>
      n === 1 ? { status: 429, headers: { 'retry-after': '120' } } : { status: 200 },
    )
    await pipeline.handle(current(finding()))
    await pipeline.handle(current(finding({ actor: 'someone else', finding_id: 'other' })))
    await dispatcher.runOnce()
    clock.advance(119_000)
    expect(await dispatcher.runOnce()).toBe(0)
    clock.advance(1_500)
    expect(await dispatcher.runOnce()).toBe(2)
    expect(receiver.requests).toHaveLength(3)
  })

  it('sends again under the same id when the answer was lost', async () => {
    const { pipeline, dispatcher } = system([webhook(undefined, undefined, 150)])
    receiver.behave((_request, n) => (n === 1 ? 'hang' : { status: 200 }))
    await pipeline.handle(current(finding()))
    await dispatcher.runOnce()
    clock.advance(7_000)
    await dispatcher.runOnce()
    expect(idsSent()).toHaveLength(2)
    expect(new Set(idsSent()).size).toBe(1)
  })

  it('shows a receiver that is gone, speaks to it no more, and replays after it is enabled', async () => {
    const { pipeline, dispatcher, outbox } = system([webhook()])
    receiver.behave({ status: 410 })
    await pipeline.handle(current(finding()))
    await dispatcher.runOnce()
    await pipeline.handle(current(finding({ actor: 'b', finding_id: 'b' })))
    // A new process knows it too.
    const again = system([webhook()]).dispatcher
    await again.runOnce()
    expect(receiver.requests).toHaveLength(1)
    expect(again.disabled()).toMatchObject([
      { receiver: `hook-${count}`, reason: expect.stringContaining('410') },
    ])
    const failed = await deliveries.newest(tenant, 10)
    expect(failed.map(({ status }) => status)).toEqual(['failed', 'failed'])
    expect(failed.every(({ last_error }) => last_error?.includes('410'))).toBe(true)

    receiver.behave({ status: 200 })
    await again.enable(`hook-${count}`)
    for (const { delivery_id } of failed) await outbox.replay(tenant, delivery_id, clock.now())
    await again.runOnce()
    expect((await deliveries.newest(tenant, 10)).map(({ status }) => status)).toEqual([
      'delivered',
      'delivered',
    ])
    await expect(outbox.replay(tenant, failed[0]?.delivery_id ?? '', 0)).rejects.toMatchObject({
      code: 'conflict',
    })
    await expect(outbox.replay(tenant, 'no such', 0)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('gives up after the schedule, and the delivery stays listed', async () => {
    const { pipeline, dispatcher } = system([webhook()])
    receiver.behave({ status: 503 })
    await pipeline.handle(current(finding()))
    for (let attempt = 0; attempt < 14; attempt += 1) {
      await dispatcher.runOnce()
      clock.advance(30 * 3_600_000)
    }
    const [delivery] = await deliveries.newest(tenant, 1)
    expect(delivery).toMatchObject({ status: 'failed', attempts: 12 })
    expect(delivery?.last_error).toContain('12 attempts')
    expect(receiver.requests).toHaveLength(12)
  })

  it('stops trying many deliveries on a receiver that is down', async () => {
    const { pipeline, dispatcher } = system([webhook()])
    receiver.behave({ status: 503 })
    await pipeline.handle(
      current(
        ...Array.from({ length: 20 }, (_, index) => finding({ actor: `a${index}`, finding_id: `f${index}` })),
      ),
    )
    await dispatcher.runOnce()
    expect(receiver.requests).toHaveLength(5)
    receiver.behave({ status: 200 })
    clock.advance(31_000)
    await dispatcher.runOnce()
    expect(new Set(idsSent()).size).toBe(20)
    expect((await deliveries.newest(tenant, 30)).every(({ status }) => status === 'delivered')).toBe(true)
  })

  it('keeps most of an outage’s messages for Slack, which is not sent anything twice', async () => {
    const slack: Notifier = {
      ...createSlackNotifier({ receiver: `slack-${count}`, url: receiver.url, allowPrivate: true }),
      rate: { perSecond: 100, burst: 100 },
    }
    const { pipeline, dispatcher } = system([slack])
    receiver.behave({ status: 500 })
    await pipeline.handle(
      current(
        ...Array.from({ length: 20 }, (_, index) => finding({ actor: `a${index}`, finding_id: `f${index}` })),
      ),
    )
    await dispatcher.runOnce()
    receiver.behave({ status: 200 })
    clock.advance(31_000)
    await dispatcher.runOnce()
    const states = Map.groupBy(await deliveries.newest(tenant, 30), ({ status }) => status)
    expect([states.get('failed')?.length, states.get('delivered')?.length]).toEqual([5, 15])
    expect(new Set(receiver.requests.map(({ body }) => body)).size).toBe(20)
    expect(receiver.requests).toHaveLength(20)
  })

  it('does not let a slow receiver hold up another, and stops in time', async () => {
    const slow = await startReceiver()
    slow.behave('hang')
    const { pipeline, dispatcher } = system([webhook(`slow-${count}`, slow.url, 3_600_000), webhook()])
    await dispatcher.start()
    await pipeline.handle(current(finding(), finding({ actor: 'b', finding_id: 'b' })))
    dispatcher.wake()
    await expect.poll(() => receiver.requests.length).toBe(2)
    await expect.poll(() => slow.requests.length).toBe(1)
    // Whoever waited for the slow one would wait for an hour.
    await dispatcher.stop()
    const states = await deliveries.newest(tenant, 10)
    expect(states.filter(({ status }) => status === 'delivered')).toHaveLength(2)
    expect(
      states.filter(({ receiver: name, status }) => name === `slow-${count}` && status === 'due'),
    ).toHaveLength(2)
    await slow.close()
  })
})

describe('a flood of alerts', () => {
  it.each(['of one actor', 'of actors that one source makes up'])(
    '%s holds up nobody else',
    async (whose) => {
      const sourcesOf = async (_tenant: string, ids: readonly string[]) =>
        new Map(ids.map((id) => [id, id.startsWith('real') ? 'gateway' : 'attacker']))
      // What is beyond a budget: digests.test.ts.
      const patient = { ...webhook(), budget: { ...webhook().budget, perParty: 1000, perSource: 1000 } }
      const { pipeline, dispatcher } = system([patient], { sourcesOf })
      const flood = Array.from({ length: 400 }, (_, index) => {
        const actor = whose === 'of one actor' ? 'mallory' : `made-up-${index}`
        return finding({
          actor,
          entity: { type: 'chain', id: `c${index}` },
          finding_id: `f${index}`,
          severity: 'critical',
          score: 99,
          event_ids: [`e${index}`],
        })
      })
      await pipeline.handle(current(...flood))
      expect(await dispatcher.runOnce()).toBe(50)
      clock.advance(60_000)
      const real = finding({ actor: 'ada', severity: 'critical', score: 1, event_ids: ['real'] })
      await pipeline.handle(current(real))
      const before = receiver.requests.length
      await dispatcher.runOnce()
      const place = receiver.requests.slice(before).findIndex(({ body }) => body.includes('ada'))
      expect(place).toBe(0)
      // Nothing of the flood is lost: it goes on.
      clock.advance(60_000)
      expect(await dispatcher.runOnce()).toBe(50)
      expect(new Set(idsSent()).size).toBe(receiver.requests.length)
    },
  )
})

describe('several processes that send', () => {
  const findings = (many: number) =>
    Array.from({ length: many }, (_, index) => finding({ actor: `actor-${index}`, finding_id: `f${index}` }))

  it('send each message once, whoever has the right to send', async () => {
    const notifier = webhook()
    const right = { of: 'a' as 'a' | 'b' | 'nobody' }
    const [a, b] = (['a', 'b'] as const).map((name) =>
      system([notifier], { mayRun: async () => right.of === name }),
    )
    await a?.pipeline.handle(current(...findings(24)))
    await Promise.all([a?.dispatcher.start(), b?.dispatcher.start()])
    let sent = 0
    for (let turn = 0; receiver.requests.length < 24; turn += 1) {
      await expect.poll(() => receiver.requests.length).toBeGreaterThan(sent)
      // As a lease is handed over: nobody sends until what was under way is over.
      right.of = 'nobody'
      await expect
        .poll(
          async () =>
            (await deliveries.newest(tenant, 100)).filter(({ status }) => status === 'delivered').length,
        )
        .toBe(receiver.requests.length)
      sent = receiver.requests.length
      right.of = turn % 2 === 0 ? 'b' : 'a'
      clock.advance(2000)
    }
    await Promise.all([a?.dispatcher.stop(), b?.dispatcher.stop()])
    expect(idsSent()).toHaveLength(24)
    expect(new Set(idsSent()).size).toBe(24)
  })

  it('send nothing that another sent while they were held up', async () => {
    const notifier = webhook()
    const heldUp = Promise.withResolvers<boolean>()
    let asked = 0
    // Listed as due, then held up before the attempt.
    const slow = system([notifier], { mayRun: () => (asked++ === 0 ? true : heldUp.promise) })
    await slow.pipeline.handle(current(...findings(3)))
    const round = slow.dispatcher.runOnce()
    await expect.poll(() => asked).toBeGreaterThan(1)
    expect(await system([notifier]).dispatcher.runOnce()).toBe(3)
    heldUp.resolve(true)
    expect(await round).toBe(0)
    expect(receiver.requests).toHaveLength(3)
  })

  it('send nothing without the right to', async () => {
    const { pipeline, dispatcher } = system([webhook()], { mayRun: () => false })
    await pipeline.handle(current(finding()))
    expect(await dispatcher.runOnce()).toBe(0)
    expect(receiver.requests).toEqual([])
  })
})

describe('a process that dies', () => {
  it.each(['before', 'after'] as const)('loses nothing, dying %s any call to the store', async (when) => {
    let deaths = 0
    for (let step = 0; ; step += 1) {
      tenant = `dying-${when}-${step}`
      const name = `hook-${when}-${step}`
      const before = receiver.requests.length
      const calls = { left: step }
      const mortal = system([webhook(name)], {
        alerts: createAlerts(dying(database, calls, when)),
        deliveries: createDeliveries(dying(database, calls, when)),
      })
      const found = finding({ actor: `${when} ${step}` })
      const died = await mortal.pipeline
        .handle(current(found))
        .then(() => mortal.dispatcher.runOnce())
        .then(() => calls.left < 0)
        .catch(() => true)
      if (died) deaths += 1

      // The engine's watermark did not move, so it hands the finding over again; unless the pipeline had finished.
      const next = system([webhook(name)])
      await next.pipeline.handle(current(found))
      await next.dispatcher.runOnce()
      clock.advance(10_000)
      await next.dispatcher.runOnce()

      const sent = receiver.requests.slice(before).map(({ headers }) => headers['webhook-id'])
      expect(new Set(sent).size, `ids sent when dying at call ${step}`).toBe(1)
      expect(sent.length).toBeLessThanOrEqual(2)
      expect((await alerts.list({ tenant }, { limit: 9 })).alerts).toHaveLength(1)
      expect((await deliveries.newest(tenant, 9)).map(({ status }) => status)).toEqual(['delivered'])
      // What the crash left in the outbox is out of it.
      expect(
        await database.query(
          'SELECT version FROM outbox WHERE receiver = {name:String} GROUP BY delivery_id, version HAVING sum(sign) > 0',
          { name },
        ),
        `left in the outbox when dying at call ${step}`,
      ).toEqual([])
      if (!died) break
    }
    expect(deaths).toBeGreaterThanOrEqual(11)
  })

  it('tells of an acknowledgement whose delivery was not written', async () => {
    const notifier = webhook()
    await system([notifier]).pipeline.handle(current(finding()))
    await system([notifier]).dispatcher.runOnce()
    const [alert] = (await alerts.list({ tenant }, { limit: 1 })).alerts
    const calls = { left: 0 }
    const mortal = system([notifier], { deliveries: dying(deliveries, calls, 'before') })
    await expect(
      mortal.lifecycle.acknowledge({ tenant, alertId: alert?.alert_id ?? '', by: 'dana' }),
    ).rejects.toThrow('dead')
    await system([notifier]).dispatcher.runOnce()
    expect(receiver.requests.map(({ body }) => JSON.parse(body).type)).toEqual([
      'finding.created',
      'finding.updated',
    ])
  })
})
