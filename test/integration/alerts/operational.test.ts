import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAlertLifecycle } from '../../../alerts/lifecycle.ts'
import { createOperationalAlerts, type OperationalAlerts } from '../../../alerts/operational.ts'
import { createOutbox } from '../../../alerts/outbox.ts'
import { createAlertPipeline } from '../../../alerts/pipeline.ts'
import { createOperationalPart } from '../../../app/wire/operational.ts'
import { deadLetterCheck } from '../../../app/wire/operational-checks/dead-letters.ts'
import { type DetectionHealth, detectionCheck } from '../../../app/wire/operational-checks/detection.ts'
import { lostRecordsCheck } from '../../../app/wire/operational-checks/lost-records.ts'
import { createManualClock, systemClock } from '../../../core/clock.ts'
import { type Alerts, createAlerts } from '../../../store/alerts.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries, type Deliveries } from '../../../store/deliveries.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createFindings } from '../../../store/findings.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

let folder: string
let database: Database
let alerts: Alerts
let deliveries: Deliveries
let operational: OperationalAlerts
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-operational-'))
  database = await openMigratedStore(folder)
  alerts = createAlerts(database)
  deliveries = createDeliveries(database)
  const receivers = [
    {
      ...{ name: 'soc', kind: 'webhook' as const, minSeverity: 'low' as const },
      notices: ['opened' as const, 'closed' as const],
    },
  ]
  const outbox = createOutbox({ alerts, deliveries })
  const pipeline = createAlertPipeline({
    alerts,
    outbox,
    receivers,
    clock: systemClock,
    logger: quiet,
  })
  operational = createOperationalAlerts({
    ...{ pipeline, alerts, clock: systemClock },
    findings: createFindings(database),
    lifecycle: createAlertLifecycle({ alerts, outbox, receivers, clock: systemClock }),
  })
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

let next = 0
async function deadLetters(count: number, topic: string, tenant = 'acme') {
  const letters = Array.from({ length: count }, () => ({
    ...{ tenant, topic, partition: 0, offset: next++, recordIndex: 0, sourceFormat: '', field: '' },
    ...{ reason: 'record_not_json' as const, message: 'The record\u202e is not JSON.', record: '{' },
    ...{ recordEncoding: 'utf8' as const, recordBytes: 1 },
  }))
  await createBatchWriter(database).write(
    encodeBatch({ events: [], parts: [], deadLetters: letters }),
    `block-${next}`,
  )
}
const look = () =>
  createOperationalPart({
    checks: [deadLetterCheck(database, 50)],
    alerts: operational,
    logger: quiet,
  }).look()

const listed = async (tenant = 'acme') => {
  const { alerts: found } = await alerts.list({ tenant }, { limit: 100 })
  return found
}

it('raises one alert for a topic of dead letters, tells it once, and updates it in steps of ten', async () => {
  await deadLetters(49, 'mcp-audit')
  await look()
  expect(await listed()).toEqual([])
  await deadLetters(1, 'mcp-audit')
  await look()
  await look()
  const [alert] = await listed()
  expect(alert).toMatchObject({
    rule: 'operational.dead-letters',
    detector: 'operational',
    severity: 'medium',
    entity: { type: 'source', id: 'mcp-audit' },
    title: '50 or more records of mcp-audit became dead letters within an hour (record_not_json)',
    revision: 1,
  })
  await deadLetters(100, 'mcp-audit')
  await look()
  expect((await listed())[0]?.revision).toBe(1)
  await deadLetters(400, 'mcp-audit')
  await look()
  expect(await listed()).toEqual([
    expect.objectContaining({ severity: 'high', revision: 2, title: expect.stringMatching(/^500 or more/) }),
  ])
  expect((await deliveries.newest('acme', 10)).length).toBe(1)
})

it('keeps the finding, so that the alert leads to it, with text that is inert', async () => {
  const [alert] = await listed()
  const finding = await createFindings(database).byId(alert?.finding_ids[0] ?? '', 'acme')
  expect(finding).toMatchObject({ status: 'current', rule: 'operational.dead-letters' })
  expect(JSON.stringify(finding)).toContain('The record\\\\u{202e} is not JSON.')
})

it('keeps topics and tenants apart, and is silent where it is told so', async () => {
  await deadLetters(50, 'other-topic')
  await deadLetters(50, 'mcp-audit', 'globex')
  expect(await deadLetterCheck(database, 0)()).toEqual([])
  await look()
  expect((await listed()).map(({ entity }) => entity.id).sort()).toEqual(['mcp-audit', 'other-topic'])
  expect(await listed('globex')).toHaveLength(1)
})

