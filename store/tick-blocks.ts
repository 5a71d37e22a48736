import { randomUUID } from 'node:crypto'
import type { AuditEvent } from '../core/audit-event.ts'
import { createEventColumns } from './event-columns.ts'
import { int8Column, textColumn, textsColumn, uint64Column, wordColumn } from './native-columns.ts'
import { createRowColumns, type RowColumn } from './row-columns.ts'

/** The parts of one call, or of several, share it. */
export interface PartKey {
  readonly tenant: string
  readonly joinKey: string
}

/** A version of an event: `text` is its JSON; of a new one the event itself is at hand. */
export interface EventVersion {
  readonly version: number
  readonly text: string
  readonly event?: AuditEvent
}

/** What one tick makes of one join key: the versions that stood before, and those that stand after it. */
export interface PlannedKey extends PartKey {
  /** The marks of the parts it was made of. */
  readonly parts: readonly string[]
  readonly before: readonly EventVersion[]
  readonly after: readonly EventVersion[]
}

/** What one tick of the assembler writes: its plan, and what that does to `events`. Encoded key by key. */
export interface TickBlocks {
  readonly tick: number
  readonly owner: string
  add(key: PlannedKey): void
  /** Join keys; versions of events that are written; versions that are cancelled. */
  counts(): { readonly keys: number; readonly written: number; readonly cancelled: number }
  plan(): EncodedBlock
  /** New versions with sign 1 and those they replace with −1, as one block. */
  events(): EncodedBlock
}

interface EncodedBlock {
  readonly columns: readonly string[]
  readonly rows: Uint8Array
  readonly format: 'Native'
}

interface PlanRow extends PlannedKey {
  readonly tick: number
  readonly owner: string
}

const PLAN_COLUMNS: readonly RowColumn<PlanRow>[] = [
  ['tenant', wordColumn, (row) => row.tenant],
  ['join_key', textColumn, (row) => row.joinKey],
  ['tick', uint64Column, (row) => row.tick],
  ['parts', textsColumn, (row) => row.parts],
  ['before', textsColumn, (row) => row.before.map(encodeVersion)],
  ['after', textsColumn, (row) => row.after.map(encodeVersion)],
  ['owner', wordColumn, (row) => row.owner],
]

const encodeVersion = ({ version, text }: EventVersion): string => `${version} ${text}`

/** What the plan has of a version → the version. */
export function decodeVersion(kept: string): EventVersion {
  const space = kept.indexOf(' ')
  return { version: Number(kept.slice(0, space)), text: kept.slice(space + 1) }
}

// As many events as are encoded column by column at a time.
const SLICE = 256

export function createTickBlocks(tick: number): TickBlocks {
  const owner = randomUUID()
  const plan = createRowColumns(PLAN_COLUMNS)
  const columns = createEventColumns()
  const signs = int8Column()
  const versions = uint64Column()
  const waiting: AuditEvent[] = []
  const written = { 1: 0, [-1]: 0 }

  const flush = () => {
    columns.add(waiting)
    waiting.length = 0
  }
  const put = (sign: 1 | -1, { version, text, event }: EventVersion) => {
    const row = columns.count() + waiting.length
    signs.set(row, sign)
    versions.set(row, version)
    waiting.push(event ?? (JSON.parse(text) as AuditEvent))
    written[sign]++
    if (waiting.length === SLICE) flush()
  }

  return {
    tick,
    owner,
    add: (key) => {
      plan.add({ ...key, tick, owner })
      for (const old of missingIn(key.after, key.before)) put(-1, old)
      for (const now of missingIn(key.before, key.after)) put(1, now)
    },
    counts: () => ({ keys: plan.count(), written: written[1], cancelled: written[-1] }),
    plan: () => ({ ...plan.finish(), format: 'Native' }),
    events: () => {
      flush()
      const more = [
        { name: 'sign', column: signs },
        { name: 'version', column: versions },
      ]
      return { ...columns.finish(more), format: 'Native' }
    },
  }
}

function missingIn(
  there: readonly EventVersion[],
  versions: readonly EventVersion[],
): readonly EventVersion[] {
  if (there.length === 0) return versions
  const known = new Set(there.map(encodeVersion))
  return versions.filter((version) => !known.has(encodeVersion(version)))
}
