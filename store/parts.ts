import { randomUUID } from 'node:crypto'
import type { AuditEvent } from '../core/audit-event.ts'
import type { Database, InsertBlock } from './database.ts'
import { createEventColumns } from './event-columns.ts'
import { EVENT_COLUMNS, eventRow } from './event-rows.ts'
import {
  encodeRows,
  type RowColumn,
  textColumn,
  textsColumn,
  uint64Column,
  wordColumn,
} from './native-columns.ts'
import { PART_SELECT, type PartInput, type PartRow, partOf } from './part-rows.ts'
import { createWatermarks } from './watermarks.ts'

export interface PartKey {
  readonly tenant: string
  readonly joinKey: string
}

/** One insert of parts, told by the store's clock. */
export interface PartBlock {
  /** Microseconds since the epoch. */
  readonly recordedAtUs: number
  readonly count: number
}

/** A version of an event: `row` is the text of `encodeEvent`. */
export interface VersionedRow {
  readonly version: number
  readonly row: string
}

/** What one tick makes of one join key. */
export interface PlannedKey extends PartKey {
  readonly before: readonly VersionedRow[]
  readonly after: readonly VersionedRow[]
}

const encodeVersion = ({ version, row }: VersionedRow): string => `${version} ${row}`
const decodeVersion = (text: string): VersionedRow => {
  const space = text.indexOf(' ')
  return { version: Number(text.slice(0, space)), row: text.slice(space + 1) }
}

/** What a tick does to `events`: it cancels versions (sign −1) and writes others, of which it may have the event itself. */
export type Correction = VersionedRow & { readonly sign: 1 | -1; readonly event?: AuditEvent }

interface PlanRow extends PlannedKey {
  readonly tick: number
  readonly owner: string
}

const PLAN_COLUMNS: readonly RowColumn<PlanRow>[] = [
  ['tenant', wordColumn, (row) => row.tenant],
  ['join_key', textColumn, (row) => row.joinKey],
  ['tick', uint64Column, (row) => row.tick],
  ['before', textsColumn, (row) => row.before.map(encodeVersion)],
  ['after', textsColumn, (row) => row.after.map(encodeVersion)],
  ['owner', wordColumn, (row) => row.owner],
]

/** What the assembler asks of the store (`ingest/assembler.ts` declares the same as its need). Errors: see `Database`. */
export function createPartStore(database: Database, name = 'assembler/0') {
  const watermarks = createWatermarks(database)

  /** Runs a query for the keys of each tenant; `{tenant}` and `{keys}` are its parameters. */
  const perTenant = async <Row>(keys: readonly PartKey[], sql: string): Promise<Row[]> => {
    const rows: Row[] = []
    for (const [tenant, group] of Map.groupBy(keys, (key) => key.tenant)) {
      rows.push(...(await database.query<Row>(sql, { tenant, keys: group.map(({ joinKey }) => joinKey) })))
    }
    return rows
  }

  return {
    encodeEvent: (event: AuditEvent): string => eventRow(event),

    async readProgress(): Promise<{ tick: number; recordedThroughUs: number }> {
      const known = await watermarks.read(name)
      return { tick: known?.version ?? 0, recordedThroughUs: known?.recordedThroughUs ?? 0 }
    },

    saveProgress: (tick: number, recordedThroughUs: number): Promise<void> =>
      watermarks.write(name, { recordedThroughUs, version: tick, body: '' }),

    /** Inserts recorded after the time, oldest first. */
    blocksSince: (sinceUs: number): Promise<PartBlock[]> =>
      database.query<PartBlock>(
        `SELECT toUnixTimestamp64Micro(recorded_at) AS recordedAtUs, toUInt32(count()) AS count
         FROM event_parts WHERE recorded_at > fromUnixTimestamp64Micro({since:Int64})
         GROUP BY recorded_at ORDER BY recorded_at`,
        { since: sinceUs },
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
    partsOf: async (keys: readonly PartKey[]): Promise<PartInput[]> => {
      const rows = await perTenant<PartRow>(
        keys,
        `SELECT ${PART_SELECT} FROM event_parts
         WHERE tenant = {tenant:String} AND join_key IN {keys:Array(String)}
         ORDER BY join_key, part_id LIMIT 1 BY join_key, part_id`,
      )
      return rows.map(partOf)
    },

    /** The versions that are in `events` now, or will be when the last tick is applied. */
    assembledOf: async (keys: readonly PartKey[]): Promise<(PartKey & { after: VersionedRow[] })[]> => {
      const rows = await perTenant<PartKey & { after: string[] }>(
        keys,
        `SELECT tenant, join_key AS joinKey, after FROM assembled FINAL
         WHERE tenant = {tenant:String} AND join_key IN {keys:Array(String)}`,
      )
      return rows.map(({ tenant, joinKey, after }) => ({ tenant, joinKey, after: after.map(decodeVersion) }))
    },

    /**
     * Stores the plan of a tick, unless there is one already.
     * @returns whether the stored plan is this one, and not that of another owner
     */
    savePlan: async (tick: number, plan: readonly PlannedKey[]): Promise<boolean> => {
      const owner = randomUUID()
      await database.insert({
        table: 'assembled',
        columns: PLAN_COLUMNS.map(([column]) => column),
        rows: encodeRows(
          PLAN_COLUMNS,
          plan.map((key) => ({ ...key, tick, owner })),
        ),
        format: 'Native',
        token: `assemble/${name}/${tick}`,
      })
      const rows = await database.query<{ owner: string; keys: number }>(
        'SELECT owner, toUInt32(count()) AS keys FROM assembled WHERE tick = {tick:UInt64} GROUP BY owner',
        { tick },
      )
      return rows.length === 1 && rows[0]?.owner === owner && rows[0].keys === plan.length
    },

    /** The plan of a tick as it is stored, whoever wrote it; always in the same order. */
    readPlan: async (tick: number): Promise<PlannedKey[]> => {
      const rows = await database.query<PartKey & { before: string[]; after: string[] }>(
        `SELECT tenant, join_key AS joinKey, before, after FROM assembled
         WHERE tick = {tick:UInt64} ORDER BY tenant, joinKey`,
        { tick },
      )
      return rows.map(({ tenant, joinKey, before, after }) => ({
        ...{ tenant, joinKey },
        before: before.map(decodeVersion),
        after: after.map(decodeVersion),
      }))
    },

    /** Cancels and writes versions of events as one block; once for a tick. */
    correct: async (tick: number, corrections: readonly Correction[]): Promise<void> => {
      if (corrections.length === 0) return
      await database.insert({
        table: 'events',
        ...(freshEvents(tick, corrections) ?? versionLines(corrections)),
        token: `assemble/${name}/${tick}`,
      })
    },
  }
}

// Nearly all ticks only add, and of what they add they have the events: by columns these cost the store least.
function freshEvents(
  tick: number,
  corrections: readonly Correction[],
): Pick<InsertBlock, 'columns' | 'rows' | 'format'> | undefined {
  const events: AuditEvent[] = []
  for (const { sign, version, event } of corrections) {
    if (sign !== 1 || version !== tick || event === undefined) return undefined
    events.push(event)
  }
  const columns = createEventColumns(tick)
  columns.add(events)
  return { ...columns.finish(), format: 'Native' }
}

const versionLines = (corrections: readonly Correction[]): Pick<InsertBlock, 'columns' | 'rows'> => ({
  columns: [...EVENT_COLUMNS, 'sign', 'version'],
  rows: Buffer.from(
    corrections.map(({ row, sign, version }) => `${row.slice(0, -1)},${sign},${version}]\n`).join(''),
  ),
})
