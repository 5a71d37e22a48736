import { readFileSync } from 'node:fs'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { createManualClock } from '../../../core/clock.ts'
import { parseToolCatalogue } from '../../../core/tool-catalogue.ts'
import { createAssemble } from '../../../ingest/assemble.ts'
import { createPipeline, type PipelineOptions } from '../../../ingest/pipeline.ts'
import type { Batch, RawRecord } from '../../../ingest/record.ts'

export const RECEIVED_MS = Date.parse('2026-11-30T00:00:00Z')

export const catalogue = parseToolCatalogue(
  readFileSync(new URL('../../../core/tool-catalogue.yaml', import.meta.url), 'utf8'),
)

export const sample = (name: string): Buffer => readFileSync(new URL(`samples/${name}`, import.meta.url))

export const record = (value: string | Uint8Array, more: Partial<RawRecord> = {}): RawRecord => ({
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers: {},
  timestampMs: RECEIVED_MS,
  timestampSource: 'received',
  tenant: 'acme',
  topic: 'calls',
  partition: 0,
  offset: 0,
  ...more,
})

export const runWith = (more: Partial<PipelineOptions>) =>
  createPipeline({
    catalogue,
    redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
    clock: createManualClock(RECEIVED_MS),
    ...more,
  })

export const run = runWith({})

export const assemble = createAssemble({ catalogue })

/** What is stored of a batch in the end. */
export const eventsOf = (batch: Batch): readonly AuditEvent[] => [...batch.events, ...assemble(batch.parts)]

export const GOOD = '{"occurred_at":"2026-11-19T10:00:00.000001Z","gen_ai.tool.name":"echo","user.id":"u1"}'
