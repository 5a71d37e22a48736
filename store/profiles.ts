import { randomUUID } from 'node:crypto'
import type { Database } from './database.ts'

/** Baselines as of the start of days; the newest version of a day counts. Errors: see `Database`. */
export function createProfileStore(database: Database) {
  return {
    /** The newest profile of the group as of a day (since 1970-01-01) that is not after `throughDay`. */
    async newest(
      tenant: string,
      group: string,
      throughDay: number,
    ): Promise<{ day: number; body: string } | undefined> {
      const [newest] = await database.query<{ day: number; body: string }>(
        `SELECT toUInt32(day) AS day, body FROM profiles FINAL
         WHERE tenant = {tenant:String} AND profile = {group:String} AND toUInt32(day) <= {through:UInt32} AND body != ''
         ORDER BY day DESC LIMIT 1`,
        { tenant, group, through: throughDay },
      )
      return newest
    },

    /** @param version grows with the store’s clock, microseconds; the greatest of a day counts */
    async write(
      tenant: string,
      group: string,
      { day, body }: { day: number; body: string },
      version: number,
    ): Promise<void> {
      await database.insert({
        table: 'profiles',
        columns: ['tenant', 'profile', 'day', 'version', 'body'],
        rows: Buffer.from(JSON.stringify([tenant, group, isoDay(day), version, body])),
        // The same text may be written again after it was dropped; a token of its content would swallow it.
        token: `profiles/${randomUUID()}`,
      })
    },

    /** Drops the profiles of the group as of days after `day`: an empty version takes their place. */
    async dropAfter(tenant: string, group: string, day: number, version: number): Promise<void> {
      await database.command(
        `INSERT INTO profiles (tenant, profile, day, version, body)
         SELECT tenant, profile, day, greatest(profiles.version + 1, {version:UInt64}), '' FROM profiles FINAL
         WHERE tenant = {tenant:String} AND profile = {group:String} AND toUInt32(day) > {day:UInt32} AND body != ''
         SETTINGS insert_deduplicate = 0`,
        { tenant, group, day, version },
      )
    },

    /** Drops what no late event needs: of the days before the last `days` only Mondays stay, and those for `weeks`. */
    async thin(today: number, days: number, weeks: number): Promise<void> {
      await database.command(
        `ALTER TABLE profiles DELETE WHERE toUInt32(day) < {recent:UInt32}
         AND (toDayOfWeek(day) != 1 OR toUInt32(day) < {oldest:UInt32}) SETTINGS mutations_sync = 0`,
        { recent: today - days, oldest: today - 7 * weeks },
      )
    },
  }
}

const isoDay = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10)
