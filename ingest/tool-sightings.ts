import type { Timestamp } from '../core/audit-event.ts'
import type { Clock } from '../core/clock.ts'
import { fromMillis } from '../core/timestamp.ts'
import { DEFINITION_FIELDS, hashDefinition, type ToolDefinition } from '../core/tool-definition.ts'
import type { Decoded } from './format.ts'
import type { RawRecord, ToolSighting } from './record.ts'
import type { Redactor } from './redact/redactor.ts'
import type { ToolAnnotations } from './tool-annotations.ts'

type Definitions = Decoded & { readonly kind: 'definitions' }

/**
 * Definitions as a format read them → redacted, identified sightings. Pure but for the clock, which bounds times, and for
 * the annotations, which are told.
 */
export type SeeTools = (
  entry: Definitions,
  record: RawRecord,
  sourceFormat: string,
) => readonly ToolSighting[]

const DAY_MS = 86_400_000
const OLDEST_MS = Date.UTC(2000, 0, 1)
const MAX_NAME = 1024

export function createSeeTools(
  redactor: Redactor,
  clock: Clock,
  annotations?: Pick<ToolAnnotations, 'see'>,
): SeeTools {
  return (entry, record, sourceFormat) => {
    const { tenant } = record
    const nameOf = (name: string): string => redactor.name(name, tenant).slice(0, MAX_NAME)
    const seenAt = timeOf(entry.seenAt, record, clock.now())
    return entry.definitions.map((given) => {
      const definition = redactDefinition({ ...given, tool: nameOf(given.tool) }, tenant, redactor)
      const server = nameOf(entry.server)
      if (given.annotations !== undefined)
        annotations?.see({
          ...{ tenant, server, tool: definition.tool },
          ...{ annotations: given.annotations, since: seenAt },
        })
      return { tenant, sourceFormat, server, definition, seenAt, ...hashDefinition(definition) }
    })
  }
}

// A time that no event may have is no time of a definition either; the events beside it say so.
function timeOf(given: Timestamp | undefined, { timestampMs }: RawRecord, nowMs: number): Timestamp {
  const latest = fromMillis(nowMs + DAY_MS)
  if (given !== undefined && given >= fromMillis(OLDEST_MS) && given <= latest) return given
  const known = timestampMs > OLDEST_MS && timestampMs <= nowMs + DAY_MS
  return fromMillis(known ? Math.floor(timestampMs) : nowMs)
}

/** A definition without secrets: they hide in descriptions, and as defaults and examples of arguments. */
export function redactDefinition(
  definition: ToolDefinition,
  tenant: string,
  redactor: Redactor,
): ToolDefinition {
  const redacted: Record<string, unknown> = { tool: definition.tool }
  for (const field of DEFINITION_FIELDS) {
    const said = definition[field]
    if (said !== undefined) redacted[field] = redactSchema(said, '', 0)
  }
  return redacted as unknown as ToolDefinition

  function redactSchema(value: unknown, property: string, nesting: number): unknown {
    if (typeof value === 'string') return redactor.text(value, tenant)
    if (typeof value !== 'object' || value === null) return value
    if (nesting > MAX_NESTING) return undefined
    if (Array.isArray(value)) return value.map((item) => redactSchema(item, property, nesting + 1))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const clean = redactor.name(key, tenant)
        if (!VALUES.has(key))
          return [clean, redactSchema(item, STRUCTURE.has(key) ? property : key, nesting + 1)]
        // The name that says whether it is a secret is the argument's, not the schema's word.
        const named = redactor.json({ [property || key]: item }, tenant) as Record<string, unknown>
        return [clean, Object.values(named)[0]]
      }),
    )
  }
}

const MAX_NESTING = 64
const VALUES = new Set(['default', 'const', 'enum', 'example', 'examples'])
const STRUCTURE = new Set(
  'properties items prefixItems anyOf oneOf allOf not if then else additionalProperties patternProperties'.split(
    ' ',
  ),
)
