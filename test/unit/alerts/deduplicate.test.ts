import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FindingStanding } from '../../../alerts/alert-log.ts'
import { type AlertChange, deduplicate, digestOf } from '../../../alerts/deduplicate.ts'
import { type NotifyPolicy, planForFinding, planForPerson, planForTakenBack } from '../../../alerts/route.ts'
import { type Alert, applyAction, findingIdOf, fingerprintOf, foldAlert } from '../../../core/alert.ts'
import { NOTICE_KINDS } from '../../../core/delivery.ts'
import { type Finding, type FindingChange, SEVERITIES } from '../../../core/finding.ts'
import { findingOf } from '../../helpers/findings.ts'

const nowMs = Date.parse('2026-08-21T15:00:07.000Z')
const at = new Date(nowMs).toISOString()
const policy: NotifyPolicy = {
  receivers: [
    {
      name: 'all',
      kind: 'webhook',
      minSeverity: 'info',
      notices: NOTICE_KINDS,
    },
    {
      name: 'serious',
      kind: 'slack',
      minSeverity: 'high',
      notices: ['opened', 'severity_raised', 'recurred', 'taken_back'],
    },
  ],
  maxNotifyAgeMs: 86_400_000,
  recurAfterMs: 86_400_000,
}

/** The log of one fingerprint, kept in memory as the store keeps it. */
class Log {
  alerts = new Map<string, Alert>()
  heard = new Map<string, { digest: string; alertId: string }>()

  handle(...changes: FindingChange[]): AlertChange[] {
    const decided = deduplicate({
      fingerprint: fingerprintOf(findingOf()),
      changes,
      active: [...this.alerts.values()].findLast(({ status }) => status !== 'closed'),
      standings: [...this.heard].map(
        ([finding_id, { digest, alertId }]): FindingStanding => ({
          finding_id,
          digest,
          alert: this.alertOf(alertId),
        }),
      ),
      at,
      plan: (alertId, before, change) => planForFinding(alertId, before, change, nowMs, policy),
      planTakenBack: (alert, change) => planForTakenBack(alert, change, policy.receivers),
    })
    for (const { alertId, entries } of decided) {
      for (const { state, finding_digest, action } of entries) {
        this.alerts.set(alertId, state)
        this.heard.set(findingIdOf(action), { digest: finding_digest, alertId })
      }
    }
    return decided
  }

  alertOf(id: string): Alert {
    const alert = this.alerts.get(id)
    if (alert === undefined) throw new Error(`no alert ${id}`)
    return alert
  }

  close(): void {
    for (const [id, alert] of this.alerts)
      this.alerts.set(id, applyAction(alert, { kind: 'closed', at, by: 'dana', reason: 'other' }))
  }
}

const current = (given: Partial<Finding> = {}): FindingChange => ({
  finding: findingOf(given),
  status: 'current',
})
const told = (changes: AlertChange[]) =>
  changes.flatMap(({ entries }) =>
    entries.flatMap(({ action }) =>
      ('notify' in action ? (action.notify ?? []) : []).map(
        ({ receiver, notice }) => `${receiver} ${notice}`,
      ),
    ),
  )

