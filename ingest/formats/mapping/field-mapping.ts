import type { EventDraft } from '../../../core/audit-event.ts'
import type { Decoded } from '../../format.ts'
import { durationOf, millisBetween, notATime, numberOf, textOf } from '../field-values.ts'
import { splitTool } from '../split-tool.ts'
import { type Condition, conditionIn, hasValue } from './condition.ts'
import { type Convert, type FieldKind, kindOf, type MappedField } from './field-kinds.ts'
import { entriesOf, type Given, isMapping, oneOf, shown } from './mapping-source.ts'
import { type Pattern, patternIn } from './pattern.ts'
import { type JsonTexts, pathIn, pathsIn, type Read, type RecordPath, type Scope } from './record-path.ts'
import { notationText, timeNotationIn } from './time-notation.ts'

/** Told which way gave a field its value: the path, or `value` for a constant. */
export type Note = (field: MappedField, from: string) => void

/** Fills one field of a draft; the fault, if the record says something that cannot be. */
export type TakeField = (scope: Scope, draft: EventDraft, note: Note | undefined) => Decoded | undefined

interface Way {
  readonly label: string
  readonly when: Condition | undefined
  readonly read: Read
  readonly convert: Convert
  /** For times: how they are written there, in words. */
  readonly notation?: string
}

const OPTIONS = [
  'from',
  'value',
  'join',
  'separator',
  'between',
  'when',
  'match',
  'map',
  'otherwise',
  'as',
  'unit',
  'time',
  'zone',
  'split',
] as const
const SOURCES = ['from', 'value', 'join', 'between'] as const
const UNITS = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000 } as const

/**
 * One entry of `fields`: a path, an entry with options, or a list of either, of which the first that gives a value wins.
 */
export function fieldIn(field: MappedField, given: Given, jsonTexts: JsonTexts): TakeField | undefined {
  const kind = kindOf(field)
  const separators: string[] = []
  const each = given.each()
  if (each.length === 0) given.refuse('is an empty list.', 'Write at least one path.')
  const ways = each.flatMap((item): readonly Way[] =>
    isMapping(item.value)
      ? waysIn(field, kind, item, jsonTexts, separators)
      : plainWay(kind, item, pathIn(item, jsonTexts)),
  )
  if (field === 'occurred_at') return takeTime(ways)
  return separators.length > 0 ? takeTool(ways, separators) : takeValue(field, ways)
}

function takeValue(field: MappedField, ways: readonly Way[]): TakeField {
  const fill = (draft: EventDraft, value: unknown) => {
    ;(draft as Record<string, unknown>)[field] = value
  }
  const [only] = ways
  if (only !== undefined && only.when === undefined && ways.length === 1) {
    const { read, convert, label } = only
    return (scope, draft, note) => {
      const found = read(scope)
      if (found === undefined || found === null) return undefined
      const value = convert(found)
      if (value === undefined) return undefined
      fill(draft, value)
      note?.(field, label)
      return undefined
    }
  }
  return (scope, draft, note) => {
    for (const way of ways) {
      if (way.when !== undefined && !way.when(scope)) continue
      const found = way.read(scope)
      if (found === undefined || found === null) continue
      const value = way.convert(found)
      if (value === undefined) continue
      fill(draft, value)
      note?.(field, way.label)
      return undefined
    }
    return undefined
  }
}

// A time that cannot be read is a fault: the clock that stood in for it would put the call where it was not.
// The same goes for another path; the same path may be written in several notations.
function takeTime(ways: readonly Way[]): TakeField {
  return (scope, draft, note) => {
    let failed: { readonly label: string; readonly value: unknown; readonly notations: string[] } | undefined
    for (const { when, read, convert, label, notation = 'ISO 8601 or epoch' } of ways) {
      if (failed !== undefined && failed.label !== label) continue
      if (when !== undefined && !when(scope)) continue
      const value = read(scope)
      if (!hasValue(value)) continue
      const time = convert(value)
      if (time === undefined) {
        failed ??= { label, value, notations: [] }
        failed.notations.push(notation)
        continue
      }
      draft.occurred_at = time as string
      note?.('occurred_at', label)
      return undefined
    }
    return failed && notATime(failed.label, failed.value, failed.notations.join(', or '))
  }
}

