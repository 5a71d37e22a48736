import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAlertLifecycle } from '../../../alerts/lifecycle.ts'
import { createOutbox } from '../../../alerts/outbox.ts'
import { createAlertPipeline } from '../../../alerts/pipeline.ts'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { createManualClock } from '../../../core/clock.ts'
import type { Finding } from '../../../core/finding.ts'
import { createAlerts } from '../../../store/alerts.ts'
import { createBaselineQueries } from '../../../store/baselines.ts'
import {
  countDeadLetters,
  countDeadLettersBy,
  findDeadLetters,
  listDeadLetters,
} from '../../../store/dead-letters.ts'
import { createDeliveries } from '../../../store/deliveries.ts'
import { createEventQueries } from '../../../store/event-queries.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createFindings } from '../../../store/findings.ts'
import { createOverviewQueries } from '../../../store/overview.ts'
import { sourceQuality } from '../../../store/source-quality.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { NOW_MS, startApi } from '../../unit/api/api-fixture.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** The API over the real store and the real alert pipeline, in a folder of its own. */
export async function startStoredApi() {
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-api-'))
  const database = await openMigratedStore(folder)
  const clock = createManualClock(NOW_MS)
  const alerts = createAlerts(database)
  const deliveries = createDeliveries(database)
  const findings = createFindings(database)
  const receivers = [
    { name: 'soc', kind: 'webhook' as const, minSeverity: 'low' as const, notices: ['opened' as const] },
  ]
  const outbox = createOutbox({ alerts, deliveries })
  const pipeline = createAlertPipeline({ alerts, outbox, receivers, clock, logger: quiet })
  const api = await startApi({
    events: createEventQueries(database),
    counts: {
      ...createOverviewQueries(database),
      sources: (tenant, from, to) => sourceQuality(database, tenant, from, to),
    },
    baselines: createBaselineQueries(database),
    findings,
    alerts,
    alertChanges: createAlertLifecycle({ alerts, outbox, receivers, clock }),
    deliveries,
    deadLetters: {
      list: (filter) => listDeadLetters(database, filter),
      byIds: (tenant, ids) => findDeadLetters(database, tenant, ids),
      counts: (tenant) => countDeadLetters(database, tenant),
      countsBy: (scope) => countDeadLettersBy(database, scope),
    },
  })
  const writer = createBatchWriter(database)
  const tokenOf = (text: string) => createHash('sha256').update(text).digest('hex')
  return {
    ...api,
    database,
    writer,
    encodeBatch,
    insert: async (events: readonly AuditEvent[]) => {
      const rows = events.map(eventRow).join('\n')
      await database.insert({
        table: 'events',
        columns: EVENT_COLUMNS,
        rows: Buffer.from(rows),
        token: tokenOf(rows),
      })
    },
    /** Cancels version 0 of an event and writes version 1, as the assembler does. */
    correct: async (before: AuditEvent, after: AuditEvent) => {
      const withSign = (event: AuditEvent, sign: number, version: number) =>
        JSON.stringify([...(JSON.parse(eventRow(event)) as unknown[]), sign, version])
      const rows = [withSign(before, -1, 0), withSign(after, 1, 1)].join('\n')
      await database.insert({
        table: 'events',
        columns: [...EVENT_COLUMNS, 'sign', 'version'],
        rows: Buffer.from(rows),
        token: tokenOf(rows),
      })
    },
    find: async (found: readonly Finding[]) => {
      const changes = found.map((finding) => ({ finding, status: 'current' as const }))
      await findings.write(changes, NOW_MS * 1000)
      return pipeline.handle(changes)
    },
    close: async () => {
      await api.app.close()
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
