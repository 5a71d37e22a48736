import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { Command } from 'commander'
import type { Logger } from 'pino'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError, messageOf } from '../../../core/errors.ts'
import { stableId } from '../../../core/hash.ts'
import { inertText } from '../../../core/text.ts'
import { countsOf, gapsOf } from '../../../ingest/intake.ts'
import type { RawRecord } from '../../../ingest/record.ts'
import { BINARY_FORMATS, type FileSourceOptions, readRecords } from '../../../ingest/sources/file.ts'
import { type FileRegistry, openFileRegistry } from '../../../ingest/sources/file-registry.ts'
import { createIngestTelemetry } from '../../../ingest/telemetry.ts'
import { loadConfig } from '../../config/config.ts'
import { createLastResort } from '../../last-resort.ts'
import { createLogger } from '../../logger.ts'
import { readRunFile } from '../../run-file.ts'
import { untilAskedToStop } from '../../stop-request.ts'
import { createFilesPart, type FilesPart } from '../../wire/files.ts'
import { createAssemblerPart } from '../../wire/ingest.ts'
import { type Running, startGatewatch } from '../../wire.ts'
import { type Access, type AccessFlags, openAccess } from '../access.ts'
import { checkFollowed } from '../followed-files.ts'
import { addAccessOptions } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { standardInput } from '../standard-input.ts'

interface IngestFlags extends AccessFlags {
  readonly format: string
  readonly follow?: boolean
  readonly history?: boolean
  readonly json?: boolean
}

const DAY_MS = 86_400_000

/** A file that nobody has written to for longer than calls may be late is history, and says so itself. */
async function isHistory(path: string, flags: IngestFlags): Promise<boolean> {
  if (flags.history || path === '-') return flags.history === true
  const { latenessDays } = loadConfig(flags).detect
  return systemClock.now() - (await stat(path)).mtimeMs > latenessDays * DAY_MS
}

interface Counts {
  read: number
  stored: number
  dead_lettered: number
  duplicate: number
  /** Of those stored: their id another event had before, with other content. */
  conflict: number
  /** Calls that do not say of what. */
  incomplete: number
  /** Parts that are no calls by themselves. */
  parts_without_call: number
}

const HELP = `
A file that has not been changed for longer than detect.lateness_days is history: what detection finds by its records alone
makes alerts and tells nobody. Younger files, stdin and files that are followed are taken as live, unless --history is given.

A file is the same when what was read of its beginning is still its beginning: lines that were appended are read, and
another file of the same name is another file. Records that have neither an id nor a time of their own are stored again
when a file is read in two ways: by this command and with --follow, or into the data folder and into a running gatewatch.
Into a running gatewatch --follow and reading once do not know of each other at all.`

export function addIngestCommand(program: Command): void {
  addAccessOptions(program.command('ingest'))
    .argument(
      '<files...>',
      'files of records (NDJSON, JSON, text; gzip, zstd), or - for stdin; with --follow folders and patterns too',
    )
    .option('--format <NAME>', 'format of the records, or auto', 'auto')
    .option('--history', 'the records are history, however young: what is found by them alone tells nobody')
    .option('--follow', 'read on as files grow and are rotated, until Ctrl-C; goes on where it was')
    .description(
      'Read records from files into the store. Reading a file again adds nothing; while gatewatch runs (or with --url) the records are sent to it, and what was sent within the last day is not stored again.',
    )
    .addHelpText('after', HELP)
    .action(async (files: string[], flags: IngestFlags) => {
      const { data, formatNames } = loadConfig(flags)
      // A gatewatch elsewhere may know formats that this configuration does not.
      if (flags.format !== 'auto' && flags.url === undefined && !formatNames.includes(flags.format)) {
        throw new GatewatchError('request_invalid', `There is no format ${JSON.stringify(flags.format)}.`, {
          field: '--format',
          remedy: `Choose among auto, ${formatNames.join(', ')}.`,
        })
      }
      if (flags.history && flags.follow) {
        throw new GatewatchError('request_invalid', 'What is followed is not history.', {
          field: '--history',
          remedy: 'Leave out --history, or --follow.',
        })
      }
      const output = createOutput({ json: flags.json ?? false })
      const counts: Counts = {
        ...{ read: 0, stored: 0, dead_lettered: 0, duplicate: 0, conflict: 0 },
        ...{ incomplete: 0, parts_without_call: 0 },
      }
      const served = flags.url ?? readRunFile(data)?.url
      try {
        if (!flags.follow) await checkFiles(files)
        if (flags.follow) await follow(files, flags, counts, output, served)
        else if (served === undefined) await intoStore(files, flags, counts, output)
        else await overHttp(files, flags, counts, output)
      } catch (error) {
        // What was read before is stored, and stays so.
        if (counts.read > 0) total(counts, output)
        throw error
      }
      total(counts, output)
      if (counts.dead_lettered > 0) output.note('gatewatch dead-letters shows what was refused, and why')
    })
}

