import { Type } from 'typebox'
import { ERROR_CODES, type ErrorCode } from '../../core/errors.ts'
import {
  cursorParameter,
  limitParameter,
  nextCursor,
  rangeParameters,
  strict,
  textParameter,
} from './query.ts'

const STATUSES = ['waiting', 'replayed', 'all'] as const

/** Which letters are meant. */
const scopeParameters = {
  reason: textParameter('Error code; of a letter that was tried again, that of the last time'),
  topic: textParameter('Topic that the record came from'),
  format: textParameter('Format that read the record'),
  text: textParameter('Text in the record or in the message'),
  ...rangeParameters,
}

const status = Type.Enum(STATUSES, {
  default: 'waiting',
  description: '`waiting`: not replayed with success',
})

export const DeadLetterQuerySchema = Type.Object(
  { ...scopeParameters, status, limit: limitParameter(1000, 100), cursor: cursorParameter },
  strict,
)

export const DeadLetterCountsQuerySchema = Type.Object({ ...scopeParameters, status }, strict)

const deadLetterFields = {
  dead_letter_id: Type.String(),
  recorded_at: Type.String(),
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer(),
  last_offset: Type.Integer({ description: 'Where the letter stands for several records: the last of them' }),
  record_index: Type.Integer(),
  source_format: Type.String(),
  reason: Type.String(),
  message: Type.String(),
  field: Type.String(),
  record: Type.String({
    description:
      'The record, redacted; base64 where it is not UTF-8. In lists only its first 4000 characters',
  }),
  record_encoding: Type.Enum(['utf8', 'base64']),
  record_bytes: Type.Integer({ description: 'Size of the record as it came' }),
  kept: Type.Enum(['record', 'piece', 'entry', 'beginning', 'row', 'nothing'], {
    description: 'What `record` is of the record that came',
  }),
  records: Type.Integer({ description: 'How many records the letter stands for; 1 for most' }),
  replay: Type.Optional(
    Type.Object(
      { at: Type.String(), by: Type.String(), outcome: Type.Enum(['replayed', 'failed']) },
      { ...strict, description: 'The last time that it was tried again' },
    ),
  ),
}

export const DeadLetterPageSchema = Type.Object(
  {
    dead_letters: Type.Array(Type.Object(deadLetterFields, strict)),
    next_cursor: nextCursor,
    counts: Type.Record(Type.String(), Type.Integer(), {
      description: 'All records that wait as dead letters, by reason',
    }),
  },
  strict,
)

export const DeadLetterSchema = Type.Object(
  {
    ...deadLetterFields,
    received_at: Type.String({ description: 'The broker’s time of the record, or that of its receipt' }),
    headers: Type.Record(Type.String(), Type.String(), {
      description: 'Headers that came with it, redacted',
    }),
    view: Type.String({
      description: 'The record for people: base64 undone, what cannot be seen written out as \\u{…} or \\x…',
    }),
  },
  { ...strict, title: 'DeadLetter' },
)

export const DeadLetterCountsSchema = Type.Object(
  {
    counts: Type.Array(
      Type.Object(
        {
          topic: Type.String(),
          reason: Type.String(),
          source_format: Type.String(),
          records: Type.Integer({ description: 'Exact' }),
          kept: Type.Integer({ description: 'Of these, how many are kept; of the others only the number' }),
          first_recorded_at: Type.String(),
          last_recorded_at: Type.String(),
        },
        strict,
      ),
      { maxItems: 1000 },
    ),
  },
  strict,
)

export const ReplayRequestSchema = Type.Object(
  {
    ids: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9a-f]{32}$' }), {
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
      }),
    ),
    all: Type.Optional(
      Type.Boolean({ description: 'Every letter that waits; needed where nothing else narrows' }),
    ),
    ...scopeParameters,
    limit: limitParameter(1000, 100),
    cursor: cursorParameter,
  },
  strict,
)

export const ReplayReportSchema = Type.Object(
  {
    replayed: Type.Integer({ description: 'Letters whose calls are all stored, now or before' }),
    failed: Type.Integer({ description: 'Letters that are refused again, with the reason of this time' }),
    not_replayable: Type.Integer({ description: 'Letters of which too little is kept' }),
    stored: Type.Integer({ description: 'Calls and parts of calls that are stored now' }),
    duplicate: Type.Integer({ description: 'Calls that were stored before' }),
    results: Type.Array(
      Type.Object(
        {
          dead_letter_id: Type.String(),
          outcome: Type.Enum(['replayed', 'failed', 'not_replayable']),
          stored: Type.Integer(),
          duplicate: Type.Integer(),
          reason: Type.Optional(Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[])),
          message: Type.Optional(Type.String()),
        },
        strict,
      ),
    ),
    next_cursor: nextCursor,
  },
  { ...strict, title: 'ReplayReport' },
)
