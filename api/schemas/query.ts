import { Type } from 'typebox'

/** Parameters that many calls share. Unknown parameters are refused: a filter with a typing error must not match all. */
export const strict = { additionalProperties: false } as const

const MAX_TEXT = 4096

export const textParameter = (description: string) =>
  Type.Optional(Type.String({ description, maxLength: MAX_TEXT }))

export const rangeParameters = {
  from: Type.Optional(
    Type.String({
      description: 'Start, inclusive: ISO 8601 or relative (`-24h`, `-7d`)',
      maxLength: 64,
      examples: ['-24h', '2026-08-21T14:00:00Z'],
    }),
  ),
  to: Type.Optional(
    Type.String({
      description: 'End, exclusive: ISO 8601, relative, or `now`',
      maxLength: 64,
      examples: ['now'],
    }),
  ),
}

export const limitParameter = (most: number, unlessGiven: number) =>
  Type.Integer({
    description: `Most entries in the answer, up to ${most}`,
    minimum: 1,
    maximum: most,
    default: unlessGiven,
  })

export const cursorParameter = Type.Optional(
  Type.String({ description: '`next_cursor` of the page before', maxLength: 1024 }),
)

export const nextCursor = Type.Optional(
  Type.String({ description: 'Pass as `cursor` for the next page; absent on the last' }),
)

/** An exact match; `''` is a form field left empty and means no filter. */
export const given = <Key extends string>(
  key: Key,
  value: string | undefined,
): Partial<Record<Key, string>> =>
  value === undefined || value === '' ? {} : ({ [key]: value } as Partial<Record<Key, string>>)
