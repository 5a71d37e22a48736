import { describe, expect, it } from 'vitest'
import { type ActorDay, rankAlerts } from '../../../../alerts/ranking/rank.ts'
import type { Finding } from '../../../../core/finding.ts'
import { fromMillis } from '../../../../core/timestamp.ts'

const DAY_MS = 86_400_000
const FIRST_DAY = Date.UTC(2026, 5, 1) / DAY_MS
const LAST_DAY = FIRST_DAY + 30
const ACTORS = Array.from({ length: 20 }, (_, index) => `person-${index}`)

/** Everybody has calls every day. */
const actorDays: ActorDay[] = ACTORS.flatMap((actor) =>
  Array.from({ length: LAST_DAY - FIRST_DAY + 1 }, (_, day) => ({ actor, day: FIRST_DAY + day })),
)

interface Said {
  readonly rule: string
  readonly kind?: string
  readonly actor?: string
  readonly day?: number
  readonly minute?: number
  readonly minutes?: number
  readonly score?: number
  readonly tool?: string
}

function finding(said: Said): Finding {
  const { rule, kind = rule, actor = 'person-0', day = LAST_DAY, minute = 600, minutes = 5, score = 3 } = said
  const startMs = day * DAY_MS + minute * 60_000
  const id = [rule, actor, day, minute, said.tool ?? ''].join('/')
  return {
    finding_id: id,
    rule,
    rule_version: 1,
    detector: kind,
    severity: 'low',
    score,
    tenant: 'office',
    subject: id,
    entity: actor === '' ? { type: 'tool', id: 'crm/get' } : { type: 'actor', id: actor },
    actor,
    window: { start: fromMillis(startMs), end: fromMillis(startMs + minutes * 60_000) },
    first_event_at: fromMillis(startMs),
    last_event_at: fromMillis(startMs + minutes * 60_000),
    event_count: 1,
    event_ids: [`event of ${id}`],
    title: `${rule} about ${actor}`,
    explanation: {
      observed: said.tool === undefined ? {} : { server: 'crm', tool: said.tool },
      expected: '',
      history: '',
      silenced_by: '',
    },
  }
}

/** A quiet month: each of these rules speaks of somebody every third day, about different people. */
const quiet = (rules: readonly string[], score = 3): Finding[] =>
  rules.flatMap((rule, index) =>
    Array.from({ length: 7 }, (_, turn) =>
      finding({
        rule,
        actor: ACTORS[(turn * 2 + index * 5 + 3) % 20] ?? '',
        day: FIRST_DAY + 8 + 3 * turn,
        score,
      }),
    ),
  )

const alertsOn = (day: number, findings: readonly Finding[], days = actorDays) =>
  rankAlerts({ findings, actorDays: days }).filter(
    ({ first_event_at }) => Date.parse(first_event_at) >= day * DAY_MS,
  )

const today = (...findings: Finding[]) => alertsOn(LAST_DAY, [...quiet(['a', 'b', 'c', 'd']), ...findings])

describe('an alert', () => {
  it('is the same in whatever order its findings come', () => {
    const findings = [
      ...quiet(['a', 'b', 'c']),
      ...['a', 'b', 'c'].map((rule, minute) => finding({ rule, minute: 600 + minute })),
    ]
    expect(rankAlerts({ findings: findings.toReversed(), actorDays })).toEqual(
      rankAlerts({ findings, actorDays }),
    )
  })

  it('has all findings of its actor that are close in time, in order of weight', () => {
    const [alert, ...more] = today(
      finding({ rule: 'a', minute: 600, score: 2 }),
      finding({ rule: 'b', minute: 700, score: 30 }),
      finding({ rule: 'c', minute: 800, actor: 'person-9' }),
    )
    expect(alert?.findings.map(({ rule }) => rule)).toEqual(['b', 'a'])
    expect(alert).toMatchObject({ actor: 'person-0', title: 'b about person-0' })
    expect(alert?.event_ids[0]).toMatch(/^event of b/)
    expect(more.map(({ actor }) => actor)).toEqual(['person-9'])
  })

  it('ends where its actor is quiet for some hours', () => {
    expect(today(finding({ rule: 'a', minute: 60 }), finding({ rule: 'b', minute: 900 }))).toHaveLength(2)
  })

  it('is told when the evidence for nearly all of its score is there', () => {
    const [alert] = today(
      finding({ rule: 'a', minute: 600, minutes: 1 }),
      finding({ rule: 'b', minute: 640, minutes: 1, score: 30 }),
    )
    expect(alert?.told_at).toBe(fromMillis(LAST_DAY * DAY_MS + 641 * 60_000))
  })

  it('is told when it passes the bar, if that is earlier', () => {
    const findings = [
      ...quiet(['a', 'b']),
      finding({ rule: 'a', minute: 600, minutes: 1 }),
      finding({ rule: 'b', minute: 640, minutes: 1, score: 30 }),
    ]
    const toldAt = (bar: number) => rankAlerts({ findings, actorDays, bar }).at(-1)?.told_at
    expect(toldAt(0.1)).toBe(fromMillis(LAST_DAY * DAY_MS + 601 * 60_000))
    expect(toldAt(100)).toBe(fromMillis(LAST_DAY * DAY_MS + 641 * 60_000))
  })

  it('is not told before its score passes the bar, however near it comes before', () => {
    const findings = [
      ...quiet(['a', 'b', 'c', 'd', 'e']),
      ...['a', 'c', 'd', 'e'].map((rule) => finding({ rule, minute: 600, minutes: 1, score: 60 })),
      finding({ rule: 'b', minute: 640, minutes: 1, score: 0.4 }),
    ]
    const alertAt = (bar: number) => rankAlerts({ findings, actorDays, bar }).at(-1)
    const { score = 0, findings: parts = [] } = alertAt(100) ?? {}
    const last = parts.find(({ rule }) => rule === 'b')?.score ?? 0
    expect(last).toBeGreaterThan(0)
    expect(last).toBeLessThan(0.1 * score)
    expect(alertAt(score - last / 2)?.told_at).toBe(fromMillis(LAST_DAY * DAY_MS + 641 * 60_000))
  })

  it('may be about what is no actor’s', () => {
    expect(today(finding({ rule: 'a', actor: '' }))).toMatchObject([{ actor: '', entities: ['crm/get'] }])
  })

  it('is not changed by what is found later', () => {
    const before = [...quiet(['a', 'b']), finding({ rule: 'a', day: FIRST_DAY + 20 })]
    const later = [finding({ rule: 'a', score: 50 }), finding({ rule: 'b', actor: 'person-7', score: 1 })]
    const first = rankAlerts({ findings: before, actorDays })
    const ids = new Set(first.map(({ alert_id }) => alert_id))
    const again = rankAlerts({ findings: [...before, ...later], actorDays })
    expect(again.filter(({ alert_id }) => ids.has(alert_id))).toEqual(first)
  })
})

