import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type EventField, eventFields } from '../core/audit-event.ts'
import { createManualClock } from '../core/clock.ts'
import { parseToolCatalogue } from '../core/tool-catalogue.ts'
import { createAssemble } from '../ingest/assemble.ts'
import { createDecoder } from '../ingest/decode.ts'
import { outcomeWords } from '../ingest/formats/outcome.ts'
import { FORMATS } from '../ingest/formats/registry.ts'
import { createPipeline } from '../ingest/pipeline.ts'
import type { RawRecord } from '../ingest/record.ts'

/**
 * What each format fills in, found out by running it over its samples: the tables of `docs/formats.md`. Run it by itself
 * (`node packaging/formats-coverage.ts`) to write them there.
 */

const SAMPLES = new URL('../test/unit/ingest/samples/', import.meta.url)
const DOCUMENT = new URL('../docs/formats.md', import.meta.url)
const NOW_MS = Date.UTC(2026, 10, 30)

// Of the record, not of the call; or only in what gatewatch makes of it.
const NOT_SHOWN: ReadonlySet<EventField> = new Set<EventField>([
  'conflicting_event_id',
  'imported',
  'recorded_at',
  'timestamp_source',
  'source_format',
  'tenant',
  'topic',
  'partition',
  'offset',
  'record_index',
])

const FAMILIES: readonly { readonly title: string; readonly formats: readonly string[] }[] = [
  {
    title: 'Gateways',
    formats:
      'agentgateway envoy-ai-gateway kuadrant-access-log kuadrant-audit kong litellm contextforge-log lasso-xetrack invariant microsoft-session'.split(
        ' ',
      ),
  },
  {
    title: 'Telemetry, clients, decisions, messages',
    formats:
      'otlp-json otlp-proto elastic-otel openai-agents docker-policy-audit docker-interceptor mcp-message'.split(
        ' ',
      ),
  },
  { title: 'Platforms and our own', formats: [] },
]

// Made of another field, whether or not a sample's value gives rise to it.
const MADE_OF: Readonly<Record<string, readonly string[]>> = {
  argument_keys: ['gen_ai.tool.call.arguments'],
  argument_fingerprints: ['gen_ai.tool.call.arguments'],
  argument_flags: ['gen_ai.tool.call.arguments'],
  result_fingerprints: ['gen_ai.tool.call.result'],
  destination: ['gen_ai.tool.call.arguments', 'mcp.resource.uri'],
}

export interface Coverage {
  /** Fields that the format took from at least one of its samples. */
  readonly filled: ReadonlySet<string>
  /** Fields of the events that gatewatch made from what was filled. */
  readonly derived: ReadonlySet<string>
}

/** Format → what it covers, for every format that makes calls of a sample. */
export function measureCoverage(): ReadonlyMap<string, Coverage> {
  const catalogue = parseToolCatalogue(
    readFileSync(new URL('../core/tool-catalogue.yaml', import.meta.url), 'utf8'),
  )
  const decode = createDecoder({ formats: FORMATS })
  const run = createPipeline({
    catalogue,
    redactionKey: { id: 'docs', secret: Buffer.alloc(32, 7) },
    clock: createManualClock(NOW_MS),
  })
  const assemble = createAssemble({ catalogue })
  const filled = new Map<string, Set<string>>()
  const final = new Map<string, Set<string>>()
  const add = (to: Map<string, Set<string>>, format: string, from: object) => {
    const fields = to.get(format) ?? new Set()
    for (const [field, value] of Object.entries(from)) if (value !== undefined) fields.add(field)
    to.set(format, fields)
  }
  for (const record of sampleRecords()) {
    for (const { sourceFormat, entries } of decode(record)) {
      for (const entry of entries) {
        if (entry.kind === 'event' || (entry.kind === 'part' && entry.callKey !== ''))
          add(filled, sourceFormat, entry.draft)
      }
    }
    const batch = run([record])
    for (const event of [...batch.events, ...assemble(batch.parts)]) add(final, event.source_format, event)
  }
  return new Map(
    [...filled].map(([format, fields]) => {
      const made = Object.entries(MADE_OF).flatMap(([field, of]) =>
        of.some((one) => fields.has(one)) ? [field] : [],
      )
      const derived = new Set([...(final.get(format) ?? []), ...made]).difference(fields)
      return [format, { filled: fields, derived }]
    }),
  )
}

