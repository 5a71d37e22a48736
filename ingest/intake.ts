import { hash } from 'node:crypto'
import { type ErrorCode, GatewatchError } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import { createShares } from '../core/shares.ts'
import { createFairTurns } from './fair-turns.ts'
import { isCallPart } from './find-calls.ts'
import type { IdempotencyKeys } from './idempotency.ts'
import type { Pipeline } from './pipeline.ts'
import { processInSlices, type Turn } from './pipeline-slices.ts'
import type { Batch } from './record.ts'
import type { StoredCounts } from './segment-drain.ts'
import type { SegmentLog } from './segment-log.ts'
import { type HttpBody, keyedCoordinates, MAX_BODY_RECORDS, recordsOfBody } from './sources/http.ts'
import type { RateLimits } from './sources/rate-limits.ts'
import type { IngestTelemetry } from './telemetry.ts'

/** A request body that holds records, and who sent it. */
export interface IntakeBody {
  /** Inflated. */
  readonly bytes: Uint8Array
  /** Names in lower case; credentials are not among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly tenant: string
  readonly receivedAtMs: number
  /** Who sends, by the credential. */
  readonly subject?: string
  /** The source that the credential is bound to. */
  readonly source?: string
  readonly idempotencyKey?: string
  /** The sender, who may, says that the records are history. */
  readonly imported?: true
  /** The operator brings history: what is old is learned from. */
  readonly history?: boolean
}

/** What became of the body. `read = stored + deadLettered + duplicate`, each call, part of a call and fault counted. */
export interface IntakeReceipt {
  readonly read: number
  readonly stored: number
  readonly deadLettered: number
  readonly duplicate: number
  /** Events, of those stored, whose id another event had before with other content. */
  readonly conflict: number
  /** Whether `duplicate` and `conflict` are known: what was not waited for is compared on its way into the store. */
  readonly compared: boolean
  /** Calls that do not say of what; absent when there are none. */
  readonly incomplete?: number
  /** Parts that are no calls by themselves; absent when there are none. */
  readonly partsWithoutCall?: number
  readonly errors: readonly {
    /** Where the record begins in the body, from 1. */
    readonly line: number
    /** Place of the record among those of the body, from 0. */
    readonly index: number
    readonly reason: ErrorCode
    readonly message: string
    readonly field?: string
  }[]
  /** The request was answered before, and this is that answer. */
  readonly repeated: boolean
}

export interface IntakeOptions {
  readonly pipeline: Pipeline
  readonly segments: Pick<SegmentLog, 'id' | 'append' | 'reserve'>
  readonly keys: IdempotencyKeys
  readonly limits: RateLimits
  readonly telemetry: IngestTelemetry
}

/** The way in over HTTP. */
export interface Intake {
  /**
   * Takes the records of a body; resolves when they survive a power cut, or — with the header `x-gatewatch-wait:
   * stored` — when they are in the store.
   * @throws GatewatchError `overloaded`, `rate_limited`, `idempotency_mismatch`, `payload_too_large`
   */
  accept(body: IntakeBody): Promise<IntakeReceipt>
}

// An answer is kept with its key; what it says of faults must not fill the memory.
const MAX_ERRORS = 20
const MAX_MESSAGE = 300
// Each takes some kilobytes while it is worked on, however few bytes it has. One sender may have half of them, so that
// the largest body is never refused for ever.
const MAX_RECORDS_IN_FLIGHT = 2.5 * MAX_BODY_RECORDS
const RETRY_AFTER_SECONDS = 2

