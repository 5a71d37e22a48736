import type { Database } from './database.ts'
import { createWatermarks } from './watermarks.ts'

/** What the owner of a shard said last of its detection. */
export interface HealthReport<Reason> {
  readonly shard: number
  /** By the store’s clock, milliseconds. */
  readonly toldMs: number
  readonly reasons: readonly Reason[]
}

/**
 * How detection is, told by each process for the shards that it owns, so that one of them can say how all of it is. A shard
 * has one report: the next owner’s takes the place of the one before, whatever became of that process. Errors: see `Database`.
 * @param shards how many there are; reports belong to this number
 */
export function createDetectionHealth<Reason>(database: Database, shards: number) {
  const watermarks = createWatermarks(database)
  const prefix = `detect-health:${shards}/`
  return {
    /** Says for shards how their detection is. What a process says late loses against what another said since. */
    async tell(of: readonly number[], reasons: readonly Reason[]): Promise<void> {
      if (of.length === 0) return
      const [clock] = await database.query<{ us: number }>('SELECT toUnixTimestamp64Micro(now64(6)) AS us')
      const us = clock?.us ?? 0
      const body = JSON.stringify({ reasons })
      await watermarks.writeAll(
        of.map((shard) => ({ name: `${prefix}${shard}`, recordedThroughUs: us, version: us, body })),
      )
    },

    /** The last report of each shard that has one, and the store’s clock, milliseconds. */
    async read(): Promise<{ readonly nowMs: number; readonly reports: readonly HealthReport<Reason>[] }> {
      const rows = await database.query<{ name: string; toldUs: number; nowUs: number; body: string }>(
        `SELECT name, toUnixTimestamp64Micro(recorded_through) AS toldUs, body,
                toUnixTimestamp64Micro(now64(6)) AS nowUs
         FROM watermarks FINAL WHERE startsWith(name, {prefix:String}) ORDER BY name`,
        { prefix },
      )
      return {
        nowMs: Math.floor((rows[0]?.nowUs ?? 0) / 1000),
        reports: rows.map(({ name, toldUs, body }) => ({
          shard: Number(name.slice(prefix.length)),
          toldMs: Math.floor(toldUs / 1000),
          reasons: (JSON.parse(body) as { reasons: Reason[] }).reasons,
        })),
      }
    },
  }
}
