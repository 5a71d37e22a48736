/**
 * What the backfill has to judge again: for a tenant and a rule, every day from `fromDay` on. Why it is so is said, so
 * that people can be told; findings of a past that was asked for are told to nobody.
 *
 * - `late`: calls arrived for a day whose later days were judged already
 * - `old`: calls arrived later than the allowed lateness
 * - `away`: detection was away for longer than the store remembers what arrived
 * - `new-rule`: a rule that is new or changed looks over the past once
 * - `requested`: a person asked for it
 * - `learning`: the baseline has to be built before the rule can judge
 * - `failed`: the rule’s question failed; it is asked again, ever more rarely
 */
export type BacklogReason = 'late' | 'old' | 'away' | 'new-rule' | 'requested' | 'learning' | 'failed'

export interface BacklogEntry {
  readonly tenant: string
  readonly rule: string
  /** First UTC day (since 1970-01-01) that waits to be judged. */
  readonly fromDay: number
  /** `fromDay` when the entry was made: how far the work has come is the way from here. */
  readonly firstDay: number
  /** The last day that is judged again. Absent: the present. */
  readonly throughDay?: number
  /** Baselines as of this day and later do not know yet what arrived late. Absent: all are right. */
  readonly staleFrom?: number
  readonly reason: BacklogReason
  /** Milliseconds of the store’s clock. */
  readonly sinceMs: number
  /** Not worked on before this time. */
  readonly notBeforeMs: number
  /** Questions that failed in a row. */
  readonly attempts: number
  readonly error?: string
}

export type Wait = Pick<BacklogEntry, 'tenant' | 'rule' | 'fromDay' | 'reason'> & {
  readonly nowMs: number
  /** See `BacklogEntry`. */
  readonly staleFrom?: number
  readonly throughDay?: number
  /** How long the work may wait for more of its kind, milliseconds. Default 0. */
  readonly delayMs?: number
}

/** The graver reason stays when an entry gets another one. */
const GRAVITY: readonly BacklogReason[] = [
  'late',
  'old',
  'requested',
  'new-rule',
  'away',
  'learning',
  'failed',
]

const RETRY_MS = [5_000, 30_000, 120_000, 600_000, 3_600_000] as const

export interface Backlog {
  /** Adds days; an entry that is there already reaches back to the earlier day. */
  add(wait: Wait): void
  /** The question of a rule failed for days from `fromDay` on: it is asked again after a pause. */
  fail(wait: Omit<Wait, 'reason' | 'delayMs'>, error: string): void
  /** Days before `toDay` are done, except those that were added since `mark` was called for the entry. */
  advance(tenant: string, rule: string, toDay: number): void
  /** Everything is done, except days that were added since `mark` was called. */
  finish(tenant: string, rule: string): void
  /** From here on, added days are remembered as added during the work. */
  mark(tenant: string, rule: string): void
  /** First day that was added since `mark`, undefined for none. */
  addedSince(tenant: string, rule: string): number | undefined
  /** Baselines were built again with everything that had arrived. */
  refreshed(tenant: string, rule: string): void
  get(tenant: string, rule: string): BacklogEntry | undefined
  /** A rule whose question fails, or whose baseline is missing: live ticks leave it out. */
  isBlocked(tenant: string, rule: string): boolean
  /** The work is not taken up before `untilMs`. */
  postpone(tenant: string, rule: string, untilMs: number): void
  /** What may be worked on now, longest waiting first; in a hurry, also what waits for more of its kind. */
  due(nowMs: number, hurry: boolean): readonly BacklogEntry[]
  all(): readonly BacklogEntry[]
  /** Takes in the entries that another process left. */
  load(entries: readonly BacklogEntry[]): void
  /** Forgets the entries that are no longer this process’s. */
  drop(isGone: (entry: BacklogEntry) => boolean): void
}