it('tells of records that Kafka deleted, however few, each range once', async () => {
  const lose = (offset: number) =>
    createBatchWriter(database).write(
      encodeBatch({
        events: [],
        parts: [],
        deadLetters: [
          {
            ...{ tenant: 'initech', topic: 'mcp-audit', partition: 3, offset, recordIndex: 0 },
            ...{ sourceFormat: '', field: '', record: '', recordEncoding: 'utf8' as const, recordBytes: 0 },
            ...{ reason: 'records_lost' as const, message: 'Kafka deleted 5 offsets.' },
          },
        ],
      }),
      `loss-${offset}`,
    )
  const part = createOperationalPart({
    checks: [lostRecordsCheck(database, systemClock)],
    alerts: operational,
    logger: quiet,
  })
  await lose(10)
  await part.look()
  await part.look()
  expect(await listed('initech')).toMatchObject([
    {
      rule: 'operational.records-lost',
      severity: 'high',
      title: 'Records of mcp-audit/3 were lost: Kafka deleted 5 offsets.',
      finding_ids: [expect.any(String)],
    },
  ])
  expect(await deliveries.newest('initech', 10)).toHaveLength(1)
  await lose(90)
  await part.look()
  expect((await listed('initech'))[0]?.finding_ids).toHaveLength(2)
})

describe('detection that is degraded', () => {
  const clock = createManualClock(Date.now())
  const startMs = clock.now()
  const trouble = (code: string, what: string, sinceMs: number, detail = 'Why.') => ({
    ...{ code, what, sinceMs, detail },
  })
  let health: DetectionHealth
  const is = (...reasons: DetectionHealth['reasons']) => {
    health = { state: reasons.length === 0 ? 'ok' : 'degraded', reasons, isWhole: true }
  }
  const newPart = () =>
    createOperationalPart({
      checks: [],
      ongoing: [detectionCheck(() => health, clock)],
      alerts: operational,
      logger: quiet,
    })
  const found = async (what: string) => (await listed('default')).filter(({ entity }) => entity.id === what)
  const told = async (alertId: string | undefined) =>
    (await deliveries.newest('default', 100)).filter(({ alert_id }) => alert_id === alertId).length

  it('is told when it lasts, once, and closed when it is well; later it is told anew', async () => {
    const part = newPart()
    is(trouble('rule_quarantined', 'volume-spike', startMs, 'Its question fails.'))
    await part.look()
    expect(await found('volume-spike')).toEqual([])
    clock.set(startMs + 60_000)
    await part.look()
    is(trouble('rule_quarantined', 'volume-spike', startMs, 'Its question fails, for the 14th time.'))
    clock.set(startMs + 90_000)
    await part.look()
    const [opened] = await found('volume-spike')
    expect(opened).toMatchObject({
      rule: 'operational.detection-degraded',
      status: 'open',
      severity: 'high',
      title: expect.stringContaining('(rule_quarantined), volume-spike: Its question fails.'),
      revision: 1,
    })
    is()
    await part.look()
    await part.look()
    expect(await found('volume-spike')).toMatchObject([
      { status: 'closed', closed_by: 'gatewatch', closed_reason: 'other', note: expect.any(String) },
    ])
    expect(await told(opened?.alert_id)).toBe(2)
    is(trouble('rule_quarantined', 'volume-spike', startMs + 600_000, 'Its question fails.'))
    clock.set(startMs + 700_000)
    await part.look()
    expect((await found('volume-spike')).map(({ status }) => status).sort()).toEqual(['closed', 'open'])
  })

  it('stays one finding while how far behind it is goes up', async () => {
    const part = newPart()
    for (let behind = 0; behind < 4; behind++) {
      clock.set(clock.now() + 100_000)
      is(trouble('behind', 'arrivals', clock.now() - 70_000, `Behind since ${clock.now()}.`))
      await part.look()
    }
    expect(await found('arrivals')).toMatchObject([{ status: 'open', finding_count: 1, revision: 1 }])
  })

  it('is no alert while baselines are learned for less than half an hour', async () => {
    const part = newPart()
    const beganMs = clock.now()
    is(
      trouble('baseline_learning', 'baselines, tenant t', beganMs),
      trouble('rule_quarantined', 'kept', beganMs),
    )
    clock.set(beganMs + 1_700_000)
    await part.look()
    expect(await found('baselines, tenant t')).toEqual([])
    clock.set(beganMs + 1_800_000)
    await part.look()
    expect(await found('baselines, tenant t')).toMatchObject([{ status: 'open' }])
  })

  it('is closed by the next process, once that knows how it is', async () => {
    const part = newPart()
    is()
    health = { ...health, isWhole: false }
    await part.look()
    expect(await found('baselines, tenant t')).toMatchObject([{ status: 'open' }])
    is(trouble('rule_quarantined', 'kept', clock.now()))
    await part.look()
    expect(await found('baselines, tenant t')).toMatchObject([{ status: 'closed' }])
    expect(await found('kept')).toMatchObject([{ status: 'open' }])
  })
})
