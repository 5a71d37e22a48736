import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entryOf } from '../../../alerts/deduplicate.ts'
import { type AlertAction, type AlertEntry, applyAction, openAlert } from '../../../core/alert.ts'
import type { OutboxDelivery } from '../../../core/delivery.ts'
import type { Finding } from '../../../core/finding.ts'
import { type Alerts, createAlerts, keepAlerts } from '../../../store/alerts.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries, type Deliveries } from '../../../store/deliveries.ts'
import { findingOf } from '../../helpers/findings.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

let folder: string
let database: Database
let alerts: Alerts
let deliveries: Deliveries

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-alert-store-'))
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

const at = '2026-08-21T15:00:07.123Z'

function opening(alertId: string, finding: Finding, when = at): AlertEntry {
  const action = { kind: 'opened', at: when, by: 'gatewatch', finding } as const
  return entryOf(openAlert(alertId, action), `digest of ${finding.finding_id}`, action)
}

const following = (entry: AlertEntry, action: AlertAction, digest = ''): AlertEntry =>
  entryOf(applyAction(entry.state, action), digest, action)

describe('the log of actions', () => {
  it('keeps an alert as it is after its last action', async () => {
    const tenant = 'log'
    const opened = opening('a1', findingOf({ tenant }))
    await alerts.open([opened])
    await alerts.open([opened])
    const acknowledged = following(opened, { kind: 'acknowledged', at, by: 'dana', note: 'mine' })
    expect(await alerts.append([acknowledged])).toBe('stored')
    expect(await alerts.byId(tenant, 'a1')).toEqual(acknowledged.state)
    expect(await alerts.withActions(tenant, 'a1')).toEqual({
      alert: acknowledged.state,
      actions: [opened.action, acknowledged.action],
    })
    expect(await alerts.ofFinding(tenant, opened.state.finding_ids[0] ?? '')).toBe('a1')
    expect(await alerts.byId('another tenant', 'a1')).toBeUndefined()
    expect(await alerts.withActions('another tenant', 'a1')).toBeUndefined()
  })

  it('gives a sequence number to one of two writers, and the same writer may repeat itself', async () => {
    const tenant = 'race'
    const opened = opening('a2', findingOf({ tenant }))
    await alerts.open([opened])
    const people = ['dana', 'erin', 'faythe', 'grace'].map((by) =>
      following(opened, { kind: 'closed', at, by, reason: 'other' }),
    )
    const outcomes = await Promise.all(people.map((entry) => alerts.append([entry])))
    expect(outcomes.toSorted()).toEqual(['conflict', 'conflict', 'conflict', 'stored'])
    const winner = people[outcomes.indexOf('stored')]
    expect(await alerts.byId(tenant, 'a2')).toEqual(winner?.state)
    expect(await alerts.append(winner === undefined ? [] : [winner])).toBe('stored')
    expect((await alerts.withActions(tenant, 'a2'))?.actions).toHaveLength(2)
  })

  it('finds what is open of a fingerprint, and where a finding stands', async () => {
    const tenant = 'standing'
    const first = opening('closed-one', findingOf({ tenant, finding_id: 'f1' }), '2026-08-20T00:00:00.000Z')
    const second = opening('open-one', findingOf({ tenant, finding_id: 'f2' }))
    await alerts.open([first, second])
    await alerts.append([following(first, { kind: 'closed', at, by: 'dana', reason: 'true_positive' })])
    const superseded = following(
      second,
      { kind: 'finding_superseded', at, by: 'gatewatch', finding_id: 'f2' },
      'superseded',
    )
    await alerts.append([superseded])
    expect(first.state.fingerprint).toBe(second.state.fingerprint)
    const active = await alerts.active(tenant, [first.state.fingerprint])
    expect(active).toEqual([superseded.state])
    const standings = await alerts.standings(tenant, ['f1', 'f2', 'f3'])
    expect(
      standings.map(({ finding_id, digest, alert }) => [finding_id, digest, alert.status]).toSorted(),
    ).toEqual([
      ['f1', 'digest of f1', 'closed'],
      ['f2', 'superseded', 'open'],
    ])
  })

  it('walks the list once, newest first, while new alerts arrive', async () => {
    const tenant = 'list'
    const entries = Array.from({ length: 25 }, (_, index) =>
      opening(
        `alert-${index}`,
        findingOf({ tenant, actor: `actor ${index}`, severity: index % 5 === 0 ? 'high' : 'low' }),
        // Many opened in the same millisecond.
        `2026-08-21T15:00:0${Math.floor(index / 10)}.000Z`,
      ),
    )
    await alerts.open(entries)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await alerts.list({ tenant }, { limit: 7, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.alerts.map(({ alert_id }) => alert_id))
      cursor = page.nextCursor
      await alerts.open([
        opening(
          `newer-${seen.length}`,
          findingOf({ tenant, actor: `n${seen.length}` }),
          '2026-08-22T00:00:00.000Z',
        ),
      ])
    } while (cursor !== undefined)
    expect(seen).toHaveLength(25)
    expect(new Set(seen).size).toBe(25)
    expect(seen.slice(0, 5).every((id) => Number(id.slice(6)) >= 20)).toBe(true)
    const high = await alerts.list({ tenant, severity: 'high', status: 'open' }, { limit: 100 })
    expect(high.alerts).toHaveLength(5)
    expect(high.nextCursor).toBeUndefined()
    expect(await alerts.list({ tenant, status: 'closed' }, { limit: 10 })).toEqual({ alerts: [] })
    expect(await alerts.openBySeverity(tenant)).toMatchObject({ high: 5, low: 20 })
    await expect(alerts.list({ tenant }, { limit: 5, cursor: 'bm90IGpzb24' })).rejects.toMatchObject({
      code: 'request_invalid',
    })
  })

  it('keeps hostile text as it is', async () => {
    const tenant = 'hostile'
    const title = '\'); DROP TABLE alert_actions; -- \u202e <!channel> \\ " \ud83d \u0000'
    await alerts.open([opening('h1', findingOf({ tenant, title, actor: "o'hara\\" }))])
    expect(await alerts.byId(tenant, 'h1')).toMatchObject({ title, actor: "o'hara\\" })
  })
})

