import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readBaseline, stepsOf } from '../../../dashboards/web/src/charts/read-baseline.ts'

describe('readBaseline', () => {
  it('reads a volume baseline, with or without a band', () => {
    const points = [{ start: '2026-11-21T00:00:00.000000Z', calls: 3 }]
    expect(readBaseline({ kind: 'volume', step_seconds: 3600, points, expected: null, upper: 31 })).toEqual({
      kind: 'volume',
      stepSeconds: 3600,
      points,
      expected: undefined,
      upper: 31,
    })
  })

  it('reads cells as seven rows, however they are nested', () => {
    const flat = Array.from({ length: 336 }, (_, cell) => cell)
    const nested = Array.from({ length: 7 }, (_, day) => flat.slice(day * 48, day * 48 + 48))
    for (const cells of [flat, nested]) {
      const picture = readBaseline({ kind: 'off-hours', timezone_offset_minutes: 60, cells, flagged: [] })
      expect(picture).toMatchObject({ kind: 'off-hours', offsetMinutes: 60, cells: nested })
    }
  })

  it('takes step numbers as told, else the order', () => {
    expect(
      stepsOf([
        { event_id: 'a', capability: 'recon', step: 1 },
        { event_id: 'b', capability: 'recon' },
      ]),
    ).toEqual([
      { event_id: 'a', capability: 'recon', step: 1 },
      { event_id: 'b', capability: 'recon', step: 2 },
    ])
  })

  it('never breaks, whatever the server says', () => {
    const kind = fc.constantFrom('volume', 'off-hours', 'new-value', 'chain', 'none', 'other')
    fc.assert(
      fc.property(kind, fc.dictionary(fc.string(), fc.jsonValue()), (name, members) => {
        expect(['volume', 'off-hours', 'new-value', 'chain', 'none']).toContain(
          readBaseline({ ...members, kind: name }).kind,
        )
      }),
    )
  })
})
