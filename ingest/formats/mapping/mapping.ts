import type { GatewatchError } from '../../../core/errors.ts'
import { nearestName } from '../../../core/nearest-name.ts'
import { DEFAULT_DECODE_LIMITS } from '../../decode.ts'
import { emptyDraft } from '../../empty-draft.ts'
import type { Decoded, Format, Marks, ParsedRecord } from '../../format.ts'
import { definitionsOf, prefixedBy } from '../definitions.ts'
import { fault, isObject, kindOf, listOf, notACall, textOf } from '../field-values.ts'
import { type Condition, conditionIn } from './condition.ts'
import { isWorkedOut, MAPPED_FIELDS, type MappedField } from './field-kinds.ts'
import { fieldIn, type Note, type TakeField } from './field-mapping.ts'
import { entriesOf, type Given, isMapping, type MappingText, openMapping, textIn } from './mapping-source.ts'
import { type JsonTexts, pathIn, pathsIn, type RecordPath, type Scope, scopeOf } from './record-path.ts'
import { type ReadText, textRecordIn } from './text-record.ts'

/** A format that a mapping file says. */
export interface MappedFormat extends Format {
  /** File that it was read from. */
  readonly at: string
  readonly description: string
  /** As `decode`, with what gave each field of each entry its value. */
  trace(record: ParsedRecord): readonly Traced[]
}

export interface Traced {
  readonly entry: Decoded
  /** Field → path in the record. */
  readonly origins: ReadonlyMap<string, string>
}

export interface ParsedMappings {
  readonly formats: readonly MappedFormat[]
  /** Everything that is wrong with the files, in their order: file, line, column, field, remedy. */
  readonly errors: readonly GatewatchError[]
}

const SECTIONS = [
  'name',
  'description',
  'recognise',
  'text',
  'json_text',
  'each',
  'fields',
  'not_a_call',
  'parts',
  'definitions',
] as const

/** Formats from mapping files, one a file. Does no I/O. A file with a fault gives no format. */
export function parseMappings(files: readonly MappingText[]): ParsedMappings {
  const formats: MappedFormat[] = []
  const errors: GatewatchError[] = []
  for (const file of files) {
    const { root, errors: found } = openMapping(file)
    const format = found.length === 0 ? formatIn(root, file.at) : undefined
    const twin = formats.find(({ name }) => name === format?.name)
    if (twin)
      root.at('name').refuse(`is the name of the mapping in ${twin.at} too.`, 'Give it a name of its own.')
    errors.push(...found)
    if (format && found.length === 0) formats.push(format)
  }
  return { formats, errors }
}

interface Recipe {
  readonly fields: readonly TakeField[]
  readonly refusals: readonly { readonly when: Condition; readonly says: string }[]
  readonly each: readonly RecordPath[]
  readonly join: readonly RecordPath[]
  readonly tools: RecordPath | undefined
  readonly separator: string | undefined
}

function formatIn(root: Given, at: string): MappedFormat | undefined {
  if (entriesOf(root, SECTIONS, 'in a mapping file') === undefined) return undefined
  const name = nameIn(root.at('name'))
  const description = root.at('description').value
  if (description !== undefined && typeof description !== 'string')
    root.at('description').refuse('must be text.', 'Write a sentence about the source.')
  const readText = root.at('text').value === undefined ? undefined : textRecordIn(root.at('text'))
  const jsonTexts = jsonTextsIn(root.at('json_text'))
  const recognises = recogniserIn(root.at('recognise'), jsonTexts)
  const recipe = recipeIn(root, jsonTexts)
  if (name === undefined) return undefined
  const readingOf = (record: ParsedRecord): unknown =>
    readText === undefined ? record.json : lineOf(record, readText)
  const decodeWith = (record: ParsedRecord, note: Note | undefined, done?: (entry: Decoded) => void) =>
    decode(readingOf(record), record, recipe, note, done)
  return {
    name,
    at,
    description: typeof description === 'string' ? description.trim() : '',
    ...(readText === undefined ? {} : { reads: 'text' as const }),
    ...marksIn(root.at('recognise').value, root.at('fields').value),
    recognises: (record) => {
      if (recognises === undefined) return false
      const value = readingOf(record)
      return isObject(value) && recognises(scopeOf(value, record.headers))
    },
    decode: (record) => decodeWith(record, undefined),
    trace: (record) => {
      const traced: Traced[] = []
      let origins = new Map<string, string>()
      decodeWith(
        record,
        (field, from) => origins.set(field, from),
        (entry) => {
          traced.push({ entry, origins })
          origins = new Map()
        },
      )
      return traced
    },
  }
}

