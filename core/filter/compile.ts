import { type AuditEvent, columnOf, type EventField } from '../audit-event.ts'
import type { CompareOp, FilterField, FilterNode, FilterValue } from './ast.ts'
import {
  allOf,
  anyOf,
  type Condition,
  compareNumber,
  compareTime,
  containsText,
  everything,
  hasFlag,
  hasNumber,
  hasText,
  inNetwork,
  isFlag,
  isServerAndTool,
  isText,
  listHas,
  not,
} from './condition.ts'
import { nearestField, resolveField, type Target, TEXT_SEARCH_FIELDS } from './fields.ts'
import { parseNetwork } from './network.ts'
import { parseFilter } from './parse.ts'
import { isAnything, matchesPieces } from './pattern.ts'
import { FilterSyntaxError } from './syntax-error.ts'
import { parseTimeSpan } from './time-value.ts'

export interface CompileOptions {
  /** Start of the parameters' names; several filters in one query need different ones. `f` unless given. */
  readonly paramPrefix?: string
  /** Put before every column: `e.` where a query joins. Trusted text, never from outside. */
  readonly columnPrefix?: string
}

export interface CompiledFilter {
  readonly ast: FilterNode
  /** A boolean expression over the columns of `events`; never NULL, already in parentheses. */
  readonly sql: string
  /** Values of the `{f0:String}` placeholders in `sql`. */
  readonly params: Readonly<Record<string, string | number>>
  /** The same question asked of one event. Absent fields do not match, so `-field:x` matches them. */
  readonly predicate: (event: AuditEvent) => boolean
}

/**
 * A filter as SQL with bound parameters and as a predicate; the two agree on every event (property test:
 * `test/integration/filter/agreement.test.ts`). The language: `docs/filter.md`.
 * @throws FilterSyntaxError (code `filter_syntax`) with the column, for syntax, unknown fields and impossible values
 */
export function compileFilter(filter: string | FilterNode, options: CompileOptions = {}): CompiledFilter {
  const ast = typeof filter === 'string' ? parseFilter(filter) : filter
  const condition = conditionOf(ast)
  const params: Record<string, string | number> = {}
  const names = new Map<string, string>()
  const sql = condition.sql({
    bind: (value: string | number, type: string) => {
      const placeholder = (name: string) => `{${name}:${type}}`
      const known = names.get(`${type}:${value}`)
      if (known !== undefined) return placeholder(known)
      const name = `${options.paramPrefix ?? 'f'}${names.size}`
      names.set(`${type}:${value}`, name)
      params[name] = value
      return placeholder(name)
    },
    column: (field) => `${options.columnPrefix ?? ''}${columnOf(field)}`,
  })
  return { ast, sql: `(${sql})`, params, predicate: condition.test }
}

function conditionOf(node: FilterNode): Condition {
  switch (node.kind) {
    case 'all':
      return everything
    case 'and':
      return allOf(node.nodes.map(conditionOf))
    case 'or':
      return anyOf(node.nodes.map(conditionOf))
    case 'not':
      return not(conditionOf(node.node))
    case 'text':
      return anyOf(TEXT_SEARCH_FIELDS.map((field) => containsText(field, node.value.pieces)))
    case 'compare':
      return comparison(targetOf(node), node, node.op, node.value)
    case 'range': {
      const target = targetOf(node)
      const bounds = [
        ...(node.low === null ? [] : [comparison(target, node, node.includeLow ? '>=' : '>', node.low)]),
        ...(node.high === null ? [] : [comparison(target, node, node.includeHigh ? '<=' : '<', node.high)]),
      ]
      return bounds.length === 0 ? presence(target) : allOf(bounds)
    }
  }
}

function targetOf({ field, at }: FilterField): Target {
  const target = resolveField(field)
  if (target !== undefined) return target
  const near = nearestField(field)
  throw new FilterSyntaxError(
    `There is no field “${field}”.`,
    at,
    near === undefined ? [] : [near],
    near === undefined ? 'Put text that contains a colon in quotes.' : `Did you mean ${near}?`,
  )
}

function comparison(target: Target, { field }: FilterField, op: CompareOp, value: FilterValue): Condition {
  if (target.kind === 'number') return numberCondition(target.field, field, op, value)
  if (target.kind === 'time') return timeCondition(target.field, field, op, value)
  if (op !== '=') {
    throw new FilterSyntaxError(
      `“${field}” is text: ${op} and ranges work on numbers and times.`,
      value.at,
      [],
      `Write ${field}:value or ${field}:start*.`,
    )
  }
  switch (target.kind) {
    case 'exact':
      return anyOf(target.fields.map((each) => isText(each, actorPieces(each, value.pieces))))
    case 'contains':
      return anyOf(target.fields.map((each) => containsText(each, value.pieces)))
    case 'error':
      return anyOf([isText('error.type', value.pieces), containsText('error.message', value.pieces)])
    case 'list':
      return listHas(target.field, value.pieces)
    case 'tool':
      return toolCondition(value.pieces)
    case 'choice':
      return choiceCondition(target, field, value)
    case 'flag':
      return flagCondition(target.field, field, value)
    case 'address':
      return addressCondition(target.field, value)
  }
}

