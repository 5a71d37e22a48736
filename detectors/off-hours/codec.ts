import type { Overflow } from '../cardinality.ts'
import type { ProfileCodec } from '../detector.ts'
import { jsonList, jsonObject, type Steps } from '../steps.ts'
import type { HalfHour, Moments, OffHoursProfile, OpenNights } from './profile.ts'
import { HALF_HOURS, offsetOf, type Rhythm } from './rhythm.ts'

const CELLS = 7 * HALF_HOURS
const MASK_BYTES = CELLS / 8

type RhythmRow = readonly [
  name: string,
  cells: string,
  used: readonly number[],
  activeDays: number,
  firstDay: number,
  lastDay: number,
]
type MomentsRow = readonly [name: string, n: number, sum: number, squares: number]
type HalfHourRow = readonly [actor: string, halfHour: number, calls: number]

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
    readonly rows: readonly HalfHourRow[]
    /** What was known at the start of the day; the rhythms are those of the actors that the day changed. */
    readonly known: Known
    readonly before: readonly RhythmRow[]
  }
}

/**
 * JSON keeps every double exactly; cells of a rhythm are a bit for each cell and the single-precision values of those
 * that are not zero. The nights that are still open need the profile of the day before: of its rhythms only those are
 * kept that the day changed.
 */
export const offHoursCodec: ProfileCodec<OffHoursProfile> = {
  version: 1,
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

function* encodeOpen({ day, rows, profile }: OpenNights): Steps<string> {
  const changed = new Set(rows.map(({ actor }) => actor))
  const rowOf = ({ actor, halfHour, calls }: HalfHour): HalfHourRow => [actor, halfHour, calls]
  const texts = {
    rows: yield* jsonList(rows, rowOf),
    known: jsonObject(yield* encodeKnown(profile), {}),
    before: yield* jsonList(
      profile.rhythms.entries().filter(([name]) => changed.has(name)),
      encodeRhythm,
    ),
  }
  return jsonObject(texts, { day })
}

function decodeOpen(
  { day, rows, known, before }: NonNullable<Text['open']>,
  after: ReadonlyMap<string, Rhythm>,
): OpenNights {
  const halfHours: HalfHour[] = rows.map(([actor, halfHour, calls]) => ({ actor, halfHour, calls }))
  const rhythms = new Map(after)
  for (const { actor } of halfHours) rhythms.delete(actor)
  for (const row of before) {
    const [name, rhythm] = decodeRhythm(row)
    rhythms.set(name, rhythm)
  }
  return { day, rows: halfHours, profile: { ...decodeKnown(known), rhythms } }
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

function encodeRhythm([name, { cells, used, activeDays, firstDay, lastDay }]: [string, Rhythm]): RhythmRow {
  const bytes = Buffer.alloc(MASK_BYTES + cells.byteLength)
  let end = MASK_BYTES
  for (let cell = 0; cell < CELLS; cell += 1) {
    const count = cells[cell] ?? 0
    if (count === 0) continue
    bytes[cell >> 3] = (bytes[cell >> 3] ?? 0) | (1 << (cell & 7))
    end = bytes.writeFloatLE(count, end)
  }
  return [name, bytes.toString('base64', 0, end), [...used], activeDays, firstDay, lastDay]
}

function decodeRhythm([name, text, used, activeDays, firstDay, lastDay]: RhythmRow): [string, Rhythm] {
  const bytes = Buffer.from(text, 'base64')
  const cells = new Float32Array(CELLS)
  let at = MASK_BYTES
  for (let cell = 0; cell < CELLS; cell += 1) {
    if (((bytes[cell >> 3] ?? 0) & (1 << (cell & 7))) === 0) continue
    cells[cell] = bytes.readFloatLE(at)
    at += Float32Array.BYTES_PER_ELEMENT
  }
  return [name, { cells, used: new Set(used), activeDays, firstDay, lastDay, offset: offsetOf(cells) }]
}

const bytesOf = (numbers: Float64Array | Float32Array): Buffer =>
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)

// A copy of its own: a pooled buffer may start at any byte, an array of doubles only at a multiple of eight.
const alignedBytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))