const lineOf = ({ json, text }: ParsedRecord, readText: ReadText): unknown =>
  json === undefined && text !== undefined ? readText(text.trim()) : undefined

function nameIn(given: Given): string | undefined {
  const name = textIn(given, 'name: acme-gateway')
  if (name === undefined || /^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return name
  return given.refuse('has characters that a name may not have.', 'Use a-z, 0-9 and dashes, at most 63.')
}

// In the order of their lengths, so that a text inside a text is reached through the outer one.
function jsonTextsIn(given: Given): JsonTexts {
  if (given.value === undefined) return []
  const texts: RecordPath[] = []
  const byLength = given.each().toSorted((a, b) => String(a.value).length - String(b.value).length)
  for (const each of byLength) {
    const path = pathIn(each, texts)
    if (path) texts.push(path)
  }
  return texts
}

function recogniserIn(given: Given, jsonTexts: JsonTexts): Condition | undefined {
  if (given.value === undefined) return undefined
  const names = entriesOf(given, ['all', 'any', 'none', 'where'], 'here')
  if (names === undefined) return undefined
  if (!names.some((name) => name === 'all' || name === 'any' || name === 'where'))
    return given.refuse(
      'would recognise everything.',
      'Write all: or any: with keys that only these records have, or where: { key: value }. Leave recognise out for a format that is used by name only.',
    )
  const keys = (name: string) => (names.includes(name) ? pathsIn(given.at(name), jsonTexts) : [])
  const [all, any, none] = [keys('all'), keys('any'), keys('none')]
  const where = names.includes('where') ? conditionIn(given.at('where'), jsonTexts) : undefined
  return (scope) =>
    all.every(({ has }) => has(scope)) &&
    (any.length === 0 || any.some(({ has }) => has(scope))) &&
    !none.some(({ has }) => has(scope)) &&
    (where === undefined || where(scope))
}

/** What the file says of keys, as far as they are plain. */
function marksIn(recognise: unknown, fields: unknown): { readonly marks?: Marks } {
  if (!isObject(recognise)) return {}
  const keysOf = (value: unknown): string[] =>
    (Array.isArray(value) ? value : [value]).filter(
      (key) => typeof key === 'string' && /^[\w@-][\w@.-]*$/.test(key),
    )
  const any = keysOf(recognise['any'])
  const where = isObject(recognise['where']) ? Object.entries(recognise['where']) : []
  const words = where.flatMap(([key, word]) => (typeof word === 'string' ? [`${key}=${word}`] : []))
  const needs = [...keysOf(recognise['all']), ...words, ...(any.length > 0 ? [any] : [])]
  const usual = isObject(fields)
    ? Object.values(fields).flatMap((from) => (isObject(from) ? keysOf(from['from']) : keysOf(from)))
    : []
  const needed = new Set(needs.flat())
  return needs.length === 0
    ? {}
    : { marks: { needs, usual: [...new Set(usual)].filter((key) => !needed.has(key)) } }
}

function recipeIn(root: Given, jsonTexts: JsonTexts): Recipe {
  const optional = (name: string) => (root.at(name).value === undefined ? undefined : root.at(name))
  const each = optional('each')
  const parts = optional('parts')
  const tools = optional('definitions')
  return {
    fields: fieldsIn(root.at('fields'), jsonTexts),
    refusals: (optional('not_a_call')?.each() ?? []).flatMap((refusal) => {
      entriesOf(refusal, ['when', 'says'], 'here')
      const when = conditionIn(refusal.at('when'), jsonTexts)
      const says = textIn(refusal.at('says'), 'says: A health check of the gateway itself.')
      return when && says ? [{ when, says }] : []
    }),
    each: each === undefined ? [] : pathsIn(each, jsonTexts),
    join: parts === undefined ? [] : joinIn(parts, jsonTexts),
    tools: tools && pathIn(tools, jsonTexts),
    separator: separatorIn(root.at('fields').at('gen_ai.tool.name')),
  }
}

function joinIn(parts: Given, jsonTexts: JsonTexts): readonly RecordPath[] {
  entriesOf(parts, ['join'], 'here')
  if (parts.at('join').value === undefined) {
    parts.refuse('does not say what joins the records of a call.', 'Write join: [session, call]')
    return []
  }
  return pathsIn(parts.at('join'), jsonTexts)
}

const separatorIn = (tool: Given): string | undefined =>
  tool
    .each()
    .map((way) => way.at('split').each()[0]?.value)
    .find((split) => typeof split === 'string')

/** The tool comes last: what is split off its name is the server only where nothing else says it. */
function fieldsIn(given: Given, jsonTexts: JsonTexts): readonly TakeField[] {
  if (!isMapping(given.value) || Object.keys(given.value).length === 0) {
    given.refuse(
      'must say where the fields are.',
      'Write for example: fields: { occurred_at: time, gen_ai.tool.name: tool }',
    )
    return []
  }
  const known = MAPPED_FIELDS as readonly string[]
  const names = Object.keys(given.value).filter((name) => {
    if (known.includes(name)) return true
    if (isWorkedOut(name)) given.at(name).refuse('is worked out by gatewatch.', 'Leave it out.')
    else {
      const near = nearestName(name, known)
      given
        .at(name)
        .refuse(
          'is not a field of events.',
          near === undefined ? 'docs/mapping.md lists the fields.' : `Did you mean ${near}?`,
        )
    }
    return false
  })
  const last = names.filter((name) => name === 'gen_ai.tool.name')
  return [...names.filter((name) => name !== 'gen_ai.tool.name'), ...last].flatMap(
    (name) => fieldIn(name as MappedField, given.at(name), jsonTexts) ?? [],
  )
}

function decode(
  value: unknown,
  record: ParsedRecord,
  recipe: Recipe,
  note: Note | undefined,
  done: ((entry: Decoded) => void) | undefined,
): readonly Decoded[] {
  const entries: Decoded[] = []
  const add = (entry: Decoded) => {
    entries.push(entry)
    done?.(entry)
  }
  if (!isObject(value)) {
    const is = value === undefined ? 'no line of this format' : kindOf(value)
    add({ kind: 'fault', reason: 'field_type', message: `The record must be an object, but is ${is}.` })
    return entries
  }
  const root = scopeOf(value, record.headers)
  if (recipe.each.length === 0) decodeCall(root, recipe, note, add, undefined)
  else
    for (const scope of elementsOf(root, recipe.each, record, add))
      decodeCall(scope, recipe, note, add, scope.value)
  return entries
}

/** The elements of the list, and of the list in each of them, and so on. */
function elementsOf(
  root: Scope,
  lists: readonly RecordPath[],
  record: ParsedRecord,
  add: (entry: Decoded) => void,
): readonly Scope[] {
  let scopes: readonly Scope[] = [root]
  for (const list of lists) {
    const inner: Scope[] = []
    for (const scope of scopes) {
      const found = list.read(scope)
      if (!Array.isArray(found)) {
        add(
          found === undefined || found === null
            ? fault('field_missing', list.text, 'The record has no list of calls.')
            : fault('field_type', list.text, `The list of calls is ${kindOf(found)}.`),
        )
        continue
      }
      for (const element of found as readonly unknown[]) inner.push(scopeOf(element, record.headers, scope))
    }
    scopes = inner
  }
  const { maxEntries } = DEFAULT_DECODE_LIMITS
  if (scopes.length <= maxEntries) return scopes
  add({
    kind: 'fault',
    reason: 'record_too_large',
    message: `The record holds ${scopes.length} calls; send fewer than ${maxEntries} in one record.`,
  })
  return []
}

function decodeCall(
  scope: Scope,
  recipe: Recipe,
  note: Note | undefined,
  add: (entry: Decoded) => void,
  source: unknown,
): void {
  const refusal = recipe.refusals.find(({ when }) => when(scope))
  if (refusal) {
    add(notACall(refusal.says, source))
    return
  }
  const draft = emptyDraft()
  for (const take of recipe.fields) {
    const wrong = take(scope, draft, note)
    if (wrong === undefined) continue
    add(source === undefined ? wrong : { ...wrong, source })
    return
  }
  const piece = source === undefined ? {} : { source }
  const joined = recipe.join.map(({ read }) => textOf(read(scope)) ?? '')
  const call = joined.at(-1) ?? ''
  // Nothing can be joined to a record without its key: it is a call by itself.
  if (call === '') add({ kind: 'event', draft, ...piece })
  else add({ kind: 'part', joinKey: `call:${joined.join(':')}`, callKey: `call:${call}`, draft, ...piece })
  if (recipe.tools === undefined) return
  const listed = listOf(recipe.tools.read(scope))
  const ownName = recipe.separator === undefined ? undefined : prefixedBy(recipe.separator, listed)
  for (const entry of definitionsOf(listed, draft['mcp.server.name'], draft.occurred_at, ownName)) add(entry)
}