describe('the outbox', () => {
  const delivery = (given: Partial<OutboxDelivery>): OutboxDelivery => ({
    delivery_id: 'd1',
    version: 1,
    tenant: 'outbox',
    alert_id: 'a1',
    receiver: 'r1',
    kind: 'webhook',
    notice: 'opened',
    sequence: 1,
    status: 'due',
    attempts: 0,
    created_at: at,
    next_attempt_at: at,
    attempt_log: [],
    body: '{}',
    severity: 'medium',
    score: 1,
    source: '',
    party: 'carol',
    ...given,
  })
  const nowMs = Date.parse(at) + 1000
  const dueOf = async (receivers: string[], limit: number) =>
    deliveries.read(await deliveries.waiting(nowMs, receivers, limit), nowMs)

  it('gives what is due, per alert only the first', async () => {
    await deliveries.put([
      delivery({ delivery_id: 'later', alert_id: 'x', next_attempt_at: '2026-08-21T16:00:00.000Z' }),
      delivery({ delivery_id: 'behind it', alert_id: 'x', notice: 'closed', sequence: 2 }),
      delivery({ delivery_id: 'second', alert_id: 'y', sequence: 2, created_at: '2026-08-21T15:00:07.500Z' }),
      delivery({ delivery_id: 'first', alert_id: 'z' }),
      delivery({ delivery_id: 'elsewhere', alert_id: 'z', receiver: 'r2' }),
      delivery({ delivery_id: 'nobody’s', alert_id: 'z', receiver: 'r3' }),
    ])
    const due = await dueOf(['r1', 'r2'], 10)
    expect(due.map(({ delivery_id }) => delivery_id).toSorted()).toEqual(['elsewhere', 'first', 'second'])
    expect(due.filter(({ receiver }) => receiver === 'r1').map(({ delivery_id }) => delivery_id)).toEqual([
      'first',
      'second',
    ])
    const limited = await dueOf(['r1'], 1)
    expect(limited.map(({ delivery_id }) => delivery_id)).toEqual(['first'])
  })

  it('keeps the newest version, whatever is written again', async () => {
    const tenant = 'versions'
    const first = delivery({ tenant, delivery_id: 'v', alert_id: 'v', receiver: 'rv' })
    const delivered: OutboxDelivery = {
      ...first,
      version: 2,
      status: 'delivered',
      attempts: 1,
      last_attempt_at: '2026-08-21T15:00:08.000Z',
      last_status: 204,
      attempt_log: [{ at: '2026-08-21T15:00:08.000Z', status: 204, duration_ms: 12 }],
    }
    await deliveries.put([first])
    await deliveries.put([delivered])
    // What recovery does after a crash.
    await deliveries.put([first])
    expect(await deliveries.byId(tenant, 'v')).toEqual(delivered)
    expect(await dueOf(['rv'], 10)).toEqual([])
    const { body: _body, version: _version, sequence: _sequence, ...weighed } = delivered
    const { severity: _severity, score: _score, source: _source, party: _party, ...shown } = weighed
    expect(await deliveries.newest(tenant, 10)).toEqual([shown])
    expect(await deliveries.ofAlerts(tenant, ['v', 'w'])).toEqual([shown])
    expect(await deliveries.ofAlerts('another tenant', ['v'])).toEqual([])
  })

  it('remembers receivers that are gone until they are enabled', async () => {
    const state = { receiver: 'r1', target: 't1', reason: '410', at }
    await deliveries.setReceiver(state, 'disabled')
    expect(await deliveries.disabledReceivers()).toEqual([state])
    await deliveries.setReceiver({ ...state, at: '2026-08-22T00:00:00.000Z' }, 'enabled')
    expect(await deliveries.disabledReceivers()).toEqual([])
  })
})
