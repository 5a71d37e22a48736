import type { ForgottenArrivals } from './arrivals.ts'
import type { BacklogEntry } from './backlog.ts'
import type { OwnedShard } from './ownership.ts'

/** How far a reader of arrivals has come. `body` is the reader’s own; the store keeps it. */
export interface Watermark {
  /** Microseconds of the store’s clock. */
  readonly recordedThroughUs: number
  readonly version: number
  readonly body: string
}

/** Where watermarks are kept (`store/watermarks.ts`). */
export interface WatermarkStore {
  read(name: string): Promise<Watermark | undefined>
  /** All of them in one block. */
  writeAll(watermarks: readonly (Watermark & { readonly name: string })[]): Promise<void>
}

/** How far detection has come in one shard. */
export interface ShardProgress {
  readonly owned: OwnedShard
  /** Arrivals are read up to here, microseconds of the store’s clock; undefined before the first tick. */
  throughUs: number | undefined
  overlapRows: number
  overlapLateRows?: number
  /** Version of the last findings that were handed on. */
  findingsVersion: number
  /** Of the stored watermark: grows with every write. */
  version: number
  /** When this process stored it last, microseconds of the store’s clock; 0 for not yet. */
  writtenUs: number
  /** Requests for backfills are taken up to here, microseconds of the store’s clock. */
  requestsUs: number
  /** Rule id → hash of what it was when it last looked over the past. */
  rules: Readonly<Record<string, string>>
  /** Detection was away for so long that arrivals were forgotten; the backfill judges their calls. */
  away?: Away
}

export interface Away extends ForgottenArrivals {
  /** When it was noticed, microseconds of the store’s clock. */
  readonly noticedUs: number
  readonly calls: number
}

interface Body {
  readonly findingsVersion?: number
  readonly requestsUs?: number
  readonly overlapRows?: number
  readonly overlapLateRows?: number
  readonly rules?: Readonly<Record<string, string>>
  readonly away?: Away
  readonly backlog?: readonly BacklogEntry[]
}

const nameOf = (shards: number, shard: number): string => `detect:${shards}/${shard}`

/** The watermark of releases that knew no shards. */
const UNSHARDED = 'detect:default'

/** How far a shard has come, and what of the past it still has to judge. */
export async function readProgress(
  store: WatermarkStore,
  shards: number,
  owned: OwnedShard,
): Promise<{ readonly progress: ShardProgress; readonly backlog: readonly BacklogEntry[] }> {
  const watermark = (await store.read(nameOf(shards, owned.shard))) ?? (await store.read(UNSHARDED))
  const body: Body = watermark === undefined ? {} : (JSON.parse(watermark.body) as Body)
  return {
    progress: {
      owned,
      throughUs: watermark?.recordedThroughUs,
      overlapRows: body.overlapRows ?? 0,
      ...(body.overlapLateRows === undefined ? {} : { overlapLateRows: body.overlapLateRows }),
      findingsVersion: body.findingsVersion ?? watermark?.version ?? 0,
      version: watermark?.version ?? 0,
      writtenUs: 0,
      // Before the first tick nothing was judged that could be asked for again.
      requestsUs: body.requestsUs ?? 0,
      rules: body.rules ?? {},
      ...(body.away === undefined ? {} : { away: body.away }),
    },
    backlog: body.backlog ?? [],
  }
}

/** Stores how far shards have come. `backlogOf` says what each still has to judge of the past. */
export async function writeProgress(
  store: WatermarkStore,
  shards: number,
  all: readonly ShardProgress[],
  nowUs: number,
  backlogOf: (shard: number) => readonly BacklogEntry[],
): Promise<void> {
  await store.writeAll(
    all.map((progress) => {
      const {
        owned,
        throughUs = 0,
        overlapRows,
        overlapLateRows,
        findingsVersion,
        requestsUs,
        rules,
        away,
      } = progress
      progress.version = Math.max(nowUs, progress.version + 1)
      const body: Body = {
        ...{ findingsVersion, requestsUs, overlapRows, rules },
        ...(overlapLateRows === undefined ? {} : { overlapLateRows }),
        ...(away === undefined ? {} : { away }),
        backlog: backlogOf(owned.shard),
      }
      return {
        name: nameOf(shards, owned.shard),
        recordedThroughUs: throughUs,
        version: progress.version,
        body: JSON.stringify(body),
      }
    }),
  )
  for (const progress of all) progress.writtenUs = nowUs
}
