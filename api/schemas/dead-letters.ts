import { Type } from 'typebox'
import { cursorParameter, limitParameter, nextCursor, strict, textParameter } from './query.ts'

export const DeadLetterQuerySchema = Type.Object(
  { reason: textParameter('Error code'), limit: limitParameter(1000, 100), cursor: cursorParameter },
  strict,
)

export const DeadLetterPageSchema = Type.Object(
  {
    dead_letters: Type.Array(
      Type.Object(
        {
          dead_letter_id: Type.String(),
          recorded_at: Type.String(),
          topic: Type.String(),
          partition: Type.Integer(),
          offset: Type.Integer(),
          record_index: Type.Integer(),
          source_format: Type.String(),
          reason: Type.String(),
          message: Type.String(),
          field: Type.String(),
          record: Type.String({ description: 'The record, redacted; base64 where it is not UTF-8' }),
          record_encoding: Type.Enum(['utf8', 'base64']),
          record_bytes: Type.Integer(),
        },
        strict,
      ),
    ),
    next_cursor: nextCursor,
    counts: Type.Record(Type.String(), Type.Integer(), { description: 'All dead letters by reason' }),
  },
  strict,
)
