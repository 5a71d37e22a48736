import type { Timestamp } from '../../core/audit-event.ts'
import type { Clock } from '../../core/clock.ts'
import { decodeCursor, encodeCursor, partLike, timePart } from '../../core/cursor.ts'
import { DEAD_LETTER_REASONS, type ErrorCode, GatewatchError } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { inertBytes } from '../../core/text.ts'
import { fromMillis } from '../../core/timestamp.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import {
  DeadLetterCountsQuerySchema,
  DeadLetterCountsSchema,
  DeadLetterPageSchema,
  DeadLetterQuerySchema,
  DeadLetterSchema,
  ReplayReportSchema,
  ReplayRequestSchema,
} from '../schemas/dead-letters.ts'
import { given } from '../schemas/query.ts'
import { openRangeOf } from '../time-range.ts'

export interface ListedDeadLetter {
  readonly deadLetterId: string
  readonly recordedAt: Timestamp
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly lastOffset: number
  readonly recordIndex: number
  readonly sourceFormat: string
  readonly reason: ErrorCode
  readonly message: string
  readonly field: string
  readonly record: string
  readonly recordEncoding: 'utf8' | 'base64'
  readonly recordBytes: number
  readonly kept: 'record' | 'piece' | 'entry' | 'beginning' | 'row' | 'nothing'
  readonly headers: Readonly<Record<string, string>>
  readonly timestampMs: number
  readonly timestampSource: 'broker' | 'received'
  /** How many records it stands for. */
  readonly weight: number
  readonly replay?: { readonly at: string; readonly by: string; readonly outcome: 'replayed' | 'failed' }
}

/** Which letters are meant; the tenant is never empty. */
export interface DeadLetterScope {
  readonly tenant: string
  readonly reason?: string
  readonly topic?: string
  readonly format?: string
  readonly text?: string
  readonly status?: 'waiting' | 'replayed' | 'all'
  readonly from?: Timestamp
  readonly to?: Timestamp
}

/** Where dead letters come from. Newest first. */
export interface DeadLetterSource {
  list(
    filter: DeadLetterScope & {
      readonly before?: { readonly recordedAt: string; readonly deadLetterId: string }
      readonly limit: number
      /** Only so many characters of each record. */
      readonly recordChars?: number
    },
  ): Promise<readonly ListedDeadLetter[]>
  byIds(tenant: string, ids: readonly string[]): Promise<readonly ListedDeadLetter[]>
  /** Those that wait, by reason. */
  counts(tenant: string): Promise<readonly { readonly reason: string; readonly count: number }[]>
  countsBy(scope: DeadLetterScope): Promise<
    readonly {
      readonly topic: string
      readonly reason: string
      readonly sourceFormat: string
      readonly count: number
      readonly kept: number
      readonly first: string
      readonly last: string
    }[]
  >
}

/** Tries letters again; what became of each is durable when it resolves. */
export interface DeadLetterReplays {
  run(
    letters: readonly ListedDeadLetter[],
    by: string,
  ): Promise<
    readonly {
      readonly deadLetterId: string
      readonly outcome: 'replayed' | 'failed' | 'not_replayable'
      readonly stored: number
      readonly duplicates: number
      readonly reason?: ErrorCode
      readonly message?: string
    }[]
  >
}

export interface DeadLetterRoutes {
  readonly deadLetters: DeadLetterSource
  /** Absent where this process takes no records in. */
  readonly deadLetterReplays?: DeadLetterReplays
  readonly clock: Clock
}

const CURSOR_PARTS = [timePart, partLike(/^[0-9a-f]{1,64}$/)]
const LISTED_CHARS = 4000
const LONGEST_REASON = 64

export function addDeadLetterRoutes(app: ApiServer, deps: DeadLetterRoutes): void {
  addList(app, deps)
  addCounts(app, deps)
  addOne(app, deps)
  if (deps.deadLetterReplays !== undefined) addReplay(app, deps, deps.deadLetterReplays)
}

