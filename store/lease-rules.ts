import { assign } from '../core/rendezvous.ts'
import type { LeaseMember, LeaseRow, LeaseView } from './leases.ts'

/**
 * What follows from a view of the leases. Pure; times are of the reading process’s own monotonic clock, ages of the
 * store’s. Two rules keep two owners from believing at once, whatever is delayed or suspended:
 *
 * - **An owner believes only for `BELIEF_MS` after it sent a beat**, and only if a view that it asked for after that
 *   beat was answered still showed its epoch as the newest. The beat’s time in the store is not before it was sent, so
 *   whoever finds the beat older than `EXPIRY_MS` knows that the belief ended before.
 * - **Who took an epoch begins only when the owner before has stopped**: it gave the lease up, its last beat is older than
 *   `EXPIRY_MS` in a view asked for after an earlier one had shown the new epoch, or the epoch has been visible for
 *   `EXPIRY_MS` (then every later beat’s view showed it). Either this view shows the other’s beat, or the other’s view
 *   shows the new epoch: both wrote before they read (Dekker’s argument).
 *
 * A lease is taken from a silent owner only when that owner’s own predecessor cannot believe any more either, and only
 * at the second look: when a store that stood still goes on, everybody has been silent.
 */

/** A member that has been silent for longer counts as dead. */
export const EXPIRY_MS = 7000
/** How long an owner believes after it sent a beat. The difference allows for clocks that run unequally fast. */
export const BELIEF_MS = 6000
/** Between two beats, when the store answers sooner. */
export const BEAT_MS = 1000
/**
 * An epoch that is older than this was visible for `EXPIRY_MS`: no insert takes longer from its time to its visibility,
 * because a client waits for its answer for a few seconds only and a server ends it after.
 */
const SETTLED_MS = 60_000

/** A lease that a process would take. */
export interface WantedLease {
  readonly name: string
  /** Its candidates are the members of this group. */
  readonly group: string
  /**
   * Spread: it goes to the member that the assignment says, also from one that is well. Otherwise it stays where it is as
   * long as that lives.
   */
  readonly spread: boolean
}

/** What a process knows of its own from the views before. */
export interface LeaseMemory {
  /** Lease → the epoch that was seen first at a time. */
  readonly seen: ReadonlyMap<string, { readonly epoch: number; readonly atMs: number }>
  /** Leases that this process may use, with their epoch, as long as it believes. */
  readonly held: ReadonlyMap<string, number>
  /** Owners that were silent at the last look. */
  readonly silent: ReadonlySet<string>
}

export const NO_MEMORY: LeaseMemory = { seen: new Map(), held: new Map(), silent: new Set() }

export interface LeaseDecision {
  readonly memory: LeaseMemory
  /** Free and for this process. */
  readonly take: readonly LeaseTake[]
  /** For others by the assignment, and not used any more: to be given up when what is under way has had its time. */
  readonly giveUp: readonly LeaseRow[]
}

export interface LeaseTake {
  readonly name: string
  /** What stands in the store; absent: nobody ever took it. */
  readonly from: LeaseRow | undefined
}

/**
 * @param view asked for after the last beat of `me` was answered
 * @param nowMs when the view was answered
 */
export function decide(options: {
  readonly me: string
  readonly wanted: readonly WantedLease[]
  readonly view: LeaseView
  readonly memory: LeaseMemory
  readonly nowMs: number
}): LeaseDecision {
  const { me, wanted, view, memory, nowMs } = options
  const rows = new Map(view.leases.map((row) => [row.name, row]))
  const alive = view.members.filter(isAlive)
  const isSilent = (member: string) => !alive.some((other) => other.member === member)
  const assigned = assignmentOf(wanted, alive)
  const seen = new Map<string, { epoch: number; atMs: number }>()
  const held = new Map<string, number>()
  const take: LeaseTake[] = []
  const giveUp: LeaseRow[] = []
  for (const { name, spread } of wanted) {
    const row = rows.get(name)
    const isMine = assigned.get(name) === me
    if (row === undefined) {
      if (isMine) take.push({ name, from: undefined })
      continue
    }
    const before = memory.seen.get(name)
    const first = before?.epoch === row.epoch ? before : { epoch: row.epoch, atMs: nowMs }
    const wasSeen = first === before
    seen.set(name, first)
    // How long every view of anybody has shown this epoch.
    const visibleMs = nowMs - first.atMs
    const { owner, takenFrom } = row
    if (owner === me) {
      const begins =
        memory.held.get(name) === row.epoch ||
        takenFrom === '' ||
        (wasSeen && isSilent(takenFrom)) ||
        visibleMs >= EXPIRY_MS
      if (begins && (isMine || !spread)) held.set(name, row.epoch)
      else if (begins) giveUp.push(row)
      continue
    }
    const isFree =
      owner === '' ||
      (isSilent(owner) &&
        memory.silent.has(owner) &&
        (takenFrom === '' || visibleMs >= EXPIRY_MS || row.ageMs >= SETTLED_MS))
    if (isFree && isMine) take.push({ name, from: row })
  }
  const silent = new Set(view.leases.map(({ owner }) => owner).filter(isSilent))
  return { memory: { seen, held, silent }, take, giveUp }
}

// A beat from the future was set before the store’s clock was set back. Its owner’s next one will be right; one that
// is dead must not hold its leases until that time comes.
const isAlive = ({ groups, ageMs }: LeaseMember): boolean => groups.length > 0 && Math.abs(ageMs) <= EXPIRY_MS

function assignmentOf(
  wanted: readonly WantedLease[],
  alive: readonly LeaseMember[],
): ReadonlyMap<string, string> {
  const assigned = new Map<string, string>()
  for (const [group, leases] of Map.groupBy(wanted, (lease) => lease.group)) {
    const members = alive.filter(({ groups }) => groups.includes(group)).map(({ member }) => member)
    const names = leases.map(({ name }) => name)
    for (const [name, member] of assign(names, members)) assigned.set(name, member)
  }
  return assigned
}