function total(counts: Counts, output: Output): void {
  output.endProgress()
  output.json(counts)
  output.line(
    `${counts.read} records read, ${counts.stored} stored, ${counts.dead_lettered} dead-lettered, ${counts.duplicate} duplicate`,
  )
  if (counts.incomplete > 0)
    output.note(
      `${counts.incomplete} calls do not say which tool, resource or prompt they called: gatewatch events 'record:incomplete'; gatewatch formats try shows what was not read`,
    )
  if (counts.parts_without_call > 0)
    output.note(
      `${counts.parts_without_call} parts are no calls by themselves; they are kept for 30 days, in case the call that they belong to arrives: gatewatch formats try shows them`,
    )
  if (counts.conflict > 0) {
    output.note(
      `${counts.conflict} have the id of another event and other content; both are kept: gatewatch events 'conflicting_event_id:*'`,
    )
  }
}

/**
 * Before anything is read: a wrong name among many is found at once.
 * @throws GatewatchError `not_found`
 */
async function checkFiles(files: readonly string[]): Promise<void> {
  for (const path of files.filter((each) => each !== '-')) {
    try {
      if (!(await stat(path)).isFile()) throw new Error('it is not a file')
      await (await open(path, 'r')).close()
    } catch (cause) {
      throw new GatewatchError(
        'not_found',
        `${inertText(path)} cannot be opened: ${inertText(messageOf(cause))}.`,
        {
          cause,
          at: inertText(path),
          remedy: 'Nothing was read. Check the name; folders and patterns are read with --follow.',
        },
      )
    }
  }
}

/** Says what is waited for, where there is nothing to read yet. */
async function noteWaiting(files: readonly string[], output: Output): Promise<void> {
  for (const path of files) {
    const found = await checkFollowed(path, { field: inertText(path) })
    output.note(
      typeof found === 'string' ? `following ${inertText(path)}: ${found}` : `waiting for ${found.warning}`,
    )
  }
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
  await noteWaiting(files, output)
  const config = loadConfig({ logLevel: 'warn', ...flags })
  const logger = createLogger(config.logLevel)
  const paths = files.map((path) => ({
    path,
    tenant: 'default',
    ...(flags.format === 'auto' ? {} : { format: flags.format }),
  }))
  const common = { data: config.data, own: [config.credentials], paths, clock: systemClock }
  const said = () => output.progress(`${counts.read} records read, ${counts.stored} stored`)
  if (served !== undefined) {
    const access = await openAccess(flags)
    const part = await createFilesPart({
      ...common,
      positions: `cli-${stableId(served, ...files.map((path) => resolve(path)))}.json`,
      take: async (records) => {
        await post(access, records, flags, counts, () => keyOf(records))
        said()
      },
      telemetry: createIngestTelemetry(logger),
    })
    await untilStopped(part, logger, output)
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
      logger,
      output,
    )
    await running.segments.flush()
  } finally {
    await running.stop()
  }
}

