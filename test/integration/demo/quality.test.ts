import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../app/demo/calendar.ts'
import { type Incident, liveIncidents, planIncidents } from '../../../app/demo/incidents.ts'
import type { DemoRecord } from '../../../app/demo/records.ts'
import { generateHistory, generateLive, HISTORY_DAYS } from '../../../app/demo/traffic.ts'
import { createManualClock } from '../../../core/clock.ts'
import type { Finding } from '../../../core/finding.ts'
import { parseToolCatalogue } from '../../../core/tool-catalogue.ts'
import { backtest } from '../../../detectors/backtest.ts'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules } from '../../../detectors/rule.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

const root = new URL('../../../', import.meta.url)
const nowMs = Date.parse('2026-11-21T09:30:00Z')
const story = { seed: 1, nowMs }
const LIVE_MS = 2 * 60_000

const rulesFolder = new URL('detectors/rules/', root)
const { rules, errors } = parseRules(
  readdirSync(rulesFolder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ path: file, text: readFileSync(new URL(file, rulesFolder), 'utf8') })),
  detectors,
)

const pipeline = createPipeline({
  catalogue: parseToolCatalogue(readFileSync(new URL('core/tool-catalogue.yaml', root), 'utf8')),
  redactionKey: { id: 'demo', secret: new Uint8Array(32).fill(7) },
  clock: createManualClock(nowMs + LIVE_MS),
})

const folder = mkdtempSync(join(tmpdir(), 'demo-quality-'))
let database: Database
let offset = 0

async function load(records: readonly DemoRecord[]): Promise<{ events: number; deadLetters: number }> {
  const writer = createBatchWriter(database)
  const sums = { events: 0, deadLetters: 0 }
  for (let from = 0; from < records.length; from += 20_000) {
    const token = `demo/${offset}`
    const batch = pipeline(
      records.slice(from, from + 20_000).map(({ text, format }) => ({
        value: new TextEncoder().encode(text),
        headers: {},
        timestampMs: nowMs,
        timestampSource: 'received' as const,
        tenant: 'default',
        topic: 'demo',
        partition: 0,
        offset: offset++,
        format,
      })),
    )
    await writer.write(encodeBatch(batch), token)
    sums.events += batch.events.length
    sums.deadLetters += batch.deadLetters.length
  }
  return sums
}

async function findingsBetween(fromMs: number, toMs: number): Promise<Finding[]> {
  return Array.fromAsync(backtest({ query: database.query, rules, fromMs, toMs }))
}

const isAbout = (finding: Finding, { actor, window }: Incident): boolean =>
  finding.actor === actor &&
  Date.parse(finding.last_event_at) >= window.startMs - 1 &&
  Date.parse(finding.first_event_at) <= window.endMs

const unfound = (incidents: readonly Incident[], findings: readonly Finding[]): string[] =>
  incidents
    .filter(
      (incident) => !findings.some((each) => each.detector === incident.kind && isAbout(each, incident)),
    )
    .map(({ id }) => id)

beforeAll(async () => {
  database = await openMigratedStore(folder)
})

afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true })
})

describe('the demo through the real pipeline, store and detectors', () => {
  it('loads every record as an event, its secrets redacted', async () => {
    const records = [...generateHistory(story)]
    expect(errors).toEqual([])
    expect(await load(records)).toEqual({ events: records.length, deadLetters: 0 })
    const [stored] = await database.query<{ events: number; secrets: number; unknown: number }>(
      `SELECT sum(sign) AS events, countIf(match(gen_ai_tool_call_arguments, 'ghp_[0-9a-f]{36}')) AS secrets,
              countIf(actor = '(unknown)') AS unknown FROM events`,
    )
    expect(stored).toEqual({ events: records.length, secrets: 0, unknown: 0 })
  })

  it('finds every labelled incident by its kind, and little else', async () => {
    const findings = await findingsBetween(nowMs - HISTORY_DAYS * DAY_MS, nowMs + 1)
    const incidents = planIncidents(story)
    expect(unfound(incidents, findings)).toEqual([])
    const others = findings.filter((finding) => !incidents.some((incident) => isAbout(finding, incident)))
    expect(
      others.length,
      others.map(({ rule, severity, title }) => `${rule} (${severity}): ${title}`).join('\n'),
    ).toBeLessThanOrEqual(15)
    // What pages is about the incidents.
    expect(others.filter(({ severity }) => severity === 'high' || severity === 'critical')).toEqual([])
  })

  it('finds the incidents of the first two minutes of live traffic', async () => {
    const clock = createManualClock(nowMs)
    const stop = new AbortController()
    const live: DemoRecord[] = []
    const sleep = async (ms: number) => {
      clock.advance(ms)
      if (clock.now() >= nowMs + LIVE_MS) stop.abort()
    }
    for await (const record of generateLive({ ...story, clock, signal: stop.signal, sleep }))
      live.push(record)
    await load(live)
    const findings = await findingsBetween(nowMs - 2 * DAY_MS, nowMs + HOUR_MS)
    expect(unfound(liveIncidents(story, 0, nowMs), findings)).toEqual([])
  })
})