/** The field is there. */
function presence(target: Target): Condition {
  switch (target.kind) {
    case 'number':
    case 'time':
      return target.kind === 'number' ? hasNumber(target.field) : everything
    case 'flag':
      return hasFlag(target.field)
    case 'choice':
    case 'address':
      return hasText(target.field)
    case 'list':
      return listHas(target.field, ['', ''])
    case 'tool':
      return toolCondition(['', ''])
    case 'error':
      return anyOf([hasText('error.type'), hasText('error.message')])
    case 'exact':
    case 'contains':
      return anyOf(target.fields.map(hasText))
  }
}

// Actors that are mail addresses are kept in lower case (`deriveActor`).
const actorPieces = (field: string, pieces: readonly string[]): readonly string[] =>
  field === 'actor' && pieces.some((piece) => piece.includes('@'))
    ? pieces.map((piece) => piece.toLowerCase())
    : pieces

function toolCondition(pieces: readonly string[]): Condition {
  const byName = [isText('gen_ai.tool.name', pieces), isText('tool.name.raw', pieces)]
  return anyOf(pieces.some((piece) => piece.includes('/')) ? [...byName, isServerAndTool(pieces)] : byName)
}

/** Words of other tools for the same outcomes. */
const CHOICE_SYNONYMS: Readonly<Record<string, string>> = {
  ok: 'success',
  error: 'failure',
  failed: 'failure',
  blocked: 'denied',
}

function choiceCondition(
  target: Extract<Target, { kind: 'choice' }>,
  field: string,
  value: FilterValue,
): Condition {
  if (isAnything(value.pieces)) return hasText(target.field)
  const pieces = value.pieces.map((piece) => piece.toLowerCase())
  const whole = pieces.join('*')
  if (whole === '') return not(hasText(target.field))
  const synonym = target.field === 'outcome' ? CHOICE_SYNONYMS[whole] : undefined
  const chosen = target.values.filter((each) => each === synonym || matchesPieces(each, pieces))
  if (chosen.length === 0) {
    throw new FilterSyntaxError(
      `“${field}” is one of ${target.values.join(', ')}; not “${whole}”.`,
      value.at,
      target.values,
    )
  }
  return anyOf(chosen.map((each) => isText(target.field, [each])))
}

function flagCondition(field: EventField, name: string, value: FilterValue): Condition {
  if (isAnything(value.pieces)) return hasFlag(field)
  const text = value.pieces.join('*').toLowerCase()
  if (text === '') return not(hasFlag(field))
  if (text === 'true' || text === 'false') return isFlag(field, text === 'true')
  throw new FilterSyntaxError(`“${name}” is true or false, not “${text}”.`, value.at, ['true', 'false'])
}

function addressCondition(field: EventField, value: FilterValue): Condition {
  const text = value.pieces.length === 1 ? (value.pieces[0] ?? '') : ''
  const network = parseNetwork(text)
  if (network !== undefined) return inNetwork(field, network)
  if (/^[0-9A-Fa-f:.]+\/\d*$/.test(text)) {
    throw new FilterSyntaxError(`“${text}” is not a network.`, value.at, ['a network such as 10.0.0.0/8'])
  }
  return isText(field, value.pieces)
}

function numberCondition(field: EventField, name: string, op: CompareOp, value: FilterValue): Condition {
  if (op === '=' && isAnything(value.pieces)) return hasNumber(field)
  const text = value.pieces.join('*')
  const number = Number(text)
  if (!/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) || !Number.isFinite(number)) {
    throw new FilterSyntaxError(`“${name}” is compared with a number, not with “${text}”.`, value.at, [
      'a number',
    ])
  }
  return compareNumber(field, op, number)
}

function timeCondition(field: EventField, name: string, op: CompareOp, value: FilterValue): Condition {
  if (op === '=' && isAnything(value.pieces)) return everything
  const text = value.pieces.join('*')
  const span = parseTimeSpan(text)
  if (span === undefined) {
    throw new FilterSyntaxError(`“${name}” is compared with a time, not with “${text}”.`, value.at, [
      'a time such as 2026-08-21, 2026-08-21T14:00 or 2026-08-21T14:00:00Z',
    ])
  }
  switch (op) {
    case '=':
      return allOf([compareTime(field, '>=', span.start), compareTime(field, '<', span.end)])
    case '>':
      return compareTime(field, '>=', span.end)
    case '<=':
      return compareTime(field, '<', span.end)
    default:
      return compareTime(field, op, span.start)
  }
}