describe('deduplicate', () => {
  it('takes the same findings again for nothing, whatever the order of their keys', () => {
    const log = new Log()
    expect(log.handle(current(), current({ finding_id: 'b' }))).toHaveLength(1)
    const shuffled = Object.fromEntries(Object.entries(findingOf()).reverse()) as Finding
    expect(digestOf(shuffled)).toBe(digestOf(findingOf()))
    expect(log.handle({ finding: shuffled, status: 'current' }, current({ finding_id: 'b' }))).toEqual([])
  })

  it('notes what is superseded, once, and takes it back when it is current again', () => {
    const log = new Log()
    log.handle(current())
    const superseded: FindingChange = { finding: findingOf(), status: 'superseded' }
    expect(log.handle(superseded)[0]?.entries[0]?.action.kind).toBe('finding_superseded')
    expect(log.handle(superseded)).toEqual([])
    const back = log.handle(current())
    expect(back[0]?.entries.map(({ action }) => action.kind)).toEqual(['finding_added'])
    expect(told(back)).toEqual([])
    expect(log.handle({ finding: findingOf({ finding_id: 'never seen' }), status: 'superseded' })).toEqual([])
  })

  it('opens a new alert when a finding outgrows the one that was closed over it', () => {
    const log = new Log()
    log.handle(current())
    log.close()
    expect(log.handle(current({ event_count: 500 }))).toMatchObject([{ isNew: false }])
    const worse = log.handle(current({ severity: 'critical' }))
    expect(worse).toMatchObject([{ isNew: true }])
    expect(told(worse)).toEqual(['all opened', 'serious opened'])
    expect(log.handle(current({ severity: 'critical' }))).toEqual([])
    expect(log.alerts.size).toBe(2)
  })

  it('keeps closed what a new version of the rule finds again, unless it is more severe', () => {
    const log = new Log()
    log.handle(current({ finding_id: 'v1' }))
    log.close()
    const next = (finding_id: string, rule_version: number, more: Partial<Finding> = {}) => [
      {
        finding: findingOf({ finding_id: `v${rule_version - 1}`, rule_version: rule_version - 1 }),
        status: 'superseded',
      } as const,
      current({ finding_id, rule_version, ...more }),
    ]
    const same = log.handle(...next('v2', 2))
    expect(same).toMatchObject([{ isNew: false }])
    expect(same[0]?.entries.map(({ action }) => action.kind)).toEqual(['finding_superseded', 'finding_added'])
    expect(told(same)).toEqual([])
    // The next version too, whose predecessor has joined the closed alert.
    expect(log.handle(...next('v3', 3, { event_count: 500 }))).toMatchObject([{ isNew: false }])
    const worse = log.handle(...next('v4', 4, { severity: 'critical' }))
    expect(worse.some(({ isNew }) => isNew)).toBe(true)
    expect(told(worse)).toEqual(['all opened', 'serious opened'])
  })

  it('opens an alert for another subject or time, whatever a new version replaced', () => {
    const log = new Log()
    log.handle(current({ finding_id: 'v1' }))
    log.close()
    const window = { start: '2026-08-21T16:00:00.000000Z', end: '2026-08-21T17:00:00.000000Z' }
    const other = log.handle(
      { finding: findingOf({ finding_id: 'v1' }), status: 'superseded' },
      current({ finding_id: 'v2', rule_version: 2, window, subject: findingOf().subject }),
    )
    expect(other.some(({ isNew }) => isNew)).toBe(true)
  })

  it('any cut of the same changes into calls leads to the same alert', () => {
    const change = fc.record({ id: fc.integer({ min: 0, max: 5 }), severity: fc.constantFrom(...SEVERITIES) })
    fc.assert(
      fc.property(
        fc.uniqueArray(change, { selector: ({ id }) => id, minLength: 1 }),
        fc.nat(6),
        (changes, cut) => {
          const findings = changes.map(({ id, severity }) => current({ finding_id: `f${id}`, severity }))
          const inOne = new Log()
          inOne.handle(...findings)
          const inTwo = new Log()
          inTwo.handle(...findings.slice(0, cut))
          inTwo.handle(...findings)
          const [one, two] = [[...inOne.alerts.values()], [...inTwo.alerts.values()]]
          expect(one).toHaveLength(1)
          expect(two).toHaveLength(1)
          expect([two[0]?.severity, two[0]?.finding_count, two[0]?.finding_ids.toSorted()]).toEqual([
            one[0]?.severity,
            one[0]?.finding_count,
            one[0]?.finding_ids.toSorted(),
          ])
        },
      ),
    )
  })

  it('writes states that the fold over its actions gives', () => {
    const log = new Log()
    const entries = log
      .handle(current(), current({ finding_id: 'b', severity: 'high' }), current({ finding_id: 'c' }))
      .flatMap((change) => change.entries)
    const [alert] = log.alerts.values()
    expect(
      foldAlert(
        alert?.alert_id ?? '',
        entries.map(({ action }) => action),
      ),
    ).toEqual(alert)
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3])
  })
})

