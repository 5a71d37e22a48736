import { describe, expect, it } from 'vitest'
import { createBacklog, type Wait } from '../../../detectors/backlog.ts'

const wait = (more: Partial<Wait> = {}): Wait => ({
  ...{ tenant: 'acme', rule: 'volume-spike', fromDay: 100, reason: 'late', nowMs: 1_000 },
  ...more,
})

describe('the backlog', () => {
  it('reaches back to the earliest day, and keeps the graver reason', () => {
    const backlog = createBacklog()
    backlog.add(wait({ fromDay: 100, reason: 'new-rule' }))
    backlog.add(wait({ fromDay: 90, reason: 'late' }))
    backlog.add(wait({ fromDay: 95, reason: 'late' }))
    expect(backlog.all()).toEqual([
      expect.objectContaining({ fromDay: 90, firstDay: 90, reason: 'new-rule', sinceMs: 1_000 }),
    ])
  })

  it('forgets nothing that is added while the work goes on', () => {
    const backlog = createBacklog()
    backlog.add(wait({ fromDay: 100 }))
    backlog.mark('acme', 'volume-spike')
    backlog.add(wait({ fromDay: 110 }))
    expect(backlog.addedSince('acme', 'volume-spike')).toBe(110)
    backlog.advance('acme', 'volume-spike', 120)
    expect(backlog.get('acme', 'volume-spike')?.fromDay).toBe(110)
    backlog.finish('acme', 'volume-spike')
    expect(backlog.get('acme', 'volume-spike')?.fromDay).toBe(110)
    backlog.mark('acme', 'volume-spike')
    backlog.finish('acme', 'volume-spike')
    expect(backlog.all()).toEqual([])
  })

  it('asks a failing rule ever more rarely, and leaves it out of ticks', () => {
    const backlog = createBacklog()
    const pauses: number[] = []
    let nowMs = 0
    for (let attempt = 0; attempt < 7; attempt += 1) {
      backlog.fail({ tenant: 'acme', rule: 'chain', fromDay: 100, nowMs }, 'no memory')
      const until = backlog.get('acme', 'chain')?.notBeforeMs ?? 0
      expect(backlog.due(until - 1, false)).toEqual([])
      expect(backlog.due(until, false)).toHaveLength(1)
      pauses.push(until - nowMs)
      nowMs = until
    }
    expect(pauses).toEqual([5_000, 30_000, 120_000, 600_000, 3_600_000, 3_600_000, 3_600_000])
    expect(backlog.isBlocked('acme', 'chain')).toBe(true)
    expect(backlog.isBlocked('acme', 'volume-spike')).toBe(false)
    // A hurry does not ask again what failed: it would never end.
    expect(backlog.due(0, true)).toEqual([])
  })

  it('remembers from which day on baselines are stale until they are built again', () => {
    const backlog = createBacklog()
    backlog.add(wait({ fromDay: 100, reason: 'new-rule' }))
    expect(backlog.get('acme', 'volume-spike')?.staleFrom).toBeUndefined()
    backlog.add(wait({ fromDay: 120, staleFrom: 120 }))
    backlog.add(wait({ fromDay: 110, staleFrom: 112 }))
    expect(backlog.get('acme', 'volume-spike')?.staleFrom).toBe(112)
    backlog.refreshed('acme', 'volume-spike')
    expect(backlog.get('acme', 'volume-spike')?.staleFrom).toBeUndefined()
  })

  it('comes back as it was stored', () => {
    const backlog = createBacklog()
    backlog.add(wait({ fromDay: 100, staleFrom: 101 }))
    backlog.fail({ tenant: 'acme', rule: 'chain', fromDay: 90, nowMs: 5 }, 'broken')
    const restored = createBacklog()
    restored.load(JSON.parse(JSON.stringify(backlog.all())))
    expect(restored.all()).toEqual(backlog.all())
    restored.drop(({ rule }) => rule === 'chain')
    expect(restored.all()).toHaveLength(1)
  })
})
