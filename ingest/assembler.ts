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
  savePlan(tick: number, plan: readonly PlannedKey[]): Promise<void>
  readPlan(tick: number): Promise<readonly PlannedKey[]>
  correct(tick: number, corrections: readonly (VersionedRow & { readonly sign: 1 | -1 })[]): Promise<void>
}

export interface AssemblerOptions {
  readonly store: AssemblerStore
  /** All parts of one join key → its events; pure, and the same for every order of the parts. */
  readonly fold: (parts: readonly EventPart[]) => readonly AuditEvent[]
  readonly telemetry: IngestTelemetry
  /** How long an insert may take to become visible after its `recorded_at`, in milliseconds; two minutes unless told. */
  readonly overlapMs?: number
  /** Parts looked at in one tick; the next tick goes on. */
  readonly maxParts?: number
}

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
  const maxParts = options.maxParts ?? 5_000
  const seen = new Map<number, number>()
  let throughUs = 0

  const settle = async (tick: number, plan: readonly PlannedKey[]): Promise<TickResult> => {
    const corrections = correctionsOf(plan)
    await store.correct(tick, corrections)
    await store.saveProgress(tick, throughUs)
    const written = corrections.filter(({ sign }) => sign === 1).length
    const cancelled = corrections.length - written
    telemetry.assembled({ calls: written, corrected: cancelled })
    return { written, cancelled, more: true }
  }

  const planKeys = async (tick: number, keys: readonly PartKey[]): Promise<PlannedKey[]> => {
    const parts = (await store.partsOf(keys)) as readonly EventPart[]
    const byKey = Map.groupBy(parts, nameOf)
    const known = new Map((await store.assembledOf(keys)).map((entry) => [nameOf(entry), entry.after]))
    return keys.flatMap(({ tenant, joinKey }) => {
      const key = nameOf({ tenant, joinKey })
      const before = known.get(key) ?? []
      const rows = foldRows(byKey.get(key) ?? [])
      if (rows === undefined) return []
      const kept = new Map(before.map((entry) => [entry.row, entry]))
      const after = rows.map((row) => kept.get(row) ?? { version: tick, row })
      const same = after.length === before.length && after.every(({ version }) => version !== tick)
      return same ? [] : [{ tenant, joinKey, before, after }]
    })
  }

  const foldRows = (parts: readonly EventPart[]): string[] | undefined => {
    try {
      return fold(parts)
        .map((event) => store.encodeEvent(event))
        .sort()
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

  return {
    async tick() {
      const progress = await store.readProgress()
      throughUs = Math.max(throughUs, progress.recordedThroughUs)
      const tick = progress.tick + 1
      const begun = await store.readPlan(tick)
      if (begun.length > 0) {
        seen.clear()
        return settle(tick, begun)
      }
      const fresh = (await store.blocksSince(throughUs - overlapUs)).filter(
        ({ recordedAtUs, count }) => count > (seen.get(recordedAtUs) ?? 0),
      )
      if (fresh.length === 0) return { written: 0, cancelled: 0, more: false }
      const blocks = firstBlocks(fresh, maxParts)
      const plan = await planKeys(tick, await store.keysIn(blocks))
      for (const { recordedAtUs, count } of blocks) seen.set(recordedAtUs, count)
      const reachedUs = Math.max(throughUs, blocks.at(-1)?.recordedAtUs ?? 0)
      const more = blocks.length < fresh.length
      if (plan.length === 0) {
        // Nothing changed. The mark is only moved now and then: it merely bounds the next start's looking back.
        if (reachedUs - progress.recordedThroughUs > overlapUs)
          await store.saveProgress(progress.tick, reachedUs)
        throughUs = reachedUs
        forgetOld()
        return { written: 0, cancelled: 0, more }
      }
      await store.savePlan(tick, plan)
      const stored = await store.readPlan(tick)
      // Another owner was first with this tick: its plan counts, and what we looked at is looked at again.
      if (!samePlan(stored, plan)) seen.clear()
      else throughUs = reachedUs
      const result = await settle(tick, stored)
      forgetOld()
      return { ...result, more: more || seen.size === 0 }
    },
  }
}

const nameOf = ({ tenant, joinKey }: PartKey): string => `${tenant}\0${joinKey}`

function firstBlocks(blocks: readonly PartBlock[], maxParts: number): PartBlock[] {
  let parts = 0
  const end = blocks.findIndex(({ count }) => {
    parts += count
    return parts >= maxParts
  })
  return blocks.slice(0, end === -1 ? blocks.length : end + 1)
}

function correctionsOf(plan: readonly PlannedKey[]): (VersionedRow & { sign: 1 | -1 })[] {
  return plan.flatMap(({ before, after }) => {
    const textOf = ({ version, row }: VersionedRow) => `${version} ${row}`
    const [old, now] = [new Set(before.map(textOf)), new Set(after.map(textOf))]
    return [
      ...before.filter((entry) => !now.has(textOf(entry))).map((entry) => ({ ...entry, sign: -1 as const })),
      ...after.filter((entry) => !old.has(textOf(entry))).map((entry) => ({ ...entry, sign: 1 as const })),
    ]
  })
}

const samePlan = (a: readonly PlannedKey[], b: readonly PlannedKey[]): boolean => {
  const textOf = (plan: readonly PlannedKey[]) =>
    JSON.stringify(plan.toSorted((x, y) => (nameOf(x) < nameOf(y) ? -1 : 1)))
  return textOf(a.map(plain)) === textOf(b.map(plain))
}

const plain = ({ tenant, joinKey, before, after }: PlannedKey): PlannedKey => ({
  tenant,
  joinKey,
  before: before.map(({ version, row }) => ({ version, row })),
  after: after.map(({ version, row }) => ({ version, row })),
})