describe('a score', () => {
  const scoreOf = (...said: Said[]) => today(...said.map(finding))[0]?.score ?? 0

  it('adds up kinds: three weak signals outrank one that is rarer than each', () => {
    const weak = scoreOf({ rule: 'a' }, { rule: 'b' }, { rule: 'c' })
    expect(weak).toBeGreaterThan(scoreOf({ rule: 'a', score: 12 }))
    expect(weak).toBeGreaterThan(1.6 * scoreOf({ rule: 'a' }))
  })

  it('adds up what lies in one stretch: the same things over a day only coincide', () => {
    const dense = scoreOf({ rule: 'a' }, { rule: 'b', minute: 640 }, { rule: 'c', minute: 680 })
    const spread = scoreOf({ rule: 'a' }, { rule: 'b', minute: 800 }, { rule: 'c', minute: 1000 })
    expect(dense).toBeGreaterThan(spread * 1.2)
  })

  it('counts two rules that always speak together little more than once', () => {
    const twins = quiet(['a']).flatMap((one) => [
      one,
      { ...one, rule: 'twin', finding_id: `${one.finding_id}/2` },
    ])
    const both = [finding({ rule: 'a' }), finding({ rule: 'twin', kind: 'a' })]
    const [alert] = alertsOn(LAST_DAY, [...twins, ...both])
    const [alone] = alertsOn(LAST_DAY, [...twins, finding({ rule: 'a' })])
    expect((alert?.score ?? 0) / (alone?.score ?? 1)).toBeLessThan(1.2)
    expect(scoreOf({ rule: 'a' }, { rule: 'b' }) / scoreOf({ rule: 'a' })).toBeGreaterThan(1.25)
  })

  it('is one scale: how often a rule said as much decides, not what its scores are', () => {
    const often = [
      ...quiet(['rare'], 3),
      ...ACTORS.flatMap((actor) =>
        [10, 13, 16, 19].map((day) => finding({ rule: 'often', actor, day: FIRST_DAY + day, score: 400 })),
      ),
    ]
    const of = (rule: string, score: number) =>
      alertsOn(LAST_DAY, [...often, finding({ rule, score })])[0]?.score ?? 0
    expect(of('rare', 3)).toBeGreaterThan(of('often', 400))
  })

  it('is low for an actor of whom the rule speaks all the time', () => {
    const restless = Array.from({ length: 11 }, (_, turn) =>
      finding({ rule: 'a', actor: 'person-11', day: FIRST_DAY + 8 + 2 * turn }),
    )
    const of = (actor: string) =>
      alertsOn(LAST_DAY, [...quiet(['a']), ...restless, finding({ rule: 'a', actor })])[0]?.score ?? 0
    expect(of('person-11')).toBeLessThan(0.6)
    expect(of('person-0')).toBeGreaterThan(1.2)
  })

  it('gets no more than so much from one rule', () => {
    expect(scoreOf({ rule: 'a', score: 1e9 })).toBeLessThanOrEqual(4)
  })

  it('falls with each further actor that gets the same value within days', () => {
    const rollOut = ACTORS.slice(0, 6).map((actor, turn) =>
      finding({ rule: 'a', actor, tool: 'new', minute: 600 + turn }),
    )
    const sum = (findings: Finding[]) => today(...findings).reduce((total, { score }) => total + score, 0)
    const different = ACTORS.slice(0, 6).map((actor, turn) =>
      finding({ rule: 'a', actor, tool: `tool-${turn}`, minute: 600 + turn }),
    )
    expect(sum(rollOut)).toBeLessThan(0.6 * sum(different))
    expect(today(...rollOut)[0]?.score).toBe(today(...different)[0]?.score)
  })
})
