import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FindingChange } from '../../../core/finding.ts'
import type { EngineOptions, FindingStore } from '../../../detectors/engine.ts'
import type { ShardOwnership } from '../../../detectors/ownership.ts'
import type { ProfileStore } from '../../../detectors/profiles.ts'
import type { WatermarkStore } from '../../../detectors/progress.ts'
import type { Database } from '../../../store/database.ts'
import { createFindings } from '../../../store/findings.ts'
import { createProfileStore } from '../../../store/profiles.ts'
import { createWatermarks } from '../../../store/watermarks.ts'
import { byTime, incidents, officeEvents } from '../../scenarios/office.ts'
import { emptyStore, engineOver, finalFindings, openTestStore, shippedRules, store } from './support.ts'

/**
 * A process that is suspended beyond its lease (SIGSTOP, a machine that sleeps) and wakes while another one judges its
 * shard. Wherever it stood, nothing that the new owner wrote may change.
 */

const rules = shippedRules()
const office = officeEvents({ seed: 7, people: 6, days: 24 })
const incident = incidents(22)
// The first owner sees a part of what the second one sees: it would say other things of the same findings.
const seen = [...office, ...incident.filter((_, index) => index % 3 > 0)].sort(byTime)
const later = incident.filter((_, index) => index % 3 === 0)

let database: Database
let close: () => Promise<void>
beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

/** A lease on the one shard: whose it is decides the test. A process that is suspended finds its belief ended. */
function createLease() {
  let owner = ''
  let epoch = 0
  return {
    giveTo: (name: string) => {
      owner = name
      epoch += 1
    },
    of: (name: string): ShardOwnership => ({
      shards: 1,
      owned: () => (owner === name ? [{ shard: 0, epoch }] : []),
      stillOwns: (_, asked) => owner === name && asked === epoch,
    }),
  }
}

/** Stands still, when armed, until it is let go. */
function createSuspension() {
  let armed = false
  let reached = () => {}
  let letGo = () => {}
  const isReached = new Promise<void>((resolve) => {
    reached = resolve
  })
  const goesOn = new Promise<void>((resolve) => {
    letGo = resolve
  })
  return {
    arm: () => {
      armed = true
    },
    isReached,
    letGo: () => letGo(),
    here: async () => {
      if (!armed) return
      armed = false
      reached()
      await goesOn
    },
  }
}

const places = ['a question', 'findings', 'profiles', 'the watermark'] as const

function storesSuspendedAt(
  place: (typeof places)[number],
  here: () => Promise<void>,
): Partial<EngineOptions> {
  const findings: FindingStore = createFindings(database)
  const profiles: ProfileStore = createProfileStore(database)
  const watermarks: WatermarkStore = createWatermarks(database)
  const at = async (one: string) => (one === place ? here() : undefined)
  return {
    query: async (sql, params) => {
      if (/FROM events\s/.test(sql)) await at('a question')
      return database.query(sql, params)
    },
    findings: {
      ...findings,
      write: async (changes, version, owned) => {
        await at('findings')
        await findings.write(changes, version, owned)
      },
    },
    profiles: {
      ...profiles,
      write: async (tenant, group, profile, version) => {
        await at('profiles')
        await profiles.write(tenant, group, profile, version)
      },
    },
    watermarks: {
      ...watermarks,
      writeAll: async (all) => {
        await at('the watermark')
        await watermarks.writeAll(all)
      },
    },
  }
}

const stored = async () => ({
  findings: await finalFindings(database),
  profiles: await database.query(
    "SELECT tenant, profile, toString(day) AS day, body FROM profiles FINAL WHERE body != '' ORDER BY tenant, profile, day",
  ),
  watermarks: await database.query(
    'SELECT name, toString(recorded_through) AS through, version, body FROM watermarks FINAL ORDER BY name',
  ),
})

describe.each(places)('an owner that is suspended at %s beyond its lease', (place) => {
  it('changes nothing that the next owner wrote, and tells nobody', async () => {
    const lease = createLease()
    const suspension = createSuspension()
    const told: FindingChange[] = []
    const first = engineOver(
      database,
      rules,
      async (changes) => {
        told.push(...changes)
      },
      {
        latenessDays: 36_500,
        ownership: lease.of('first'),
        ...storesSuspendedAt(place, suspension.here),
      },
    )
    lease.giveTo('first')
    await first.tick()
    await store(database, seen)
    suspension.arm()
    const work = first.drain()
    await suspension.isReached
    const toldBefore = told.length

    lease.giveTo('second')
    const second = engineOver(database, rules, async () => {}, {
      latenessDays: 36_500,
      ownership: lease.of('second'),
    })
    await store(database, later)
    await second.drain()
    const before = await stored()
    expect(before.findings.length).toBeGreaterThanOrEqual(4)

    suspension.letGo()
    await work
    await first.drain()
    expect(await stored()).toEqual(before)
    expect(told.length).toBe(toldBefore)
    await emptyStore(database)
    await store(database, [...seen, ...later])
    await engineOver(database, rules).drain()
    expect(before.findings).toEqual(await finalFindings(database))
  })
})
