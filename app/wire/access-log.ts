import { Counter, type Registry } from 'prom-client'
import { type AccessEntry, type AccessLog, createAccessLog } from '../../api/access-log.ts'
import type { EventIntake } from '../../api/routes/ingest.ts'
import { accessTenantOf } from '../../core/access-tenant.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'

/** Accesses as events of a tenant of their own, by the way that every record takes: redacted, on disk, in the store. */
export function createEventAccessLog(options: {
  readonly intake: EventIntake
  readonly clock: Clock
  readonly required: boolean
  readonly registry: Registry
  readonly logger: { warn(fields: object, text: string): void }
}): AccessLog {
  const { intake, clock, required, registry, logger } = options
  const failures = new Counter({
    name: 'gatewatch_access_log_failures_total',
    help: 'Accesses of the API that could not be recorded',
    registers: [registry],
  })
  let failing = false
  return createAccessLog({
    clock,
    required,
    keep: async (entry) => {
      const { deadLettered } = await intake.accept({
        bytes: Buffer.from(JSON.stringify(recordOf(entry))),
        headers: { 'content-type': 'application/json', 'x-gatewatch-format': 'native' },
        // Whom nobody knows, the administrator of the deployment should see.
        tenant: accessTenantOf(entry.tenant ?? 'default'),
        receivedAtMs: entry.atMs,
        subject: 'gatewatch',
        source: 'gatewatch-access',
      })
      if (deadLettered > 0) throw new Error('the record became a dead letter')
      failing = false
    },
    onFailure: (error) => {
      failures.inc()
      if (!failing) logger.warn({ error: messageOf(error) }, 'accesses cannot be recorded')
      failing = true
    },
  })
}

/** The access as a native record: a call of the tool “GET /v1/events” at the server “gatewatch”. */
const recordOf = (entry: AccessEntry): object => ({
  occurred_at: new Date(entry.atMs).toISOString(),
  ...(entry.subject === undefined ? {} : { 'user.id': entry.subject }),
  ...(entry.by === undefined ? {} : { 'credential.id': entry.by }),
  'client.address': entry.address,
  'gateway.id': 'gatewatch',
  'mcp.server.name': 'gatewatch',
  'mcp.method.name': entry.action,
  'gen_ai.tool.name': entry.call,
  'gen_ai.tool.call.arguments': entry.parameters,
  outcome: entry.allowed ? 'success' : 'denied',
  ...(entry.reason === undefined ? {} : { 'error.type': entry.reason }),
})
