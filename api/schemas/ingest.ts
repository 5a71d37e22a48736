import { Type } from 'typebox'
import { ERROR_CODES, type ErrorCode } from '../../core/errors.ts'
import { strict } from './query.ts'

export const ReceiptSchema = Type.Object(
  {
    read: Type.Integer({
      description:
        'Calls and parts of calls in the body, and what could not be read: the sum of the three below',
    }),
    stored: Type.Integer({
      description:
        'Events, parts of calls and definitions of tools that are stored now; parts of which no call can be made give no event',
    }),
    dead_lettered: Type.Integer({
      description: 'Records that could not become events, kept with the reason',
    }),
    duplicate: Type.Integer({ description: 'Events that were stored before; 0 until they are compared' }),
    conflict: Type.Integer({
      description:
        'Events, of those stored, whose id another event had before with other content; 0 until they are compared',
    }),
    compared: Type.Boolean({
      description:
        'Whether the events were compared with the store, so that `stored`, `duplicate` and `conflict` are final: with the header `x-gatewatch-wait: stored`. Else they are on disk, and compared on their way into the store',
    }),
    incomplete: Type.Optional(
      Type.Integer({
        description:
          'Calls, of those stored, that do not say of what: `tools/call` without a tool; absent when there are none',
      }),
    ),
    parts_without_call: Type.Optional(
      Type.Integer({
        description:
          'Parts, of those stored, of which no call is made unless one comes that they belong to (OTLP); absent when there are none',
      }),
    ),
    errors: Type.Array(
      Type.Object(
        {
          line: Type.Integer({ description: 'Line of the body in which the record begins, from 1' }),
          index: Type.Optional(
            Type.Integer({
              description:
                'Place of the record in the body, from 0: among the elements of its array, or among its lines that are not empty',
            }),
          ),
          reason: Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[]),
          message: Type.String(),
          field: Type.Optional(Type.String()),
        },
        strict,
      ),
      { maxItems: 20, description: 'The first faults' },
    ),
    errors_left_out: Type.Integer({ description: 'Faults that `errors` has no room for', minimum: 0 }),
  },
  { ...strict, title: 'Receipt' },
)
