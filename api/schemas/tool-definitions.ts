import { Type } from 'typebox'
import { DEFINITION_FIELDS } from '../../core/tool-definition.ts'
import { limitParameter, rangeParameters, strict, textParameter } from './query.ts'

export const ToolDefinitionsQuerySchema = Type.Object(
  {
    server: textParameter('Exactly this server'),
    tool: textParameter('Exactly this tool'),
    from: rangeParameters.from,
    limit: limitParameter(5000, 1000),
  },
  strict,
)

const DefinitionSchema = Type.Object({
  server: Type.String(),
  tool: Type.String(),
  source_format: Type.String(),
  definition_hash: Type.String({ description: 'Two definitions that say the same have the same' }),
  first_seen: Type.String(),
  last_seen: Type.String(),
  definition: Type.Record(Type.String(), Type.Unknown(), {
    description: `Of ${DEFINITION_FIELDS.join(', ')}, what the source says; redacted`,
  }),
})

export const DefinitionsSchema = Type.Object({ tool_definitions: Type.Array(DefinitionSchema) })

export const DefinitionChangesSchema = Type.Object({
  changes: Type.Array(
    Type.Object({
      server: Type.String(),
      tool: Type.String(),
      source_format: Type.String(),
      changed_at: Type.String({ description: 'When the new definition was first seen' }),
      fields: Type.Array(Type.Enum([...DEFINITION_FIELDS])),
      before: DefinitionSchema,
      after: DefinitionSchema,
    }),
  ),
})
