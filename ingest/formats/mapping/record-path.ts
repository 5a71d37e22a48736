import { parseExactly } from '../../exact-json.ts'
import { isObject, type JsonObject, textOf } from '../field-values.ts'
import { type Given, shown } from './mapping-source.ts'

/** What paths are looked up in: a record, or an element of a list in it with the record around it. */
export interface Scope {
  readonly value: unknown
  /** The value if it is an object, else an empty one. */
  readonly keys: JsonObject
  /** Whether the value of a key is an object, once asked: where none is, a dot in a path can only be one of a key. */
  nested: boolean | undefined
  readonly outer: Scope | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Values of texts that hold JSON, by their index in `json_text`: each is parsed once, when it is first asked for. */
  readonly parsed: unknown[]
}

const NO_KEYS: JsonObject = Object.freeze(Object.create(null))

export function scopeOf(value: unknown, headers: Scope['headers'], outer?: Scope): Scope {
  const keys = isObject(value) ? value : NO_KEYS
  return { value, keys, nested: undefined, outer, headers, parsed: [] }
}

function isNested(scope: Scope): boolean {
  scope.nested ??= hasObjects(scope.keys)
  return scope.nested
}

/** The object itself behind one that notes down what is read: looking where a path may go on is no reading. */
export const UNWATCHED = Symbol('unwatched')

const unwatched = (value: object): JsonObject =>
  (value as { [UNWATCHED]?: JsonObject })[UNWATCHED] ?? (value as JsonObject)

function hasObjects(keys: JsonObject): boolean {
  const looked = unwatched(keys)
  for (const key in looked) {
    const value = looked[key]
    if (typeof value === 'object' && value !== null) return true
  }
  return false
}

/** `undefined` (or `null`) when there is nothing. */
export type Read = (scope: Scope) => unknown

/** A path of a mapping file, compiled. */
export interface RecordPath {
  readonly text: string
  readonly read: Read
  /** Whether the key is there, with `null` or any other value. */
  readonly has: (scope: Scope) => boolean
}

/** Texts that hold JSON, which paths may go on into; in the order of `json_text`. */
export type JsonTexts = readonly RecordPath[]

type Step =
  | { readonly kind: 'key'; readonly name: string; readonly exact: boolean }
  | { readonly kind: 'item'; readonly index: number }
  | { readonly kind: 'choose'; readonly key: string; readonly value: string }

interface ParsedPath {
  readonly outer: number
  readonly header?: string
  readonly steps: readonly Step[]
}

type Find = (value: unknown) => unknown

const MAX_STEPS = 12
const PATH_REMEDY =
  'Write a.b.c (nested keys, or one key with dots), a[0] (the first of a list), list[name=x].value (the one whose name is x), "a key", ^.a (around a list’s element) or header:name.'

/** The path that is written here. Dots stand for nested keys and for dots in keys alike: the longest key wins. */
export function pathIn(given: Given, jsonTexts: JsonTexts = []): RecordPath | undefined {
  if (typeof given.value !== 'string')
    return given.refuse(
      `must be a path, not ${shown(given.value)}.`,
      'Write the key, or { value: … } for a value that is always the same.',
    )
  const path = compilePath(given.value, jsonTexts)
  return path ?? given.refuse(`is not a path: ${shown(given.value)}.`, PATH_REMEDY)
}

/** All paths of a list, or of a single one. */
export function pathsIn(given: Given, jsonTexts: JsonTexts = []): RecordPath[] {
  const each = given.each()
  if (each.length === 0) given.refuse('is an empty list.', 'Name at least one path.')
  return each.flatMap((item) => pathIn(item, jsonTexts) ?? [])
}

/** `undefined` when the text is no path. */
export function compilePath(text: string, jsonTexts: JsonTexts = []): RecordPath | undefined {
  const parsed = parsePath(text)
  if (parsed === undefined) return undefined
  const { header } = parsed
  if (header !== undefined) {
    const read: Read = ({ headers }) => (Object.hasOwn(headers, header) ? headers[header] : undefined)
    return { text, read, has: (scope) => read(scope) !== undefined }
  }
  const inText = jsonTexts.findLastIndex(
    ({ text: start }) => text.startsWith(`${start}.`) || text.startsWith(`${start}[`),
  )
  const start = jsonTexts[inText]
  if (start === undefined) {
    const enter = outerScope(parsed.outer)
    const path = compiled(text, parsed.steps, (scope) => enter(scope)?.value)
    const name = keyName(parsed)
    return name === undefined ? path : readKey(name, path)
  }
  const rest = parsePath(text.slice(start.text.length).replace(/^\./, ''))
  if (rest === undefined) return undefined
  return compiled(text, rest.steps, (scope) => (scope.parsed[inText] ??= parsedOf(start.read(scope))))
}

function compiled(text: string, steps: readonly Step[], enter: Read): RecordPath {
  const find = compileSteps(steps, false)
  const findKey = compileSteps(steps, true)
  return {
    text,
    read: (scope) => find(enter(scope)),
    has: (scope) => findKey(enter(scope)) !== undefined,
  }
}

// Not parsed twice where it is no JSON: `null` is a value too.
function parsedOf(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? null
  const start = value.trimStart()
  if (!start.startsWith('{') && !start.startsWith('[')) return null
  try {
    return parseExactly(value)
  } catch {
    return null
  }
}

