import type { Timestamp } from '../../core/audit-event.ts'
import type { Clock } from '../../core/clock.ts'
import type { SourceQuality } from '../../core/source-quality.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { SourcesQuerySchema, SourcesSchema } from '../schemas/sources.ts'
import { rangeOf } from '../time-range.ts'

/** What came from each source, and what of it says too little (`store/source-quality.ts`). */
export interface SourcesSource {
  sources(tenant: string, from: Timestamp, to: Timestamp): Promise<readonly SourceQuality[]>
}

export function addSourcesRoutes(
  app: ApiServer,
  { sources, clock }: { readonly sources: SourcesSource; readonly clock: Clock },
): void {
  app.get(
    '/v1/sources',
    {
      config: { capability: 'events:read', shared: true },
      schema: {
        summary: 'What came from each source in each format, and what of it says too little',
        description: 'The range is that of recording, the last day unless given.',
        querystring: SourcesQuerySchema,
        response: { 200: SourcesSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      const { from, to } = rangeOf(request.query, clock.now())
      const found = await sources.sources(tenant, from, to)
      return {
        sources: found.map((each) => ({
          source: each.source,
          source_format: each.sourceFormat,
          calls: each.calls,
          incomplete: each.incomplete,
          without_time: each.withoutTime,
          unwrapped: each.unwrapped,
          parts_without_call: each.partsWithoutCall,
          dead_letters: each.deadLetters,
          not_calls: each.notCalls,
          ...(each.lastRecordedAt === undefined ? {} : { last_recorded_at: each.lastRecordedAt }),
        })),
      }
    },
  )
}
