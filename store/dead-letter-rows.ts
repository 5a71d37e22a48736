import { hash } from 'node:crypto'
import type { ErrorCode } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import { fromMillis, toClickHouse } from '../core/timestamp.ts'

/** A record that could not become an event. Shape and limits: `ingest/record.ts`. */
export interface DeadLetterInput {
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  readonly sourceFormat: string
  readonly reason: ErrorCode
  readonly message: string
  readonly field: string
  readonly record: string
  readonly recordEncoding: 'utf8' | 'base64'
  readonly recordBytes: number
  readonly kept?: KeptOfRecord
  readonly headers?: Readonly<Record<string, string>>
  readonly timestampMs?: number
  readonly timestampSource?: 'broker' | 'received'
  readonly weight?: number
  readonly lastOffset?: number
}

/** What of a record its dead letter keeps; see `store/migrations/0005_dead_letters.sql`. */
export type KeptOfRecord = 'record' | 'piece' | 'entry' | 'beginning' | 'row' | 'nothing'

/** Columns of `dead_letters` in the order of `deadLetterRow`. */
export const DEAD_LETTER_COLUMNS: readonly string[] = [
  'dead_letter_id',
  'tenant',
  'topic',
  'partition',
  'offset',
  'record_index',
  'source_format',
  'reason',
  'message',
  'field',
  'record',
  'record_encoding',
  'record_bytes',
  'kept',
  'headers',
  'received_at',
  'timestamp_source',
  'weight',
  'last_offset',
]

/** A dead letter as one line of `JSONCompactEachRow`. Its id follows from its coordinates, so a replay replaces it. */
export function deadLetterRow(letter: DeadLetterInput): string {
  return JSON.stringify([
    stableId('dead-letter', letter.tenant, letter.topic, letter.partition, letter.offset, letter.recordIndex),
    letter.tenant.toWellFormed(),
    letter.topic.toWellFormed(),
    letter.partition,
    letter.offset,
    letter.recordIndex,
    letter.sourceFormat,
    letter.reason,
    letter.message.toWellFormed(),
    letter.field.toWellFormed(),
    letter.record.toWellFormed(),
    letter.recordEncoding,
    letter.recordBytes,
    letter.kept ?? 'record',
    headersOf(letter),
    toClickHouse(fromMillis(timeOf(letter))).slice(0, 23),
    letter.timestampSource ?? 'received',
    letter.weight ?? 1,
    letter.lastOffset ?? letter.offset,
  ])
}

const headersOf = ({ headers = {} }: DeadLetterInput): string =>
  Object.keys(headers).length === 0 ? '' : JSON.stringify(headers).toWellFormed()

// Senders may claim any time; the column holds the years 1900 to 2299.
const timeOf = ({ timestampMs = 0 }: DeadLetterInput): number =>
  Math.min(Math.max(Math.trunc(timestampMs) || 0, 0), Date.UTC(2200, 0))

/** How many letters of a block keep their record. */
export interface SampleBound {
  /** Letters of one reason from one partition in a minute, and so many in a block of one moment. */
  readonly perMinute: number
  /** Of those beyond, one in so many is kept too. */
  readonly oneIn: number
}

export const DEFAULT_SAMPLE: SampleBound = { perMinute: 1000, oneIn: 1000 }

// However short a time a block covers, so many show what is wrong with the topic.
const LEAST_KEPT = 20

/**
 * A poison topic must not drown the store: of the letters of a block that share topic, partition and reason only the
 * first `perMinute` — for the time that the block covers, by the broker’s clock — and a sample keep their records;
 * one more row stands for all the others and says how many they are. It is a function of the block alone, so that a
 * block that is stored again is the same, and counts stay exact.
 */
export function sampleDeadLetters(
  letters: readonly DeadLetterInput[],
  bound: SampleBound = DEFAULT_SAMPLE,
): readonly DeadLetterInput[] {
  // The usual case pays nothing.
  if (letters.length <= LEAST_KEPT) return letters
  const groups = Map.groupBy(letters, ({ tenant, topic, partition, reason }) =>
    stableId(tenant, topic, partition, reason),
  )
  return [...groups.values()].flatMap((group) => sampleGroup(group, bound))
}

function sampleGroup(group: readonly DeadLetterInput[], bound: SampleBound): readonly DeadLetterInput[] {
  const room = roomFor(group, bound.perMinute)
  if (group.length <= room) return group
  const kept: DeadLetterInput[] = []
  const left: DeadLetterInput[] = []
  group.forEach((letter, index) => {
    const one = index < room || draw(letter) % bound.oneIn === 0
    ;(one ? kept : left).push(letter)
  })
  const [first] = left
  if (first === undefined) return kept
  const weight = left.reduce((sum, letter) => sum + (letter.weight ?? 1), 0)
  kept.push({
    ...first,
    message: `${first.message} (${weight} records like this one were counted, not kept.)`,
    record: '',
    recordEncoding: 'utf8',
    recordBytes: left.reduce((sum, { recordBytes }) => sum + recordBytes, 0),
    kept: 'nothing',
    headers: {},
    weight,
    lastOffset: left.reduce((last, { offset, lastOffset = offset }) => Math.max(last, lastOffset), 0),
  })
  return kept
}

// A request or a stretch of a file has one time, that of its receipt: it gets the whole minute's room.
function roomFor(group: readonly DeadLetterInput[], perMinute: number): number {
  if (group.some(({ timestampSource }) => timestampSource !== 'broker')) return perMinute
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { timestampMs = 0 } of group) {
    if (timestampMs < from) from = timestampMs
    if (timestampMs > to) to = timestampMs
  }
  return Math.max(LEAST_KEPT, Math.ceil((perMinute * (to - from)) / 60_000))
}

// Offsets themselves are no dice: a producer that fails every tenth time would be always in or always out.
const draw = ({ topic, partition, offset, recordIndex }: DeadLetterInput): number =>
  Number.parseInt(hash('sha256', `${topic}/${partition}/${offset}/${recordIndex}`, 'hex').slice(0, 12), 16)
