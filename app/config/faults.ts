import { stringify } from 'yaml'
import { nearestName } from '../../core/nearest-name.ts'
import { inertText } from '../../core/text.ts'

/** The part of JSON Schema that describes settings, with `expected`: what a pattern or a long list stands for, in people’s words. */
export interface SettingSchema {
  readonly type?: string
  readonly description?: string
  readonly expected?: string
  readonly examples?: readonly unknown[]
  /** The value may hold a password and is not shown. */
  readonly writeOnly?: boolean
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minItems?: number
  readonly maxLength?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, SettingSchema>>
  readonly items?: SettingSchema
}

/** What the validator reports, of which the place and the keyword are used. */
export interface SchemaFault {
  readonly keyword: string
  readonly instancePath: string
  readonly params: object
  readonly message: string
}

/** A wrong setting in the words of people. */
export interface SettingFault {
  /** Dotted; empty for the whole file. */
  readonly field: string
  readonly message: string
  readonly remedy: string
}

const MAX_SHOWN = 60
const DOCS = 'docs/operations.md lists the settings and their values.'

/**
 * Says what is wrong with a setting and what to write.
 * @param schema of the whole file
 * @param value the whole file as it was read
 */
export function describeFault(fault: SchemaFault, schema: SettingSchema, value: unknown): SettingFault {
  const keys = fault.instancePath.split('/').slice(1).map(unescaped)
  const field = keys.join('.')
  if (fault.keyword === 'boolean') {
    const group = schemaAt(schema, keys.slice(0, -1))
    return { field, message: 'is not a known setting.', remedy: knownSettings(keys.at(-1) ?? '', group) }
  }
  const wanted = schemaAt(schema, keys)
  const given = valueAt(value, keys)
  return {
    field,
    message: `${meaningOf(fault, wanted, given)}.`,
    remedy: remedyOf(fault, schema, keys, given),
  }
}

function meaningOf(fault: SchemaFault, schema: SettingSchema | undefined, given: unknown): string {
  if (given === null) return 'is empty'
  const not = schema?.writeOnly ? '' : `, not ${shown(given)}`
  switch (fault.keyword) {
    case 'type':
      return `must be ${schema?.expected ?? kindOf(schema)}${not}`
    case 'enum':
      return `must be ${schema?.expected ?? `one of ${(schema?.enum ?? []).join(', ')}`}${not}`
    case 'pattern':
      return `must be ${schema?.expected ?? `text that matches ${'pattern' in fault.params ? fault.params.pattern : ''}`}${not}`
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return `must be ${rangeOf(schema)}${not}`
    case 'minItems':
      return 'must have at least one entry'
    case 'minLength':
      return 'must not be empty'
    case 'maxLength':
      return `must not be longer than ${schema?.maxLength} characters`
    case 'uniqueItems':
      return 'says something twice'
    case 'required':
      return `needs ${missingIn(schema, given).join(' and ')}`
    default:
      return fault.message
  }
}

function remedyOf(
  fault: SchemaFault,
  schema: SettingSchema,
  keys: readonly string[],
  given: unknown,
): string {
  if (fault.keyword === 'uniqueItems') return 'Say it once.'
  const [choice] = fault.keyword === 'enum' ? [nearestOf(given, schemaAt(schema, keys))] : []
  if (choice !== undefined) return `Did you mean ${choice}?`
  const leaveOut = given === null ? 'Leave it out, or write' : 'Write'
  const example = exampleIn(schema, keys)
  return example === undefined ? DOCS : `${leaveOut} for example: ${example}`
}

const nearestOf = (given: unknown, schema: SettingSchema | undefined): string | undefined =>
  typeof given === 'string' ? nearestName(given, (schema?.enum ?? []).map(String)) : undefined

function knownSettings(name: string, group: SettingSchema | undefined): string {
  const known = Object.keys(group?.properties ?? {})
  const near = nearestName(name, known)
  return `${near === undefined ? '' : `Did you mean ${near}? `}Known here: ${known.join(', ')}.`
}

const missingIn = (schema: SettingSchema | undefined, given: unknown): string[] =>
  (schema?.required ?? []).filter((name) => !Object.hasOwn(given as object, name))

function kindOf(schema: SettingSchema | undefined): string {
  switch (schema?.type) {
    case 'object':
      return 'settings, each with its name'
    case 'array':
      return 'a list'
    case 'string':
      return 'text'
    case 'boolean':
      return 'true or false'
    case 'integer':
      return rangeOf(schema)
    case 'number':
      return rangeOf(schema)
    default:
      return 'of another kind'
  }
}

function rangeOf(schema: SettingSchema | undefined): string {
  const { type, minimum, maximum, exclusiveMinimum } = schema ?? {}
  const number = type === 'integer' ? 'a whole number' : 'a number'
  if (exclusiveMinimum !== undefined) return `${number} greater than ${exclusiveMinimum}`
  if (minimum !== undefined && maximum !== undefined) return `${number} from ${minimum} to ${maximum}`
  if (minimum !== undefined) return `${number}, at least ${minimum}`
  return maximum === undefined ? number : `${number}, at most ${maximum}`
}

/** One line of YAML that could stand in the file; `undefined` when nothing is known of the setting’s values. */
function exampleIn(schema: SettingSchema, keys: readonly string[]): string | undefined {
  let example = exampleOf(schemaAt(schema, keys))
  if (example === undefined) return undefined
  for (let depth = keys.length - 1; depth >= 0; depth--) {
    const inList = schemaAt(schema, keys.slice(0, depth))?.type === 'array'
    example = inList ? [example] : { [keys[depth] ?? '']: example }
  }
  // Braces around the whole would be right and look odd.
  return Object.entries(example as object)
    .map(([name, setting]) => `${name}: ${flow(setting)}`)
    .join(', ')
}

const flow = (value: unknown): string =>
  stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: true }).trim()

function exampleOf(schema: SettingSchema | undefined): unknown {
  if (schema === undefined) return undefined
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.enum !== undefined) return schema.enum[0]
  switch (schema.type) {
    case 'boolean':
      return true
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 1)
    case 'array': {
      const item = exampleOf(schema.items)
      return item === undefined ? undefined : [item]
    }
    case 'object': {
      const names = schema.required ?? Object.keys(schema.properties ?? {}).slice(0, 1)
      const settings = names.map((name) => [name, exampleOf(schema.properties?.[name])] as const)
      return settings.some(([, setting]) => setting === undefined) ? undefined : Object.fromEntries(settings)
    }
    default:
      return undefined
  }
}

function schemaAt(schema: SettingSchema, keys: readonly string[]): SettingSchema | undefined {
  return keys.reduce<SettingSchema | undefined>(
    (at, key) => (at?.type === 'array' ? at.items : at?.properties?.[key]),
    schema,
  )
}

const valueAt = (value: unknown, keys: readonly string[]): unknown =>
  keys.reduce<unknown>((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], value)

const shown = (value: unknown): string => inertText(JSON.stringify(value) ?? typeof value, MAX_SHOWN)

// RFC 6901
const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~')