// Nearly every path is one key of the record, with or without dots in it, so that case is short.
function readKey(
  { name, exact }: { readonly name: string; readonly exact: boolean },
  path: RecordPath,
): RecordPath {
  const { text, read, has } = path
  return {
    text,
    read: exact
      ? ({ keys }) => keys[name]
      : (scope) => scope.keys[name] ?? (isNested(scope) ? read(scope) : undefined),
    has: exact
      ? ({ keys }) => keys[name] !== undefined
      : (scope) => scope.keys[name] !== undefined || (isNested(scope) && has(scope)),
  }
}

function keyName({
  outer,
  steps,
}: ParsedPath): { readonly name: string; readonly exact: boolean } | undefined {
  const names = steps.flatMap((step) => (step.kind === 'key' ? [step] : []))
  if (outer > 0 || names.length < steps.length || names.length === 0) return undefined
  if (names.length > 1 && names.some(({ exact }) => exact)) return undefined
  const name = names.map((step) => step.name).join('.')
  return name in Object.prototype ? undefined : { name, exact: names.length === 1 }
}

function outerScope(outer: number): (scope: Scope) => Scope | undefined {
  if (outer === 0) return (scope) => scope
  const further = outerScope(outer - 1)
  return (scope) => (scope.outer === undefined ? undefined : further(scope.outer))
}

const STEP =
  /(?:\.?("(?:[^"\\]|\\.)*"|[^.[\]"=^\s][^.[\]"=\s]*(?: [^.[\]"=\s]+)*)|\[(-?\d{1,6})\]|\[("(?:[^"\\]|\\.)*"|[^[\]"=]+)=("(?:[^"\\]|\\.)*"|[^[\]"=]*)\])/y

function parsePath(text: string): ParsedPath | undefined {
  const header = /^header:([\w!#$%&'*+.^`|~-]+)$/.exec(text)
  if (header) return { outer: 0, header: header[1]?.toLowerCase() ?? '', steps: [] }
  if (text.startsWith('header:')) return undefined
  const [, carets = ''] = /^((?:\^\.)*\^?)/.exec(text) ?? []
  const outer = carets.replaceAll('.', '').length
  const steps: Step[] = []
  let at = carets.length
  if (at < text.length && outer > 0 && !carets.endsWith('.') && text[at] !== '[') return undefined
  if (text[at] === '.') return text === '.' ? { outer, steps } : undefined
  while (at < text.length) {
    STEP.lastIndex = at
    const match = STEP.exec(text)
    if (match === null || (at > carets.length && text[at] !== '.' && text[at] !== '[')) return undefined
    const [, key, index, chooseKey, chosen] = match
    if (key !== undefined) steps.push({ kind: 'key', name: unquoted(key), exact: key.startsWith('"') })
    else if (index !== undefined) steps.push({ kind: 'item', index: Number(index) })
    else steps.push({ kind: 'choose', key: unquoted(chooseKey ?? ''), value: unquoted(chosen ?? '') })
    at = STEP.lastIndex
  }
  return (steps.length > 0 || outer > 0) && steps.length <= MAX_STEPS ? { outer, steps } : undefined
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return text.slice(1, -1)
  }
}

const same: Find = (value) => value

function compileSteps(steps: readonly Step[], nulls: boolean): Find {
  const [first] = steps
  if (first === undefined) return same
  if (first.kind === 'item') {
    const next = compileSteps(steps.slice(1), nulls)
    return (value) => (Array.isArray(value) ? next(value.at(first.index)) : undefined)
  }
  if (first.kind === 'choose') {
    const next = compileSteps(steps.slice(1), nulls)
    return (value) =>
      Array.isArray(value)
        ? next(value.find((item) => isObject(item) && textOf(own(item, first.key)) === first.value))
        : undefined
  }
  if (first.exact) return oneKey(first.name, compileSteps(steps.slice(1), nulls))
  const run = steps.findIndex((step) => step.kind !== 'key' || step.exact)
  const names = steps
    .slice(0, run === -1 ? undefined : run)
    .map((step) => (step.kind === 'key' ? step.name : ''))
  return keyRun(names, compileSteps(run === -1 ? [] : steps.slice(run), nulls), nulls)
}

const oneKey = (name: string, next: Find): Find => {
  const get = getter(name)
  return next === same
    ? (value) => (isObject(value) ? get(value) : undefined)
    : (value) => (isObject(value) ? next(get(value)) : undefined)
}

// `a.b.c` is the key "a.b.c", or "c" in "a.b", or "b.c" in "a", or "c" in "b" in "a".
function keyRun(names: readonly string[], next: Find, nulls: boolean): Find {
  const [name = ''] = names
  if (names.length === 1) return oneKey(name, next)
  const whole = oneKey(names.join('.'), next)
  const ways = names.slice(1).map((_, index) => {
    const length = names.length - 1 - index
    return {
      get: getter(names.slice(0, length).join('.')),
      next: keyRun(names.slice(length), next, nulls),
    }
  })
  return (value) => {
    if (!isObject(value)) return undefined
    let found = whole(value)
    if (found !== undefined && (found !== null || nulls)) return found
    const looked = unwatched(value)
    for (const way of ways) {
      const inner = way.get(looked)
      // Nearly always there is none: a flat record is looked up and nothing called.
      if (typeof inner !== 'object' || inner === null) continue
      found = way.next(way.get(value))
      if (found !== undefined && (found !== null || nulls)) return found
    }
    return undefined
  }
}

const own = (value: object, name: string): unknown =>
  Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined

// Names that every object answers to are looked up as the record's own.
const getter = (name: string): ((value: object) => unknown) =>
  name in Object.prototype ? (value) => own(value, name) : (value) => (value as Record<string, unknown>)[name]
