import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAlertLifecycle } from '../../../alerts/lifecycle.ts'
import { createOperationalAlerts } from '../../../alerts/operational.ts'
import { createOutbox } from '../../../alerts/outbox.ts'
import { createAlertPipeline } from '../../../alerts/pipeline.ts'
import { createDetectionOfAll } from '../../../app/wire/detection-of-all.ts'
import { createOperationalPart } from '../../../app/wire/operational.ts'
import { detectionCheck } from '../../../app/wire/operational-checks/detection.ts'
import { createManualClock } from '../../../core/clock.ts'
import { type ShardOwnership, shardOf } from '../../../detectors/ownership.ts'
import { shardKeyOf } from '../../../detectors/profiles.ts'
import type { Rule } from '../../../detectors/rule.ts'
import { createAlerts } from '../../../store/alerts.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries } from '../../../store/deliveries.ts'
import { createDetectionHealth } from '../../../store/detection-health.ts'
import { createFindings } from '../../../store/findings.ts'
import { byTime, incidents, officeEvents } from '../../scenarios/office.ts'
import { engineOver, openTestStore, shippedRules, store } from './support.ts'

/** Two processes with detection over one store: what one of them says of detection, the other has to be able to take back. */

const SHARDS = 2
const rules = shippedRules()
const volume = rules.find(({ kind }) => kind === 'volume')
if (volume === undefined) throw new Error('no rule is about volume')
const shardOfVolume = shardOf('office', shardKeyOf(volume), SHARDS)

let database: Database
let close: () => Promise<void>
beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
// As far on as patience asks for; the store’s own clock goes on as it does.
const clock = createManualClock(Date.now() + 3_600_000)

function createLeases(owners: string[]) {
  let epoch = 1
  return {
    giveAllTo: (name: string) => {
      owners.fill(name)
      epoch++
    },
    of: (name: string): ShardOwnership => ({
      shards: SHARDS,
      owned: () => owners.flatMap((owner, shard) => (owner === name ? [{ shard, epoch }] : [])),
      stillOwns: (shard, asked) => owners[shard] === name && asked === epoch,
    }),
  }
}

function startProcess(name: string, leases: ReturnType<typeof createLeases>, own: readonly Rule[]) {
  const engine = engineOver(database, own, async () => {}, {
    latenessDays: 36_500,
    ownership: leases.of(name),
  })
  const ofAll = createDetectionOfAll({
    own: () => {
      const { state, reasons, shards, throughUs } = engine.health()
      return {
        state,
        reasons,
        isWhole: shards.length === SHARDS,
        judged: throughUs === undefined ? [] : shards,
      }
    },
    reports: createDetectionHealth(database, SHARDS),
    shards: SHARDS,
    logger: quiet,
  })
  const alerts = createAlerts(database)
  const outbox = createOutbox({ alerts, deliveries: createDeliveries(database) })
  const common = { alerts, outbox, receivers: [], clock }
  const operational = createOperationalPart({
    checks: [],
    ongoing: [detectionCheck(ofAll.health, clock)],
    alerts: createOperationalAlerts({
      ...{ alerts, clock, findings: createFindings(database) },
      pipeline: createAlertPipeline({ ...common, logger: quiet }),
      lifecycle: createAlertLifecycle(common),
    }),
    logger: quiet,
  })
  return { engine, ofAll, operational }
}

const opened = async () =>
  (await createAlerts(database).list({ tenant: 'default' }, { limit: 10 })).alerts.map(
    ({ status, entity }) => `${status}: ${entity.id}`,
  )

it('an alert about a shard is opened by another process, outlives its owner, and ends when all is well', async () => {
  const leases = createLeases(
    Array.from({ length: SHARDS }, (_, shard) => (shard === shardOfVolume ? 'one' : 'two')),
  )
  const failing: Rule = {
    ...volume,
    question: {
      ...volume.question,
      candidates: async ({ query }) => {
        await query('SELECT no_such_column FROM events')
        return new Map()
      },
    },
  }
  const one = startProcess(
    'one',
    leases,
    rules.map((rule) => (rule === volume ? failing : rule)),
  )
  const two = startProcess('two', leases, rules)
  await Promise.all([one.engine.tick(), two.engine.tick()])
  await store(database, [...officeEvents({ seed: 7, people: 4, days: 24 }), ...incidents(22)].sort(byTime))
  await Promise.all([one.engine.drain(), two.engine.drain()])
  const trouble = 'rule volume-spike, tenant office'
  expect(two.engine.health().reasons).toEqual([])

  // The second has the task of telling.
  await one.ofAll.tell()
  await two.operational.look()
  expect(await opened()).toEqual([`open: ${trouble}`])
  await two.operational.look()
  expect(await opened()).toEqual([`open: ${trouble}`])

  // The first is killed; nobody has taken its shard over yet.
  await two.operational.look()
  expect(await opened()).toEqual([`open: ${trouble}`])

  // A third one takes everything over, the telling too, and the rule works again.
  leases.giveAllTo('three')
  const three = startProcess('three', leases, rules)
  await three.operational.look()
  expect(await opened()).toEqual([`open: ${trouble}`])
  await three.engine.tick()
  while (three.engine.health().state === 'degraded') {
    await three.engine.tick()
    await three.engine.backfill()
  }
  await three.operational.look()
  expect(await opened()).toEqual([`closed: ${trouble}`])
})

it('a shard that nobody speaks for is a trouble of its own', async () => {
  const told: string[][] = []
  let nowMs = 1_000_000
  const reports = [{ shard: 0, toldMs: nowMs, reasons: [] }]
  const ofAll = createDetectionOfAll({
    own: () => ({ state: 'ok', reasons: [], isWhole: false, judged: [0] }),
    reports: { tell: async () => {}, read: async () => ({ nowMs, reports }) },
    shards: 2,
    logger: quiet,
  })
  const look = async () => {
    const { reasons, isWhole } = await ofAll.health()
    told.push(reasons.map(({ code, what, sinceMs }) => `${code} ${what} ${sinceMs} ${isWhole}`))
  }
  await look()
  nowMs += 59_000
  await look()
  reports.push({ shard: 1, toldMs: nowMs, reasons: [] })
  await look()
  nowMs += 1_000
  await look()
  const silent = 'shard_not_judged shard 1 of 2 1000000 false'
  expect(told).toEqual([[silent], [silent], [], ['shard_not_judged shard 0 of 2 1060000 false']])
})
