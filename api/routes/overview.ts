import type { Timestamp } from '../../core/audit-event.ts'
import type { Clock } from '../../core/clock.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { OverviewQuerySchema, OverviewSchema } from '../schemas/overview.ts'
import { rangeOf } from '../time-range.ts'
import type { AlertSource } from './alerts.ts'

/** Where the numbers of the first page come from: `createOverviewQueries` of the store. */
export interface OverviewSource {
  overview(
    tenant: string,
    from: Timestamp,
    to: Timestamp,
  ): Promise<{
    readonly calls: number
    readonly failures: number
    readonly denials: number
    readonly activeActors: number
    readonly activeTools: number
    readonly servers: number
    readonly findingsByDetector: Readonly<Record<string, number>>
    readonly topActors: readonly {
      readonly actor: string
      readonly calls: number
      readonly findings: number
    }[]
    readonly ingest: {
      readonly lastRecordedAt?: Timestamp
      readonly lastOccurredAt?: Timestamp
      readonly lagSeconds: number
      readonly eventsTotal: number
      readonly deadLettersTotal: number
    }
  }>
}

export interface OverviewRoutes {
  readonly overview: OverviewSource
  readonly alerts: Pick<AlertSource, 'openBySeverity'>
  readonly clock: Clock
}

export function addOverviewRoutes(app: ApiServer, { overview, alerts, clock }: OverviewRoutes): void {
  app.get(
    '/v1/overview',
    {
      config: { capability: 'events:read', shared: true },
      schema: {
        summary: 'The numbers of the first page',
        querystring: OverviewQuerySchema,
        response: { 200: OverviewSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      const { from, to } = rangeOf(request.query, clock.now())
      const [numbers, openAlerts] = await Promise.all([
        overview.overview(tenant, from, to),
        alerts.openBySeverity(tenant),
      ])
      const { ingest } = numbers
      return {
        calls: numbers.calls,
        failures: numbers.failures,
        denials: numbers.denials,
        active_actors: numbers.activeActors,
        active_tools: numbers.activeTools,
        servers: numbers.servers,
        findings_by_detector: { ...numbers.findingsByDetector },
        open_alerts_by_severity: { ...openAlerts },
        top_actors: [...numbers.topActors],
        ingest: {
          ...(ingest.lastRecordedAt === undefined ? {} : { last_recorded_at: ingest.lastRecordedAt }),
          ...(ingest.lastOccurredAt === undefined ? {} : { last_occurred_at: ingest.lastOccurredAt }),
          lag_seconds: ingest.lagSeconds,
          events_total: ingest.eventsTotal,
          dead_letters_total: ingest.deadLettersTotal,
        },
      }
    },
  )
}
