import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FindingChange } from '../core/finding.ts'
import { dayOfUs } from './arrivals.ts'
import { createBackfill } from './backfill.ts'
import { createBacklog } from './backlog.ts'
import type { CurrentFindings } from './changes.ts'
import type { Query } from './detector.ts'
import { type DetectionHealth, healthOf } from './health.ts'
import { createLock } from './lock.ts'
import { type BackfillRequests, createOwnedShards } from './owned-shards.ts'
import { createSoleOwnership, type OwnedShard, type ShardOwnership } from './ownership.ts'
import { createProfiles, fencedProfiles, type ProfileStore } from './profiles.ts'
import type { WatermarkStore } from './progress.ts'
import { createPublisher, type FindingWriter } from './publisher.ts'
import {
  type BackfillReport,
  type JudgedCounts,
  NOTHING_JUDGED,
  plusCounts,
  type TickReport,
} from './reports.ts'
import type { Rule } from './rule.ts'
import { createTick } from './tick.ts'

/** Where findings are kept (`store/findings.ts`). */
export interface FindingStore extends CurrentFindings, FindingWriter {
  /** Rows written with a greater version: those of a tick that did not reach its watermark. */
  writtenAfter(version: number, rules: readonly string[]): Promise<FindingChange[]>
}

export interface EngineOptions {
  readonly query: Query
  /** How the backfill asks, so that ticks do not wait behind it. Default: `query`. */
  readonly backfillQuery?: Query
  readonly findings: FindingStore
  readonly watermarks: WatermarkStore
  /** Where baselines are kept between processes; absent: they are built anew by every process. */
  readonly profiles?: ProfileStore
  /** What people asked to be judged again; absent: nobody can ask. */
  readonly requests?: BackfillRequests
  /** Which shards this process judges. Default: all, for a process that is alone with its store. */
  readonly ownership?: ShardOwnership
  readonly rules: readonly Rule[]
  /**
   * Called before the watermark moves; must be durable when it resolves, and idempotent.
   * @param owned the shards that the changes belong to
   */
  readonly onFindings: (changes: readonly FindingChange[], owned: readonly OwnedShard[]) => Promise<void>
  /** Inserts are expected to be visible after this long; later ones are noticed too, at a price. */
  readonly settleMs: number
  /** Days that a call may be late and is still judged by a tick; what is later is the backfill’s. Default 3. */
  readonly latenessDays?: number
  /** A tick that has used up this long leaves the rest to the next one, milliseconds. Default 3,000. */
  readonly tickBudgetMs?: number
  /** Work for late calls waits this long for more of them, milliseconds. Default 30,000. */
  readonly lateDelayMs?: number
  /** Ends work between two readings and two days when it aborts; `query` and `backfillQuery` are to end with it too. */
  readonly signal?: AbortSignal
  /** A tenant with more waiting calls of days before today is left to the backfill. Default 500,000. */
  readonly catchUpRows?: number
}

/**
 * Judges what arrives. Two lanes work side by side: ticks judge what was touched a moment ago, and the backfill judges
 * what is older, in small pieces, so that no amount of it holds a tick up.
 */
export interface Engine {
  /** Judges what arrived since the last tick. Ticks never overlap: a second call waits for the first. */
  tick(): Promise<TickReport>
  /** One bounded piece of the backfill. Pieces never overlap. */
  backfill(): Promise<BackfillReport>
  /** Ticks and backfills until nothing waits, whatever delays there are. */
  drain(): Promise<JudgedCounts>
  /** Replaces the rules from the next tick on; rules that are new or changed look over the past once. */
  setRules(rules: readonly Rule[]): void
  health(): DetectionHealth
}

const DEFAULTS = { latenessDays: 3, tickBudgetMs: 3_000, lateDelayMs: 30_000, catchUpRows: 500_000 } as const

/**
 * The engine. A crash anywhere before the watermark repeats the tick, which then finds the same. Findings that were
 * stored by work whose watermark was not are handed to `onFindings` again by the first tick of the next process.
 */
export function createEngine(given: EngineOptions): Engine {
  const options = { ...DEFAULTS, ...given, ownership: given.ownership ?? createSoleOwnership() }
  let rules = options.rules
  let nowUs = 0
  const backlog = createBacklog()
  let profileVersion = 0
  const store =
    options.profiles &&
    fencedProfiles(
      options.profiles,
      (tenant, group) => shards.ownsBaseline(tenant, group),
      () => {
        profileVersion = Math.max(nowUs, profileVersion + 1)
        return profileVersion
      },
    )
  const profiles = createProfiles({
    keptDays: options.latenessDays + 4,
    signal: options.signal,
    ...(store && { store }),
  })
  const publisher = createPublisher({
    ...options,
    ownerOf: (tenant, rule) => shards.ownerOf(tenant, rule),
  })
  const rulesNow = () => rules
  const shards = createOwnedShards({ ...options, backlog, profiles, publisher, rulesNow })
  const tickLock = createLock()
  const pieceLock = createLock()
  let ticking: Promise<unknown> | undefined
  const judgeArrivals = createTick({
    ...options,
    ...{ backlog, profiles, publisher, shards },
    onClock: (us) => {
      nowUs = us
    },
  })
  const tick = () =>
    tickLock(async () => {
      const work = judgeArrivals()
      ticking = work
      try {
        return await work
      } finally {
        ticking = undefined
      }
    })
  const backfill = createBackfill({
    ...options,
    query: options.backfillQuery ?? options.query,
    urgentQuery: options.query,
    ...{ backlog, profiles, publisher, shards, rulesNow },
    ...(store && { profileStore: store }),
    betweenTicks: tickLock,
    afterTick: async () => {
      await nextTurn()
      await ticking?.catch(() => {})
    },
  })

  return {
    tick,
    backfill: () => pieceLock(() => backfill({ nowUs })),
    async drain() {
      let total = NOTHING_JUDGED
      for (;;) {
        const ticked = await tick()
        const piece = await pieceLock(() => backfill({ nowUs, hurry: true }))
        total = plusCounts(total, plusCounts(ticked, piece))
        if (ticked.waiting === 0 && !piece.worked) return total
      }
    },
    setRules: (replacement) => {
      rules = replacement
    },
    health: () =>
      healthOf({
        backlog,
        overflows: profiles.overflows(rules),
        shards: shards.all(),
        nowUs,
        today: dayOfUs(nowUs),
      }),
  }
}
