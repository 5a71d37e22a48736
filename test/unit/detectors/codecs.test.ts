import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { ProfileCodec } from '../../../detectors/detector.ts'
import { emptyFamiliar, type Familiar, type Use } from '../../../detectors/familiar.ts'
import { familiarCodec } from '../../../detectors/familiar-codec.ts'
import { absorbUses } from '../../../detectors/familiar-days.ts'
import { offHoursCodec } from '../../../detectors/off-hours/codec.ts'
import { absorbHalfHours, emptyOffHoursProfile, type HalfHour } from '../../../detectors/off-hours/profile.ts'
import { addDay, addQuietDays, emptyCalibration } from '../../../detectors/statistics/tail-calibration.ts'
import { completed, type Steps } from '../../../detectors/steps.ts'
import { volumeCodec } from '../../../detectors/volume/codec.ts'
import { absorbHours, emptyVolumeProfile, type HourCount } from '../../../detectors/volume/profile.ts'
import { officeEvents } from '../../scenarios/office.ts'

/** Four weeks of an office, two of whose days are empty for everybody. */
const events = officeEvents({ seed: 11, people: 12, days: 28 })
const dayOfEvent = ({ occurred_at }: AuditEvent) => Math.floor(Date.parse(occurred_at) / 86_400_000)
const days = [...Map.groupBy(events, dayOfEvent)].sort(([a], [b]) => a - b)

function countsBy<Row>(
  ofDay: readonly AuditEvent[],
  keyOf: (event: AuditEvent) => string,
  rowOf: (event: AuditEvent, calls: number) => Row,
): Row[] {
  return [...Map.groupBy(ofDay, keyOf)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, same]) => (same[0] === undefined ? [] : [rowOf(same[0], same.length)]))
}

const hourOf = ({ occurred_at }: AuditEvent) => Math.floor(Date.parse(occurred_at) / 3_600_000)
const halfHourOf = ({ occurred_at }: AuditEvent) => Math.floor(Date.parse(occurred_at) / 1_800_000)

const hours = (ofDay: readonly AuditEvent[]) =>
  countsBy<HourCount>(
    ofDay,
    (event) => `${event.actor}/${hourOf(event)}`,
    (event, calls) => ({ actor: event.actor, hour: hourOf(event), calls }),
  )
const halfHours = (ofDay: readonly AuditEvent[]) =>
  countsBy<HalfHour>(
    ofDay,
    (event) => `${event.actor}/${halfHourOf(event)}`,
    (event, calls) => ({ actor: event.actor, halfHour: halfHourOf(event), calls }),
  )
const uses = (ofDay: readonly AuditEvent[]) =>
  countsBy<Use>(
    ofDay,
    (event) => `${event.actor}/${event['mcp.server.name']}/${event['gen_ai.tool.name']}`,
    (event, calls) => ({
      day: dayOfEvent(event),
      actor: event.actor,
      server: event['mcp.server.name'] ?? '',
      tool: event['gen_ai.tool.name'] ?? '',
      destination: calls % 3 === 0 ? 'partner.example' : '',
      calls,
      firstMs: Date.parse(event.occurred_at),
    }),
  )

/** A profile that was stored and read on each day becomes, day by day, what one becomes that never left the process. */
function expectSame<Profile, Row>(
  codec: ProfileCodec<Profile>,
  empty: Profile,
  absorb: (profile: Profile, day: number, rows: readonly Row[]) => Steps<Profile>,
  rowsOf: (ofDay: readonly AuditEvent[]) => readonly Row[],
): void {
  let held = empty
  const encode = (profile: Profile) => completed(codec.encode(profile))
  let stored = codec.decode(encode(empty))
  for (const [day, ofDay] of days) {
    held = completed(absorb(held, day, rowsOf(ofDay)))
    stored = codec.decode(encode(completed(absorb(stored, day, rowsOf(ofDay)))))
    expect(encode(stored)).toBe(encode(held))
  }
  expect(encode(held).length).toBeGreaterThan(1_000)
}

describe('stored baselines', () => {
  it('of volume are those of the process', () => {
    expectSame(volumeCodec, emptyVolumeProfile, absorbHours, hours)
  })
  it('of off-hours are those of the process', () => {
    expectSame(
      offHoursCodec,
      emptyOffHoursProfile,
      (profile, day, rows: readonly HalfHour[]) => absorbHalfHours(profile, day, rows, 5),
      halfHours,
    )
  })
  it('of what is familiar are those of the process', () => {
    const grace = { days: 7, calls: 20 }
    expectSame<Familiar, Use>(
      familiarCodec,
      emptyFamiliar,
      (profile, day, rows) => absorbUses(profile, day, rows, grace),
      uses,
    )
  })
})

describe('days without calls', () => {
  it('count for the calibration as they would one by one', () => {
    const before = addDay(emptyCalibration, [0.4, 2.2, 2.3, 5.1], 2_000)
    let oneByOne = before
    for (let day = 0; day < 9; day += 1) oneByOne = addDay(oneByOne, [], 240)
    const atOnce = addQuietDays(before, 9, 240)
    expect(atOnce.tested).toBeCloseTo(oneByOne.tested, 6)
    expect(atOnce.bins.length).toBe(oneByOne.bins.length)
    for (const [bin, count] of atOnce.bins.entries()) expect(count).toBeCloseTo(oneByOne.bins[bin] ?? -1, 9)
    expect(addQuietDays(before, 0, 240)).toBe(before)
  })
})