/** Pure state; the engine stores it with its watermark. */
export function createBacklog(): Backlog {
  const entries = new Map<string, BacklogEntry>()
  const added = new Map<string, number>()
  const nameOf = (tenant: string, rule: string) => JSON.stringify([tenant, rule])

  function put(entry: BacklogEntry): void {
    entries.set(nameOf(entry.tenant, entry.rule), entry)
  }

  function add({ tenant, rule, fromDay, reason, nowMs, staleFrom, throughDay, delayMs = 0 }: Wait): void {
    const name = nameOf(tenant, rule)
    const known = entries.get(name)
    const during = added.get(name)
    if (during !== undefined) added.set(name, Math.min(during, fromDay))
    const stale = least(known?.staleFrom, staleFrom)
    if (known === undefined) {
      put({
        ...{ tenant, rule, fromDay, firstDay: fromDay, reason },
        ...{ sinceMs: nowMs, notBeforeMs: nowMs + delayMs, attempts: 0 },
        ...(stale === undefined ? {} : { staleFrom: stale }),
        ...(throughDay === undefined ? {} : { throughDay }),
      })
      return
    }
    const { throughDay: knownThrough, ...rest } = known
    const through =
      knownThrough === undefined || throughDay === undefined ? undefined : Math.max(knownThrough, throughDay)
    put({
      ...rest,
      ...(through === undefined ? {} : { throughDay: through }),
      fromDay: Math.min(known.fromDay, fromDay),
      firstDay: Math.min(known.firstDay, fromDay),
      reason: graver(known.reason, reason),
      ...(stale === undefined ? {} : { staleFrom: stale }),
    })
  }

  return {
    add,
    fail({ tenant, rule, fromDay, nowMs }, error) {
      add({ tenant, rule, fromDay, reason: 'failed', nowMs })
      const entry = entries.get(nameOf(tenant, rule))
      if (entry === undefined) return
      const pauseMs = RETRY_MS[Math.min(entry.attempts, RETRY_MS.length - 1)] ?? 0
      put({ ...entry, error, attempts: entry.attempts + 1, notBeforeMs: nowMs + pauseMs })
    },
    advance(tenant, rule, toDay) {
      const name = nameOf(tenant, rule)
      const entry = entries.get(name)
      if (entry !== undefined) put({ ...entry, fromDay: Math.min(toDay, added.get(name) ?? toDay) })
    },
    finish(tenant, rule) {
      const name = nameOf(tenant, rule)
      const entry = entries.get(name)
      const again = added.get(name)
      added.delete(name)
      if (entry === undefined) return
      if (again === undefined || again === Number.POSITIVE_INFINITY) entries.delete(name)
      else put({ ...entry, fromDay: again, firstDay: again, reason: 'late', attempts: 0 })
    },
    mark(tenant, rule) {
      added.set(nameOf(tenant, rule), Number.POSITIVE_INFINITY)
    },
    addedSince(tenant, rule) {
      const day = added.get(nameOf(tenant, rule))
      return day === Number.POSITIVE_INFINITY ? undefined : day
    },
    refreshed(tenant, rule) {
      const entry = entries.get(nameOf(tenant, rule))
      if (entry?.staleFrom === undefined) return
      const { staleFrom: _, ...fresh } = entry
      put(fresh)
    },
    get: (tenant, rule) => entries.get(nameOf(tenant, rule)),
    isBlocked(tenant, rule) {
      const reason = entries.get(nameOf(tenant, rule))?.reason
      return reason === 'failed' || reason === 'learning'
    },
    postpone(tenant, rule, untilMs) {
      const entry = entries.get(nameOf(tenant, rule))
      if (entry !== undefined) put({ ...entry, notBeforeMs: Math.max(entry.notBeforeMs, untilMs) })
    },
    due: (nowMs, hurry) =>
      [...entries.values()]
        .filter(({ notBeforeMs, attempts }) => notBeforeMs <= nowMs || (hurry && attempts === 0))
        .sort(
          (a, b) => a.sinceMs - b.sinceMs || (nameOf(a.tenant, a.rule) < nameOf(b.tenant, b.rule) ? -1 : 1),
        ),
    all: () => [...entries.values()],
    load(more) {
      for (const entry of more) {
        const known = entries.get(nameOf(entry.tenant, entry.rule))
        put(known === undefined ? entry : { ...entry, fromDay: Math.min(known.fromDay, entry.fromDay) })
      }
    },
    drop(isGone) {
      for (const [name, entry] of entries) {
        if (!isGone(entry)) continue
        entries.delete(name)
        added.delete(name)
      }
    },
  }
}

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)

const graver = (a: BacklogReason, b: BacklogReason): BacklogReason =>
  GRAVITY.indexOf(a) >= GRAVITY.indexOf(b) ? a : b