function takeTool(ways: readonly Way[], separators: readonly string[]): TakeField {
  const take = takeValue('gen_ai.tool.name', ways)
  return (scope, draft, note) => {
    take(scope, draft, note)
    const name = draft['gen_ai.tool.name']
    if (name === undefined) return undefined
    const before = draft['mcp.server.name']
    splitTool(draft, name, separators.find((separator) => name.includes(separator)) ?? separators[0] ?? '')
    note?.('tool.name.raw', 'gen_ai.tool.name, before split')
    if (before === undefined && draft['mcp.server.name'] !== undefined)
      note?.('mcp.server.name', 'gen_ai.tool.name, split')
    return undefined
  }
}

function plainWay(kind: FieldKind, given: Given, path: RecordPath | undefined): readonly Way[] {
  if (path === undefined) return []
  const convert = converterOf(kind, given)
  return convert ? [{ label: path.text, when: undefined, read: path.read, convert }] : []
}

function waysIn(
  field: MappedField,
  kind: FieldKind,
  given: Given,
  jsonTexts: JsonTexts,
  separators: string[],
): readonly Way[] {
  const names = entriesOf(given, OPTIONS, 'for a field') ?? []
  const sources = SOURCES.filter((name) => names.includes(name))
  if (sources.length !== 1) {
    given.refuse(
      sources.length === 0 ? 'does not say where the value is.' : `has both ${sources.join(' and ')}.`,
      'Write from: (a path, or several), value: (always the same), join: (several as one text) or between: (two times).',
    )
    return []
  }
  const has = (name: string) => names.includes(name)
  const misplaced = (name: string, fits: boolean, where: string) => {
    if (has(name) && !fits) given.at(name).refuse(`has no meaning here, only ${where}.`, 'Leave it out.')
  }
  misplaced('split', field === 'gen_ai.tool.name', 'for gen_ai.tool.name')
  misplaced('unit', kind.name === 'duration', 'for duration_ms')
  misplaced('time', kind.name === 'time' || has('between'), 'for occurred_at and between')
  misplaced('zone', kind.name === 'time' || has('between'), 'for occurred_at and between')
  misplaced('separator', has('join'), 'with join')
  misplaced('otherwise', has('map'), 'with map')
  misplaced('between', kind.name === 'duration', 'for duration_ms')

  if (has('split')) separators.push(...separatorsIn(given.at('split')))
  const when = has('when') ? conditionIn(given.at('when'), jsonTexts) : undefined
  const [source] = sources
  if (source === 'value') return constantWay(kind, given, when)
  if (source === 'between') return betweenWay(given, when, jsonTexts)
  const base = converterOf(kind, given)
  if (base === undefined) return []
  const refined = refine(given, base)
  const notation = kind.name === 'time' ? { notation: notationText(given.at('time')) } : {}
  if (source === 'join') {
    const paths = pathsIn(given.at('join'), jsonTexts)
    const separator = has('separator') ? String(given.at('separator').value ?? '') : ' '
    const label = paths.map(({ text }) => text).join(' + ')
    return [{ label, when, read: joined(paths, separator), convert: refined, ...notation }]
  }
  return pathsIn(given.at('from'), jsonTexts).map(({ text, read }) => ({
    label: text,
    when,
    read,
    convert: refined,
    ...notation,
  }))
}

function constantWay(kind: FieldKind, given: Given, when: Condition | undefined): readonly Way[] {
  const { value } = given.at('value')
  const convert = converterOf(kind, given)
  const constant = convert?.(value)
  if (convert !== undefined && constant === undefined)
    given
      .at('value')
      .refuse(`is no ${kind.name} that fits: ${shown(value)}.`, 'Write a value that the field can have.')
  return [{ label: 'value', when, read: () => value, convert: () => constant }]
}

