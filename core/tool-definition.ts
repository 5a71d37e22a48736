import { stableId } from './hash.ts'

/** What a server says about one of its tools (MCP `Tool`), as far as a source passes it on. */
export interface ToolDefinition {
  /** The tool, without the gateway’s prefix. */
  readonly tool: string
  readonly title?: string
  readonly description?: string
  /** JSON Schema of the arguments. */
  readonly inputSchema?: unknown
  /** JSON Schema of the result. */
  readonly outputSchema?: unknown
  /** MCP’s hints: `readOnlyHint`, `destructiveHint`, … */
  readonly annotations?: unknown
  /** The gateway’s own count of changes, where it keeps one. */
  readonly version?: string
}

/** What a definition says about its tool, in the order of docs and lists. */
export const DEFINITION_FIELDS = [
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
  'version',
] as const satisfies readonly (keyof ToolDefinition)[]
export type DefinitionField = (typeof DEFINITION_FIELDS)[number]

/** A definition’s identity, whole and field by field; absent fields have no hash. */
export interface DefinitionHashes {
  readonly hash: string
  readonly fields: Readonly<Partial<Record<DefinitionField, string>>>
}

/**
 * An element of `tools/list` — an object, or only a name — as a definition; `undefined` when it names no tool. Snake
 * case is how Python programs write MCP’s names.
 */
export function readToolDefinition(value: unknown): ToolDefinition | undefined {
  if (typeof value === 'string') return value === '' ? undefined : { tool: value }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const given = value as Readonly<Record<string, unknown>>
  const tool = given['name']
  if (typeof tool !== 'string' || tool === '') return undefined
  const found: Record<string, unknown> = { tool }
  const take = (field: DefinitionField, ...names: readonly string[]) => {
    for (const name of names) {
      const said = given[name]
      if (said !== undefined && said !== null && said !== '') found[field] ??= said
    }
  }
  take('title', 'title', 'display_name')
  take('description', 'description')
  take('inputSchema', 'inputSchema', 'input_schema')
  take('outputSchema', 'outputSchema', 'output_schema')
  take('annotations', 'annotations')
  take('version', 'version')
  for (const field of ['title', 'description', 'version'] as const) {
    if (found[field] !== undefined && typeof found[field] !== 'string')
      found[field] = JSON.stringify(found[field])
  }
  return found as unknown as ToolDefinition
}

// A secret’s token is another one under another key; the definition is the same.
const TOKEN = /hmac:[\w.-]{1,64}:[\w-]{22}/g

/**
 * The hashes of a redacted definition. Two definitions that say the same have the same hashes, whatever the order of
 * their keys and whichever key hid a secret in them.
 */
export function hashDefinition(definition: ToolDefinition): DefinitionHashes {
  const fields: Partial<Record<DefinitionField, string>> = {}
  const parts: string[] = [definition.tool]
  for (const field of DEFINITION_FIELDS) {
    const said = definition[field]
    if (said === undefined) continue
    const hash = stableId(canonicalJson(said).replace(TOKEN, 'hmac'))
    fields[field] = hash
    parts.push(field, hash)
  }
  return { hash: stableId(...parts), fields }
}

/** The fields in which two definitions differ, from their hashes; a field that only one of them has differs. */
export const changedFields = (
  before: Readonly<Partial<Record<string, string>>>,
  after: Readonly<Partial<Record<string, string>>>,
): readonly DefinitionField[] => DEFINITION_FIELDS.filter((field) => before[field] !== after[field])

/** JSON with the keys of every object in order, so that equal values are equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
}
