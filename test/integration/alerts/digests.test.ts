import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DeliveryBudget } from '../../../alerts/budget.ts'
import type { DigestStore } from '../../../alerts/digester.ts'
import { createDispatcher } from '../../../alerts/dispatcher.ts'
import { createAlertLifecycle } from '../../../alerts/lifecycle.ts'
import { type Notifier, routeOf } from '../../../alerts/notifier.ts'
import { createPagerDutyNotifier } from '../../../alerts/notifiers/pagerduty.ts'
import { createWebhookNotifier } from '../../../alerts/notifiers/webhook.ts'
import { createOutbox, type DeliveryStore } from '../../../alerts/outbox.ts'
import { createAlertPipeline } from '../../../alerts/pipeline.ts'
import { createManualClock } from '../../../core/clock.ts'
import type { Finding } from '../../../core/finding.ts'
import { createAlerts, keepAlerts } from '../../../store/alerts.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries } from '../../../store/deliveries.ts'
import { dying } from '../../helpers/dying.ts'
import { findingOf } from '../../helpers/findings.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { startReceiver, type TestReceiver } from '../../helpers/receivers.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const MINUTE = 60_000
const BUDGET: DeliveryBudget = {
  perParty: 2,
  perSource: 5,
  withinMs: 60 * MINUTE,
  digestEveryMs: 5 * MINUTE,
}

let folder: string
let database: Database
let receiver: TestReceiver
let count = 0
let tenant = ''
const clock = createManualClock(0)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-digests-'))
  database = await openMigratedStore(folder)
  // The clock of these tests stands still; the store’s does not.
  await keepAlerts(database, 3650)
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

const hook = (budget: Partial<DeliveryBudget> = {}, name = `hook-${count}`): Notifier =>
  createWebhookNotifier({
    receiver: name,
    url: receiver.url,
    secrets: [SECRET],
    allowPrivate: true,
    timeoutMs: 2000,
    budget: { ...BUDGET, ...budget },
  })

/** A finding’s source is what its first event’s id begins with. */
const sourcesOf = async (_tenant: string, ids: readonly string[]) =>
  new Map(ids.map((id) => [id, id.split('/')[0] ?? '']))

interface Parts {
  readonly database?: Database
  readonly deliveries?: DeliveryStore & DigestStore
}

/** As a process begins: all that it knows is in the store. */
function system(notifier: Notifier, parts: Parts = {}) {
  const base = parts.database ?? database
  const alerts = createAlerts(base)
  const deliveries = parts.deliveries ?? createDeliveries(base)
  const outbox = createOutbox({ alerts, deliveries, sourcesOf })
  const receivers = [routeOf(notifier, 'low')]
  const dispatcher = createDispatcher({
    ...{ deliveries, outbox, notifiers: [notifier], clock, logger: quiet },
    pollMs: 20,
    graceMs: 300,
  })
  return {
    dispatcher,
    pipeline: createAlertPipeline({ alerts, outbox, receivers, clock, logger: quiet }),
    lifecycle: createAlertLifecycle({ alerts, outbox, receivers, clock }),
    outbox,
  }
}

const current = (...findings: Finding[]) =>
  findings.map((finding) => ({ finding, status: 'current' as const }))

const flood = (many: number, given: Partial<Finding> & { source?: string; name?: string } = {}) => {
  const { source = 'attacker', name = 'made-up', ...rest } = given
  return Array.from({ length: many }, (_, index) =>
    findingOf({
      tenant,
      actor: `${name}-${index}`,
      finding_id: `${tenant}-${name}-${index}`,
      severity: 'critical',
      score: 10 + index,
      event_ids: [`${source}/${name}-${index}`],
      title: `${name}-${index} did it`,
      ...rest,
    }),
  )
}

interface Sent {
  readonly id: string
  readonly type: string
  readonly data: {
    readonly count: number
    readonly severity: string
    readonly finding_info: { readonly uid: string }
    readonly finding_info_list: readonly { readonly uid: string; readonly title: string }[]
    readonly unmapped: { readonly gatewatch: Record<string, unknown> }
  }
}
const sent = (): Sent[] =>
  receiver.requests.map(({ headers, body }) => ({
    id: String(headers['webhook-id']),
    ...(JSON.parse(body) as Omit<Sent, 'id'>),
  }))
