import { toClickHouse } from '../core/timestamp.ts'
import type { ToolDefinition } from '../core/tool-definition.ts'

/** That a tool was seen with a definition. Shape: `ToolSighting` of `ingest/tool-sightings.ts`. */
export interface DefinitionInput {
  readonly tenant: string
  readonly sourceFormat: string
  readonly server: string
  readonly definition: ToolDefinition
  readonly hash: string
  readonly fields: Readonly<Partial<Record<string, string>>>
  /** `Timestamp`. */
  readonly seenAt: string
}

/** Columns of `tool_definitions` in the order of `createDefinitionFold`’s rows. */
export const DEFINITION_COLUMNS: readonly string[] = [
  'tenant',
  'mcp_server_name',
  'gen_ai_tool_name',
  'source_format',
  'definition_hash',
  'first_seen',
  'last_seen',
  'field_hashes',
  'definition',
]

const MAX_DESCRIPTION = 16_384
const MAX_SCHEMA = 65_536

interface Seen {
  readonly sighting: DefinitionInput
  first: string
  last: string
}

/**
 * Folds sightings into one row for each definition: agents list their tools at every start, and most sightings of a
 * block say the same.
 */
export interface DefinitionFold {
  add(sightings: readonly DefinitionInput[]): void
  /** Lines of `JSONCompactEachRow`, without line ends. */
  rows(): readonly string[]
}

export function createDefinitionFold(): DefinitionFold {
  const byDefinition = new Map<string, Seen>()
  return {
    add: (sightings) => {
      for (const sighting of sightings) {
        const { tenant, sourceFormat, server, definition, hash, seenAt } = sighting
        const key = JSON.stringify([tenant, server, definition.tool, sourceFormat, hash])
        const seen = byDefinition.get(key)
        if (seen === undefined) byDefinition.set(key, { sighting, first: seenAt, last: seenAt })
        else if (seenAt < seen.first) seen.first = seenAt
        else if (seenAt > seen.last) seen.last = seenAt
      }
    },
    rows: () => [...byDefinition.values()].map(rowOf),
  }
}

const rowOf = ({ sighting, first, last }: Seen): string =>
  JSON.stringify([
    sighting.tenant.toWellFormed(),
    sighting.server.toWellFormed(),
    sighting.definition.tool.toWellFormed(),
    sighting.sourceFormat,
    sighting.hash,
    toClickHouse(first),
    toClickHouse(last),
    JSON.stringify(sighting.fields),
    JSON.stringify(shortened(sighting.definition)),
  ])

// Half a schema is none; its hash says whether it changed.
function shortened(definition: ToolDefinition): object {
  const { tool: _, description, ...rest } = definition
  const said: Record<string, unknown> = {}
  if (description !== undefined) said['description'] = cut(description)
  for (const [field, value] of Object.entries(rest)) {
    const text = typeof value === 'string' ? undefined : JSON.stringify(value)
    said[field] =
      text === undefined ? cut(String(value)) : text.length <= MAX_SCHEMA ? value : { cut: text.length }
  }
  return said
}

const cut = (text: string): string =>
  text.length <= MAX_DESCRIPTION
    ? text
    : `${text.slice(0, MAX_DESCRIPTION).toWellFormed()}…[cut, ${text.length} characters]`
