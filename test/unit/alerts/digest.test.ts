import { describe, expect, it } from 'vitest'
import { type Digest, makeDigest, ofOneMonth, windowStart } from '../../../alerts/digest.ts'
import { digestMembersOf } from '../../helpers/findings.ts'

const place = { receiver: 'soc', kind: 'slack' as const, tenant: 'acme', source: 'gateway' }
const nowMs = Date.parse('2026-08-21T15:05:00.500Z')
const windowMs = windowStart(nowMs, 300_000)
const bodyOf = (made: ReturnType<typeof makeDigest>) => JSON.parse(made.digest.body) as Digest

describe('a digest', () => {
  it('stands for each of its members, which then point at it', () => {
    const members = digestMembersOf(25)
    const made = makeDigest(place, members, { windowMs, nowMs })
    expect(made.digest).toMatchObject({
      status: 'due',
      version: 1,
      notice: 'digest',
      receiver: 'soc',
      sequence: Date.parse('2026-08-21T15:05:00Z') / 1000,
      severity: 'critical',
      // In the month of its members, whenever it is made.
      created_at: members
        .map(({ created_at }) => created_at)
        .sort()
        .at(-1),
    })
    expect(
      made.members.map(({ delivery_id, version, status, digest_id }) => [
        delivery_id,
        version,
        status,
        digest_id,
      ]),
    ).toEqual(members.map(({ delivery_id }) => [delivery_id, 2, 'digested', made.digest.delivery_id]))
    expect(made.members.every((member) => !('title' in member) && member.body === '')).toBe(true)
    expect(bodyOf(made)).toMatchObject({ count: 25, first_at: members[0]?.created_at })
  })

  it('is the same for the same members in the same window, in whatever order, and else another', () => {
    const members = digestMembersOf(5)
    const idOf = (...given: Parameters<typeof makeDigest>) => makeDigest(...given).digest.delivery_id
    const id = idOf(place, members, { windowMs, nowMs })
    expect(idOf(place, members.toReversed(), { windowMs, nowMs: nowMs + 1 })).toBe(id)
    expect(idOf(place, members.slice(1), { windowMs, nowMs })).not.toBe(id)
    expect(idOf(place, members, { windowMs: windowMs + 300_000, nowMs })).not.toBe(id)
    expect(idOf({ ...place, source: 'other' }, members, { windowMs, nowMs })).not.toBe(id)
  })

  it('counts all and names the first: severities by weight, rules and parties by number', () => {
    const members = digestMembersOf(30, (index) => ({
      severity: index < 2 ? 'critical' : 'low',
      rule: index < 18 ? 'common' : `rule-${String(index).padStart(2, '0')}`,
    }))
    const body = bodyOf(makeDigest(place, members, { windowMs, nowMs }))
    expect(body.by_severity).toEqual([
      { name: 'critical', count: 2 },
      { name: 'low', count: 28 },
    ])
    expect(body.by_rule.names[0]).toEqual({ name: 'common', count: 18 })
    expect(body.by_rule.names).toHaveLength(10)
    expect(body.by_rule.more).toEqual({ names: 3, count: 3 })
    const named = body.by_rule.names.reduce((sum, { count }) => sum + count, 0)
    expect(named + body.by_rule.more.count).toBe(30)
  })

  it('shows the most severe, and not one party only', () => {
    const members = digestMembersOf(40, (index) => ({
      party: index < 38 ? 'mallory' : `real-${index}`,
      severity: index === 39 ? 'high' : 'critical',
      score: index < 38 ? 99 : 1,
    }))
    const { top } = bodyOf(makeDigest(place, members, { windowMs, nowMs }))
    expect(top).toHaveLength(10)
    expect(top.map(({ party }) => party).slice(0, 2)).toEqual(['mallory', 'real-38'])
  })

  it('is small, whatever its members are called', () => {
    const long = '\u202e<!channel>'.repeat(5000)
    const members = digestMembersOf(50, (index) => ({
      rule: `${index}${long}`,
      party: `${index}${long}`,
      title: long,
    }))
    expect(makeDigest(place, members, { windowMs, nowMs }).digest.body.length).toBeLessThan(25_000)
  })

  it('is of one month', () => {
    const at = (created_at: string) => ({ created_at })
    const [august, september] = [at('2026-08-31T23:59:59.000Z'), at('2026-09-01T00:00:00.000Z')]
    expect(ofOneMonth([september, august, september])).toEqual([august])
    expect(ofOneMonth([])).toEqual([])
  })
})
