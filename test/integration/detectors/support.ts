import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { Finding, FindingChange } from '../../../core/finding.ts'
import { createEngine, type EngineOptions } from '../../../detectors/engine.ts'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules, type Rule } from '../../../detectors/rule.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { createFindings } from '../../../store/findings.ts'
import { createProfileStore } from '../../../store/profiles.ts'
import { createWatermarks } from '../../../store/watermarks.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

const RULES = new URL('../../../detectors/rules/', import.meta.url)
const SIGNALS = new URL('../../../detectors/signals/', import.meta.url)

/** The shipped rules; a rule that does not parse fails the test. */
export const shippedRules = (): readonly Rule[] => rulesIn(RULES)

/** The shipped signals, which `backtest --alerts` asks beside the rules. */
export const shippedSignals = (): readonly Rule[] => rulesIn(SIGNALS)

function rulesIn(folder: URL): readonly Rule[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ path: file, text: readFileSync(new URL(file, folder), 'utf8') }))
  const { rules, errors } = parseRules(files, detectors)
  if (errors[0] !== undefined) throw errors[0]
  return rules
}

/** A store of this test file’s own, migrated; `close` removes its folder. */
export async function openTestStore(): Promise<{ database: Database; close: () => Promise<void> }> {
  const path = mkdtempSync(join(tmpdir(), 'gatewatch-detectors-'))
  const database = await openMigratedStore(path)
  return {
    database,
    close: async () => {
      await database.close()
      rmSync(path, { recursive: true, force: true })
    },
  }
}

/** Empties everything that detection reads and writes. */
export async function emptyStore(database: Database): Promise<void> {
  for (const table of [
    'events',
    'touched',
    'profiles',
    'backfill_requests',
    'calls_by_actor',
    'calls_by_tool',
    'tools_by_actor',
    'finding_versions',
    'watermarks',
  ]) {
    await database.command(`TRUNCATE TABLE ${table}`)
  }
}

let blocks = 0

function nextToken(): string {
  blocks += 1
  return `test/${blocks}`
}

/** Stores events as one block; with the same token again, as a replay. */
export async function store(
  database: Database,
  events: readonly AuditEvent[],
  token = nextToken(),
): Promise<void> {
  if (events.length === 0) return
  await database.insert({
    table: 'events',
    columns: EVENT_COLUMNS,
    rows: Buffer.from(events.map(eventRow).join('\n')),
    token,
  })
}

/** A correction: the old version of an event is cancelled and the new one written, in one block. */
export async function correct(
  database: Database,
  before: AuditEvent,
  after: AuditEvent,
  version = 1,
): Promise<void> {
  const rows = [
    [...JSON.parse(eventRow(before)), -1, version - 1],
    [...JSON.parse(eventRow(after)), 1, version],
  ]
  await database.insert({
    table: 'events',
    columns: [...EVENT_COLUMNS, 'sign', 'version'],
    rows: Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n')),
    token: nextToken(),
  })
}

export function engineOver(
  database: Database,
  rules: readonly Rule[],
  onFindings: (changes: readonly FindingChange[]) => Promise<void> = async () => {},
  more: Partial<EngineOptions> = {},
) {
  return createEngine({
    query: (sql, params) => database.query(sql, params),
    findings: createFindings(database),
    watermarks: createWatermarks(database),
    profiles: createProfileStore(database),
    rules,
    onFindings,
    settleMs: 0,
    ...more,
  })
}

/** The current findings as bytes, in a fixed order. */
export async function finalFindings(database: Database): Promise<string[]> {
  const found = await createFindings(database).list({}, 100_000)
  return found.map(({ found_at: _, ...finding }) => JSON.stringify(finding)).sort()
}

export const bytesOf = (findings: readonly Finding[]): string[] =>
  findings.map((finding) => JSON.stringify({ ...finding, status: 'current' })).sort()
