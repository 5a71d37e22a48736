import { type Static, Type } from 'typebox'
import { AuditEventSchema, CAPABILITIES, OUTCOMES } from '../../core/audit-event.ts'
import { FindingSchema } from '../../core/finding.ts'
import {
  cursorParameter,
  limitParameter,
  nextCursor,
  rangeParameters,
  strict,
  textParameter,
} from './query.ts'

const filterParameters = {
  q: textParameter('Expression of the filter language (docs/filter.md)'),
  actor: textParameter('The accountable principal, exactly'),
  server: textParameter('The MCP server, exactly'),
  tool: textParameter('The tool without the gateway’s prefix, exactly'),
  outcome: Type.Optional(Type.Enum(['', ...OUTCOMES], { description: 'What became of the call' })),
  capability: Type.Optional(Type.Enum(['', ...CAPABILITIES], { description: 'What the tool can do' })),
  chain: textParameter('The chain key, exactly'),
}

export const EventSearchSchema = Type.Object(
  { ...rangeParameters, ...filterParameters, limit: limitParameter(1000, 100), cursor: cursorParameter },
  strict,
)

export const EventPageSchema = Type.Object(
  { events: Type.Array(AuditEventSchema), next_cursor: nextCursor },
  strict,
)

export const VolumeQuerySchema = Type.Object(
  {
    ...rangeParameters,
    ...filterParameters,
    step_seconds: Type.Optional(
      Type.Integer({
        description: 'Width of a bucket; chosen by the range unless given',
        minimum: 1,
        maximum: 31 * 86_400,
      }),
    ),
  },
  strict,
)

export const VolumeSchema = Type.Object(
  {
    step_seconds: Type.Integer(),
    buckets: Type.Array(
      Type.Object(
        {
          start: Type.String(),
          calls: Type.Integer(),
          failures: Type.Integer(),
          denials: Type.Integer(),
        },
        strict,
      ),
    ),
  },
  strict,
)

const FACET_FIELDS = ['actor', 'mcp.server.name', 'gen_ai.tool.name', 'outcome', 'capability'] as const

export const FacetQuerySchema = Type.Object(
  { ...rangeParameters, ...filterParameters, field: Type.Enum(FACET_FIELDS) },
  strict,
)

export const FacetSchema = Type.Object(
  {
    field: Type.Enum(FACET_FIELDS),
    values: Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }, strict)),
  },
  strict,
)

export const ChainQuerySchema = Type.Object(
  {
    ...rangeParameters,
    key: Type.String({ description: 'The chain key', minLength: 1, maxLength: 65_536 }),
    limit: limitParameter(10_000, 1000),
    cursor: cursorParameter,
  },
  strict,
)

export const ChainSchema = Type.Object(
  {
    chain: Type.String(),
    events: Type.Array(AuditEventSchema),
    findings: Type.Array(
      Type.Object({ ...FindingSchema.properties, status: Type.String(), found_at: Type.String() }, strict),
    ),
    truncated: Type.Boolean({ description: 'There are older events in the chain' }),
    next_cursor: nextCursor,
  },
  strict,
)

/** The filter parameters that several calls share. */
export type FilterQuery = Pick<Static<typeof EventSearchSchema>, keyof typeof filterParameters>