function addList(app: ApiServer, { deadLetters, clock }: DeadLetterRoutes): void {
  app.get(
    '/v1/dead-letters',
    {
      config: { capability: 'dead-letters:read' },
      schema: {
        summary: 'Records that could not become events, newest first',
        querystring: DeadLetterQuerySchema,
        response: { 200: DeadLetterPageSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      const { limit, cursor } = request.query
      const scope = { ...scopeOf(tenant, request.query, clock), status: request.query.status }
      const [letters, counts] = await Promise.all([
        deadLetters.list({ ...scope, ...beforeOf(cursor), limit: limit + 1, recordChars: LISTED_CHARS }),
        deadLetters.counts(tenant),
      ])
      return {
        dead_letters: letters.slice(0, limit).map(toWire),
        ...nextOf(letters, limit),
        counts: Object.fromEntries(counts.map((each) => [each.reason, each.count])),
      }
    },
  )
}

function addCounts(app: ApiServer, { deadLetters, clock }: DeadLetterRoutes): void {
  app.get(
    '/v1/dead-letters/counts',
    {
      config: { capability: 'dead-letters:read', shared: true },
      schema: {
        summary: 'How many records became dead letters, by topic, reason and format',
        querystring: DeadLetterCountsQuerySchema,
        response: { 200: DeadLetterCountsSchema },
      },
    },
    async (request) => {
      const scope = scopeOf(callerOf(request).tenant, request.query, clock)
      const counts = await deadLetters.countsBy({ ...scope, status: request.query.status })
      return {
        counts: counts.map(({ topic, reason, sourceFormat, count, kept, first, last }) => ({
          ...{ topic, reason, source_format: sourceFormat, records: count, kept },
          ...{ first_recorded_at: first, last_recorded_at: last },
        })),
      }
    },
  )
}

function addOne(app: ApiServer, { deadLetters }: DeadLetterRoutes): void {
  app.get(
    '/v1/dead-letters/:dead_letter_id',
    {
      config: { capability: 'dead-letters:read' },
      schema: { summary: 'One dead letter with its whole record', response: { 200: DeadLetterSchema } },
    },
    async (request) => {
      const { dead_letter_id: id } = request.params as { dead_letter_id: string }
      const [letter] = await deadLetters.byIds(callerOf(request).tenant, [id])
      if (letter === undefined) throw new GatewatchError('not_found', 'There is no such dead letter.')
      return {
        ...toWire(letter),
        received_at: fromMillis(letter.timestampMs),
        headers: { ...letter.headers },
        view: inertBytes(Buffer.from(letter.record, letter.recordEncoding)),
      }
    },
  )
}

function addReplay(
  app: ApiServer,
  { deadLetters, clock }: DeadLetterRoutes,
  replays: DeadLetterReplays,
): void {
  app.post(
    '/v1/dead-letters/replay',
    {
      config: { capability: 'dead-letters:write' },
      schema: {
        summary: 'Try dead letters again, with the formats and settings of now',
        description:
          'Each kept record takes the way of every record again, with its own coordinates: what is stored already is ' +
          'not stored again. Give `ids`, or what narrows the letters that wait, or `all`; newest first, `limit` a call.',
        body: ReplayRequestSchema,
        response: { 200: ReplayReportSchema },
      },
    },
    async (request) => {
      const { tenant, subject } = callerOf(request)
      const { ids, all, limit, cursor, ...narrowing } = request.body
      const scope = scopeOf(tenant, narrowing, clock)
      if (ids === undefined && all !== true && Object.keys(scope).length === 1) {
        throw new GatewatchError('request_invalid', 'It is not said which letters are meant.', {
          field: 'ids',
          remedy: 'Give ids, a reason, topic, format, text or time, or all: true.',
        })
      }
      const found =
        ids === undefined
          ? await deadLetters.list({ ...scope, ...beforeOf(cursor), status: 'waiting', limit: limit + 1 })
          : await deadLetters.byIds(tenant, ids)
      const letters = ids === undefined ? found.slice(0, limit) : found
      const outcomes = await replays.run(letters, subject)
      const count = (outcome: string) => outcomes.filter((each) => each.outcome === outcome).length
      return {
        replayed: count('replayed'),
        failed: count('failed'),
        not_replayable: count('not_replayable'),
        stored: outcomes.reduce((sum, { stored }) => sum + stored, 0),
        duplicate: outcomes.reduce((sum, { duplicates }) => sum + duplicates, 0),
        results: outcomes.map(({ deadLetterId, outcome, stored, duplicates, reason, message }) => ({
          ...{ dead_letter_id: deadLetterId, outcome, stored, duplicate: duplicates },
          ...(reason === undefined ? {} : { reason }),
          ...(message === undefined ? {} : { message }),
        })),
        ...(ids === undefined ? nextOf(found, limit) : {}),
      }
    },
  )
}

type ScopeQuery = {
  readonly [Key in 'reason' | 'topic' | 'format' | 'text' | 'from' | 'to']?: string | undefined
}

const scopeOf = (tenant: string, query: ScopeQuery, clock: Clock): DeadLetterScope => ({
  tenant,
  ...given('reason', knownReason(query.reason)),
  ...given('topic', query.topic),
  ...given('format', query.format),
  ...given('text', query.text),
  ...openRangeOf(query, clock.now()),
})

// A filter with a typing error must not look like a store without such letters.
function knownReason(reason: string | undefined): string | undefined {
  const known: readonly string[] = DEAD_LETTER_REASONS
  if (reason === undefined || reason === '' || known.includes(reason)) return reason
  const near = nearestName(reason.slice(0, LONGEST_REASON), known)
  throw new GatewatchError('request_invalid', 'No dead letter has this reason.', {
    field: 'reason',
    remedy: `${near === undefined ? '' : `Did you mean ${near}? `}Reasons are ${known.join(', ')}.`,
  })
}

function beforeOf(cursor: string | undefined) {
  if (cursor === undefined) return {}
  const [recordedAt = '', deadLetterId = ''] = decodeCursor(cursor, CURSOR_PARTS)
  return { before: { recordedAt, deadLetterId } }
}

function nextOf(letters: readonly ListedDeadLetter[], limit: number): { next_cursor?: string } {
  const last = letters[limit - 1]
  if (letters.length <= limit || last === undefined) return {}
  return { next_cursor: encodeCursor([last.recordedAt, last.deadLetterId]) }
}

const toWire = (letter: ListedDeadLetter) => ({
  dead_letter_id: letter.deadLetterId,
  recorded_at: letter.recordedAt,
  topic: letter.topic,
  partition: letter.partition,
  offset: letter.offset,
  last_offset: letter.lastOffset,
  record_index: letter.recordIndex,
  source_format: letter.sourceFormat,
  reason: letter.reason,
  message: letter.message,
  field: letter.field,
  record: letter.record,
  record_encoding: letter.recordEncoding,
  record_bytes: letter.recordBytes,
  kept: letter.kept,
  records: letter.weight,
  ...(letter.replay === undefined ? {} : { replay: { ...letter.replay } }),
})