async function untilStopped(part: FilesPart, logger: Logger, output: Output): Promise<void> {
  const note = (text: string) => output.note(text)
  const lastResort = createLastResort({ logger, note, clock: systemClock })
  await part.start()
  const { exitCode } = await untilAskedToStop({ note, broken: lastResort.broken })
  await part.stop()
  process.exitCode = exitCode
  lastResort.close()
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

const readFrom = async (
  path: string,
  flags: IngestFlags,
  output: Output,
  counts: Counts,
  more: Pick<FileSourceOptions, 'reserve' | 'registry' | 'cutAtMarks'>,
) =>
  readRecords({
    path,
    ...((await isHistory(path, flags)) ? { imported: true } : {}),
    tenant: 'default',
    ...(flags.format === 'auto' ? {} : { format: flags.format }),
    stdin: path === '-' ? standardInput() : Readable.from([]),
    ...more,
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
    const registry = await openFileRegistry(join(config.data, 'files'))
    const { reserve } = running.segments
    for (const path of files) {
      for await (const records of await readFrom(path, flags, output, counts, { registry, reserve })) {
        // Whoever names a file answers for what it teaches.
        const taught = records.map((record) => ({ ...record, history: true }))
        await (await append(running, taught, counts)).counted
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
    const { duplicates, conflicts } = await stored
    const { read, stored: fresh, deadLettered, duplicate } = countsOf(batch, duplicates)
    counts.read += read
    counts.stored += fresh
    counts.dead_lettered += deadLettered
    counts.duplicate += duplicate
    counts.conflict += conflicts
    addGaps(counts, gapsOf(batch))
  }
  return { counted: count() }
}

// The server sees a body, not a file: its records get coordinates of the key, so the same bytes at the same place of the
// same file must come under the same key.
async function overHttp(
  files: readonly string[],
  flags: IngestFlags,
  counts: Counts,
  output: Output,
): Promise<void> {
  const access = await openAccess(flags)
  const registry = await registryIn(loadConfig(flags).data, output)
  const more = { ...(registry && { registry }), cutAtMarks: true, reserve: () => 0 }
  let refusedBefore = 0
  try {
    for (const path of files) {
      for await (const records of await readFrom(path, flags, output, counts, more)) {
        const key = path === '-' ? undefined : keyOfBody(records, flags.format)
        refusedBefore += await post(access, records, flags, counts, key, { 'x-gatewatch-learn': 'true' })
      }
    }
  } finally {
    await access.close()
  }
  if (refusedBefore > 0) {
    output.note(
      `${refusedBefore} records were refused when they were sent before, and not tried again: gatewatch dead-letters replay does that`,
    )
  }
}

/** Without a folder of its own (another user’s gatewatch) a file is known as long as it does not grow. */
async function registryIn(data: string, output: Output): Promise<FileRegistry | undefined> {
  try {
    return await openFileRegistry(join(data, 'files'))
  } catch (error) {
    output.note(
      `What is read cannot be noted (${inertText(messageOf(error))}): a file that grows is sent as a new one.`,
    )
    return undefined
  }
}

/** @returns how many of the records were refused before, and not tried again */
async function post(
  access: Access,
  records: readonly RawRecord[],
  flags: IngestFlags,
  counts: Counts,
  key?: (body: Uint8Array) => string,
  more: Readonly<Record<string, string>> = {},
): Promise<number> {
  const isBinary = BINARY_FORMATS.has(flags.format)
  const body = Buffer.concat(
    records.flatMap(({ value }) => (isBinary ? [value] : [value, Buffer.from('\n')])),
  )
  const headers = {
    'content-type': isBinary ? 'application/x-protobuf' : 'application/x-ndjson',
    'x-gatewatch-wait': 'stored',
    ...more,
    ...(flags.format === 'auto' ? {} : { 'x-gatewatch-format': flags.format }),
    ...(records[0]?.imported ? { 'x-gatewatch-history': 'true' } : {}),
  }
  if (key === undefined) {
    const receipt = await access.post<Counts>('/v1/events', body, headers)
    for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] += receipt[name] ?? 0
    return 0
  }
  const { answer, repeated } = await access.postOnce<Counts>('/v1/events', body, {
    ...headers,
    'idempotency-key': key(body),
  })
  counts.read += answer.read
  counts.dead_lettered += answer.dead_lettered
  counts.stored += repeated ? 0 : answer.stored
  counts.duplicate += answer.duplicate + (repeated ? answer.stored : 0)
  counts.conflict += repeated ? 0 : answer.conflict
  addGaps(counts, { incomplete: answer.incomplete, partsWithoutCall: answer.parts_without_call })
  return repeated ? answer.dead_lettered : 0
}

function addGaps(
  counts: Counts,
  gaps: { readonly incomplete?: number | undefined; readonly partsWithoutCall?: number | undefined },
): void {
  counts.incomplete += gaps.incomplete ?? 0
  counts.parts_without_call += gaps.partsWithoutCall ?? 0
}

const keyOfBody = (records: readonly RawRecord[], format: string) => (body: Uint8Array) =>
  stableId(
    'ingest',
    records[0]?.topic ?? '',
    records[0]?.offset ?? 0,
    format,
    createHash('sha256').update(body).digest('hex'),
  )
