import type { Timestamp } from '../../core/audit-event.ts'
import type { Clock } from '../../core/clock.ts'
import type { DefinitionField } from '../../core/tool-definition.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { given } from '../schemas/query.ts'
import {
  DefinitionChangesSchema,
  DefinitionsSchema,
  ToolDefinitionsQuerySchema,
} from '../schemas/tool-definitions.ts'
import { openRangeOf } from '../time-range.ts'

/** One definition that a tool has, or had, as a gateway passed it on; redacted. */
export interface SeenDefinition {
  readonly server: string
  readonly tool: string
  readonly sourceFormat: string
  readonly hash: string
  readonly firstSeen: string
  readonly lastSeen: string
  readonly definition: Readonly<Partial<Record<DefinitionField, unknown>>>
}

export interface SeenDefinitionChange {
  readonly from: SeenDefinition
  readonly to: SeenDefinition
  readonly fields: readonly DefinitionField[]
  readonly at: string
}

/** Which definitions are meant. */
export interface DefinitionScope {
  readonly tenant: string
  readonly server?: string
  readonly tool?: string
  /** Seen, or changed, at or after. */
  readonly since?: Timestamp
  readonly limit: number
}

/** Where tool definitions come from: each tool’s oldest first; changes newest first. */
export interface DefinitionSource {
  definitions(scope: DefinitionScope): Promise<readonly SeenDefinition[]>
  changes(scope: DefinitionScope): Promise<readonly SeenDefinitionChange[]>
}

export interface ToolDefinitionRoutes {
  readonly toolDefinitions: DefinitionSource
  readonly clock: Clock
}

/** What servers said about their tools, and when they said something else. */
export function addToolDefinitionRoutes(
  app: ApiServer,
  { toolDefinitions, clock }: ToolDefinitionRoutes,
): void {
  const config = { capability: 'events:read' } as const
  const scopeOf = (
    tenant: string,
    query: { server?: string; tool?: string; from?: string; limit: number },
  ): DefinitionScope => {
    const { from } = openRangeOf({ from: query.from }, clock.now())
    return {
      tenant,
      limit: query.limit,
      ...given('server', query.server),
      ...given('tool', query.tool),
      ...(from === undefined ? {} : { since: from }),
    }
  }

  app.get(
    '/v1/tool-definitions',
    {
      config,
      schema: {
        summary: 'Definitions of tools, as servers listed them, each tool’s oldest first',
        querystring: ToolDefinitionsQuerySchema,
        response: { 200: DefinitionsSchema },
      },
    },
    async (request) => {
      const scope = scopeOf(callerOf(request).tenant, request.query)
      return { tool_definitions: (await toolDefinitions.definitions(scope)).map(definitionToWire) }
    },
  )

  app.get(
    '/v1/tool-definitions/changes',
    {
      config,
      schema: {
        summary: 'Changes of tool definitions, newest first',
        querystring: ToolDefinitionsQuerySchema,
        response: { 200: DefinitionChangesSchema },
      },
    },
    async (request) => {
      const changes = await toolDefinitions.changes(scopeOf(callerOf(request).tenant, request.query))
      return {
        changes: changes.map(({ from, to, fields, at }) => ({
          server: to.server,
          tool: to.tool,
          source_format: to.sourceFormat,
          changed_at: at,
          fields: [...fields],
          before: definitionToWire(from),
          after: definitionToWire(to),
        })),
      }
    },
  )
}

const definitionToWire = (seen: SeenDefinition) => ({
  server: seen.server,
  tool: seen.tool,
  source_format: seen.sourceFormat,
  definition_hash: seen.hash,
  first_seen: seen.firstSeen,
  last_seen: seen.lastSeen,
  definition: { ...seen.definition },
})
