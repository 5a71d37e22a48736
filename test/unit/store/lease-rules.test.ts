import { describe, expect, it } from 'vitest'
import { decide, EXPIRY_MS, type LeaseMemory, NO_MEMORY } from '../../../store/lease-rules.ts'
import type { LeaseRow } from '../../../store/leases.ts'

const LEASE = 'dispatcher'
const HOUR_MS = 3_600_000

const row = (of: Partial<LeaseRow>): LeaseRow => ({
  ...{ name: LEASE, epoch: 5, owner: 'other', takenFrom: '', ageMs: HOUR_MS },
  ...of,
})

/** What `me` decides about one lease. Members are given with the age of their last beat. */
function decideAbout(options: {
  readonly lease?: LeaseRow
  readonly members?: Readonly<Record<string, number>>
  readonly memory?: Partial<LeaseMemory>
  readonly nowMs?: number
  readonly spread?: boolean
}) {
  const { lease, members = {}, memory, nowMs = 0, spread = false } = options
  const {
    take,
    giveUp,
    memory: next,
  } = decide({
    me: 'me',
    wanted: [{ name: LEASE, group: 'g', spread }],
    view: {
      leases: lease === undefined ? [] : [lease],
      members: Object.entries({ me: 10, ...members }).map(([member, ageMs]) => ({
        ...{ member, ageMs },
        groups: member === 'stranger' ? ['h'] : ['g'],
      })),
    },
    memory: { ...NO_MEMORY, ...memory },
    nowMs,
  })
  return { takes: take.length === 1, givesUp: giveUp.length === 1, holds: next.held.get(LEASE), memory: next }
}

const seenAt = (atMs: number, epoch = 5) => new Map([[LEASE, { epoch, atMs }]])
const silent = new Set(['other'])

describe('a lease is taken', () => {
  it('when nobody ever had it, or its owner gave it up', () => {
    expect(decideAbout({}).takes).toBe(true)
    expect(decideAbout({ lease: row({ owner: '' }) }).takes).toBe(true)
  })

  it('from an owner that was silent at two looks, not at one', () => {
    const gone = { lease: row({}), members: { other: EXPIRY_MS + 1 } }
    const first = decideAbout(gone)
    expect(first.takes).toBe(false)
    expect(decideAbout({ ...gone, memory: first.memory }).takes).toBe(true)
    expect(decideAbout({ lease: row({}), memory: { silent } }).takes).toBe(true)
  })

  it('never from an owner that beats, and not by one that is no candidate', () => {
    expect(decideAbout({ lease: row({}), members: { other: 100 }, memory: { silent } }).takes).toBe(false)
    expect(decideAbout({ members: { me: EXPIRY_MS + 1 } }).takes).toBe(false)
  })

  it('from a silent owner only when the one before it has stopped: it may never have begun', () => {
    const silentTaker = { lease: row({ takenFrom: 'third', ageMs: 500 }), members: { third: 100 } }
    const memory = { silent, seen: seenAt(0) }
    expect(decideAbout({ ...silentTaker, memory, nowMs: EXPIRY_MS - 1 }).takes).toBe(false)
    expect(decideAbout({ ...silentTaker, memory, nowMs: EXPIRY_MS }).takes).toBe(true)
    // Seen for the first time, but an hour old.
    expect(
      decideAbout({ ...silentTaker, lease: row({ takenFrom: 'third' }), memory: { silent } }).takes,
    ).toBe(true)
  })
})

describe('a lease that was taken is held', () => {
  it('at once when nobody had it before', () => {
    expect(decideAbout({ lease: row({ owner: 'me' }) }).holds).toBe(5)
  })

  it('when the owner before has stopped: silent, or told for long enough', () => {
    const taken = { lease: row({ owner: 'me', takenFrom: 'other' }) }
    expect(decideAbout({ ...taken, members: { other: 100 } }).holds).toBeUndefined()
    // Its beat may have been written after the members were read and before the lease was: only the next look tells.
    const silentOther = { ...taken, members: { other: EXPIRY_MS + 1 } }
    expect(decideAbout(silentOther).holds).toBeUndefined()
    expect(decideAbout({ ...silentOther, memory: { seen: seenAt(0) }, nowMs: 1 }).holds).toBe(5)
    const beats = { ...taken, members: { other: 100 }, memory: { seen: seenAt(0) } }
    expect(decideAbout({ ...beats, nowMs: EXPIRY_MS - 1 }).holds).toBeUndefined()
    expect(decideAbout({ ...beats, nowMs: EXPIRY_MS }).holds).toBe(5)
    // What was seen was another epoch.
    expect(decideAbout({ ...beats, memory: { seen: seenAt(0, 4) }, nowMs: EXPIRY_MS }).holds).toBeUndefined()
  })

  it('still, once it was, whatever the owner before does', () => {
    const lease = row({ owner: 'me', takenFrom: 'other' })
    const memory = { held: new Map([[LEASE, 5]]) }
    expect(decideAbout({ lease, members: { other: 100 }, memory }).holds).toBe(5)
  })

  it('no longer when another epoch stands in the store', () => {
    expect(
      decideAbout({ lease: row({ epoch: 6 }), memory: { held: new Map([[LEASE, 5]]) } }).holds,
    ).toBeUndefined()
  })
})

describe('a lease that another member should have', () => {
  // Of two members each lease goes to one; these two lists differ in who that is.
  const lease = row({ owner: 'me' })
  const memory = { held: new Map([[LEASE, 5]]) }
  const others = Array.from({ length: 20 }, (_, n) => `other-${n}`)
  const winners = others.filter(
    (other) => decideAbout({ lease, members: { [other]: 1 }, memory, spread: true }).givesUp,
  )

  it('is given up when it is to be spread, and not used any more', () => {
    expect(winners.length).toBeGreaterThan(0)
    expect(winners.length).toBeLessThan(others.length)
    const [winner = ''] = winners
    const { holds, givesUp } = decideAbout({ lease, members: { [winner]: 1 }, memory, spread: true })
    expect({ holds, givesUp }).toEqual({ holds: undefined, givesUp: true })
  })

  it('stays otherwise', () => {
    for (const other of others) {
      expect(decideAbout({ lease, members: { [other]: 1 }, memory })).toMatchObject({
        holds: 5,
        givesUp: false,
      })
    }
  })

  it('stays when the other is no candidate, silent, or has left', () => {
    const [winner = ''] = winners
    expect(decideAbout({ lease, members: { [winner]: EXPIRY_MS + 1 }, memory, spread: true }).holds).toBe(5)
    expect(decideAbout({ lease, members: { stranger: 1 }, memory, spread: true }).holds).toBe(5)
  })
})
