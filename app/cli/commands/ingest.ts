import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { Command } from 'commander'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { stableId } from '../../../core/hash.ts'
import { countsOf } from '../../../ingest/intake.ts'
import type { RawRecord } from '../../../ingest/record.ts'
import { readRecords } from '../../../ingest/sources/file.ts'
import { createIngestTelemetry } from '../../../ingest/telemetry.ts'
import { loadConfig } from '../../config/config.ts'
import { createLogger } from '../../logger.ts'
import { readRunFile } from '../../run-file.ts'
import { createFilesPart, type FilesPart } from '../../wire/files.ts'
import { createAssemblerPart } from '../../wire/ingest.ts'
import { type Running, startGatewatch } from '../../wire.ts'
import { type Access, type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { standardInput } from '../standard-input.ts'
import { untilAskedToStop } from './up.ts'

interface IngestFlags extends AccessFlags {
  readonly format: string
  readonly follow?: boolean
  readonly json?: boolean
}

interface Counts {
  read: number
  stored: number
  dead_lettered: number
  duplicate: number
}

export function addIngestCommand(program: Command): void {
  addAccessOptions(program.command('ingest'))
    .argument(
      '<files...>',
      'files of records (NDJSON, JSON, gzip), or - for stdin; with --follow folders and patterns too',
    )
    .option('--format <NAME>', 'format of the records, or auto', 'auto')
    .option('--follow', 'read on as files grow and are rotated, until Ctrl-C; goes on where it was')
    .description('Read records from files into the store. Reading a file again adds nothing.')
    .action(async (files: string[], flags: IngestFlags) => {
      const { data, formatNames } = loadConfig(flags)
      // A gatewatch elsewhere may know formats that this configuration does not.
      if (flags.format !== 'auto' && flags.url === undefined && !formatNames.includes(flags.format)) {
        throw new GatewatchError('request_invalid', `There is no format ${JSON.stringify(flags.format)}.`, {
          field: '--format',
          remedy: `Choose among auto, ${formatNames.join(', ')}.`,
        })
      }
      const output = createOutput({ json: flags.json ?? false })
      const counts: Counts = { read: 0, stored: 0, dead_lettered: 0, duplicate: 0 }
      const served = flags.url ?? readRunFile(data)?.url
      if (flags.follow) await follow(files, flags, counts, output, served)
      else if (served === undefined) await intoStore(files, flags, counts, output)
      else await overHttp(files, flags, counts, output)
      output.endProgress()
      output.json(counts)
      output.line(
        `${counts.read} records read, ${counts.stored} stored, ${counts.dead_lettered} dead-lettered, ${counts.duplicate} duplicate`,
      )
      if (counts.dead_lettered > 0) output.note('gatewatch dead-letters shows what was refused, and why')
    })
}

/** Follows until asked to stop; into the running gatewatch if there is one, else into the data folder itself. */
async function follow(
  files: readonly string[],
  flags: IngestFlags,
  counts: Counts,
  output: Output,
  served: string | undefined,
): Promise<void> {
  if (files.includes('-')) {
    throw new GatewatchError('request_invalid', 'Stdin is not followed: it is read to its end anyway.', {
      field: '--follow',
      remedy: 'Leave out --follow.',
    })
  }
  const config = loadConfig({ logLevel: 'warn', ...flags })
  const logger = createLogger(config.logLevel)
  const paths = files.map((path) => ({
    path,
    tenant: 'default',
    ...(flags.format === 'auto' ? {} : { format: flags.format }),
  }))
  const common = { data: config.data, paths, clock: systemClock }
  const said = () => output.progress(`${counts.read} records read, ${counts.stored} stored`)
  if (served !== undefined) {
    const access = await openAccess(flags)
    const part = await createFilesPart({
      ...common,
      positions: `cli-${stableId(served, ...files.map((path) => resolve(path)))}.json`,
      take: async (records) => {
        await post(access, records, flags, counts, keyOf(records))
        said()
      },
      telemetry: createIngestTelemetry(logger),
    })
    await untilStopped(part, output)
    await access.close()
    return
  }
  const running = await startGatewatch({
    config: { ...config, roles: ['ingest'], files: [] },
    logger,
    note: (text) => output.note(text),
    listen: false,
  })
  try {
    // On disk is enough to go on; what the store makes of it is counted when it is known.
    const take = async (records: readonly RawRecord[]) => {
      const { counted } = await append(running, records, counts)
      counted.then(said, () => {})
    }
    await untilStopped(
      await createFilesPart({ ...common, take, telemetry: running.ingest.telemetry }),
      output,
    )
    await running.segments.flush()
  } finally {
    await running.stop()
  }
}

async function untilStopped(part: FilesPart, output: Output): Promise<void> {
  await part.start()
  await untilAskedToStop(output)
  await part.stop()
}

// The same stretch has the same key, so one that was sent before the process ended is not stored again.
const keyOf = (records: readonly RawRecord[]): string => {
  const [first, last] = [records[0], records.at(-1)]
  return stableId(
    'follow',
    first?.topic ?? '',
    first?.offset ?? 0,
    last?.offset ?? 0,
    last?.value.byteLength ?? 0,
  )
}

const readFrom = (
  path: string,
  flags: IngestFlags,
  output: Output,
  counts: Counts,
  reserve: (topic: string, count: number) => number,
) =>
  readRecords({
    path,
    tenant: 'default',
    ...(flags.format === 'auto' ? {} : { format: flags.format }),
    stdin: path === '-' ? standardInput() : Readable.from([]),
    reserve,
    nowMs: systemClock.now(),
    onProgress: ({ readBytes, totalBytes }) => {
      const share = totalBytes ? ` (${Math.round((100 * readBytes) / totalBytes)}%)` : ''
      output.progress(`${path}${share}: ${counts.read} records`)
    },
  })

async function intoStore(
  files: readonly string[],
  flags: IngestFlags,
  counts: Counts,
  output: Output,
): Promise<void> {
  const config = loadConfig({ logLevel: 'warn', ...flags })
  const logger = createLogger(config.logLevel)
  const running = await startGatewatch({
    config: { ...config, roles: ['ingest'] },
    logger,
    note: (text) => output.note(text),
    // Nobody asks it anything, and the port may be another's.
    listen: false,
  })
  try {
    for (const path of files) {
      for await (const records of readFrom(path, flags, output, counts, running.segments.reserve)) {
        await (await append(running, records, counts)).counted
      }
    }
    await running.segments.flush()
    await createAssemblerPart(running.ingest, running.database, logger).catchUp()
  } finally {
    await running.stop()
  }
}

/** Resolves when the records are on disk; `counted` when they are in the store, and their counts with them. */
async function append(
  { ingest, segments }: Running,
  records: readonly RawRecord[],
  counts: Counts,
): Promise<{ readonly counted: Promise<void> }> {
  const batch = ingest.pipeline(records)
  const { stored } = await segments.append(batch)
  const count = async () => {
    const { duplicates } = await stored
    const { read, stored: fresh, deadLettered, duplicate } = countsOf(batch, duplicates)
    counts.read += read
    counts.stored += fresh
    counts.dead_lettered += deadLettered
    counts.duplicate += duplicate
  }
  return { counted: count() }
}

// The server sees a body, not a file: its records get new coordinates, so only ids of their own make duplicates known.
async function overHttp(
  files: readonly string[],
  flags: IngestFlags,
  counts: Counts,
  output: Output,
): Promise<void> {
  const access = await openAccess(flags)
  try {
    for (const path of files) {
      for await (const records of readFrom(path, flags, output, counts, () => 0))
        await post(access, records, flags, counts)
    }
  } finally {
    await access.close()
  }
}

async function post(
  access: Access,
  records: readonly RawRecord[],
  flags: IngestFlags,
  counts: Counts,
  key?: string,
): Promise<void> {
  const body = Buffer.concat(records.flatMap(({ value }) => [value, Buffer.from('\n')]))
  const receipt = await access.post<Counts>('/v1/events', body, {
    'content-type': 'application/x-ndjson',
    'x-gatewatch-wait': 'stored',
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(flags.format === 'auto' ? {} : { 'x-gatewatch-format': flags.format }),
  })
  for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] += receipt[name]
}
