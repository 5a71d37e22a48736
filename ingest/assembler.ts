import { setImmediate as nextTurn } from 'node:timers/promises'
import { UNKNOWN_ACTOR } from '../core/actor.ts'
import type { AuditEvent } from '../core/audit-event.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { AssembledIdentity } from './assembled-identity.ts'
import { createClaims, type NewIdentity, type PendingKey } from './id-claims.ts'
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

/** All parts of one join key; parsed when read, so that those of a whole tick never live at once. */
interface KeptParts extends PartKey {
  /** A short mark of each. */
  readonly marks: readonly string[]
  read(): readonly unknown[]
}

interface EventVersion {
  readonly version: number
  readonly text: string
  /** Of a new version. */
  readonly event?: AuditEvent
}

interface PlannedKey extends PartKey {
  /** The marks of the parts it was made of. */
  readonly parts: readonly string[]
  readonly before: readonly EventVersion[]
  readonly after: readonly EventVersion[]
}

/** What a tick writes, encoded key by key: its plan, and what that does to `events`. */
interface TickBlocks {
  readonly tick: number
  add(key: PlannedKey): void
  counts(): { readonly keys: number; readonly written: number; readonly cancelled: number }
}

/** What the assembler needs of the store; `store/parts.ts` has it. */
export interface AssemblerStore<Blocks extends TickBlocks = TickBlocks> {
  /** What two versions of an event are told apart by. */
  textOf(event: AuditEvent): string
  readProgress(): Promise<{ tick: number; recordedThroughUs: number }>
  saveProgress(tick: number, recordedThroughUs: number): Promise<void>
  blocksSince(throughUs: number, overlapUs: number): Promise<readonly PartBlock[]>
  keysIn(blocks: readonly PartBlock[]): Promise<readonly PartKey[]>
  partsOf(keys: readonly PartKey[]): Promise<readonly KeptParts[]>
  assembledOf(keys: readonly PartKey[]): Promise<readonly PlannedKey[]>
  /** What stands under the ids that events are about to get, in their order. */
  standingsOf(identities: readonly NewIdentity[]): Promise<readonly ('free' | 'stored' | 'taken')[]>
  openTick(tick: number): Blocks
  /** Whether the stored plan is this one, and not that of another owner who was first. */
  savePlan(blocks: Blocks): Promise<boolean>
  readPlan(tick: number): Promise<readonly PlannedKey[]>
  /** Why a key cannot be encoded; `undefined` where it can. */
  faultOf(key: PlannedKey): string | undefined
  /** @returns rows that the store refused, and that are dead letters now */
  correct(blocks: Blocks): Promise<{ readonly rejected: number }>
}

export interface AssemblerOptions<Blocks extends TickBlocks> {
  readonly store: AssemblerStore<Blocks>
  /** All parts of one join key → its events; pure, and the same for every order of the parts. */
  readonly fold: (parts: readonly EventPart[]) => readonly AuditEvent[]
  /** How an event of `fold` came by its id; by a hash unless given. */
  readonly identityOf?: (event: AuditEvent) => AssembledIdentity | undefined
  readonly telemetry: IngestTelemetry
  /** How long an insert may take to become visible after its `recorded_at`, in milliseconds. Default: two minutes. */
  readonly overlapMs?: number
  /** About how many parts are looked at in one tick; the next tick goes on. */
  readonly maxParts?: number
}

// Half the time a part of ticks of 5,000; at 50,000 ClickHouse takes minutes over the list of keys.
const DEFAULT_PARTS = 20_000

// Join keys that the store is asked about at one go: the fewer, the sooner their events are encoded and forgotten.
const KEYS_ASKED_AT_ONCE = 2048

// Join keys that are folded at one go.
const KEYS_AT_ONCE = 256

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
 * compares with what it made of them before (`assembled_calls`). The difference is first stored as the plan of tick k, then
 * inserted into `events` as one block under a token of k, then k is marked done. So the plan, not the moment of
 * reading, decides what is inserted: after a crash, or beside a second owner, the same block is inserted again. The store
 * forgets tokens, so an owner that was suspended asks right before each insert whether another has gone past it.
 *
 * No clock has to be right: inserts become visible later than their `recorded_at` says, so each tick looks back over
 * `overlapMs` and recognises by its count an insert that was not (wholly) there before.
 */
