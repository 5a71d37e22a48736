import { UNKNOWN_ACTOR } from '../core/actor.ts'
import type { AuditEvent } from '../core/audit-event.ts'
import { messageOf } from '../core/errors.ts'
import type { EventPart } from './record.ts'
import type { IngestTelemetry } from './telemetry.ts'

interface PartKey {
  readonly tenant: string
  readonly joinKey: string
}

interface PartBlock {
  readonly recordedAtUs: number
  readonly count: number
}

interface VersionedRow {
  readonly version: number
  readonly row: string
}

/** A version of an event to be cancelled or written; of a new one the event itself is at hand. */
type Correction = VersionedRow & { readonly sign: 1 | -1; readonly event?: AuditEvent }

interface PlannedKey extends PartKey {
  readonly before: readonly VersionedRow[]
  readonly after: readonly VersionedRow[]
}

/** What the assembler needs of the store; `store/parts.ts` has it. */
export interface AssemblerStore {
  encodeEvent(event: AuditEvent): string
  readProgress(): Promise<{ tick: number; recordedThroughUs: number }>
  saveProgress(tick: number, recordedThroughUs: number): Promise<void>
  blocksSince(sinceUs: number): Promise<readonly PartBlock[]>
  keysIn(blocks: readonly PartBlock[]): Promise<readonly PartKey[]>
  partsOf(keys: readonly PartKey[]): Promise<readonly unknown[]>
  assembledOf(keys: readonly PartKey[]): Promise<readonly (PartKey & { after: readonly VersionedRow[] })[]>
  /** Whether the stored plan is this one, and not that of another owner who was first. */
  savePlan(tick: number, plan: readonly PlannedKey[]): Promise<boolean>
  readPlan(tick: number): Promise<readonly PlannedKey[]>
  correct(tick: number, corrections: readonly Correction[]): Promise<void>
}

export interface AssemblerOptions {
  readonly store: AssemblerStore
  /** All parts of one join key → its events; pure, and the same for every order of the parts. */
  readonly fold: (parts: readonly EventPart[]) => readonly AuditEvent[]
  readonly telemetry: IngestTelemetry
  /** How long an insert may take to become visible after its `recorded_at`, in milliseconds; two minutes unless told. */
  readonly overlapMs?: number
  /** About how many parts are looked at in one tick; the next tick goes on. */
  readonly maxParts?: number
}

// Half the time a part of ticks of 5,000; at 50,000 ClickHouse takes minutes over the list of keys.
const DEFAULT_PARTS = 20_000

// A mark to begin with that the store can keep: September 2001.
const EARLIEST_US = 1e15

export interface TickResult {
  /** Versions of events written. */
  readonly written: number
  /** Versions cancelled, because later parts changed the call. */
  readonly cancelled: number
  /** There is more to do at once. */
  readonly more: boolean
}

/**
 * Folds the parts of calls that are reported in several records into events.
 *
 * A tick asks which inserts of parts it has not seen, folds the join keys they touched from *all* their parts, and
 * compares with what it made of them before (`assembled`). The difference is first stored as the plan of tick k, then
 * inserted into `events` as one block under a token of k, then k is marked done. So the plan, not the moment of
 * reading, decides what is inserted: after a crash, or beside a second owner, the same block is inserted again.
 *
 * No clock has to be right: inserts become visible later than their `recorded_at` says, so each tick looks back over
 * `overlapMs` and recognises by its count an insert that was not (wholly) there before.
 */
