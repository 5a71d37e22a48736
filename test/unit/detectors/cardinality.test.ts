import { describe, expect, it } from 'vitest'
import { type BaselineLimits, leaving, mostPairs } from '../../../detectors/cardinality.ts'
import { emptyFamiliar, type Familiar, fullness, type Use } from '../../../detectors/familiar.ts'
import { familiarCodec } from '../../../detectors/familiar-codec.ts'
import { absorbUses } from '../../../detectors/familiar-days.ts'
import { offHoursCodec } from '../../../detectors/off-hours/codec.ts'
import {
  absorbHalfHours,
  emptyOffHoursProfile,
  type OffHoursProfile,
} from '../../../detectors/off-hours/profile.ts'
import { completed } from '../../../detectors/steps.ts'
import { volumeCodec } from '../../../detectors/volume/codec.ts'
import { absorbHours, emptyVolumeProfile, type VolumeProfile } from '../../../detectors/volume/profile.ts'

/** Whoever invents names may not make a baseline grow, nor push out those that were there before. */

const limits: BaselineLimits = { actors: 20, values: 30, perActor: 12 }
const FIRST_DAY = 20_000
const COLLEAGUES = Array.from({ length: 10 }, (_, index) => `colleague-${index}`)
const invented = (day: number) => Array.from({ length: 500 }, (_, index) => `!invented-${day}-${index}`)
const grace = { days: 7, calls: 20 }

/** Ten days of colleagues, then ten on which 500 invented names come with them. */
const DAYS = Array.from({ length: 20 }, (_, index) => FIRST_DAY + index)
const actorsOf = (day: number) =>
  day < FIRST_DAY + 10
    ? COLLEAGUES
    : [...COLLEAGUES.filter((_, index) => index !== day % 10), ...invented(day)]

const useOf = (day: number, actor: string, tool: string, destination = ''): Use => ({
  ...{ day, actor, server: 'crm', tool, destination },
  ...{ calls: 10, firstMs: day * 86_400_000 + 9 * 3_600_000 },
})

function familiarAfter(usesOf: (day: number) => Use[]): Familiar {
  let familiar: Familiar = emptyFamiliar
  for (const day of DAYS) {
    familiar = completed(absorbUses(familiar, day, usesOf(day), grace, limits))
    const stored = familiarCodec.decode(completed(familiarCodec.encode(familiar)))
    expect(completed(familiarCodec.encode(stored))).toBe(completed(familiarCodec.encode(familiar)))
    familiar = stored
  }
  return familiar
}

describe('a baseline of hours with 500 invented actors a day', () => {
  const profile = DAYS.reduce<VolumeProfile>(
    (before, day) =>
      volumeCodec.decode(
        completed(
          volumeCodec.encode(
            completed(
              absorbHours(
                before,
                day,
                actorsOf(day).map((actor) => ({ actor, hour: day * 24 + 9, calls: 3 })),
                limits,
              ),
            ),
          ),
        ),
      ),
    emptyVolumeProfile,
  )
  it('holds as many as its limit, all colleagues among them', () => {
    expect(profile.actors.size).toBe(limits.actors)
    expect(COLLEAGUES.filter((name) => !profile.actors.has(name))).toEqual([])
    expect(completed(volumeCodec.encode(profile)).length).toBeLessThan(5_000)
  })
  it('says what is beyond it', () => {
    expect(profile.overflow).toEqual([
      {
        ...{ limit: 'actors', what: 'actors' },
        ...{ firstDay: FIRST_DAY + 10, lastDay: FIRST_DAY + 19 },
        keys: 500,
        calls: expect.any(Number) as number,
      },
    ])
    expect(profile.overflow?.[0]?.calls).toBeGreaterThanOrEqual(490 * 3 * 10)
  })
})

describe('a baseline of rhythms with 500 invented actors a day', () => {
  it('holds as many as its limit, all colleagues among them, and is the same stored and read', () => {
    let held: OffHoursProfile = emptyOffHoursProfile
    let stored = held
    for (const day of DAYS) {
      const rows = actorsOf(day).flatMap((actor) =>
        [18, 20].map((halfHour) => ({ actor, halfHour: day * 48 + halfHour, calls: 2 })),
      )
      held = completed(absorbHalfHours(held, day, rows, 3, limits))
      stored = offHoursCodec.decode(
        completed(offHoursCodec.encode(completed(absorbHalfHours(stored, day, rows, 3, limits)))),
      )
      expect(completed(offHoursCodec.encode(stored))).toBe(completed(offHoursCodec.encode(held)))
    }
    expect(held.rhythms.size).toBe(limits.actors)
    expect(COLLEAGUES.filter((name) => !held.rhythms.has(name))).toEqual([])
    expect(held.open?.halfHours.size).toBeLessThanOrEqual(limits.actors)
    expect(held.overflow?.[0]).toMatchObject({ limit: 'actors', what: 'actors', keys: 500 })
  })
})

