import { Type } from 'typebox'
import type { Clock } from '../../core/clock.ts'
import { decodeCursor, encodeCursor, partLike, timePart } from '../../core/cursor.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { type BaselineSource, baselineOf } from '../baseline.ts'
import type { FindingSource, StoredFinding } from '../finding-source.ts'
import { callerOf } from '../plugins/authentication.ts'
import {
  BaselineSchema,
  FindingDetailSchema,
  FindingPageSchema,
  FindingQuerySchema,
} from '../schemas/findings.ts'
import { given, strict } from '../schemas/query.ts'
import { openRangeOf } from '../time-range.ts'
import type { AlertSource } from './alerts.ts'
import { type DeliverySource, deliveryToWire } from './deliveries.ts'
import type { EventSource } from './events.ts'

export interface FindingRoutes {
  readonly findings: FindingSource
  readonly events: Pick<EventSource, 'byIds'>
  readonly baselines: BaselineSource
  readonly alerts: Pick<AlertSource, 'ofFinding'>
  readonly deliveries: Pick<DeliverySource, 'ofAlerts'>
  readonly clock: Clock
}

const CURSOR_PARTS = [timePart, partLike(/^[\w-]{1,128}$/)]

const FindingParams = Type.Object({ id: Type.String() }, strict)

export function addFindingRoutes(app: ApiServer, deps: FindingRoutes): void {
  const { findings, events, baselines, alerts, deliveries, clock } = deps
  const config = { capability: 'findings:read' } as const

  app.get(
    '/v1/findings',
    {
      config: { ...config, shared: true },
      schema: {
        summary: 'Findings, newest window first',
        querystring: FindingQuerySchema,
        response: { 200: FindingPageSchema },
      },
    },
    async (request) => {
      const { query } = request
      const { limit } = query
      const [windowStart, findingId] =
        query.cursor === undefined ? [] : decodeCursor(query.cursor, CURSOR_PARTS)
      const found = await findings.list(
        {
          tenant: callerOf(request).tenant,
          ...openRangeOf(query, clock.now()),
          ...given('detector', query.detector),
          ...given('rule', query.rule),
          ...given('actor', query.actor),
          ...given('severity', query.severity),
          status: query.status,
        },
        limit + 1,
        windowStart === undefined || findingId === undefined ? undefined : { windowStart, findingId },
      )
      const last = found[limit - 1]
      return {
        findings: found.slice(0, limit),
        ...(found.length > limit && last !== undefined
          ? { next_cursor: encodeCursor([last.window.start, last.finding_id]) }
          : {}),
      }
    },
  )

  app.get(
    '/v1/findings/:id',
    {
      config,
      schema: {
        summary: 'One finding with its events',
        params: FindingParams,
        response: { 200: FindingDetailSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      const finding = await existing(findings, tenant, request.params.id)
      const [its, alertId] = await Promise.all([
        events.byIds(tenant, finding.event_ids, [finding.first_event_at, finding.last_event_at]),
        alerts.ofFinding(tenant, finding.finding_id),
      ])
      return {
        finding,
        events: [...its],
        ...(alertId === undefined ? {} : { alert_id: alertId }),
        deliveries:
          alertId === undefined ? [] : (await deliveries.ofAlerts(tenant, [alertId])).map(deliveryToWire),
      }
    },
  )

  app.get(
    '/v1/findings/:id/baseline',
    {
      config,
      schema: {
        summary: 'What the finding was measured against, as a picture’s numbers',
        params: FindingParams,
        response: { 200: BaselineSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      return baselineOf(await existing(findings, tenant, request.params.id), baselines, events)
    },
  )
}

async function existing(findings: FindingSource, tenant: string, findingId: string): Promise<StoredFinding> {
  const finding = await findings.byId(findingId, tenant)
  if (finding === undefined) throw new GatewatchError('not_found', 'There is no such finding.')
  return finding
}
