import { type Digest, makeDigest } from '../../alerts/digest.ts'
import type { Notice } from '../../alerts/notifier.ts'
import type { Alert } from '../../core/alert.ts'
import { openAlert } from '../../core/alert.ts'
import type { DigestMember } from '../../core/delivery.ts'
import type { Finding } from '../../core/finding.ts'
import { stableId } from '../../core/hash.ts'

/** A finding with plausible content; what a test is about is given. */
export function findingOf(given: Partial<Finding> = {}): Finding {
  const window = given.window ?? { start: '2026-08-21T14:00:00.000000Z', end: '2026-08-21T15:00:00.000000Z' }
  const actor = given.actor ?? 'carol@example.com'
  const rule = given.rule ?? 'volume-spike'
  return {
    finding_id: stableId(rule, actor, window.start),
    rule,
    rule_version: 1,
    detector: 'volume',
    severity: 'medium',
    score: 4.2,
    tenant: 'default',
    subject: `${actor}/${window.start}`,
    entity: { type: 'actor', id: actor },
    actor,
    window,
    first_event_at: window.start.replace('00:00.000000', '01:12.000000'),
    last_event_at: window.start.replace('00:00.000000', '58:40.000000'),
    event_count: 412,
    event_ids: Array.from({ length: 100 }, (_, index) => stableId(rule, actor, window.start, index)),
    title: `${actor} made 412 calls between 14:00 and 15:00 UTC; 28 days of history expect at most 31.`,
    explanation: {
      observed: { calls: 412 },
      expected: { calls: 9.25, at_most: 31 },
      history: { days: 28 },
      silenced_by: 'Fewer than 32 calls in the hour.',
    },
    ...given,
  }
}

/** The notice that opens an alert with the finding. */
export function noticeOf(finding: Finding = findingOf(), given: Partial<Notice> = {}): Notice {
  const at = '2026-08-21T15:00:07.000Z'
  return {
    kind: 'opened',
    at,
    alert: alertOf(finding, at),
    finding,
    ...given,
  }
}

export const alertOf = (finding: Finding = findingOf(), at = '2026-08-21T15:00:07.000Z'): Alert =>
  openAlert(stableId('alert of', finding.finding_id), { kind: 'opened', at, by: 'gatewatch', finding })

/** Deliveries that wait for a digest, a second after the other; what a test is about is given. */
export const digestMembersOf = (
  count: number,
  given: (index: number) => Partial<DigestMember> = () => ({}),
): DigestMember[] =>
  Array.from({ length: count }, (_, index) => {
    const at = new Date(Date.parse('2026-08-21T15:00:07.000Z') + index * 1000).toISOString()
    return {
      delivery_id: stableId('member', index),
      version: 1,
      tenant: 'acme',
      alert_id: stableId('alert of member', index),
      receiver: 'soc',
      kind: 'slack',
      notice: 'opened',
      sequence: 1,
      created_at: at,
      next_attempt_at: at,
      status: 'due',
      attempts: 0,
      attempt_log: [],
      body: '',
      severity: 'critical',
      score: 5,
      source: 'gateway',
      party: `actor-${index}`,
      rule: 'volume-spike',
      title: `actor-${index} made 412 calls`,
      ...given(index),
    }
  })

/** What is sent for such members. */
export function digestOfMembers(members: readonly DigestMember[], source = 'gateway'): Digest {
  const nowMs = Date.parse('2026-08-21T15:05:00.000Z')
  const place = { receiver: 'soc', kind: 'slack' as const, tenant: members[0]?.tenant ?? '', source }
  return JSON.parse(makeDigest(place, members, { windowMs: nowMs, nowMs }).digest.body) as Digest
}
