import { Type } from 'typebox'
import { rangeParameters, strict } from './query.ts'

const counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })

export const OverviewQuerySchema = Type.Object({ ...rangeParameters }, strict)

export const OverviewSchema = Type.Object(
  {
    calls: Type.Integer(),
    failures: Type.Integer({ description: 'Failures and timeouts' }),
    denials: Type.Integer(),
    active_actors: Type.Integer(),
    active_tools: Type.Integer({ description: 'Pairs of server and tool' }),
    servers: Type.Integer(),
    findings_by_detector: counts('Current findings whose window starts in the range'),
    open_alerts_by_severity: counts('Alerts that are open now'),
    top_actors: Type.Array(
      Type.Object({ actor: Type.String(), calls: Type.Integer(), findings: Type.Integer() }, strict),
    ),
    ingest: Type.Object(
      {
        last_recorded_at: Type.Optional(Type.String()),
        last_occurred_at: Type.Optional(Type.String()),
        lag_seconds: Type.Number({
          description: 'How long ago the newest call had happened when the newest record was stored',
        }),
        events_total: Type.Integer(),
        dead_letters_total: Type.Integer(),
      },
      strict,
    ),
  },
  strict,
)