const alone = () => sent().filter(({ type }) => type !== 'digest.created')
const digests = () => sent().filter(({ type }) => type === 'digest.created')
const states = async () => {
  const deliveries = await createDeliveries(database).newest(tenant, 1000)
  return Object.fromEntries(
    [...Map.groupBy(deliveries, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  )
}
const everyRound = async (dispatcher: { runOnce(): Promise<number> }) => {
  for (let round = 0; round < 20; round += 1) if ((await dispatcher.runOnce()) === 0) return
  throw new Error('It goes on and on.')
}

describe('what is beyond the budget', () => {
  it('comes in one digest that says how many, which and where: nothing is lost', async () => {
    const { pipeline, dispatcher } = system(hook())
    await pipeline.handle(current(...flood(39), ...flood(1, { name: 'other', severity: 'high' })))
    await everyRound(dispatcher)
    // 5 critical and 1 high.
    expect(alone()).toHaveLength(6)
    expect(digests()).toEqual([])
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    expect(alone()).toHaveLength(6)
    const [digest, ...more] = digests()
    expect(more).toEqual([])
    expect(digest?.data).toMatchObject({ count: 34, severity: 'critical' })
    expect(digest?.data.unmapped.gatewatch).toMatchObject({
      digest_id: digest?.id,
      source: 'attacker',
      by_severity: [{ name: 'critical', count: 34 }],
      by_rule: [{ name: 'volume-spike', count: 34 }],
      more_parties: { names: 24, count: 24 },
      list: `/v1/alerts?digest=${digest?.id}`,
    })
    // The heaviest went alone, the next are named.
    expect(digest?.data.finding_info_list.map(({ title }) => title)[0]).toBe('made-up-33 did it')
    expect(await states()).toEqual({ delivered: 7, digested: 34 })
    const told = await createAlerts(database).list({ tenant, digest: digest?.id ?? '' }, { limit: 100 })
    const uids = new Set([
      ...told.alerts.map(({ alert_id }) => alert_id),
      ...alone().map(({ data }) => data.finding_info.uid),
    ])
    expect(told.alerts).toHaveLength(34)
    expect(uids.size).toBe(40)
  })

  it('is counted by party too', async () => {
    const { pipeline, dispatcher } = system(hook())
    const chains = flood(6, { actor: 'mallory' }).map((finding, index) => ({
      ...finding,
      entity: { type: 'chain' as const, id: `c${index}` },
    }))
    await pipeline.handle(current(...chains, ...flood(1, { name: 'ada' })))
    await everyRound(dispatcher)
    expect(alone()).toHaveLength(3)
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    expect(digests().map(({ data }) => data.count)).toEqual([4])
  })

  it('does not hold a message about another source, nor of another severity', async () => {
    const { pipeline, dispatcher } = system(hook())
    await pipeline.handle(current(...flood(40)))
    await everyRound(dispatcher)
    await pipeline.handle(
      current(
        ...flood(1, { source: 'gateway', name: 'ada', score: 1 }),
        ...flood(1, { name: 'bob', severity: 'high' }),
      ),
    )
    await everyRound(dispatcher)
    expect(alone().slice(5)).toHaveLength(2)
  })

  it('is counted from the store: a new process has no new budget', async () => {
    const notifier = hook()
    await system(notifier).pipeline.handle(current(...flood(12)))
    await everyRound(system(notifier).dispatcher)
    await system(notifier).pipeline.handle(current(...flood(12, { name: 'again' })))
    await everyRound(system(notifier).dispatcher)
    expect(alone()).toHaveLength(5)
    // An hour later the budget is there again.
    clock.advance(61 * MINUTE)
    await everyRound(system(notifier).dispatcher)
    expect(alone()).toHaveLength(10)
    expect(digests().map(({ data }) => data.count)).toEqual([14])
  })

  it('is one digest of a source in a window, and waits for the one before', async () => {
    const notifier = hook()
    const { pipeline, dispatcher } = system(notifier)
    await pipeline.handle(current(...flood(10)))
    await everyRound(dispatcher)
    receiver.behave({ status: 503 })
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    expect(digests()).toHaveLength(1)
    // Two windows pass while it is not delivered.
    for (const name of ['second', 'third']) {
      await pipeline.handle(current(...flood(4, { name })))
      clock.advance(5 * MINUTE)
      await everyRound(dispatcher)
    }
    const tries = digests()
    expect(new Set(tries.map(({ id }) => id)).size).toBe(1)
    receiver.behave({ status: 204 })
    clock.advance(60 * MINUTE - 1)
    // The hour is over for what was sent at its begin, so room for new ones is tested elsewhere.
    await everyRound(system(hook({ withinMs: 24 * 60 * MINUTE })).dispatcher)
    const last = digests().at(-1)
    expect(new Set(digests().map(({ id }) => id)).size).toBe(2)
    expect(last?.data.count).toBe(8)
  })

  it('of one alert is no digest', async () => {
    const { pipeline, dispatcher } = system(hook())
    await pipeline.handle(current(...flood(6)))
    await everyRound(dispatcher)
    expect(alone()).toHaveLength(5)
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    expect([alone().length, digests().length]).toEqual([6, 0])
  })

  it('of two months is two digests: the store takes one month whole', async () => {
    clock.set(Date.parse('2026-08-31T23:58:00.000Z'))
    const { pipeline, dispatcher } = system(hook())
    const window = { start: '2026-08-31T22:00:00.000000Z', end: '2026-08-31T23:00:00.000000Z' }
    await pipeline.handle(current(...flood(10, { window })))
    await everyRound(dispatcher)
    clock.advance(3 * MINUTE)
    await pipeline.handle(current(...flood(4, { window, name: 'september' })))
    for (const _window of [1, 2]) {
      await everyRound(dispatcher)
      clock.advance(5 * MINUTE)
    }
    expect(digests().map(({ data }) => data.count)).toEqual([5, 4])
  })
})

describe('what follows', () => {
  const alertOf = async (title: string) => {
    const { alerts } = await createAlerts(database).list({ tenant }, { limit: 100 })
    const found = alerts.find((alert) => alert.title === title)
    if (found === undefined) throw new Error(`no alert ${title}`)
    return found.alert_id
  }

  it('on an alert of a digest: the close is left out, and stands in its log; taken back comes in a digest', async () => {
    const { pipeline, dispatcher, lifecycle } = system(hook())
    const findings = flood(10)
    await pipeline.handle(current(...findings))
    await everyRound(dispatcher)
    const close = async (title: string) =>
      lifecycle.close({ tenant, alertId: await alertOf(title), by: 'dana', reason: 'other' })
    // Closed before the digest is made, and after.
    await close('made-up-1 did it')
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    await close('made-up-2 did it')
    await everyRound(dispatcher)
    expect(digests().map(({ data }) => data.count)).toEqual([5])
    expect(alone().map(({ type }) => type)).toEqual(Array.from({ length: 5 }, () => 'finding.created'))
    const [digest] = digests()
    const closes = (await createDeliveries(database).newest(tenant, 100)).filter(
      ({ notice }) => notice === 'closed',
    )
    expect(closes.map(({ status, digest_id }) => [status, digest_id])).toEqual([
      ['digested', digest?.id],
      ['digested', digest?.id],
    ])

    clock.advance(61 * MINUTE)
    await pipeline.handle(
      findings.slice(0, 1).map((finding) => ({ finding, status: 'superseded', history: false })),
    )
    await everyRound(dispatcher)
    expect(sent()).toHaveLength(6)
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    expect(digests().at(-1)?.data.unmapped.gatewatch).toMatchObject({
      alerts: 1,
      by_notice: [{ name: 'taken_back', count: 1 }],
    })
    expect(alone()).toHaveLength(5)
  })

  it('on an alert that was told alone: its close goes alone, whatever the budget', async () => {
    const { pipeline, dispatcher, lifecycle } = system(hook())
    await pipeline.handle(current(...flood(10)))
    await everyRound(dispatcher)
    await lifecycle.close({
      tenant,
      alertId: await alertOf('made-up-9 did it'),
      by: 'dana',
      reason: 'other',
    })
    await everyRound(dispatcher)
    expect(alone().map(({ type }) => type)).toEqual([
      ...Array.from({ length: 5 }, () => 'finding.created'),
      'finding.closed',
    ])
  })

  it('on an alert of a digest that gets worse: it goes alone', async () => {
    const { pipeline, dispatcher } = system(hook())
    const findings = flood(10, { severity: 'high' })
    await pipeline.handle(current(...findings))
    await everyRound(dispatcher)
    clock.advance(5 * MINUTE)
    await everyRound(dispatcher)
    const [first] = findings
    if (first !== undefined) await pipeline.handle(current({ ...first, severity: 'critical' }))
    await everyRound(dispatcher)
    expect(alone().at(-1)).toMatchObject({ type: 'finding.updated', data: { severity: 'critical' } })
  })

  it('pages the first of a party alone, and the rest as one incident of the day', async () => {
    receiver.behave({ status: 202 })
    const pagerduty = createPagerDutyNotifier({
      receiver: `pd-${count}`,
      routingKey: 'a'.repeat(32),
      url: receiver.url,
      allowPrivate: true,
    })
    const { pipeline, dispatcher } = system({ ...pagerduty, rate: { perSecond: 100, burst: 100 } })
    const chains = flood(9, { actor: 'mallory' }).map((finding, index) => ({
      ...finding,
      entity: { type: 'chain' as const, id: `c${index}` },
    }))
    for (const part of [chains.slice(0, 4), chains.slice(4)]) {
      await pipeline.handle(current(...part))
      await everyRound(dispatcher)
      clock.advance(5 * MINUTE)
      await everyRound(dispatcher)
    }
    const events = receiver.requests.map(({ body }) => JSON.parse(body))
    expect(events.map(({ payload }) => payload.custom_details.alerts)).toEqual([undefined, 3, 5])
    expect(events.map(({ event_action }) => event_action)).toEqual(['trigger', 'trigger', 'trigger'])
    expect(events[1].dedup_key).toBe(events[2].dedup_key)
    expect(events[1].dedup_key).not.toBe(events[0].dedup_key)
  })
})

describe('a process that dies', () => {
  it.each(['before', 'after'] as const)(
    'tells of each alert alone or in a digest, once, dying %s any call to the store',
    async (when) => {
      let deaths = 0
      for (let step = 0; ; step += 1) {
        tenant = `dying-${when}-${step}`
        const name = `hook-${when}-${step}`
        const notifier = hook({ perSource: 2 }, name)
        receiver.requests.length = 0
        clock.set(Date.parse('2026-08-21T15:00:07.000Z'))
        const findings = flood(5)
        // How the alerts come in, and what dies then: delivery.test.ts.
        await system(notifier).pipeline.handle(current(...findings))
        const calls = { left: step }
        const mortal = system(notifier, { database: dying(database, calls, when) })
        const work = async () => {
          await everyRound(mortal.dispatcher)
          clock.advance(5 * MINUTE)
          await everyRound(mortal.dispatcher)
          return calls.left < 0
        }
        const died = await work().catch(() => true)
        if (died) deaths += 1

        const next = system(notifier)
        for (const _window of [1, 2]) {
          await everyRound(next.dispatcher)
          clock.advance(5 * MINUTE)
        }

        const at = `when it died ${when} call ${step}`
        const all = sent()
        // A message whose answer was lost comes again, under its id.
        const byId = [...Map.groupBy(all, ({ id }) => id).values()]
        expect(
          byId.every((same) => new Set(same.map(({ data }) => data.count)).size === 1),
          at,
        ).toBe(true)
        expect(all.length - byId.length, at).toBeLessThanOrEqual(1)
        const messages = byId.flatMap(([first]) => (first === undefined ? [] : [first]))
        const told = messages.flatMap(({ type, data }) =>
          type === 'digest.created' ? data.finding_info_list.map(({ uid }) => uid) : [data.finding_info.uid],
        )
        expect(told.toSorted(), at).toEqual([...new Set(told)].sort())
        expect(told.length, at).toBe(5)
        expect(messages.filter(({ type }) => type !== 'digest.created').length, at).toBeLessThanOrEqual(3)
        const listed = await createDeliveries(database).newest(tenant, 100)
        expect(
          listed.every(({ status }) => status === 'delivered' || status === 'digested'),
          at,
        ).toBe(true)
        expect(
          await database.query(
            'SELECT version FROM outbox WHERE receiver = {name:String} GROUP BY delivery_id, version HAVING sum(sign) > 0',
            { name },
          ),
          at,
        ).toEqual([])
        if (!died) break
      }
      expect(deaths).toBeGreaterThanOrEqual(15)
    },
  )
})
