import { Type } from 'typebox'
import { rangeParameters, strict } from './query.ts'

export const SourcesQuerySchema = Type.Object({ ...rangeParameters }, strict)

const count = (description: string) => Type.Integer({ description })

export const SourcesSchema = Type.Object(
  {
    sources: Type.Array(
      Type.Object(
        {
          source: Type.String({
            description: 'Kafka topic, `http` or the source of a credential, folder of files',
          }),
          source_format: Type.String({ description: 'Empty for what no format recognises' }),
          calls: count('Calls recorded in the range'),
          incomplete: count(
            'Calls that do not say of what: `tools/call` without a tool, `resources/read` without a URI, …',
          ),
          without_time: count(
            'Calls without a time of their own: they have that of the broker or of receipt',
          ),
          unwrapped: count('Calls that a log shipper, a runtime or a broker had wrapped'),
          parts_without_call: count('Parts of calls for which no call came'),
          dead_letters: count('Records that could not become events'),
          not_calls: count('Of the dead letters, those that report something other than a call'),
          last_recorded_at: Type.Optional(Type.String()),
        },
        strict,
      ),
    ),
  },
  strict,
)
