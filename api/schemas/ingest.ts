import { Type } from 'typebox'
import { ERROR_CODES, type ErrorCode } from '../../core/errors.ts'
import { strict } from './query.ts'

export const ReceiptSchema = Type.Object(
  {
    read: Type.Integer({ description: 'Records in the body' }),
    stored: Type.Integer({ description: 'Events and parts of events that are stored now' }),
    dead_lettered: Type.Integer({
      description: 'Records that could not become events, kept with the reason',
    }),
    duplicate: Type.Integer({ description: 'Events that were stored before' }),
    errors: Type.Array(
      Type.Object(
        {
          line: Type.Integer({ description: 'Number of the record in the body, from 1' }),
          reason: Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[]),
          message: Type.String(),
          field: Type.Optional(Type.String()),
        },
        strict,
      ),
      { maxItems: 20, description: 'The first faults' },
    ),
  },
  { ...strict, title: 'Receipt' },
)