export function createAssembler(options: AssemblerOptions): { tick(): Promise<TickResult> } {
  const { store, fold, telemetry } = options
  const overlapUs = (options.overlapMs ?? 120_000) * 1000
  const maxParts = options.maxParts ?? DEFAULT_PARTS
  const seen = new Map<number, number>()
  let throughUs = EARLIEST_US
  // What is left of the inserts that are being worked off; a big insert takes several ticks.
  let work: Work | undefined

  const settle = async (
    tick: number,
    plan: readonly PlannedKey[],
    incomplete: number,
    events: ReadonlyMap<string, AuditEvent> = new Map(),
  ): Promise<TickResult> => {
    const corrections = correctionsOf(plan).map((correction) => {
      const event = events.get(correction.row)
      return event === undefined ? correction : { ...correction, event }
    })
    await store.correct(tick, corrections)
    await store.saveProgress(tick, throughUs)
    const written = corrections.filter(({ sign }) => sign === 1).length
    const cancelled = corrections.length - written
    telemetry.assembled({ calls: written, corrected: cancelled, incomplete })
    return { written, cancelled, more: true }
  }

  const planKeys = async (
    tick: number,
    keys: readonly PartKey[],
  ): Promise<{ plan: PlannedKey[]; incomplete: number; events: Map<string, AuditEvent> }> => {
    let incomplete = 0
    const events = new Map<string, AuditEvent>()
    const parts = (await store.partsOf(keys)) as readonly EventPart[]
    const byKey = Map.groupBy(parts, nameOf)
    const known = new Map((await store.assembledOf(keys)).map((entry) => [nameOf(entry), entry.after]))
    const plan = keys.flatMap(({ tenant, joinKey }) => {
      const key = nameOf({ tenant, joinKey })
      const before = known.get(key) ?? []
      const folded = foldRows(byKey.get(key) ?? [])
      if (folded === undefined) return []
      const rows = [...folded.events.keys()].sort()
      const kept = new Map(before.map((entry) => [entry.row, entry]))
      const after = rows.map((row) => kept.get(row) ?? { version: tick, row })
      const same = after.length === before.length && after.every(({ version }) => version !== tick)
      if (same) return []
      incomplete += folded.incomplete
      for (const [row, event] of folded.events) events.set(row, event)
      return [{ tenant, joinKey, before, after }]
    })
    return { plan, incomplete, events }
  }

  /** Events by their row. */
  const foldRows = (
    parts: readonly EventPart[],
  ): { events: Map<string, AuditEvent>; incomplete: number } | undefined => {
    try {
      const events = fold(parts)
      return {
        events: new Map(events.map((event) => [store.encodeEvent(event), event])),
        incomplete: events.filter(isIncomplete).length,
      }
    } catch (error) {
      // One key that cannot be folded must not stop the others; its parts stay, and a mended fold takes them up.
      telemetry.logFault(`parts of ${parts[0]?.topic ?? 'a call'} cannot be assembled: ${messageOf(error)}`)
      return undefined
    }
  }

  const forgetOld = () => {
    for (const recordedAtUs of seen.keys()) {
      if (recordedAtUs <= throughUs - overlapUs) seen.delete(recordedAtUs)
    }
  }

  const findWork = async (): Promise<Work | undefined> => {
    const fresh = (await store.blocksSince(throughUs - overlapUs)).filter(
      ({ recordedAtUs, count }) => count > (seen.get(recordedAtUs) ?? 0),
    )
    if (fresh.length === 0) return undefined
    const blocks = firstBlocks(fresh, maxParts)
    // All before the first of them was seen.
    throughUs = Math.max(throughUs, (blocks[0]?.recordedAtUs ?? 0) - 1)
    const keys = await store.keysIn(blocks)
    const parts = blocks.reduce((sum, { count }) => sum + count, 0)
    return {
      blocks,
      keys,
      taken: 0,
      keysAtOnce: Math.max(1, Math.floor((maxParts * keys.length) / Math.max(1, parts))),
      isLast: blocks.length === fresh.length,
    }
  }

  /** After the last keys of its inserts: they are done with. Returns whether more is waiting. */
  const take = (done: Work): boolean => {
    done.taken += done.keysAtOnce
    if (done.taken < done.keys.length) return true
    for (const { recordedAtUs, count } of done.blocks) seen.set(recordedAtUs, count)
    throughUs = Math.max(throughUs, done.blocks.at(-1)?.recordedAtUs ?? 0)
    work = undefined
    return !done.isLast
  }

  const startAgain = () => {
    seen.clear()
    work = undefined
  }

  return {
    async tick() {
      try {
        return await runTick()
      } catch (error) {
        // Whatever was under way is looked at again, from the store.
        startAgain()
        throw error
      }
    },
  }

  async function runTick(): Promise<TickResult> {
    const progress = await store.readProgress()
    throughUs = Math.max(throughUs, progress.recordedThroughUs)
    const tick = progress.tick + 1
    const begun = await store.readPlan(tick)
    if (begun.length > 0) {
      startAgain()
      return settle(tick, begun, 0)
    }
    work ??= await findWork()
    if (work === undefined) return { written: 0, cancelled: 0, more: false }
    const current = work
    const { plan, incomplete, events } = await planKeys(
      tick,
      current.keys.slice(current.taken, current.taken + current.keysAtOnce),
    )
    if (plan.length === 0) {
      const more = take(current)
      // Nothing changed. The mark is only moved now and then: it merely bounds the next start's looking back.
      if (throughUs - progress.recordedThroughUs > overlapUs)
        await store.saveProgress(progress.tick, throughUs)
      forgetOld()
      return { written: 0, cancelled: 0, more }
    }
    if (!(await store.savePlan(tick, plan))) {
      // Another owner was first with this tick: its plan counts, and what we looked at is looked at again.
      startAgain()
      return settle(tick, await store.readPlan(tick), 0)
    }
    const more = take(current)
    const result = await settle(tick, plan, incomplete, events)
    forgetOld()
    return { ...result, more }
  }
}

/** Inserts that are being worked off, some keys a tick. */
interface Work {
  readonly blocks: readonly PartBlock[]
  readonly keys: readonly PartKey[]
  readonly keysAtOnce: number
  /** There were no further inserts when these were found. */
  readonly isLast: boolean
  taken: number
}

// What no part of a call said, and a later one may.
const isIncomplete = ({ actor, outcome }: AuditEvent): boolean =>
  actor === UNKNOWN_ACTOR || outcome === 'unknown'

const nameOf = ({ tenant, joinKey }: PartKey): string => `${tenant}\0${joinKey}`

function firstBlocks(blocks: readonly PartBlock[], maxParts: number): PartBlock[] {
  let parts = 0
  const end = blocks.findIndex(({ count }) => {
    parts += count
    return parts >= maxParts
  })
  return blocks.slice(0, end === -1 ? blocks.length : end + 1)
}

function correctionsOf(plan: readonly PlannedKey[]): Correction[] {
  return plan.flatMap(({ before, after }) => {
    const textOf = ({ version, row }: VersionedRow) => `${version} ${row}`
    const [old, now] = [new Set(before.map(textOf)), new Set(after.map(textOf))]
    return [
      ...before.filter((entry) => !now.has(textOf(entry))).map((entry) => ({ ...entry, sign: -1 as const })),
      ...after.filter((entry) => !old.has(textOf(entry))).map((entry) => ({ ...entry, sign: 1 as const })),
    ]
  })
}
