import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { RawRecord } from '../../ingest/record.ts'
import { encodeBatch } from '../../store/event-writer.ts'
import { readRunFile } from '../run-file.ts'
import type { Running } from '../wire.ts'
import type { DemoRecord } from './records.ts'
import { generateHistory, generateLive } from './traffic.ts'

const MARK = 'demo.json'
const BULK_RECORDS = 20_000

/**
 * Makes the folder empty, if it holds nothing but an earlier demo.
 * @throws GatewatchError `config_invalid` when it holds something else, `store_locked` while a process uses it
 */
export function prepareDemoFolder(folder: string): void {
  const served = readRunFile(folder)
  if (served !== undefined) {
    throw new GatewatchError('store_locked', `Another gatewatch (process ${served.pid}) runs on ${folder}.`, {
      field: '--data',
      remedy: `Stop it, or start this demo beside it with --data DIR --port PORT.`,
    })
  }
  const holdsSomething = existsSync(folder) && readdirSync(folder).length > 0
  if (holdsSomething && !existsSync(join(folder, MARK))) {
    throw new GatewatchError('config_invalid', `The folder ${folder} holds data that is not a demo’s.`, {
      field: '--data',
      remedy: 'A demo starts from nothing: name an empty folder.',
    })
  }
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, MARK), '{}\n', { mode: 0o600 })
}

export interface DemoOptions {
  readonly seed: number
  readonly nowMs: number
}

/**
 * Puts the 28 days before `nowMs` into the store, through the pipeline, in blocks of twenty thousand.
 * @returns the number of records
 */
export async function loadHistory(
  { ingest }: Pick<Running, 'ingest'>,
  { seed, nowMs }: DemoOptions,
  progress: (records: number) => void,
): Promise<number> {
  let records: RawRecord[] = []
  let total = 0
  // The store works on one block while the pipeline makes the next.
  let writing: Promise<unknown> = Promise.resolve()
  const write = async () => {
    const tables = encodeBatch(ingest.pipeline(records))
    await writing
    writing = ingest.writer.write(tables, `demo-history/${seed}/${nowMs}/${total}`)
    // Awaited before the next block; until then its failure must not count as unhandled.
    writing.catch(() => {})
    total += records.length
    records = []
    progress(total)
  }
  for (const record of generateHistory({ seed, nowMs })) {
    records.push(rawRecord(record, total + records.length))
    if (records.length === BULK_RECORDS) await write()
  }
  if (records.length > 0) await write()
  await writing
  return total
}

const RETRY_MS = 1000

/** Sends live traffic through the segment log until `signal` ends it; while the log is full or away it waits. */
export async function runLive(
  { ingest, segments }: LiveWay,
  options: DemoOptions & {
    readonly clock: Clock
    readonly signal: AbortSignal
    /** Says to people that the traffic waits, and that it goes on. */
    readonly note: (text: string) => void
    readonly retryMs?: number
  },
): Promise<void> {
  const { signal, note, retryMs = RETRY_MS } = options
  let isWaiting = false
  for await (const record of generateLive(options)) {
    const batch = ingest.pipeline([rawRecord(record, segments.reserve('demo-live', 1), 'demo-live')])
    while (!signal.aborted) {
      try {
        const { stored } = await segments.append(batch)
        // Whether it is in the store already is of no interest here; closing the log rejects it.
        stored.catch(() => {})
        if (isWaiting) note('demo traffic: goes on')
        isWaiting = false
        break
      } catch (error) {
        if (!(error instanceof GatewatchError) || !error.retryable) throw error
        if (!isWaiting) note(`demo traffic: waits, because the record was refused: ${error.toLine()}`)
        isWaiting = true
        await sleep(retryMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}

interface LiveWay {
  readonly ingest: Pick<Running['ingest'], 'pipeline'>
  readonly segments: Pick<Running['segments'], 'append' | 'reserve'>
}

const encoder = new TextEncoder()

const rawRecord = (
  { text, format, atMs }: DemoRecord,
  offset: number,
  topic = 'demo-history',
): RawRecord => ({
  value: encoder.encode(text),
  headers: {},
  timestampMs: atMs,
  timestampSource: 'received',
  tenant: 'default',
  topic,
  partition: 0,
  offset,
  format,
})
