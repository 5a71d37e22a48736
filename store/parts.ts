import type { AuditEvent } from '../core/audit-event.ts'
import { messageOf } from '../core/errors.ts'
import { SEPARATE_SOURCES, type Sources } from '../core/sources.ts'
import type { Database } from './database.ts'
import { createBatchWriter } from './event-writer.ts'
import { PART_SELECT, type PartInput, type PartRow, partOf } from './part-rows.ts'
import { findStandings, type NewIdentity, type Standing } from './stored-ids.ts'
import {
  createTickBlocks,
  decodeVersion,
  type PartKey,
  type PlannedKey,
  type TickBlocks,
} from './tick-blocks.ts'
import { createWatermarks } from './watermarks.ts'

/** One insert of parts, told by the store's clock. */
export interface PartBlock {
  /** Microseconds since the epoch. */
  readonly recordedAtUs: number
  readonly count: number
}

/** All parts of one join key, parsed when they are read. */
export interface KeptParts extends PartKey {
  /** The end of the id of each, enough to tell one that is missing. */
  readonly marks: readonly string[]
  read(): readonly PartInput[]
}

/** What the assembler asks of the store (`ingest/assembler.ts` declares the same as its need). Errors: see `Database`. */
export function createPartStore(
  database: Database,
  name = 'assembler/0',
  sources: Sources = SEPARATE_SOURCES,
) {
  const watermarks = createWatermarks(database)
  const writer = createBatchWriter(database)

  /** Runs a query for the keys of each tenant; `{tenant}` and `{keys}` are its parameters. */
  const perTenant = async <Row>(keys: readonly PartKey[], sql: string): Promise<Row[]> => {
    const rows: Row[] = []
    for (const [tenant, group] of Map.groupBy(keys, (key) => key.tenant)) {
      rows.push(...(await database.query<Row>(sql, { tenant, keys: group.map(({ joinKey }) => joinKey) })))
    }
    return rows
  }

  return {
    textOf: (event: AuditEvent): string => JSON.stringify(event),

    async readProgress(): Promise<{ tick: number; recordedThroughUs: number }> {
      const known = await watermarks.read(name)
      return { tick: known?.version ?? 0, recordedThroughUs: known?.recordedThroughUs ?? 0 }
    },

    saveProgress: (tick: number, recordedThroughUs: number): Promise<void> =>
      watermarks.write(name, { recordedThroughUs, version: tick, body: '' }),

    /**
     * Inserts recorded after the time, and those of the overlap before it, oldest first; the store’s own time, should its
     * clock have gone back since.
     */
    blocksSince: (throughUs: number, overlapUs: number): Promise<PartBlock[]> =>
      database.query<PartBlock>(
        `SELECT toUnixTimestamp64Micro(recorded_at) AS recordedAtUs, toUInt32(count()) AS count
         FROM event_parts
         WHERE recorded_at > least(fromUnixTimestamp64Micro({through:Int64}), now64(6)) - toIntervalMicrosecond({overlap:Int64})
         GROUP BY recorded_at ORDER BY recorded_at`,
        { through: throughUs, overlap: overlapUs },
      ),

    /** The join keys of the parts in these inserts. */
    keysIn: (blocks: readonly PartBlock[]): Promise<PartKey[]> => {
      const times = blocks.map(({ recordedAtUs }) => recordedAtUs)
      return database.query<PartKey>(
        `SELECT DISTINCT tenant, join_key AS joinKey FROM event_parts
         WHERE recorded_at >= fromUnixTimestamp64Micro({from:Int64})
           AND recorded_at <= fromUnixTimestamp64Micro({to:Int64})
           AND toUnixTimestamp64Micro(recorded_at) IN {times:Array(Int64)}
         ORDER BY tenant, joinKey`,
        { from: Math.min(...times), to: Math.max(...times), times },
      )
    },

    /** All parts of the keys, a repeated one once. */
    partsOf: async (keys: readonly PartKey[]): Promise<KeptParts[]> => {
      const rows = await perTenant<PartRow>(
        keys,
        `SELECT ${PART_SELECT} FROM event_parts
         WHERE tenant = {tenant:String} AND join_key IN {keys:Array(String)}
         ORDER BY join_key, part_id LIMIT 1 BY join_key, part_id`,
      )
      return runsOf(rows)
    },

    /** The versions that are in `events` now, or will be when the last tick is applied. */
    assembledOf: async (keys: readonly PartKey[]): Promise<PlannedKey[]> =>
      (
        await perTenant<PlanRow>(
          keys,
          // Not FINAL, which would read the events of all keys that lie between.
          `SELECT ${PLAN_SELECT} FROM assembled_calls
           WHERE tenant = {tenant:String} AND join_key IN {keys:Array(String)}
           ORDER BY join_key, tick DESC LIMIT 1 BY join_key`,
        )
      ).map(plannedOf),

    /** What stands under the ids that assembled events are about to get, in their order. */
    standingsOf: async (identities: readonly NewIdentity[]): Promise<Standing[]> => {
      const standings = new Map<NewIdentity, Standing>()
      // Day by day, because one call from long ago must not have the whole time in between looked through.
      for (const group of Map.groupBy(identities, ({ event }) => dayOf(event)).values()) {
        const found = await findStandings(database, sources, group)
        for (const [at, identity] of group.entries()) standings.set(identity, found[at] ?? 'free')
      }
      return identities.map((identity) => standings.get(identity) ?? 'free')
    },

    /** What a tick writes, to be filled. */
    openTick: (tick: number): TickBlocks => createTickBlocks(tick),

    /**
     * Stores the plan of a tick, unless there is one already.
     * @returns whether the stored plan is this one, and not that of another owner
     */
    savePlan: async (blocks: TickBlocks): Promise<boolean> => {
      const { tick, owner } = blocks
      const token = `assemble/${name}/${tick}`
      await database.insert({ table: 'assembled_calls', ...blocks.plan(), token })
      const rows = await database.query<{ owner: string; keys: number }>(
        'SELECT owner, toUInt32(count()) AS keys FROM assembled_calls WHERE tick = {tick:UInt64} GROUP BY owner',
        { tick },
      )
      return rows.length === 1 && rows[0]?.owner === owner && rows[0].keys === blocks.counts().keys
    },

    /** The plan of a tick as it is stored, whoever wrote it; always in the same order. */
    readPlan: async (tick: number): Promise<PlannedKey[]> => {
      const rows = await database.query<PlanRow>(
        `SELECT ${PLAN_SELECT} FROM assembled_calls WHERE tick = {tick:UInt64} ORDER BY tenant, joinKey`,
        { tick },
      )
      return rows.map(plannedOf)
    },

    /** Why a key cannot be encoded; `undefined` where it can. */
    faultOf: (key: PlannedKey): string | undefined => {
      try {
        const trial = createTickBlocks(0)
        trial.add(key)
        trial.plan()
        trial.events()
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },

    /**
     * Cancels and writes versions of events as one block; once for a tick. Rows that the store refuses are dead letters.
     * @returns how many these are
     */
    correct: async (blocks: TickBlocks): Promise<{ readonly rejected: number }> => {
      const { written, cancelled } = blocks.counts()
      if (written + cancelled === 0) return { rejected: 0 }
      return writer.write([{ table: 'events', ...blocks.events() }], `assemble/${name}/${blocks.tick}`)
    },
  }
}

interface PlanRow extends PartKey {
  readonly parts: readonly string[]
  readonly before: readonly string[]
  readonly after: readonly string[]
}

const dayOf = (event: AuditEvent): string => `${event.tenant}\0${event.occurred_at.slice(0, 10)}`

const PLAN_SELECT = 'tenant, join_key AS joinKey, parts, before, after'

const plannedOf = ({ tenant, joinKey, parts, before, after }: PlanRow): PlannedKey => ({
  ...{ tenant, joinKey, parts },
  before: before.map(decodeVersion),
  after: after.map(decodeVersion),
})

const MARK_LENGTH = 8

// Rows of one key lie together.
function runsOf(rows: readonly PartRow[]): KeptParts[] {
  const runs: KeptParts[] = []
  for (let from = 0, to = 0; from < rows.length; from = to) {
    const { tenant, join_key: joinKey } = rows[from] as PartRow
    while (rows[to]?.join_key === joinKey && rows[to]?.tenant === tenant) to++
    const run = rows.slice(from, to)
    runs.push({
      tenant,
      joinKey,
      marks: run.map((row) => row.part_id.slice(-MARK_LENGTH)),
      read: () => run.map(partOf),
    })
  }
  return runs
}
