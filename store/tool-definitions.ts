import { fromClickHouse, toClickHouse } from '../core/timestamp.ts'
import { changedFields, type DefinitionField } from '../core/tool-definition.ts'
import type { Database, QueryParams } from './database.ts'

/** One definition that a tool has, or had. */
export interface StoredDefinition {
  readonly tenant: string
  readonly server: string
  readonly tool: string
  readonly sourceFormat: string
  readonly hash: string
  /** `Timestamp`s. */
  readonly firstSeen: string
  readonly lastSeen: string
  /** Title, description, schemas, annotations, version, as far as the source says them; redacted. */
  readonly definition: Readonly<Partial<Record<DefinitionField, unknown>>>
}

/** That a tool was seen with another definition than before. */
export interface DefinitionChange {
  readonly tenant: string
  readonly server: string
  readonly tool: string
  readonly sourceFormat: string
  readonly from: StoredDefinition
  readonly to: StoredDefinition
  readonly fields: readonly DefinitionField[]
  /** When the new definition was first seen; of a return to an old one, when the one in between was last seen. */
  readonly at: string
}

export interface DefinitionsFilter {
  readonly tenant?: string
  readonly server?: string
  readonly tool?: string
  /** Only what was seen, or changed, at or after this `Timestamp`. */
  readonly since?: string
  /** Most rows. Default: 1,000. */
  readonly limit?: number
}

interface Row {
  tenant: string
  mcp_server_name: string
  gen_ai_tool_name: string
  source_format: string
  definition_hash: string
  first: string
  last: string
  fields: string
  said: string
}

const SELECT = `SELECT tenant, mcp_server_name, gen_ai_tool_name, source_format, definition_hash,
    min(first_seen) AS first, max(last_seen) AS last, anyLast(field_hashes) AS fields, anyLast(definition) AS said
  FROM tool_definitions`
const GROUP = 'GROUP BY tenant, mcp_server_name, gen_ai_tool_name, source_format, definition_hash'

/** The definitions, each tool’s oldest first. */
export async function listToolDefinitions(
  database: Database,
  filter: DefinitionsFilter = {},
): Promise<StoredDefinition[]> {
  const { where, params } = conditionsOf(filter)
  const having = filter.since === undefined ? '' : "HAVING last >= {since:DateTime64(6, 'UTC')}"
  const rows = await database.query<Row>(
    `${SELECT} ${where} ${GROUP} ${having}
     ORDER BY tenant, mcp_server_name, gen_ai_tool_name, source_format, first, definition_hash LIMIT {limit:UInt32}`,
    params,
  )
  return rows.map(definitionOf)
}

/**
 * What changed, newest first: for each tool and source the step from each definition to the next by the time they were
 * first seen, and the return to an old one, where that is what was seen last. A tool with one definition has not changed.
 */
export async function listDefinitionChanges(
  database: Database,
  filter: DefinitionsFilter = {},
): Promise<DefinitionChange[]> {
  const { where, params } = conditionsOf(filter)
  const rows = await database.query<Row>(
    `SELECT * FROM (${SELECT} ${where} ${GROUP})
     WHERE (tenant, mcp_server_name, gen_ai_tool_name, source_format) IN (
       SELECT tenant, mcp_server_name, gen_ai_tool_name, source_format FROM tool_definitions ${where}
       GROUP BY tenant, mcp_server_name, gen_ai_tool_name, source_format HAVING uniqExact(definition_hash) > 1)
     ORDER BY first, definition_hash`,
    params,
  )
  const tools = Map.groupBy(rows, (row) =>
    JSON.stringify([row.tenant, row.mcp_server_name, row.gen_ai_tool_name, row.source_format]),
  )
  const changes = [...tools.values()].flatMap(changesOf)
  const { since = '', limit = DEFAULT_LIMIT } = filter
  return changes
    .filter(({ at }) => at >= since)
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
    .slice(0, limit)
}

const DEFAULT_LIMIT = 1000

/** Hints that a server gave about a tool, and since when. */
export interface StoredAnnotations {
  readonly tenant: string
  readonly server: string
  readonly tool: string
  readonly annotations: unknown
  readonly since: string
}

const MAX_ANNOTATED = 50_000

/** Every annotation that a definition ever had, with the first time; the newest where there are very many. */
export async function listToolAnnotations(database: Database): Promise<StoredAnnotations[]> {
  const rows = await database.query<{
    tenant: string
    server: string
    tool: string
    said: string
    since: string
  }>(
    `SELECT tenant, mcp_server_name AS server, gen_ai_tool_name AS tool,
       JSONExtractRaw(definition, 'annotations') AS said, min(first_seen) AS since
     FROM tool_definitions WHERE said LIKE '{%' GROUP BY tenant, server, tool, said
     ORDER BY since DESC, tenant, server, tool, said LIMIT {limit:UInt32}`,
    { limit: MAX_ANNOTATED },
  )
  return rows.map(({ said, since, ...names }) => ({
    ...names,
    annotations: JSON.parse(said),
    since: fromClickHouse(since),
  }))
}

function changesOf(rows: readonly Row[]): DefinitionChange[] {
  const changes: DefinitionChange[] = []
  rows.forEach((row, index) => {
    const before = rows[index - 1]
    if (before !== undefined) changes.push(changeOf(before, row, row.first))
  })
  const newest = rows.at(-1)
  const current = rows.reduce<Row | undefined>(
    (a, b) => (a !== undefined && a.last > b.last ? a : b),
    undefined,
  )
  if (newest !== undefined && current !== undefined && current !== newest)
    changes.push(changeOf(newest, current, newest.last))
  // Newest first: two changes of one moment stay in this order.
  return changes.reverse()
}

function changeOf(before: Row, after: Row, at: string): DefinitionChange {
  const [from, to] = [definitionOf(before), definitionOf(after)]
  const { tenant, server, tool, sourceFormat } = to
  const fields = changedFields(JSON.parse(before.fields), JSON.parse(after.fields))
  return { tenant, server, tool, sourceFormat, from, to, fields, at: fromClickHouse(at) }
}

function conditionsOf(filter: DefinitionsFilter): { readonly where: string; readonly params: QueryParams } {
  const { tenant, server, tool, since, limit = DEFAULT_LIMIT } = filter
  const conditions = [
    tenant === undefined ? undefined : 'tenant = {tenant:String}',
    server === undefined ? undefined : 'mcp_server_name = {server:String}',
    tool === undefined ? undefined : 'gen_ai_tool_name = {tool:String}',
  ].filter((condition) => condition !== undefined)
  return {
    where: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`,
    params: {
      limit,
      ...(tenant === undefined ? {} : { tenant }),
      ...(server === undefined ? {} : { server }),
      ...(tool === undefined ? {} : { tool }),
      ...(since === undefined ? {} : { since: toClickHouse(since) }),
    },
  }
}

const definitionOf = (row: Row): StoredDefinition => ({
  tenant: row.tenant,
  server: row.mcp_server_name,
  tool: row.gen_ai_tool_name,
  sourceFormat: row.source_format,
  hash: row.definition_hash,
  firstSeen: fromClickHouse(row.first),
  lastSeen: fromClickHouse(row.last),
  definition: JSON.parse(row.said),
})