function* sampleRecords(): Generator<RawRecord> {
  let offset = 0
  for (const name of readdirSync(SAMPLES, { recursive: true, encoding: 'utf8' }).sort()) {
    if (name === 'variants.json') continue
    if (!/\.(?:json|jsonl|txt|body|bin)$/.test(name) || /(?:^|\/)(?:expected|ids)\b/.test(name)) continue
    const bytes = readFileSync(new URL(name, SAMPLES))
    const wrapped = name.startsWith('cloudevents-') ? JSON.parse(bytes.toString('utf8')) : undefined
    yield recordOf(
      wrapped === undefined ? bytes : Buffer.from(JSON.stringify(wrapped.value)),
      wrapped?._kafka.headers ?? {},
      offset++,
    )
  }
  const variants = JSON.parse(readFileSync(new URL('variants.json', SAMPLES), 'utf8')) as {
    record: unknown
  }[]
  for (const { record } of variants) {
    yield recordOf(Buffer.from(typeof record === 'string' ? record : JSON.stringify(record)), {}, offset++)
  }
}

const recordOf = (value: Uint8Array, headers: RawRecord['headers'], offset: number): RawRecord => ({
  value,
  headers,
  timestampMs: NOW_MS,
  timestampSource: 'received',
  tenant: 'docs',
  topic: 'samples',
  partition: 0,
  offset,
})

/** The tables in Markdown: a row for each field, a column for each format. */
export function coverageTables(): string {
  const coverage = measureCoverage()
  const placed = new Set(FAMILIES.flatMap(({ formats }) => formats))
  const rest = FORMATS.map(({ name }) => name).filter((name) => !placed.has(name))
  return FAMILIES.map(({ title, formats }) => {
    const columns = (formats.length === 0 ? rest : formats).filter((name) => coverage.has(name))
    return `#### ${title}\n\n${tableOf(columns, coverage)}`
  }).join('\n\n')
}

function tableOf(columns: readonly string[], coverage: ReadonlyMap<string, Coverage>): string {
  const markOf = (format: string, field: string): string => {
    const covered = coverage.get(format)
    return covered?.filled.has(field) ? '●' : covered?.derived.has(field) ? '○' : ''
  }
  const rows = eventFields
    .filter((field) => !NOT_SHOWN.has(field))
    .map((field) => [`\`${field}\``, ...columns.map((format) => markOf(format, field))])
  const lines = [['', ...columns], ['---', ...columns.map(() => ':-:')], ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The words of `outcome.ts`, by what they mean. */
export function outcomeTable(): string {
  const rows = Object.entries(outcomeWords()).map(
    ([outcome, words]) => `| \`${outcome}\` | ${[...words].sort().join(', ')} |`,
  )
  return ['| outcome | words |', '| --- | --- |', ...rows].join('\n')
}

/** The document with the tables between their marks. */
export const withCoverage = (document: string): string =>
  between(between(document, 'coverage', coverageTables()), 'outcomes', outcomeTable())

function between(document: string, mark: string, content: string): string {
  const begin = `<!-- ${mark}: begin -->`
  const from = document.indexOf(begin) + begin.length
  const to = document.indexOf(`<!-- ${mark}: end -->`)
  return `${document.slice(0, from)}\n\n${content}\n\n${document.slice(to)}`
}

if (import.meta.main) writeFileSync(DOCUMENT, withCoverage(readFileSync(DOCUMENT, 'utf8')))