describe('what is familiar, with invented names', () => {
  it('holds as many actors as its limit, all colleagues among them', () => {
    const familiar = familiarAfter((day) => actorsOf(day).map((actor) => useOf(day, actor, 'get_account')))
    expect(familiar.actors.size).toBe(limits.actors)
    expect(COLLEAGUES.filter((name) => !familiar.actors.has(name))).toEqual([])
    expect(familiar.toolPairs).toBe(limits.actors)
    expect(familiar.overflow).toEqual([expect.objectContaining({ limit: 'actors', keys: 500 })])
  })
  it('learns no more tools of one actor than its limit, and an actor that invents more is an explorer', () => {
    const familiar = familiarAfter((day) => [
      ...COLLEAGUES.map((actor) => useOf(day, actor, 'get_account')),
      ...(day < FIRST_DAY + 10
        ? []
        : Array.from({ length: 300 }, (_, index) => useOf(day, 'colleague-3', `invented-${day}-${index}`))),
    ])
    expect(familiar.actors.get('colleague-3')).toMatchObject({ tools: limits.perActor })
    expect(familiar.tools.size).toBeLessThanOrEqual(limits.values)
    expect(familiar.tools.get('["crm","get_account"]')?.adopters.size).toBe(COLLEAGUES.length)
    const [overflow] = familiar.overflow ?? []
    expect(overflow).toMatchObject({ limit: 'per_actor', what: 'tools', keys: 300 })
    expect(fullness(familiar, limits, 'colleague-3', 'tools')).toEqual({
      baseline_full: 'more than 12 tools of one actor since 2024-10-14: what is beyond that counts as new',
    })
    // Another actor has room: what is new to it is new.
    expect(fullness(familiar, limits, 'colleague-4', 'tools')).toEqual({})
  })
  it('keeps the tools and destinations that most use when too many are invented by many', () => {
    const familiar = familiarAfter((day) =>
      actorsOf(day).flatMap((actor, index) =>
        actor.startsWith('!')
          ? [useOf(day, actor, `tool-${day}-${index}`, `host-${day}-${index}.example`)]
          : [useOf(day, actor, 'get_account', 'partner.example')],
      ),
    )
    expect(familiar.tools.size).toBeLessThanOrEqual(limits.values)
    expect(familiar.destinations.size).toBeLessThanOrEqual(limits.values)
    expect(familiar.tools.get('["crm","get_account"]')?.adopters.size).toBe(COLLEAGUES.length)
    expect(familiar.destinations.get('partner.example')?.adopters.size).toBe(COLLEAGUES.length)
    const counted = [...familiar.tools.values()].reduce((sum, { adopters }) => sum + adopters.size, 0)
    expect(familiar.toolPairs).toBe(counted)
    const ofActors = [...familiar.actors.values()].reduce((sum, { tools }) => sum + tools, 0)
    expect(ofActors).toBe(counted)
  })
})

describe('who leaves a full baseline', () => {
  const standing = (activeDays: number, lastDay: number) => ({ activeDays, lastDay, values: 1 })
  it('is whoever was seen on the fewest days, whatever the name', () => {
    const actors = new Map([
      ['!!!', standing(1, 99)],
      ['old hand', standing(40, 60)],
      ['', standing(1, 98)],
    ])
    expect([...leaving(actors, 100, 2).names]).toEqual([''])
    expect([...leaving(actors, 100, 1).names].sort()).toEqual(['', '!!!'])
  })
  it('is first of all who has been silent for a quarter, and that is nothing to report', () => {
    const actors = new Map([
      ['gone', standing(200, 5)],
      ['new', standing(1, 100)],
    ])
    const { names, beyond } = leaving(actors, 100, 1)
    expect([...names]).toEqual(['gone'])
    expect(beyond.size).toBe(0)
  })
  it('counts the values that actors take up, too', () => {
    const actors = new Map([
      ['few', { ...standing(10, 100), values: 3 }],
      ['many', { ...standing(5, 100), values: 98 }],
    ])
    const { names } = leaving(actors, 100, 10, 100, ({ values }) => values)
    expect([...names]).toEqual(['many'])
    expect(mostPairs(limits)).toBe(400)
  })
})