/** Takes bodies side by side, each sender in its turn, and only so many records of each sender at a time. */
export function createIntake({ pipeline, segments, keys, limits, telemetry }: IntakeOptions): Intake {
  const inFlight = createShares({ limit: MAX_RECORDS_IN_FLIGHT })
  const turns = createFairTurns()

  const take = async (
    body: IntakeBody,
    coordinates: Pick<HttpBody, 'topic' | 'partition' | 'reserve'>,
    nowMs: number,
  ): Promise<Omit<IntakeReceipt, 'repeated'>> => {
    const format = body.headers['x-gatewatch-format']
    const owner = ownerOf(body)
    const turn: Turn = (work) => turns.run(owner, work)
    const { records, lines } = await turn(() =>
      recordsOfBody({
        ...{ body: body.bytes, headers: body.headers, tenant: body.tenant, nowMs },
        ...coordinates,
        ...(format === undefined ? {} : { format }),
        ...(body.imported && { imported: true }),
        ...(body.history === true ? { history: true } : {}),
      }),
    )
    if (!inFlight.take(owner, records.length)) throw tooManyRecords()
    const { batch, stored } = await keep().finally(() => inFlight.give(owner, records.length))
    const waits = body.headers['x-gatewatch-wait'] === 'stored'
    if (!waits) stored.catch(() => {})
    return receiptOf(batch, waits ? await stored : undefined, records[0]?.offset ?? 0, lines)

    async function keep() {
      telemetry.recordsRead('http', records.length)
      const batch = await processInSlices(pipeline, records, turn)
      limits.charge(senderOf(body), Math.max(records.length, countsOf(batch, 0).read))
      return { batch, ...(await segments.append(batch, owner)) }
    }
  }

  return {
    accept: async (body) => {
      const { source, idempotencyKey } = body
      if (idempotencyKey === undefined) {
        limits.admit(senderOf(body))
        // Another process has an HTTP source too: the same coordinates must not mean two records.
        const coordinates =
          source === undefined
            ? { topic: `http-${segments.id}`, partition: 0 }
            : { topic: `http-${source}`, partition: partitionOf(segments.id) }
        const reserve = (topic: string, count: number) => segments.reserve(topic, count)
        return { ...(await take(body, { ...coordinates, reserve }, body.receivedAtMs)), repeated: false }
      }
      const id = stableId('idempotency-key', body.tenant, senderOf(body), idempotencyKey)
      const topic = source === undefined ? 'http' : `http-${source}`
      const { answer, repeated } = await keys.run({ id, fingerprint: fingerprintOf(body) }, (begunAtMs) => {
        limits.admit(senderOf(body))
        return take(body, { topic, ...keyedCoordinates(id) }, begunAtMs)
      })
      return { ...answer, repeated }
    },
  }
}

const senderOf = ({ source, subject }: IntakeBody): string => source ?? subject ?? ''

/** Whose share it is: what a credential says, never what a sender does. */
const ownerOf = ({ source, subject, tenant }: IntakeBody): string =>
  source === undefined ? `${tenant}/${subject ?? ''}` : `http-${source}`

const tooManyRecords = (): GatewatchError =>
  new GatewatchError('overloaded', 'Too many records of this sender, or of all, are in flight.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    remedy: 'Send again later; if this lasts, send smaller bodies, or fewer at a time.',
  })

const partitionOf = (logId: string): number => Number.parseInt(stableId('log', logId).slice(0, 8), 16)

// Whatever decides what the body means; not how it was compressed.
const fingerprintOf = ({ bytes, headers }: IntakeBody): string =>
  stableId(
    hash('sha256', bytes, 'hex'),
    ...Object.entries(headers)
      .filter(([name]) => name === 'content-type' || name === 'x-gatewatch-format' || name.startsWith('ce-'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flat(),
  )

/** What became of a batch; the first is the sum of the others. A definition of a tool counts as a call does. */
export function countsOf(
  batch: Batch,
  duplicate: number,
): Pick<IntakeReceipt, 'read' | 'stored' | 'deadLettered' | 'duplicate'> {
  const { events, parts, definitions = [], deadLetters } = batch
  const taken = events.length + parts.length + definitions.length
  const deadLettered = deadLetters.length
  return { read: taken + deadLettered, stored: taken - duplicate, deadLettered, duplicate }
}

/** What is taken of a batch and yet says too little, where there is something: counted, so that nobody waits for it in vain. */
export function gapsOf({ events, parts }: Batch): Pick<IntakeReceipt, 'incomplete' | 'partsWithoutCall'> {
  const incomplete = events.filter(({ record_flags: flags }) => flags?.includes('incomplete')).length
  const partsWithoutCall = parts.filter((part) => !isCallPart(part)).length
  return { ...(incomplete > 0 && { incomplete }), ...(partsWithoutCall > 0 && { partsWithoutCall }) }
}

const receiptOf = (
  batch: Batch,
  stored: StoredCounts | undefined,
  firstOffset: number,
  lines: readonly number[],
): Omit<IntakeReceipt, 'repeated'> => ({
  ...countsOf(batch, stored?.duplicates ?? 0),
  ...gapsOf(batch),
  conflict: stored?.conflicts ?? 0,
  compared: stored !== undefined,
  errors: batch.deadLetters.slice(0, MAX_ERRORS).map(({ offset, reason, message, field }) => ({
    line: lines[offset - firstOffset] ?? 0,
    index: offset - firstOffset,
    reason,
    message: message.slice(0, MAX_MESSAGE),
    ...(field === '' ? {} : { field }),
  })),
})
