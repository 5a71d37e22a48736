import { Type } from 'typebox'
import type { Alert, AlertAction, CloseReason } from '../../core/alert.ts'
import type { Delivery } from '../../core/delivery.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import type { FindingSource } from '../finding-source.ts'
import { callerOf } from '../plugins/authentication.ts'
import { emptyBodyIsNoFields } from '../request-body.ts'
import {
  AcknowledgeSchema,
  AlertDetailSchema,
  AlertPageSchema,
  AlertQuerySchema,
  AlertSchema,
  CloseSchema,
} from '../schemas/alerts.ts'
import { given, strict } from '../schemas/query.ts'
import { type DeliverySource, deliveryToWire } from './deliveries.ts'

/** Where alerts come from: `createAlerts` of the store. Bound by tenant: an alert of another tenant is not there. */
export interface AlertSource {
  /** Newest first. */
  list(
    filter: {
      readonly tenant: string
      readonly status?: string
      readonly severity?: string
      /** Only what this digest told of. */
      readonly digest?: string
    },
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly alerts: readonly Alert[]; readonly nextCursor?: string }>
  withActions(
    tenant: string,
    alertId: string,
  ): Promise<{ readonly alert: Alert; readonly actions: readonly AlertAction[] } | undefined>
  /** The alert that a finding belongs to. */
  ofFinding(tenant: string, findingId: string): Promise<string | undefined>
  /** Alerts that are not closed. */
  openBySeverity(tenant: string): Promise<Readonly<Record<string, number>>>
}

/** What people do to alerts: `createAlertLifecycle`. Errors: `not_found`, `conflict`. */
export interface AlertChanges {
  acknowledge(request: AlertChange): Promise<Alert>
  close(request: AlertChange & { readonly reason: CloseReason }): Promise<Alert>
}

export interface AlertChange {
  readonly tenant: string
  readonly alertId: string
  readonly by: string
  readonly note?: string
  /** The revision that the person saw. */
  readonly expectedRevision?: number
}

export interface AlertRoutes {
  readonly alerts: AlertSource
  readonly alertChanges: AlertChanges
  readonly deliveries: Pick<DeliverySource, 'ofAlerts'>
  readonly findings: Pick<FindingSource, 'byIds'>
}

const AlertParams = Type.Object({ id: Type.String() }, strict)

export function addAlertRoutes(
  app: ApiServer,
  { alerts, alertChanges, deliveries, findings }: AlertRoutes,
): void {
  const read = { capability: 'alerts:read' } as const
  const write = { capability: 'alerts:write' } as const

  app.get(
    '/v1/alerts',
    {
      config: read,
      schema: {
        summary: 'Alerts, newest first',
        querystring: AlertQuerySchema,
        response: { 200: AlertPageSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      const { limit, cursor, status, severity, digest } = request.query
      const page = await alerts.list(
        { tenant, ...given('status', status), ...given('severity', severity), ...given('digest', digest) },
        { limit, ...given('cursor', cursor) },
      )
      const sent = await deliveries.ofAlerts(
        tenant,
        page.alerts.map(({ alert_id }) => alert_id),
      )
      return {
        alerts: page.alerts.map((alert) => ({
          ...toWire(alert),
          deliveries_summary: summaryOf(alert, sent),
        })),
        ...(page.nextCursor === undefined ? {} : { next_cursor: page.nextCursor }),
      }
    },
  )

  app.get(
    '/v1/alerts/:id',
    {
      config: read,
      schema: {
        summary: 'One alert with its history',
        params: AlertParams,
        response: { 200: AlertDetailSchema },
      },
    },
    async (request, reply) => {
      const { tenant } = callerOf(request)
      const known = await alerts.withActions(tenant, request.params.id)
      if (known === undefined) throw new GatewatchError('not_found', 'There is no such alert.')
      const { alert, actions } = known
      const [found, sent] = await Promise.all([
        findings.byIds(alert.finding_ids, tenant),
        deliveries.ofAlerts(tenant, [alert.alert_id]),
      ])
      reply.header('etag', etagOf(alert))
      return {
        alert: toWire(alert),
        actions: [...actions],
        findings: [...found],
        deliveries: sent.map(deliveryToWire),
      }
    },
  )

  app.post(
    '/v1/alerts/:id/acknowledge',
    {
      config: write,
      preValidation: emptyBodyIsNoFields,
      schema: {
        summary: 'Say that someone is at it',
        params: AlertParams,
        body: AcknowledgeSchema,
        response: { 200: AlertSchema },
      },
    },
    async (request, reply) => {
      const { tenant, subject } = callerOf(request)
      const changed = await alertChanges.acknowledge({
        tenant,
        alertId: request.params.id,
        by: subject,
        ...given('note', request.body.note),
        ...expectedRevision(request.headers['if-match']),
      })
      reply.header('etag', etagOf(changed))
      return toWire(changed)
    },
  )

  app.post(
    '/v1/alerts/:id/close',
    {
      config: write,
      schema: {
        summary: 'Close with a reason',
        params: AlertParams,
        body: CloseSchema,
        response: { 200: AlertSchema },
      },
    },
    async (request, reply) => {
      const { tenant, subject } = callerOf(request)
      const changed = await alertChanges.close({
        tenant,
        alertId: request.params.id,
        by: subject,
        reason: request.body.reason,
        ...given('note', request.body.note),
        ...expectedRevision(request.headers['if-match']),
      })
      reply.header('etag', etagOf(changed))
      return toWire(changed)
    },
  )
}

const etagOf = ({ revision }: Alert): string => `"${revision}"`

function expectedRevision(ifMatch: string | undefined): { expectedRevision?: number } {
  if (ifMatch === undefined || ifMatch.trim() === '*') return {}
  const revision = /^"(\d{1,9})"$/.exec(ifMatch.trim())?.[1]
  if (revision === undefined) {
    throw new GatewatchError('request_invalid', 'If-Match is not an ETag of an alert.', {
      field: 'if-match',
      remedy: 'Send the ETag of GET /v1/alerts/<id> as it is, quotes included.',
    })
  }
  return { expectedRevision: Number(revision) }
}

const toWire = (alert: Alert) => ({
  ...alert,
  finding_ids: [...alert.finding_ids],
  superseded_finding_ids: [...alert.superseded_finding_ids],
})

function summaryOf({ alert_id }: Alert, deliveries: readonly Delivery[]) {
  const own = deliveries.filter((delivery) => delivery.alert_id === alert_id)
  const count = (status: Delivery['status']) => own.filter((delivery) => delivery.status === status).length
  return {
    delivered: count('delivered'),
    due: count('due'),
    failed: count('failed'),
    digested: count('digested'),
  }
}