export function createAssembler<Blocks extends TickBlocks>(
  options: AssemblerOptions<Blocks>,
): { tick(): Promise<TickResult> } {
  const { store, fold, telemetry, identityOf } = options
  const overlapUs = (options.overlapMs ?? 120_000) * 1000
  const maxParts = options.maxParts ?? DEFAULT_PARTS
  const seen = new Map<number, number>()
  let throughUs = EARLIEST_US
  // What is left of the inserts that are being worked off; a big insert takes several ticks.
  let work: Work | undefined
  // Our own last tick, as long as tick follows upon tick: where another owner has begun the next one, `savePlan` says so.
  let progress: { readonly tick: number; readonly recordedThroughUs: number } | undefined
  // After a fault that no repetition mends, each key is tried by itself first.
  let isCareful = false

  /** Adds a key without what cannot be encoded of it: that must not stop the others, now and after each restart. */
  const addTo = (blocks: Blocks, key: PlannedKey): void => {
    const fault = isCareful ? store.faultOf(key) : undefined
    if (fault === undefined) {
      blocks.add(key)
      return
    }
    telemetry.logFault(`a call of ${key.tenant} cannot be encoded: ${fault}`)
    const fits = (version: EventVersion) =>
      store.faultOf({ ...key, before: [], after: [version] }) === undefined
    blocks.add({ ...key, before: key.before.filter(fits), after: key.after.filter(fits) })
  }

  /** Whether another owner has finished this tick: our inserts of it would be late, and their tokens may be forgotten. */
  const isPassed = async (tick: number): Promise<boolean> => (await store.readProgress()).tick >= tick

  /** What was looked at is looked at again, from where the other owner is. */
  const giveWay = (): TickResult => {
    startAgain()
    return { written: 0, cancelled: 0, more: true }
  }

  const settle = async (blocks: Blocks, incomplete = 0): Promise<TickResult> => {
    if (await isPassed(blocks.tick)) return giveWay()
    const { rejected } = await store.correct(blocks)
    await saveProgress(blocks.tick)
    const { written, cancelled } = blocks.counts()
    if (rejected > 0) telemetry.rowsStored('assembler', { stored: 0, duplicates: 0, conflicts: 0, rejected })
    telemetry.assembled({ calls: written, corrected: cancelled, incomplete })
    return { written, cancelled, more: true }
  }

  const saveProgress = async (tick: number): Promise<void> => {
    await store.saveProgress(tick, throughUs)
    progress = { tick, recordedThroughUs: throughUs }
  }

  /** Does what the stored plan of a tick says, whoever made it. */
  const settleStored = (tick: number, plan: readonly PlannedKey[]): Promise<TickResult> => {
    const blocks = store.openTick(tick)
    for (const key of plan) addTo(blocks, key)
    return settle(blocks)
  }

  const readKeys = async (keys: readonly PartKey[]): Promise<KnownKeys> => {
    const [kept, assembled] = await Promise.all([store.partsOf(keys), store.assembledOf(keys)])
    return { kept, assembled: new Map(assembled.map((entry) => [nameOf(entry), entry])) }
  }

  const planKeys = async (
    tick: number,
    current: Work,
  ): Promise<{ blocks: Blocks; incomplete: number; late: number }> => {
    const blocks = store.openTick(tick)
    const pending: PendingKey[] = []
    const claims = createClaims({ standingsOf: store.standingsOf, textOf: store.textOf, identityOf })
    const addPending = async () => {
      const settled = await claims.settle(pending.splice(0))
      for (const planned of settled.keys) addTo(blocks, planned)
      late += settled.late
    }
    let incomplete = 0
    let late = 0
    let looked = 0
    const { kept, assembled } = await (current.reading ?? readKeys(keysFrom(current, current.taken)))
    readAhead(current)
    for (const parts of kept) {
      // Other work gets its turn in between.
      if (++looked % KEYS_AT_ONCE === 0) await nextTurn()
      const events = foldParts(parts)
      if (events === undefined) continue
      const { tenant, joinKey, marks } = parts
      const known = assembled.get(nameOf(parts))
      if (known !== undefined && isMissing(known.parts, marks)) {
        // Some have ended, and of the rest a poorer event would be made.
        late++
        continue
      }
      const before = known?.after ?? []
      const after = versionsOf(claims.keep(events, before), tick, before)
      if (after.length === before.length && after.every(({ version }) => version !== tick)) continue
      for (const event of events) if (isIncomplete(event)) incomplete++
      const planned = { tenant, joinKey, parts: marks, before, after }
      const isNew = after.some(({ version, event }) => version === tick && event !== undefined)
      if (!isNew) addTo(blocks, planned)
      else if (pending.push({ planned, isFresh: known === undefined }) === KEYS_ASKED_AT_ONCE)
        await addPending()
    }
    await addPending()
    return { blocks, incomplete, late }
  }

  // While this tick is folded and written. What it plans is about other keys; and if another owner makes the next tick,
  // its plan comes first and what was read here is dropped.
  const readAhead = (current: Work): void => {
    const next = keysFrom(current, current.taken + current.keysAtOnce)
    current.reading = next.length === 0 ? undefined : readKeys(next)
    // Thrown where it is waited for.
    current.reading?.catch(() => {})
  }

  /** The events in the order of their texts; what stood before keeps its version. */
  const versionsOf = (
    events: readonly AuditEvent[],
    tick: number,
    before: readonly EventVersion[],
  ): EventVersion[] => {
    const fresh = events.map((event) => ({ version: tick, text: store.textOf(event), event }))
    if (fresh.length > 1) fresh.sort((a, b) => (a.text < b.text ? -1 : 1))
    if (before.length === 0) return fresh
    const standing = new Map(before.map((entry) => [entry.text, entry]))
    return fresh.map((entry) => standing.get(entry.text) ?? entry)
  }

  const foldParts = (parts: KeptParts): readonly AuditEvent[] | undefined => {
    try {
      return fold(parts.read() as readonly EventPart[])
    } catch (error) {
      // One key that cannot be folded must not stop the others; its parts stay, and a mended fold takes them up.
      telemetry.logFault(`parts of ${parts.tenant} cannot be assembled: ${messageOf(error)}`)
      return undefined
    }
  }

  const findWork = async (): Promise<Work | undefined> => {
    const recent = await store.blocksSince(throughUs, overlapUs)
    const times = new Set(recent.map(({ recordedAtUs }) => recordedAtUs))
    for (const recordedAtUs of seen.keys()) if (!times.has(recordedAtUs)) seen.delete(recordedAtUs)
    const fresh = recent.filter(({ recordedAtUs, count }) => count > (seen.get(recordedAtUs) ?? 0))
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
    progress = undefined
  }

  return {
    async tick() {
      try {
        const result = await runTick()
        isCareful = false
        return result
      } catch (error) {
        // Whatever was under way is looked at again, from the store.
        startAgain()
        isCareful = !(error instanceof GatewatchError && error.retryable)
        throw error
      }
    },
  }

  async function runTick(): Promise<TickResult> {
    if (progress === undefined) {
      // What was read ahead is from before another owner’s last ticks.
      if (work !== undefined) work.reading = undefined
      const stored = await store.readProgress()
      throughUs = Math.max(throughUs, stored.recordedThroughUs)
      const begun = await store.readPlan(stored.tick + 1)
      if (begun.length > 0) {
        startAgain()
        return settleStored(stored.tick + 1, begun)
      }
      progress = stored
    }
    const { tick: lastTick, recordedThroughUs } = progress
    const tick = lastTick + 1
    work ??= await findWork()
    if (work === undefined) {
      progress = undefined
      return { written: 0, cancelled: 0, more: false }
    }
    const current = work
    const { blocks, incomplete, late } = await planKeys(tick, current)
    if (late > 0) telemetry.partsLate(late)
    if (blocks.counts().keys === 0) {
      const more = take(current)
      // Nothing changed. The mark is only moved now and then: it merely bounds the next start's looking back.
      if (throughUs - recordedThroughUs > overlapUs) await saveProgress(lastTick)
      progress = undefined
      return { written: 0, cancelled: 0, more }
    }
    // Late, it would stand beside the plan of the other as if both had been made.
    if (await isPassed(tick)) return giveWay()
    if (!(await store.savePlan(blocks))) {
      // Another owner was first with this tick: its plan counts, and what we looked at is looked at again.
      startAgain()
      return settleStored(tick, await store.readPlan(tick))
    }
    const more = take(current)
    const result = await settle(blocks, incomplete)
    return { ...result, more: more || progress === undefined }
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
  /** The next keys, if they are being read already. */
  reading?: Promise<KnownKeys> | undefined
}

/** What the store has of some keys. */
interface KnownKeys {
  readonly kept: readonly KeptParts[]
  /** What was made of them. */
  readonly assembled: ReadonlyMap<string, PlannedKey>
}

const keysFrom = ({ keys, keysAtOnce }: Work, from: number): readonly PartKey[] =>
  keys.slice(from, from + keysAtOnce)

// What no part of a call said, and a later one may.
const isIncomplete = ({ actor, outcome }: AuditEvent): boolean =>
  actor === UNKNOWN_ACTOR || outcome === 'unknown'

const isMissing = (some: readonly string[], all: readonly string[]): boolean => {
  const there = new Set(all)
  return some.some((mark) => !there.has(mark))
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
