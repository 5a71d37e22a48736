import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Command } from 'commander'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { inertText } from '../../../core/text.ts'
import { createCompleteEvent } from '../../../ingest/complete-event.ts'
import { createFingerprints } from '../../../ingest/fingerprints.ts'
import type { Format } from '../../../ingest/format.ts'
import { createExplainRecord, type Explained } from '../../../ingest/formats/mapping/explain-record.ts'
import { guessMapping } from '../../../ingest/formats/mapping/guess-mapping.ts'
import type { MappedFormat } from '../../../ingest/formats/mapping/mapping.ts'
import { formatsWith } from '../../../ingest/formats/registry.ts'
import { createNormalize } from '../../../ingest/normalize.ts'
import type { RawRecord } from '../../../ingest/record.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { readRecords } from '../../../ingest/sources/file.ts'
import { unpackValue } from '../../../ingest/unpack-value.ts'
import { loadConfig } from '../../config/config.ts'
import { mappingsOf } from '../../config/mappings.ts'
import { nowhere } from '../../config/place.ts'
import { loadToolCatalogue } from '../../wire/pipeline.ts'
import { limitOption } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { standardInput } from '../standard-input.ts'
import { createTrySummary } from '../try-summary.ts'

interface Flags {
  readonly config?: string
  readonly json?: boolean
}

interface TryFlags extends Flags {
  readonly mapping?: readonly string[]
  readonly format?: string
  readonly skeleton?: boolean
  readonly limit: number
}

const TENANT = 'default'
const MAX_RECORD_BYTES = 4 * 1024 * 1024
const SKELETON_RECORDS = 200
const MAX_VALUE = 80

export function addFormatsCommand(program: Command): void {
  const formats = program.command('formats').description('The formats of records, and trying them out.')
  formats
    .command('list')
    .description('List the formats in order of recognition; exit 2 when a mapping file is wrong.')
    .option('--config <FILE>', 'configuration file (default: gatewatch.yaml, if there is one)')
    .option('--json', 'answer in JSON on stdout; text for people goes to stderr')
    .action(list)
  formats
    .command('try')
    .description(
      'Show field by field what would be stored of records, and what of them nobody reads. Stores nothing.',
    )
    .argument('<files...>', 'files of records (NDJSON, JSON, text, gzip), or - for stdin')
    .option(
      '--mapping <FILES...>',
      'mapping files (or folders of them) instead of the formats that are configured',
    )
    .option('--format <NAME>', 'format of the records (default: recognised record by record)')
    .option('--skeleton', 'write a first mapping file for these records, guessed from their keys')
    .addOption(limitOption(3))
    .option('--config <FILE>', 'configuration file (default: gatewatch.yaml, if there is one)')
    .option('--json', 'answer in JSON on stdout; text for people goes to stderr')
    .action(tryOut)
}

function list(flags: Flags): void {
  const output = createOutput({ json: flags.json ?? false })
  const { mappings } = loadConfig(flags)
  const { formats } = mappingsOf(
    mappings.map(({ at }) => at),
    nowhere,
  )
  const rows = formatsWith(formats).map((format) => ({
    name: format.name,
    reads: format.reads ?? 'json',
    from: isMapped(format) ? format.at : 'built in',
    description: isMapped(format) ? format.description : '',
  }))
  for (const row of rows) output.json(row)
  output.table(
    ['format', 'reads', 'from', 'description'],
    rows.map(({ name, reads, from, description }) => [name, reads, from, description]),
  )
}

const isMapped = (format: Format): format is MappedFormat => 'trace' in format

