import type { ErrorCode } from '../core/errors.ts'
import { FORMAT_HEADER } from './decode.ts'
import type { Pipeline } from './pipeline.ts'
import type { Batch, DeadLetter, RawRecord } from './record.ts'
import type { SegmentLog } from './segment-log.ts'

/** A dead letter as the store gives it back. */
export interface KeptLetter extends Required<Omit<DeadLetter, 'kept'>> {
  readonly deadLetterId: string
  readonly kept: NonNullable<DeadLetter['kept']> | 'row' | 'nothing'
}

/**
 * What became of one letter: `replayed` — every call in it is stored, now or before —, `failed` with the reason of this
 * time, or `not_replayable` with what is missing.
 */
export interface LetterOutcome {
  readonly deadLetterId: string
  readonly outcome: 'replayed' | 'failed' | 'not_replayable'
  /** Calls and parts of calls that are stored now. */
  readonly stored: number
  /** Calls that were stored before. */
  readonly duplicates: number
  readonly reason?: ErrorCode
  readonly field?: string
  readonly message?: string
}

export interface ReplayOptions {
  readonly pipeline: Pipeline
  readonly segments: Pick<SegmentLog, 'append'>
  /** The format that the configuration fixes for a topic now. */
  readonly formatOf: (topic: string) => string | undefined
  /** Makes the outcomes durable: which letters need not be tried again, and why others failed. */
  readonly note: (letters: readonly KeptLetter[], outcomes: readonly LetterOutcome[]) => Promise<void>
}

/**
 * Dead letters → the way of every record, again, with the formats and settings of now. Coordinates are those of the
 * record, so its events have the ids that they would have had, and what is stored already is not stored again: a
 * replay may be repeated, or break off anywhere.
 */
export interface Replay {
  /** @throws GatewatchError `overloaded`, `store_unavailable`; the caller repeats the call */
  run(letters: readonly KeptLetter[]): Promise<LetterOutcome[]>
}

export function createReplay({ pipeline, segments, formatOf, note }: ReplayOptions): Replay {
  const tryAgain = async (letter: KeptLetter): Promise<LetterOutcome> => {
    const { deadLetterId } = letter
    const missing = whatIsMissing(letter)
    const nothing = { deadLetterId, stored: 0, duplicates: 0 }
    if (missing !== undefined) return { ...nothing, outcome: 'not_replayable', message: missing }
    const batch = pipeline([recordOf(letter, formatOf(letter.topic))])
    const fault = faultOf(letter, batch)
    if (
      letter.kept === 'entry' &&
      fault !== undefined &&
      fault === batch.deadLetters[0] &&
      isUnknown(fault)
    ) {
      return { ...nothing, outcome: 'not_replayable', message: onlyAnEntry(letter) }
    }
    const { events, parts, deadLetters } = batch
    // The letter itself is there already; the others were hidden behind its fault.
    const others = deadLetters.filter((other) => other !== fault)
    const receipt = await segments.append({ ...batch, deadLetters: others })
    const { duplicates } = await receipt.stored
    return {
      deadLetterId,
      stored: events.length + parts.length - duplicates,
      duplicates,
      ...(fault === undefined
        ? { outcome: 'replayed' }
        : { outcome: 'failed', reason: fault.reason, field: fault.field, message: fault.message }),
    }
  }

  return {
    run: async (letters) => {
      // Together, so that they share a sync and a segment.
      const outcomes = await Promise.all(letters.map(tryAgain))
      await note(letters, outcomes)
      return outcomes
    },
  }
}

function recordOf(letter: KeptLetter, configured: string | undefined): RawRecord {
  const { tenant, topic, partition, offset, recordIndex, timestampMs, timestampSource } = letter
  // An entry that a format took out of a record is a record of another format, if of any.
  const { [FORMAT_HEADER]: named, ...headers } = letter.headers
  const format = letter.kept === 'entry' ? undefined : (configured ?? named)
  return {
    value: Buffer.from(letter.record, letter.recordEncoding),
    headers,
    ...{ tenant, topic, partition, offset, timestampMs, timestampSource },
    ...(format === undefined ? {} : { format }),
    ...(letter.kept === 'record' ? {} : { pieceIndex: recordIndex }),
  }
}

// Of a whole record with several entries the others have letters of their own, if they need one.
const faultOf = ({ kept, recordIndex }: KeptLetter, { deadLetters }: Batch): DeadLetter | undefined =>
  deadLetters.find((other) => other.recordIndex === recordIndex) ??
  (kept === 'record' ? undefined : deadLetters[0])

const isUnknown = ({ reason }: DeadLetter): boolean =>
  reason === 'format_unknown' || reason === 'record_not_json'

function whatIsMissing(letter: KeptLetter): string | undefined {
  switch (letter.kept) {
    case 'record':
    case 'piece':
    case 'entry':
      return undefined
    case 'beginning':
      return `Only the beginning of the record is kept (it has ${letter.recordBytes} bytes). ${original(letter)}`
    case 'row':
      return `The row that the store refused is kept, not the record. ${original(letter)}`
    case 'nothing':
      return `It stands for ${letter.weight} records that were counted, not kept. ${original(letter)}`
  }
}

const onlyAnEntry = (letter: KeptLetter): string =>
  `Only the entry at fault is kept, which is no record by itself. ${original(letter)}`

/** Where the record itself is, in words. */
function original({ topic, partition, offset, lastOffset }: KeptLetter): string {
  if (topic.startsWith('file:')) return `Read the file again: ${topic.slice(5)}, from byte ${offset}.`
  if (topic.startsWith('http') || topic === 'stdin') return 'Its sender has to send it again.'
  const offsets = lastOffset > offset ? `offsets ${offset} to ${lastOffset}` : `offset ${offset}`
  return `Read it from its source again: ${topic}, partition ${partition}, ${offsets}.`
}
