import type { Delivery } from '../../core/delivery.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { DeliveryListSchema, DeliveryQuerySchema, ReceivedSchema } from '../schemas/deliveries.ts'

/** Where deliveries come from. Newest first. */
export interface DeliverySource {
  newest(tenant: string, limit: number): Promise<readonly Delivery[]>
  ofAlerts(tenant: string, alertIds: readonly string[]): Promise<readonly Delivery[]>
}

/** What the built-in receiver of the demo got. */
export interface ReceivedDelivery {
  readonly webhook_id: string
  readonly verified: boolean
  readonly received_at: string
  readonly type: string
  readonly body: unknown
}

export interface DeliveryRoutes {
  readonly deliveries: DeliverySource
  /** Only in the demo. */
  readonly receiver?: { received(): readonly ReceivedDelivery[] }
}

export function addDeliveryRoutes(app: ApiServer, { deliveries, receiver }: DeliveryRoutes): void {
  const config = { capability: 'deliveries:read' } as const

  app.get(
    '/v1/deliveries',
    {
      config: { ...config, shared: true },
      schema: {
        summary: 'Messages to receivers, newest first',
        querystring: DeliveryQuerySchema,
        response: { 200: DeliveryListSchema },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request)
      return { deliveries: (await deliveries.newest(tenant, request.query.limit)).map(deliveryToWire) }
    },
  )

  if (receiver === undefined) return
  app.get(
    '/v1/receiver/deliveries',
    {
      config,
      schema: { summary: 'What the built-in receiver got (demo only)', response: { 200: ReceivedSchema } },
    },
    async () => ({ received: [...receiver.received()] }),
  )
}

/** Without the tenant, which is the caller’s own. */
export const deliveryToWire = ({ tenant: _, ...delivery }: Delivery) => ({
  ...delivery,
  ...(delivery.notice === 'digest' ? { alert_id: '' } : {}),
  attempt_log: delivery.attempt_log.map((attempt) => ({ ...attempt })),
})
