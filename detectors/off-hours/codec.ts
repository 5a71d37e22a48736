import type { Overflow } from '../cardinality.ts'
import type { ProfileCodec } from '../detector.ts'
import { jsonList, jsonObject, type Steps } from '../steps.ts'
import type { Moments, OffHoursProfile, OpenNights } from './profile.ts'
import { HALF_HOURS, offsetOf, type Rhythm, WEEK_CELLS } from './rhythm.ts'

const MASK_BYTES = WEEK_CELLS / 8

type RhythmRow = readonly [
  name: string,
  weights: string,
  used: readonly number[],
  activeDays: number,
  firstDay: number,
  lastDay: number,
  baseDay: number,
]
type MomentsRow = readonly [name: string, n: number, sum: number, squares: number]
type HalfHoursRow = readonly [actor: string, halfHours: readonly number[]]

interface Known {
  readonly peers: string
  readonly usual: OffHoursProfile['usual']
  readonly ownLlr: readonly MomentsRow[]
  readonly scores: readonly number[]
  readonly overflow?: readonly Overflow[]
}

interface Text extends Known {
  readonly rhythms: readonly RhythmRow[]
  readonly open?: {
    readonly day: number
    readonly halfHours: readonly HalfHoursRow[]
    /** What was known at the start of the day; the rhythms are those of the actors that the day changed. */
    readonly known: Known
    readonly before: readonly RhythmRow[]
  }
}

/**
 * JSON keeps every double exactly; a rhythm is a bit for each cell of the week and the single-precision weights of those
 * that are not zero. The nights that are still open need the profile of the day before: of its rhythms only those are
 * kept that the day changed.
 */
export const offHoursCodec: ProfileCodec<OffHoursProfile> = {
  version: 2,
  *encode(profile) {
    const texts = {
      ...(yield* encodeKnown(profile)),
      rhythms: yield* jsonList(profile.rhythms, encodeRhythm),
      ...(profile.open === undefined ? {} : { open: yield* encodeOpen(profile.open) }),
    }
    return jsonObject(texts, {})
  },
  decode: (source) => {
    const text = JSON.parse(source) as Text
    const rhythms = new Map(text.rhythms.map(decodeRhythm))
    const known: OffHoursProfile = { ...decodeKnown(text), rhythms }
    return text.open === undefined ? known : { ...known, open: decodeOpen(text.open, rhythms) }
  },
}

function* encodeOpen({ day, halfHours, profile }: OpenNights): Steps<string> {
  const rowOf = (row: [string, readonly number[]]): HalfHoursRow => row
  const texts = {
    halfHours: yield* jsonList(halfHours, rowOf),
    known: jsonObject(yield* encodeKnown(profile), {}),
    before: yield* jsonList(
      profile.rhythms.entries().filter(([name]) => halfHours.has(name)),
      encodeRhythm,
    ),
  }
  return jsonObject(texts, { day })
}

function decodeOpen(
  { day, halfHours, known, before }: NonNullable<Text['open']>,
  after: ReadonlyMap<string, Rhythm>,
): OpenNights {
  const rhythms = new Map(after)
  for (const [actor] of halfHours) rhythms.delete(actor)
  for (const row of before) {
    const [name, rhythm] = decodeRhythm(row)
    rhythms.set(name, rhythm)
  }
  return { day, halfHours: new Map(halfHours), profile: { ...decodeKnown(known), rhythms } }
}

/** The JSON texts of the values of a `Known`. */
function* encodeKnown({
  peers,
  usual,
  ownLlr,
  scores,
  overflow,
}: OffHoursProfile): Steps<Readonly<Record<string, string>>> {
  const rowOf = ([name, { n, sum, squares }]: [string, Moments]): MomentsRow => [name, n, sum, squares]
  return {
    peers: JSON.stringify(bytesOf(peers).toString('base64')),
    usual: JSON.stringify(usual),
    ownLlr: yield* jsonList(ownLlr, rowOf),
    scores: yield* jsonList(scores, (score) => score),
    ...(overflow === undefined ? {} : { overflow: JSON.stringify(overflow) }),
  }
}

const decodeKnown = ({ peers, usual, ownLlr, scores, overflow }: Known) => ({
  peers: new Float64Array(alignedBytes(peers).buffer),
  usual,
  ownLlr: new Map(ownLlr.map(([name, n, sum, squares]): [string, Moments] => [name, { n, sum, squares }])),
  scores,
  ...(overflow === undefined ? {} : { overflow }),
})

function encodeRhythm([name, rhythm]: [string, Rhythm]): RhythmRow {
  const { weekdays, used, activeDays, firstDay, lastDay, baseDay } = rhythm
  const bytes = Buffer.alloc(MASK_BYTES + WEEK_CELLS * Float32Array.BYTES_PER_ELEMENT)
  let end = MASK_BYTES
  for (let cell = 0; cell < WEEK_CELLS; cell += 1) {
    const weight = weekdays[Math.floor(cell / HALF_HOURS)]?.[cell % HALF_HOURS] ?? 0
    if (weight === 0) continue
    bytes[cell >> 3] = (bytes[cell >> 3] ?? 0) | (1 << (cell & 7))
    end = bytes.writeFloatLE(weight, end)
  }
  return [name, bytes.toString('base64', 0, end), [...used], activeDays, firstDay, lastDay, baseDay]
}

function decodeRhythm(row: RhythmRow): [string, Rhythm] {
  const [name, text, used, activeDays, firstDay, lastDay, baseDay] = row
  const bytes = Buffer.from(text, 'base64')
  const weekdays: (Float32Array | undefined)[] = Array.from({ length: 7 }, () => undefined)
  let at = MASK_BYTES
  for (let cell = 0; cell < WEEK_CELLS; cell += 1) {
    if (((bytes[cell >> 3] ?? 0) & (1 << (cell & 7))) === 0) continue
    const weekday = Math.floor(cell / HALF_HOURS)
    const weights = weekdays[weekday] ?? new Float32Array(HALF_HOURS)
    weekdays[weekday] = weights
    weights[cell % HALF_HOURS] = bytes.readFloatLE(at)
    at += Float32Array.BYTES_PER_ELEMENT
  }
  const rhythm = { weekdays, used: new Set(used), activeDays, firstDay, lastDay, baseDay }
  return [name, { ...rhythm, offset: offsetOf(weekdays) }]
}

const bytesOf = (numbers: Float64Array): Buffer =>
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)

// A copy of its own: a pooled buffer may start at any byte, an array of doubles only at a multiple of eight.
const alignedBytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))