function betweenWay(given: Given, when: Condition | undefined, jsonTexts: JsonTexts): readonly Way[] {
  const [start, end, ...more] = pathsIn(given.at('between'), jsonTexts)
  const readTime = timeNotationIn(given.at('time'), given.at('zone'))
  if (start === undefined || end === undefined || more.length > 0) {
    given.at('between').refuse('must be two paths.', 'Write for example: [started_at, ended_at]')
    return []
  }
  return [
    {
      label: `${start.text} to ${end.text}`,
      when,
      read: (scope) => millisBetween(readTime?.(start.read(scope)), readTime?.(end.read(scope))),
      convert: durationOf,
    },
  ]
}

// All of them have to be there: half a date is none.
function joined(paths: readonly RecordPath[], separator: string): Read {
  return (scope) => {
    const texts = paths.map(({ read }) => textOf(read(scope)))
    return texts.every((text) => text !== undefined) ? texts.join(separator) : undefined
  }
}

function converterOf(kind: FieldKind, given: Given): Convert | undefined {
  if (kind.name === 'time') return timeNotationIn(given.at('time'), given.at('zone'))
  const ways = Object.keys(kind.ways)
  const as = given.at('as')
  const way = as.value === undefined ? ways[0] : oneOf(as, ways)
  const convert = way === undefined ? undefined : kind.ways[way]
  const unit = given.at('unit')
  if (convert === undefined || kind.name !== 'duration' || unit.value === undefined) return convert
  const name = oneOf(unit, Object.keys(UNITS) as (keyof typeof UNITS)[])
  return name && inUnit(UNITS[name])
}

/** Durations that are numbers of a unit; a text that names its own keeps it. */
const inUnit =
  (millis: number): Convert =>
  (value) => {
    const number = numberOf(value)
    if (number === undefined) return durationOf(value)
    return number >= 0 ? Number((number * millis).toPrecision(12)) : undefined
  }

/** What `match` takes out of the text, then what `map` makes of it, then the field’s own reading. */
function refine(given: Given, convert: Convert): Convert {
  const matchGiven = given.at('match')
  const pattern = matchGiven.value === undefined ? undefined : patternIn(matchGiven)
  const table = given.at('map').value === undefined ? undefined : tableIn(given.at('map'), convert)
  const otherwise = given.at('otherwise')
  const rest = otherwise.value === undefined ? undefined : convert(otherwise.value)
  if (otherwise.value !== undefined && rest === undefined)
    otherwise.refuse(
      `does not fit the field: ${shown(otherwise.value)}.`,
      'Write a value that the field can have.',
    )
  if (table !== undefined) {
    return (value) => {
      const text = taken(value, pattern)
      if (text === undefined) return undefined
      return table.get(text) ?? table.get(text.toLowerCase()) ?? rest
    }
  }
  return pattern === undefined
    ? convert
    : (value) => {
        const text = taken(value, pattern)
        return text === undefined ? undefined : convert(text)
      }
}

const taken = (value: unknown, pattern: Pattern | undefined): string | undefined => {
  const text = textOf(value)
  return pattern === undefined || text === undefined ? text : pattern.take(text)
}

function tableIn(given: Given, convert: Convert): ReadonlyMap<string, unknown> | undefined {
  if (!isMapping(given.value))
    return given.refuse(
      `must be entries \`from: to\`, not ${shown(given.value)}.`,
      'Write for example: { allow: success }',
    )
  const table = new Map<string, unknown>()
  for (const [from, to] of Object.entries(given.value)) {
    const made = convert(to)
    if (made === undefined)
      given.at(from).refuse(`does not fit the field: ${shown(to)}.`, 'Write a value that the field can have.')
    table.set(from, made)
  }
  return table
}

function separatorsIn(given: Given): string[] {
  return given
    .each()
    .flatMap((each) =>
      typeof each.value === 'string' && each.value !== ''
        ? [each.value]
        : (each.refuse('must be the text between server and tool.', "Write for example: '__'") ?? []),
    )
}
