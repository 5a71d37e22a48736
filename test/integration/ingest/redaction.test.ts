import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDispatcher } from '../../../alerts/dispatcher.ts'
import { routeOf } from '../../../alerts/notifier.ts'
import { createWebhookNotifier } from '../../../alerts/notifiers/webhook.ts'
import { createOutbox } from '../../../alerts/outbox.ts'
import { createAlertPipeline } from '../../../alerts/pipeline.ts'
import { loadToolCatalogue } from '../../../app/wire/pipeline.ts'
import { createManualClock, systemClock } from '../../../core/clock.ts'
import { stableId } from '../../../core/hash.ts'
import { createAssemble } from '../../../ingest/assemble.ts'
import { createAssembler } from '../../../ingest/assembler.ts'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { createKeywordScanner } from '../../../ingest/redact/keyword-scanner.ts'
import { openSegmentLog } from '../../../ingest/segment-log.ts'
import { createIngestTelemetry } from '../../../ingest/telemetry.ts'
import { createAlerts } from '../../../store/alerts.ts'
import type { Database } from '../../../store/database.ts'
import { createDeliveries } from '../../../store/deliveries.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { createPartStore } from '../../../store/parts.ts'
import { findingOf } from '../../helpers/findings.ts'
import { KIND_COUNT, makeSecrets, type SyntheticSecret } from '../../helpers/made-up-secrets.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { startReceiver } from '../../helpers/receivers.ts'
import { makeRecords, NOW_MS } from './redaction-records.ts'

const SECRETS = makeSecrets(500, 20261121)

