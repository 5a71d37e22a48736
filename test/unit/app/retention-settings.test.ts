import { describe, expect, it } from 'vitest'
import { retentionOf } from '../../../app/config/retention.ts'

const placeOf = (field: string) => ({ field, at: 'gatewatch.yaml:1' })
const read = (file: Parameters<typeof retentionOf>[0]) => retentionOf(file, placeOf)
const faultOf = (file: Parameters<typeof retentionOf>[0]) => {
  try {
    read(file)
  } catch (error) {
    return (error as { place: { field: string } }).place.field
  }
  return undefined
}

describe('retention', () => {
  it('keeps everything unless it is told otherwise', () => {
    expect(read(undefined).policy).toEqual({ events: 0, rollups: 0, tenants: new Map() })
  })

  it('takes what a tenant leaves out from what is for all', () => {
    const { policy } = read({
      events_days: 90,
      rollups_days: 400,
      tenants: [
        { tenant: 'acme', events_days: 30 },
        { tenant: 'globex', events_days: 0, rollups_days: 0 },
      ],
    })
    expect(policy.tenants.get('acme')).toEqual({ events: 30, rollups: 400 })
    expect(policy.tenants.get('globex')).toEqual({ events: 0, rollups: 0 })
  })

  it('refuses counts that go before their events, a tenant said twice, and no cron expression', () => {
    expect(faultOf({ events_days: 90, rollups_days: 30 })).toBe('retention.rollups_days')
    expect(faultOf({ rollups_days: 30 })).toBe('retention.rollups_days')
    expect(
      faultOf({ events_days: 30, rollups_days: 60, tenants: [{ tenant: 'acme', events_days: 90 }] }),
    ).toBe('retention.tenants.0.rollups_days')
    expect(faultOf({ tenants: [{ tenant: 'acme' }, { tenant: 'acme' }] })).toBe('retention.tenants.1.tenant')
    expect(faultOf({ every: 'at night' })).toBe('retention.every')
  })
})
