import type { AuditEvent, EventField } from '../audit-event.ts'
import { toClickHouse } from '../timestamp.ts'
import type { CompareOp } from './ast.ts'
import { addressBytes, type Network } from './network.ts'
import { anywhere, isAnything, likePattern, matchesPieces } from './pattern.ts'

/**
 * One test in its two meanings, side by side so that they stay the same: as SQL over the columns of `events` and as
 * a predicate over an event. An absent field is `''` in a text column and NULL in a number's; no condition is ever
 * NULL, so that NOT means the same in both.
 */
export interface Condition {
  sql(into: SqlWriter): string
  test(event: AuditEvent): boolean
}

export interface SqlWriter {
  /** Binds a value and returns its placeholder. */
  bind(value: string, type: 'String'): string
  bind(value: number, type: 'Float64'): string
  /** The column of a field, qualified where the caller asked for it. */
  column(field: EventField): string
}

// What the store would hold: UTF-8 has no lone surrogates.
const textOf = (event: AuditEvent, field: EventField): string => {
  const value = event[field]
  return typeof value !== 'string' ? '' : value.isWellFormed() ? value : value.toWellFormed()
}

export const anyOf = (conditions: readonly Condition[]): Condition =>
  conditions.length === 1
    ? conditions[0]!
    : {
        sql: (into) => `(${conditions.map((condition) => condition.sql(into)).join(' OR ')})`,
        test: (event) => conditions.some((condition) => condition.test(event)),
      }

export const allOf = (conditions: readonly Condition[]): Condition =>
  conditions.length === 1
    ? conditions[0]!
    : {
        sql: (into) => `(${conditions.map((condition) => condition.sql(into)).join(' AND ')})`,
        test: (event) => conditions.every((condition) => condition.test(event)),
      }

export const not = (condition: Condition): Condition => ({
  sql: (into) => `NOT (${condition.sql(into)})`,
  test: (event) => !condition.test(event),
})

export const everything: Condition = { sql: () => 'true', test: () => true }

/** The field is there. */
export const hasText = (field: EventField): Condition => ({
  sql: (into) => `${into.column(field)} != ''`,
  test: (event) => textOf(event, field) !== '',
})

/** The field's whole text, with case; with stars a pattern; nothing but stars: the field is there. */
export function isText(field: EventField, pieces: readonly string[]): Condition {
  if (isAnything(pieces)) return hasText(field)
  return {
    sql: (into) =>
      pieces.length === 1
        ? `${into.column(field)} = ${into.bind(pieces[0] ?? '', 'String')}`
        : `${into.column(field)} LIKE ${into.bind(likePattern(pieces), 'String')}`,
    test: (event) => matchesPieces(textOf(event, field), pieces),
  }
}

/** A part of the field's text, without case (full Unicode lower case, the same in ClickHouse and here). */
export function containsText(field: EventField, pieces: readonly string[]): Condition {
  if (isAnything(pieces)) return hasText(field)
  const wanted = anywhere(pieces.map((piece) => piece.toLowerCase()))
  return {
    sql: (into) => `lowerUTF8(${into.column(field)}) LIKE ${into.bind(likePattern(wanted), 'String')}`,
    test: (event) => matchesPieces(textOf(event, field).toLowerCase(), wanted),
  }
}

/** `server/tool` as one text. */
export function isServerAndTool(pieces: readonly string[]): Condition {
  return {
    sql: (into) => {
      const joined = `concat(${into.column('mcp.server.name')}, '/', ${into.column('gen_ai.tool.name')})`
      return pieces.length === 1
        ? `${joined} = ${into.bind(pieces[0] ?? '', 'String')}`
        : `${joined} LIKE ${into.bind(likePattern(pieces), 'String')}`
    },
    test: (event) =>
      matchesPieces(`${textOf(event, 'mcp.server.name')}/${textOf(event, 'gen_ai.tool.name')}`, pieces),
  }
}

/**
 * An element of a list of texts; nothing but stars: the list has elements; the empty text: it has none, as for any
 * absent field (and `has` of ClickHouse does not find `''` in a list of LowCardinality).
 */
export function listHas(field: EventField, pieces: readonly string[]): Condition {
  const listOf = (event: AuditEvent): readonly string[] => {
    const value = event[field]
    return Array.isArray(value) ? value : []
  }
  if (isAnything(pieces)) {
    return { sql: (into) => `notEmpty(${into.column(field)})`, test: (event) => listOf(event).length > 0 }
  }
  if (pieces.length === 1 && pieces[0] === '') {
    return { sql: (into) => `empty(${into.column(field)})`, test: (event) => listOf(event).length === 0 }
  }
  return {
    sql: (into) =>
      pieces.length === 1
        ? `has(${into.column(field)}, ${into.bind(pieces[0] ?? '', 'String')})`
        : `arrayExists(element -> element LIKE ${into.bind(likePattern(pieces), 'String')}, ${into.column(field)})`,
    test: (event) => listOf(event).some((element) => matchesPieces(element.toWellFormed(), pieces)),
  }
}

export const hasNumber = (field: EventField): Condition => ({
  sql: (into) => `${into.column(field)} IS NOT NULL`,
  test: (event) => typeof event[field] === 'number',
})

/** A number compared; an absent number is neither more, less nor equal. */
export const compareNumber = (field: EventField, op: CompareOp, value: number): Condition => ({
  sql: (into) => `ifNull(${into.column(field)} ${op} ${into.bind(value, 'Float64')}, false)`,
  test: (event) => {
    const held = event[field]
    return typeof held === 'number' && compare(held, op, value)
  },
})

/** A flag that is there. */
export const hasFlag = (field: EventField): Condition => ({
  sql: (into) => `${into.column(field)} IS NOT NULL`,
  test: (event) => typeof event[field] === 'boolean',
})

/** A flag compared; an absent one is neither true nor false. */
export const isFlag = (field: EventField, wanted: boolean): Condition => ({
  sql: (into) => `ifNull(${into.column(field)} = ${wanted}, false)`,
  test: (event) => event[field] === wanted,
})

/** A time compared; `value` is a `Timestamp`, which sorts as text. */
export const compareTime = (field: EventField, op: CompareOp, value: string): Condition => ({
  sql: (into) =>
    `${into.column(field)} ${op} toDateTime64(${into.bind(toClickHouse(value), 'String')}, 6, 'UTC')`,
  test: (event) => {
    const held = event[field]
    return typeof held === 'string' && compare(held, op, value)
  },
})

function compare<T extends string | number>(held: T, op: CompareOp, value: T): boolean {
  switch (op) {
    case '=':
      return held === value
    case '>':
      return held > value
    case '>=':
      return held >= value
    case '<':
      return held < value
    case '<=':
      return held <= value
  }
}

/**
 * The address lies in the network. Both sides as IPv6, IPv4 mapped into `::ffff:0:0/96`. Notations that programs read
 * differently (`10.0.0.01`) are no addresses here, in SQL neither.
 */
export function inNetwork(field: EventField, network: Network): Condition {
  return {
    sql: (into) => {
      const column = into.column(field)
      const plain = `(isIPv4String(${column}) OR isIPv6String(${column})) AND NOT match(${column}, '[:.]0[0-9]+[.]|[.]0[0-9]+$')`
      const address = `toIPv6OrDefault(${column})`
      return `(${plain} AND ${address} >= toIPv6(${into.bind(network.first, 'String')}) AND ${address} <= toIPv6(${into.bind(network.last, 'String')}))`
    },
    test: (event) => {
      const address = addressBytes(textOf(event, field))
      return address !== undefined && address >= network.firstBytes && address <= network.lastBytes
    },
  }
}