let folder: string
let database: Database
const logged: string[] = []
const webhooks: string[] = []
const formatsSeen = new Set<string>()
const outcomes = { events: 0, parts: 0, deadLetters: 0, records: 0, waiting: 0 }
let raw = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-redaction-'))
  database = await openMigratedStore(join(folder, 'store'))
  const log = (fields: Record<string, unknown>, text: string) => {
    logged.push(JSON.stringify({ ...fields, text }))
  }
  const telemetry = createIngestTelemetry({ info: log, warn: log, error: log })
  const completion = { catalogue: loadToolCatalogue() }
  const run = createPipeline({
    ...completion,
    redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
    clock: createManualClock(NOW_MS),
  })
  const segments = await openSegmentLog({
    folder: join(folder, 'segments'),
    encode: encodeBatch,
    write: createBatchWriter(database).write,
    compare: createKnownEvents(database, systemClock),
    // What is appended waits until it was looked at.
    sealMs: 600_000,
    telemetry,
  })
  const records = await makeRecords(SECRETS)
  outcomes.records = records.length
  for (let first = 0; first < records.length; first += 2000) {
    const batch = run(records.slice(first, first + 2000))
    outcomes.events += batch.events.length
    outcomes.parts += batch.parts.length
    outcomes.deadLetters += batch.deadLetters.length
    for (const { source_format } of batch.events) formatsSeen.add(source_format)
    for (const { sourceFormat } of [...batch.parts, ...batch.deadLetters]) formatsSeen.add(sourceFormat)
    telemetry.deadLettered(batch.deadLetters)
    await segments.append(batch)
  }
  // What waits in segments is looked at too, before it goes into the store.
  const waiting = await bytesOf(join(folder, 'segments'))
  outcomes.waiting = waiting.length
  raw += waiting
  await segments.flush()
  const assembler = createAssembler({
    store: createPartStore(database),
    fold: createAssemble(completion),
    telemetry,
  })
  while ((await assembler.tick()).more) {}
  await alert()
  raw += await rowsOf()
  await segments.close()
  // Closed first: merges make and remove files.
  await database.close()
  raw += await bytesOf(join(folder, 'store'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

// Alerts that quote what is stored, sent to a receiver.
async function alert(): Promise<void> {
  const receiver = await startReceiver()
  const clock = createManualClock(NOW_MS)
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const notifier = createWebhookNotifier({
    receiver: 'soc',
    url: receiver.url,
    secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`],
    allowPrivate: true,
    rate: { perSecond: 1e6, burst: 1e6 },
  })
  const alerts = createAlerts(database)
  const deliveries = createDeliveries(database)
  const outbox = createOutbox({ alerts, deliveries } as never)
  const stored = await database.query<{ actor: string; tool: string; message: string; args: string }>(
    `SELECT actor, gen_ai_tool_name AS tool, error_message AS message, gen_ai_tool_call_arguments AS args
     FROM events WHERE sign = 1 ORDER BY cityHash64(event_id) LIMIT 200`,
  )
  const window = { start: '2026-11-21T10:00:00.000000Z', end: '2026-11-21T11:00:00.000000Z' }
  const findings = stored.map(({ actor, tool, message, args }, index) => ({
    status: 'current' as const,
    finding: findingOf({
      finding_id: stableId('redaction', index),
      tenant: 'acme',
      actor,
      subject: `${actor}/${index}`,
      entity: { type: 'actor', id: `${actor}/${index}` },
      title: `${actor} called ${tool}: ${message}`.slice(0, 300),
      window,
      explanation: {
        observed: { tool, arguments: args },
        expected: {},
        history: {},
        silenced_by: '',
      } as never,
    }),
  }))
  // Each alert goes out by itself: what it quotes is looked at.
  const patient = { ...notifier, budget: { ...notifier.budget, perParty: 10_000, perSource: 10_000 } }
  const parts = { alerts, deliveries, outbox, receivers: [routeOf(patient, 'low')], clock, logger: quiet }
  await createAlertPipeline(parts as never).handle(findings)
  const dispatcher = createDispatcher({ deliveries, outbox, notifiers: [patient], clock, logger: quiet })
  while ((await dispatcher.runOnce()) > 0) {}
  webhooks.push(...receiver.requests.map(({ body }) => body))
  await receiver.close()
}

async function bytesOf(path: string): Promise<string> {
  let all = ''
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    // A segment or a part may be gone by now: what it said is in the store.
    if (entry.isFile()) all += await readFile(join(entry.parentPath, entry.name), 'latin1').catch(() => '')
  }
  return all
}

// The store compresses its files: what they say is looked at as well.
async function rowsOf(): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`,
  )
  let all = ''
  for (const { name } of tables) {
    const rows = await database.query<{ row: string }>(
      `SELECT toJSONString(tuple(*)) AS row FROM \`${name}\``,
    )
    all += rows.map(({ row }) => row).join('\n')
  }
  return all
}

// The end of a secret in some encoding: enough to know it by, and to see one that was hidden in part only.
const TAIL = 14
const tailOf = (text: string): string => text.slice(-TAIL)

/** Kinds of those secrets whose written form occurs in the text, by one pass over it. */
function leftIn(text: string, written: (secret: SyntheticSecret) => string): readonly string[] {
  const scanner = createKeywordScanner(SECRETS.map((secret) => tailOf(written(secret))))
  return [...(scanner.scan(text) ?? [])].map((index) => SECRETS[index]?.kind ?? '')
}

describe(`500 secrets of ${KIND_COUNT} kinds, each in four encodings`, () => {
  it('went through every format, as calls, parts and dead letters', () => {
    expect(KIND_COUNT).toBeGreaterThanOrEqual(40)
    expect(FORMATS.map(({ name }) => name).filter((name) => !formatsSeen.has(name))).toEqual([])
    expect(outcomes.events + outcomes.parts + outcomes.deadLetters).toBeGreaterThanOrEqual(outcomes.records)
    expect(Math.min(outcomes.events, outcomes.parts, outcomes.deadLetters)).toBeGreaterThan(1000)
    expect(webhooks.length).toBeGreaterThan(100)
    expect(outcomes.waiting).toBeGreaterThan(100_000)
  })

  it('left tokens', () => {
    expect(raw.split('hmac:k1:').length).toBeGreaterThan(5000)
    expect(webhooks.join('')).toContain('hmac:k1:')
  })

  it('are nowhere in clear: not on disk, not in a row, not in a webhook, not in the log', () => {
    for (const text of [raw, webhooks.join('\n'), logged.join('\n')])
      expect(leftIn(text, ({ secret }) => secret)).toEqual([])
    // What was sent had them all.
    expect(leftIn(SECRETS.map(({ text }) => text).join('\n'), ({ secret }) => secret)).toHaveLength(500)
  })

  it('are not left percent-encoded, and seldom as base64', () => {
    expect(SECRETS.filter(({ secret }) => encodeURIComponent(secret) !== secret).length).toBeGreaterThan(20)
    expect(leftIn(raw, ({ secret }) => encodeURIComponent(secret))).toEqual([])
    // The text was encoded as a whole, and is readable in its own case only. What is left was cut with its record.
    const base64 = ({ text }: SyntheticSecret) => Buffer.from(text).toString('base64').slice(0, -4)
    const left = SECRETS.filter((secret) => raw.includes(base64(secret)))
    expect(left.length / SECRETS.length).toBeLessThanOrEqual(0.03)
  })
})
