import { Type } from 'typebox'
import { ERROR_CODES, type ErrorCode } from '../../core/errors.ts'
import { strict } from './query.ts'

export const ReceiptSchema = Type.Object(
  {
    read: Type.Integer({
      description:
        'Calls and parts of calls in the body, and what could not be read: the sum of the three below',
    }),
    stored: Type.Integer({ description: 'Events and parts of events that are stored now' }),
    dead_lettered: Type.Integer({
      description: 'Records that could not become events, kept with the reason',
    }),
    duplicate: Type.Integer({ description: 'Events that were stored before' }),
    errors: Type.Array(
      Type.Object(
        {
          line: Type.Integer({ description: 'Line of the body in which the record begins, from 1' }),
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
