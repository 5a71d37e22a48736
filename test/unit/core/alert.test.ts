import { describe, expect, it } from 'vitest'
import { type AlertAction, applyAction, foldAlert, MAX_FINDING_IDS, refusalOf } from '../../../core/alert.ts'
import { alertOf, findingOf } from '../../helpers/findings.ts'

const at = '2026-08-21T16:00:00.000Z'
const opened = { kind: 'opened', at, by: 'gatewatch', finding: findingOf() } as const

describe('the fold over actions', () => {
  it('goes from opened to closed and counts every action', () => {
    const actions: AlertAction[] = [
      opened,
      {
        kind: 'finding_added',
        at,
        by: 'gatewatch',
        finding: findingOf({ finding_id: 'b', severity: 'high' }),
      },
      { kind: 'finding_superseded', at, by: 'gatewatch', finding_id: 'b' },
      { kind: 'acknowledged', at, by: 'dana', note: 'looking' },
      { kind: 'closed', at, by: 'erin', reason: 'false_positive', note: 'a migration' },
    ]
    expect(foldAlert('a1', actions)).toMatchObject({
      alert_id: 'a1',
      status: 'closed',
      severity: 'high',
      finding_ids: [opened.finding.finding_id, 'b'],
      superseded_finding_ids: ['b'],
      acknowledged_by: 'dana',
      closed_by: 'erin',
      closed_reason: 'false_positive',
      note: 'a migration',
      revision: 5,
    })
  })

  it('is undefined for a log without a beginning', () => {
    expect(foldAlert('a1', [])).toBeUndefined()
    expect(foldAlert('a1', [{ kind: 'acknowledged', at, by: 'dana' }])).toBeUndefined()
  })

  it('takes a finding with new numbers as the same finding, current again', () => {
    const alert = alertOf()
    const id = findingOf().finding_id
    const superseded = applyAction(alert, { kind: 'finding_superseded', at, by: 'gatewatch', finding_id: id })
    const again = applyAction(superseded, {
      kind: 'finding_added',
      at,
      by: 'gatewatch',
      finding: findingOf({ title: 'now 500 calls' }),
    })
    expect(again).toMatchObject({
      finding_ids: [id],
      finding_count: 1,
      superseded_finding_ids: [],
      title: 'now 500 calls',
    })
  })

  it('keeps the sentence of the newest finding when an older one comes late', () => {
    const late = findingOf({
      finding_id: 'late',
      title: 'an older hour',
      window: { start: '2026-08-21T09:00:00.000000Z', end: '2026-08-21T10:00:00.000000Z' },
    })
    const alert = applyAction(alertOf(), { kind: 'finding_added', at, by: 'gatewatch', finding: late })
    expect(alert.title).toBe(findingOf().title)
    expect(alert.last_event_at).toBe(findingOf().last_event_at)
  })

  it('never lowers the severity, and bounds the findings it names', () => {
    let alert = alertOf(findingOf({ severity: 'critical' }))
    for (let index = 0; index < MAX_FINDING_IDS + 5; index += 1) {
      alert = applyAction(alert, {
        kind: 'finding_added',
        at,
        by: 'gatewatch',
        finding: findingOf({ finding_id: `f${index}`, severity: 'low' }),
      })
    }
    expect(alert.severity).toBe('critical')
    expect(alert.finding_ids).toHaveLength(MAX_FINDING_IDS)
    expect(alert.finding_count).toBe(MAX_FINDING_IDS + 6)
  })

  it('says why a person may not act', () => {
    const acknowledged = applyAction(alertOf(), { kind: 'acknowledged', at, by: 'dana' })
    const closed = applyAction(acknowledged, { kind: 'closed', at, by: 'erin', reason: 'other' })
    expect(refusalOf(alertOf(), 'acknowledged')).toBeUndefined()
    expect(refusalOf(acknowledged, 'closed')).toBeUndefined()
    expect(refusalOf(acknowledged, 'acknowledged')).toContain('dana')
    expect(refusalOf(closed, 'closed')).toContain('erin')
    // A second close that won a race changes nothing but the revision.
    expect(applyAction(closed, { kind: 'closed', at, by: 'mallory', reason: 'duplicate' })).toMatchObject({
      closed_by: 'erin',
      closed_reason: 'other',
      revision: 4,
    })
  })
})
