import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { loadToolCatalogue } from '../app/wire/pipeline.ts'
import { systemClock } from '../core/clock.ts'
import { createPipeline, type Pipeline } from '../ingest/pipeline.ts'
import type { RawRecord } from '../ingest/record.ts'
import { createRedactor, type Redactor } from '../ingest/redact/redactor.ts'
import { createSecrecyOf } from '../ingest/redact/secret-keys.ts'
import type { Bench, Figure } from './benchmark.ts'
import { benchRecord } from './ingest/records.ts'
import { richRecord } from './redaction/records.ts'

const KEY = { id: 'k1', secret: new Uint8Array(32).fill(7) }
const RECORDS = 20_000

/**
 * What redaction costs, and what it hides that is no secret. `cpu_share` is its share of the CPU time of the whole
 * pipeline (decode, redact, check, complete) on the records of `bench ingest`; reading from Kafka and storing, which an
 * ingest process does beside it, are left out, so its share of all that is smaller. `cpu_share_rich` is the same for
 * records whose arguments are long texts, code, queries and addresses, one in fifty with a secret. Rounds alternate.
 *
 * With `--input` (a file or folder of NDJSON, gzip allowed, with `calls[].a`): `false_redaction_rate`, the share of
 * argument values that are changed in calls that hold no secrets.
 */
export const run: Bench = async ({ quick, input, progress }) => {
  const rounds = quick ? 12 : 40
  const plain = share(records(benchRecord), rounds)
  progress(`plain records: ${plain.with.toFixed(2)} µs with, ${plain.without.toFixed(2)} µs without`)
  const rich = share(records(richRecord), rounds)
  progress(`rich records: ${rich.with.toFixed(2)} µs with, ${rich.without.toFixed(2)} µs without`)
  const figures: Record<string, Figure> = {
    cpu_share: { value: round(1 - plain.without / plain.with), unit: 'of CPU', goal: '<= 0.20' },
    cpu_share_rich: { value: round(1 - rich.without / rich.with), unit: 'of CPU' },
    microseconds_per_record: { value: round(plain.with - plain.without), unit: 'µs' },
    microseconds_per_rich_record: { value: round(rich.with - rich.without), unit: 'µs' },
  }
  if (input !== undefined) Object.assign(figures, falseRedactions(filesOf(input), progress))
  return { figures }
}

/** Does nothing at all: the pipeline without redaction. */
const transparent: Redactor = {
  name: (text) => text,
  text: (text) => text,
  json: (value) => value,
  jsonText: (text) => text,
  cleanJsonText: (text) => text,
  isClean: () => true,
  namesSecret: () => false,
  token: (value) => value,
  within: (_, work) => work(),
  from: (_, work) => work(),
  tokensFor: () => [],
}

// The least of many rounds: what is above it was somebody else's work on the machine.
function share(all: readonly RawRecord[], rounds: number): { with: number; without: number } {
  const pipelines = { with: pipelineWith(createRedactor(KEY)), without: pipelineWith(transparent) }
  const least = { with: Number.POSITIVE_INFINITY, without: Number.POSITIVE_INFINITY }
  for (let round_ = 0; round_ < rounds; round_++) {
    for (const kind of ['with', 'without'] as const) {
      const before = process.cpuUsage()
      pipelines[kind](all)
      const { user, system } = process.cpuUsage(before)
      least[kind] = Math.min(least[kind], (user + system) / all.length)
    }
  }
  return least
}

const pipelineWith = (redactor: Redactor): Pipeline =>
  createPipeline({ catalogue: loadToolCatalogue(), redactionKey: KEY, redactor, clock: systemClock })

function records(make: (number: number) => string): readonly RawRecord[] {
  return Array.from({ length: RECORDS }, (_, number) => ({
    value: Buffer.from(make(number)),
    headers: {},
    timestampMs: Date.now(),
    timestampSource: 'broker' as const,
    tenant: 'default',
    topic: 'bench',
    partition: 0,
    offset: number,
  }))
}

function falseRedactions(files: readonly string[], progress: (line: string) => void): Record<string, Figure> {
  const redactor = createRedactor(KEY)
  const impersonal = createRedactor({ keys: [KEY], personal: [] })
  const secrecyOf = createSecrecyOf()
  const figures: Record<string, Figure> = {}
  const totals = { leaves: 0, changed: 0, calls: 0 }
  for (const file of files) {
    const kinds = new Map<string, number>()
    let leaves = 0
    let changed = 0
    for (const { name, value } of leavesOf(file, totals)) {
      leaves++
      const whole = { [name]: value }
      const clean = redactor.json(whole, 't') as Record<string, unknown>
      if (clean === whole) continue
      changed++
      const kind =
        secrecyOf(name) !== 'none' ? 'name' : impersonal.json(whole, 't') === whole ? 'personal' : 'text'
      const key = `${kind} ${name}`
      kinds.set(key, (kinds.get(key) ?? 0) + 1)
    }
    totals.leaves += leaves
    totals.changed += changed
    const listed = [...kinds].sort(([, a], [, b]) => b - a).slice(0, 20)
    progress(`${file}: ${changed} of ${leaves} values changed`)
    for (const [kind, count] of listed) progress(`  ${count} × ${kind}`)
  }
  figures['false_redaction_rate'] = {
    value: round(totals.changed / Math.max(1, totals.leaves), 6),
    unit: 'of values',
  }
  figures['argument_values'] = { value: totals.leaves, unit: 'values' }
  figures['changed_values'] = { value: totals.changed, unit: 'values' }
  return figures
}

function* leavesOf(file: string, totals: { calls: number }): Generator<{ name: string; value: unknown }> {
  const bytes = readFileSync(file)
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  for (const line of text.split('\n')) {
    if (line === '') continue
    const { calls = [] } = JSON.parse(line) as { calls?: readonly { a?: unknown }[] }
    for (const { a } of calls) {
      totals.calls++
      yield* walk('', a)
    }
  }
}

function* walk(name: string, value: unknown): Generator<{ name: string; value: unknown }> {
  if (Array.isArray(value)) for (const item of value) yield* walk(name, item)
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) yield* walk(key, item)
  else if (value !== null && value !== undefined) yield { name, value }
}

function filesOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ndjson(?:\.gz)?$/.test(name))
    .map((name) => join(path, name))
}

const round = (value: number, digits = 3): number => Number(value.toFixed(digits))