async function tryOut(files: readonly string[], flags: TryFlags): Promise<void> {
  const output = createOutput({ json: flags.json ?? false })
  const config = loadConfig(flags)
  const { formats: own } = mappingsOf(flags.mapping ?? config.mappings.map(({ at }) => at), nowhere)
  const formats = formatsWith(own)
  const redactor = createRedactor({ id: 'try', secret: randomBytes(32) })
  if (flags.skeleton) {
    const redacted = (await firstRecords(files)).map((value) => redactor.json(value, TENANT))
    process.stdout.write(guessMapping(redacted))
    return
  }
  const named = nameOf(flags, own, formats)
  const complete = createCompleteEvent({ catalogue: loadToolCatalogue(config.toolCatalogue) })
  const summary = createTrySummary(complete)
  const explain = createExplainRecord({
    formats,
    normalize: createNormalize(redactor, systemClock, createFingerprints(randomBytes(32))),
    complete,
    redact: redactor.json,
    takePart: summary.addPart,
  })
  let shown = 0
  for await (const record of recordsIn(files)) {
    for (const piece of explain(named === undefined ? record : { ...record, format: named })) {
      summary.add(piece)
      if (shown++ >= flags.limit) continue
      output.json({ record: shown, ...piece })
      if (!flags.json) show(piece, shown, output)
    }
  }
  if (shown === 0)
    throw new GatewatchError('request_invalid', 'There are no records.', { at: files.join(', ') })
  summary.print(output, flags)
  if (summary.refused() > 0) process.exitCode = 1
}

/** The format that the records are to have; a single mapping file is tried on all of them, recognised or not. */
function nameOf(
  flags: TryFlags,
  own: readonly MappedFormat[],
  formats: readonly Format[],
): string | undefined {
  const { format } = flags
  if (format === undefined || format === 'auto')
    return flags.mapping && own.length === 1 ? own[0]?.name : undefined
  const names = formats.map(({ name }) => name)
  if (names.includes(format)) return format
  throw new GatewatchError('request_invalid', `There is no format ${JSON.stringify(format)}.`, {
    field: '--format',
    remedy: `Choose among ${names.join(', ')}.`,
  })
}

async function* recordsIn(files: readonly string[]): AsyncGenerator<RawRecord> {
  let offset = 0
  for (const path of files) {
    const batches = readRecords({
      path,
      tenant: TENANT,
      stdin: path === '-' ? standardInput() : Readable.from([]),
      reserve: (_, count) => {
        offset += count
        return offset - count
      },
      nowMs: systemClock.now(),
    })
    for await (const records of batches)
      for (const record of records) yield unpackValue(record, MAX_RECORD_BYTES)
  }
}

async function firstRecords(files: readonly string[]): Promise<readonly unknown[]> {
  const values: unknown[] = []
  for await (const { value } of recordsIn(files)) {
    try {
      values.push(JSON.parse(Buffer.from(value).toString('utf8')))
    } catch {
      // Not JSON: nothing in it has a name to go by.
    }
    if (values.length >= SKELETON_RECORDS) break
  }
  if (values.length > 0) return values
  throw new GatewatchError('request_invalid', 'None of the records is JSON, so there are no keys to go by.', {
    field: '--skeleton',
    remedy: 'docs/mapping.md shows how a mapping file reads lines of text.',
  })
}

const inert = (text: string): string => inertText(text, MAX_VALUE)

function show({ format, recognised, entries, unmapped }: Explained, number: number, output: Output): void {
  const how =
    format === ''
      ? 'no format recognises it'
      : recognised
        ? format
        : `${format} (named; it would not be recognised)`
  output.line(`\nrecord ${number}: ${how}`)
  for (const entry of entries) {
    if (entry.kind === 'fault') {
      const field = entry.field === '' ? '' : `${inert(entry.field)}: `
      output.line(`  refused: ${entry.reason}: ${field}${inertText(entry.message, 400)}`)
    } else if (entry.kind === 'definitions') {
      output.line(`  definitions of ${entry.tools.length} tools: ${inertText(entry.tools.join(', '), 300)}`)
    } else {
      if (entry.kind === 'part')
        output.line(
          `  ${entry.around ? 'no call itself: it tells about the calls' : 'a part of a call,'} joined by ${inert(entry.joinKey)}`,
        )
      output.table(
        ['  field', 'value', 'from'],
        entry.fields.map(({ field, value, from }) => [`  ${field}`, value, from]),
      )
    }
  }
  if (unmapped.length === 0) return
  output.line('  not read:')
  output.table(
    ['    path', 'example'],
    unmapped.map(({ path, example }) => [`    ${path}`, example]),
  )
}
