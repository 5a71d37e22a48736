import type { Database } from './database.ts'

/** How far a reader of arrivals has come. */
export interface Watermark {
  /** Microseconds of the store’s clock. */
  readonly recordedThroughUs: number
  readonly version: number
  /** The reader’s own, kept as it is. */
  readonly body: string
}

/** Watermarks by name; the newest version of a name counts. Errors: see `Database`. */
export function createWatermarks(database: Database) {
  return {
    async read(name: string): Promise<Watermark | undefined> {
      const rows = await database.query<Watermark>(
        `SELECT toUnixTimestamp64Micro(recorded_through) AS recordedThroughUs, version, body
         FROM watermarks FINAL WHERE name = {name:String}`,
        { name },
      )
      return rows[0]
    },
    async write(name: string, { recordedThroughUs, version, body }: Watermark): Promise<void> {
      const through = `${Math.floor(recordedThroughUs / 1e6)}.${String(recordedThroughUs % 1e6).padStart(6, '0')}`
      await database.insert({
        table: 'watermarks',
        columns: ['name', 'recorded_through', 'version', 'body'],
        rows: Buffer.from(JSON.stringify([name, through, version, body])),
        token: `watermark/${name}/${version}/${recordedThroughUs}`,
      })
    },
  }
}
