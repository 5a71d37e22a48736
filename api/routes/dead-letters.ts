import type { Timestamp } from '../../core/audit-event.ts'
import { decodeCursor, encodeCursor } from '../../core/cursor.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { DeadLetterPageSchema, DeadLetterQuerySchema } from '../schemas/dead-letters.ts'
import { given } from '../schemas/query.ts'

export interface ListedDeadLetter {
  readonly deadLetterId: string
  readonly recordedAt: Timestamp
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  readonly sourceFormat: string
  readonly reason: string
  readonly message: string
  readonly field: string
  readonly record: string
  readonly recordEncoding: 'utf8' | 'base64'
  readonly recordBytes: number
}

/** Where dead letters come from; the tenant is never empty. Newest first. */
export interface DeadLetterSource {
  list(filter: {
    readonly tenant: string
    readonly reason?: string
    readonly before?: { readonly recordedAt: string; readonly deadLetterId: string }
    readonly limit: number
  }): Promise<readonly ListedDeadLetter[]>
  counts(tenant: string): Promise<readonly { readonly reason: string; readonly count: number }[]>
}

const CURSOR_PARTS = [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, /^[0-9a-f]{1,64}$/]

export function addDeadLetterRoutes(
  app: ApiServer,
  { deadLetters }: { readonly deadLetters: DeadLetterSource },
): void {
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
      const { limit, reason, cursor } = request.query
      const [recordedAt, deadLetterId] = cursor === undefined ? [] : decodeCursor(cursor, CURSOR_PARTS)
      const [letters, counts] = await Promise.all([
        deadLetters.list({
          tenant,
          limit: limit + 1,
          ...given('reason', reason),
          ...(recordedAt === undefined || deadLetterId === undefined
            ? {}
            : { before: { recordedAt, deadLetterId } }),
        }),
        deadLetters.counts(tenant),
      ])
      const last = letters[limit - 1]
      return {
        dead_letters: letters.slice(0, limit).map(toWire),
        ...(letters.length > limit && last !== undefined
          ? { next_cursor: encodeCursor([last.recordedAt, last.deadLetterId]) }
          : {}),
        counts: Object.fromEntries(counts.map((each) => [each.reason, each.count])),
      }
    },
  )
}

const toWire = (letter: ListedDeadLetter) => ({
  dead_letter_id: letter.deadLetterId,
  recorded_at: letter.recordedAt,
  topic: letter.topic,
  partition: letter.partition,
  offset: letter.offset,
  record_index: letter.recordIndex,
  source_format: letter.sourceFormat,
  reason: letter.reason,
  message: letter.message,
  field: letter.field,
  record: letter.record,
  record_encoding: letter.recordEncoding,
  record_bytes: letter.recordBytes,
})
