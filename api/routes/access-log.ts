import { accessTenantOf } from '../../core/access-tenant.ts'
import type { Clock } from '../../core/clock.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { EventPageSchema, EventSearchSchema } from '../schemas/events.ts'
import { given } from '../schemas/query.ts'
import { rangeOf } from '../time-range.ts'
import { type EventSource, selectionOf } from './events.ts'

/** What administrators see of the accesses to their tenant. Reading it is an access too. */
export function addAccessLogRoutes(
  app: ApiServer,
  { events, clock }: { readonly events: Pick<EventSource, 'search'>; readonly clock: Clock },
): void {
  app.get(
    '/v1/access-log',
    {
      config: { capability: 'admin' },
      schema: {
        summary: 'Who read, changed, signed in, and was refused; newest first',
        querystring: EventSearchSchema,
        response: { 200: EventPageSchema },
      },
    },
    async (request) => {
      const { query } = request
      const { tenant } = callerOf(request)
      const page = await events.search(
        { ...selectionOf(accessTenantOf(tenant), query), ...rangeOf(query, clock.now()) },
        { limit: query.limit, ...given('cursor', query.cursor) },
      )
      return {
        events: [...page.events],
        ...(page.nextCursor === undefined ? {} : { next_cursor: page.nextCursor }),
      }
    },
  )
}
