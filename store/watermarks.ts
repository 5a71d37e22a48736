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
  async function writeAll(watermarks: readonly (Watermark & { readonly name: string })[]): Promise<void> {
    if (watermarks.length === 0) return
    const rows = watermarks.map(({ name, recordedThroughUs, version, body }) =>
      JSON.stringify([name, clickHouseTime(recordedThroughUs), version, body]),
    )
    const blocks = watermarks.map(
      ({ name, version, recordedThroughUs }) => `${name}/${version}/${recordedThroughUs}`,
    )
    await database.insert({
      table: 'watermarks',
      columns: ['name', 'recorded_through', 'version', 'body'],
      rows: Buffer.from(rows.join('\n')),
      token: `watermark/${blocks.join(',')}`,
    })
  }

  return {
    async read(name: string): Promise<Watermark | undefined> {
      const rows = await database.query<Watermark>(
        `SELECT toUnixTimestamp64Micro(recorded_through) AS recordedThroughUs, version, body
         FROM watermarks FINAL WHERE name = {name:String}`,
        { name },
      )
      return rows[0]
    },
    async write(name: string, watermark: Watermark): Promise<void> {
      await writeAll([{ name, ...watermark }])
    },
    /** All of them in one block. */
    writeAll,
  }
}

const clickHouseTime = (us: number): string => `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`