describe('whom a finding is told to', () => {
  it('tells each receiver from its own severity on, and once', () => {
    const log = new Log()
    expect(told(log.handle(current()))).toEqual(['all opened'])
    expect(told(log.handle(current({ finding_id: 'b' })))).toEqual([])
    expect(told(log.handle(current({ finding_id: 'c', severity: 'high' })))).toEqual([
      'all severity_raised',
      'serious opened',
    ])
    expect(told(log.handle(current({ finding_id: 'd', severity: 'high' })))).toEqual([])
  })

  it('tells those who were told that a finding no longer holds, and that it holds again', () => {
    const log = new Log()
    const arrivedAt = at
    const finding = findingOf({ severity: 'critical' })
    expect(told(log.handle({ finding, status: 'current', arrivedAt }))).toEqual([
      'all opened',
      'serious opened',
    ])
    const back: FindingChange = { finding, status: 'superseded', arrivedAt }
    expect(told(log.handle(back))).toEqual(['all taken_back', 'serious taken_back'])
    expect(told(log.handle(back))).toEqual([])
    expect(told(log.handle({ finding, status: 'current', arrivedAt }))).toEqual([
      'all recurred',
      'serious recurred',
    ])
    // Another takes its place at once: nothing was taken back.
    const next = { ...finding, finding_id: 'next' }
    expect(told(log.handle(back, { finding: next, status: 'current', arrivedAt }))).toEqual([])
    // A rule that its operator retired.
    expect(told(log.handle({ finding: next, status: 'superseded' }))).toEqual([])
  })

  // Issue 9, fault 11.
  it('tells what an outage held up: what counts is when records arrived', () => {
    const lastWeek = findingOf({
      window: { start: '2026-08-16T14:00:00.000000Z', end: '2026-08-16T15:00:00.000000Z' },
    })
    const week: NotifyPolicy = { ...policy, maxNotifyAgeMs: 7 * 86_400_000 }
    const tells = (change: Omit<FindingChange, 'finding' | 'status'>, of = lastWeek) =>
      planForFinding('a1', undefined, { finding: of, status: 'current', ...change }, nowMs, week).length > 0
    // The sources were away: the records came just now.
    expect(tells({})).toBe(true)
    expect(tells({ arrivedAt: '2026-08-21T15:00:00.000Z' })).toBe(true)
    // Detection was away: the records came in time and waited.
    expect(tells({ arrivedAt: '2026-08-16T15:00:01.000Z' })).toBe(true)
    expect(tells({ history: true, arrivedAt: '2026-08-21T15:00:00.000Z' })).toBe(false)
    const oldYear = findingOf({
      window: { start: '2001-08-16T14:00:00.000000Z', end: '2001-08-16T15:00:00.000000Z' },
    })
    expect(tells({}, oldYear)).toBe(false)
    expect(tells({ history: false }, oldYear)).toBe(true)
    expect(tells({ history: false, arrivedAt: '2026-08-10T00:00:00.000Z' }, oldYear)).toBe(false)
  })

  it('tells of an alert that history opened when something happens now', () => {
    const log = new Log()
    expect(told(log.handle({ ...current(), history: true }))).toEqual([])
    expect(told(log.handle(current({ finding_id: 'now' })))).toEqual(['all opened'])
  })

  it('tells nobody of history, and again of what comes back after a pause', () => {
    const log = new Log()
    const day = (date: string): Partial<Finding> => ({
      finding_id: date,
      window: { start: `${date}T14:00:00.000000Z`, end: `${date}T14:59:00.000000Z` },
    })
    expect(told(log.handle(current(day('2026-08-01'))))).toEqual([])
    expect(told(log.handle(current(day('2026-08-21'))))).toEqual(['all opened'])
    const quiet = new Log()
    quiet.handle(
      current({
        ...day('2026-08-20'),
        last_event_at: '2026-08-20T14:58:00.000000Z',
        window: { start: '2026-08-20T14:00:00.000000Z', end: '2026-08-20T16:00:00.000000Z' },
      }),
    )
    const back = { ...day('2026-08-21'), first_event_at: '2026-08-21T14:59:00.000000Z' }
    expect(told(quiet.handle(current(back)))).toEqual(['all recurred'])
  })

  it('gives a decision one id, whenever it is taken', () => {
    const plan = (ms: number) => planForFinding('a1', undefined, current(), ms, policy)
    expect(plan(nowMs)).toEqual(plan(nowMs + 60_000))
  })

  it('tells of a person’s action those who were told of the alert and can use it', () => {
    const log = new Log()
    log.handle(current({ severity: 'critical' }))
    const [alert] = log.alerts.values()
    expect(alert && planForPerson(alert, 'closed', policy.receivers)).toMatchObject([
      { receiver: 'all', notice: 'closed' },
    ])
    const untold = new Log()
    untold.handle(
      current({ window: { start: '2026-01-01T00:00:00.000000Z', end: '2026-01-01T01:00:00.000000Z' } }),
    )
    const [old] = untold.alerts.values()
    expect(old && planForPerson(old, 'closed', policy.receivers)).toEqual([])
  })
})
