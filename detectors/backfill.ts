import { dayOfUs } from './arrivals.ts'
import type { Backlog, BacklogEntry } from './backlog.ts'
import { type CurrentFindings, findingsBefore } from './changes.ts'
import type { Query, Source } from './detector.ts'
import { judgePlans } from './judgement.ts'
import type { Lock } from './lock.ts'
import type { OwnedShards } from './owned-shards.ts'
import { daysTouchedBy, readDays, type TenantDay } from './plan.ts'
import { createProfiles, groupOf, type KeptProfiles, type Profiles } from './profiles.ts'
import type { Publisher } from './publisher.ts'
import { type BackfillReport, type JudgedCounts, NOTHING_JUDGED, plusCounts } from './reports.ts'
import type { Rule } from './rule.ts'
import type { Pause } from './steps.ts'
import { quarantine, trustedThrough } from './tick.ts'
import { startOfDay } from './utc-day.ts'

export interface BackfillOptions {
  readonly query: Query
  /** For what ticks leave out until it is done: nothing that is more urgent waits behind it. */
  readonly urgentQuery: Query
  readonly findings: CurrentFindings
  readonly backlog: Backlog
  /** Those of the ticks. */
  readonly profiles: Profiles
  readonly profileStore?: KeptProfiles
  readonly publisher: Publisher
  readonly shards: OwnedShards
  readonly latenessDays: number
  readonly lateDelayMs: number
  readonly rulesNow: () => readonly Rule[]
  /** Ends a piece between two readings and two days. */
  readonly signal?: AbortSignal | undefined
  /** Work that no tick may run beside. */
  readonly betweenTicks: Lock
  /** Resolves while no tick runs: what may wait gives way to them. */
  readonly afterTick: Pause
}

/** Calls whose days one piece judges, and days of them: a piece is to be short. */
const PIECE_CALLS = 200_000
const PIECE_DAYS = 6

/** After a fault that is not a rule’s: the store, or what findings are handed to. */
const PAUSE_MS = 5_000

/**
 * One walk over the past for a tenant and the rules that share a baseline, day by day to the present. The days that
 * ticks do not judge any more are judged with the walk’s own baselines as they are made. Where the days of the ticks
 * begin, the baselines are made up to today and given to the ticks; only then are those days judged.
 */
interface Walk {
  readonly tenant: string
  readonly group: string
  /** Those that have not failed on the way. */
  rules: readonly Rule[]
  readonly source: Source
  readonly profiles: Profiles
  days: readonly TenantDay[]
  today: number
  /** The first day that ticks may judge. */
  readonly tickFrom: number
  /** The last day of the walk, where it does not lead to the present. */
  readonly throughDay?: number
  /** Everything before this day is done. */
  day: number
  prepared: boolean
  handedOver: boolean
  /** Between two turns of the work on it. */
  readonly pause?: Pause
}

/** Where the walk gets its time: the store’s clock, and whether delays count. */
export interface PieceOptions {
  readonly nowUs: number
  /** Work on what may wait, too. */
  readonly hurry?: boolean
}

/** The two kinds of work take turns, so that a year of history does not hold up what happened yesterday. */
type Kind = 'recent' | 'history'
const kindOf = ({ reason }: BacklogEntry): Kind =>
  reason === 'late' || reason === 'away' || reason === 'learning' || reason === 'failed'
    ? 'recent'
    : 'history'

/** Work of the backfill: one bounded piece a call. */
export function createBackfill(options: BackfillOptions): (piece: PieceOptions) => Promise<BackfillReport> {
  const { backlog, publisher, shards } = options
  const walks = new Map<Kind, readonly Walk[]>()
  let turn: Kind = 'history'

  return async ({ nowUs, hurry = false }) => {
    turn = turn === 'recent' ? 'history' : 'recent'
    const other: Kind = turn === 'recent' ? 'history' : 'recent'
    for (const kind of [turn, other]) {
      const [first = begin(kind, nowUs, hurry), ...more] = walks.get(kind) ?? []
      if (first === undefined) continue
      const urgent = isUrgent(first)
      const second = urgent && more.length === 0 ? begin(kind, nowUs, hurry, first) : undefined
      const walking = [first, ...more, ...(second === undefined ? [] : [second])]
      walks.set(kind, walking)
      return { worked: true, urgent, ...(await stepAll(kind, walking, nowUs)) }
    }
    return { worked: false, urgent: false, ...NOTHING_JUDGED }
  }

  function isUrgent({ tenant, rules }: Walk): boolean {
    return rules.some(({ id }) => backlog.isBlocked(tenant, id))
  }

  /**
   * Steps of all walks at a time. Whoever is done first goes on until each has taken one: a step may be a piece of a day or a
   * month of history. What one of them throws is thrown when all have ended.
   */
  async function stepAll(kind: Kind, walking: readonly Walk[], nowUs: number): Promise<JudgedCounts> {
    const underWay = new Set(walking)
    const steps = await Promise.allSettled(
      walking.map(async (walk) => {
        let [counts, isOver] = [NOTHING_JUDGED, false]
        try {
          do {
            counts = plusCounts(counts, await prepareAndStep(walk, nowUs))
            isOver = settle(walk, nowUs)
            underWay.delete(walk)
          } while (!isOver && underWay.size > 0)
        } finally {
          underWay.delete(walk)
        }
        return { counts, isOver }
      }),
    )
    const failed = steps.find((one) => one.status === 'rejected')
    try {
      await shards.write(shards.all(), nowUs)
      if (failed !== undefined) throw failed.reason
    } catch (error) {
      // Begun anew from what the backlog knows, after others had their turn.
      walks.delete(kind)
      for (const { tenant, rules } of walking)
        for (const { id } of rules) backlog.postpone(tenant, id, nowUs / 1000 + PAUSE_MS)
      throw error
    }
    const done = steps.map((one) => (one.status === 'fulfilled' ? one.value : undefined))
    walks.set(
      kind,
      walking.filter((_, index) => done[index]?.isOver === false),
    )
    return done.reduce((sum, one) => (one === undefined ? sum : plusCounts(sum, one.counts)), NOTHING_JUDGED)
  }

  async function prepareAndStep(walk: Walk, nowUs: number): Promise<JudgedCounts> {
    if (!walk.prepared) await prepare(walk, nowUs)
    return walk.rules.length === 0 ? NOTHING_JUDGED : step(walk, nowUs)
  }

  /** A walk for what waits longest; beside another one, for another baseline. */
  function begin(kind: Kind, nowUs: number, hurry: boolean, beside?: Walk): Walk | undefined {
    const today = dayOfUs(nowUs)
    const due = backlog
      .due(nowUs / 1000, hurry)
      .filter((entry) => kindOf(entry) === kind && entry.fromDay <= today)
      .filter((entry) => beside === undefined || !isOf(beside, entry))
    const [first] = due
    const rule = first && ruleOf(first)
    if (first === undefined || rule === undefined) return undefined
    const { tenant } = first
    // Ticks do without the rule until the work is done: then it gives way to nothing.
    const isBlocked = backlog.isBlocked(tenant, rule.id)
    const query = isBlocked ? options.urgentQuery : options.query
    const pause = isBlocked ? {} : { pause: options.afterTick }
    const group = groupOf(rule)
    // What failed is asked alone: the fault of one rule is not the others’.
    const rules =
      first.attempts > 0
        ? [rule]
        : due
            .filter((entry) => entry.tenant === tenant && entry.attempts === 0)
            .map(ruleOf)
            .filter((one): one is Rule => one !== undefined && groupOf(one) === group)
    const tickFrom = today - options.latenessDays - 2
    const throughDays = rules.map(({ id }) => backlog.get(tenant, id)?.throughDay ?? Number.POSITIVE_INFINITY)
    const throughDay = Math.max(...throughDays)
    const fromDay = Math.min(...rules.map(({ id }) => backlog.get(tenant, id)?.fromDay ?? today))
    for (const { id } of rules) backlog.mark(tenant, id)
    const profiles = createProfiles({
      keptDays: Math.max(PIECE_DAYS + 2, options.latenessDays + 4),
      lastDay: today,
      signal: options.signal,
      ...pause,
      ...(options.profileStore === undefined ? {} : { store: options.profileStore }),
    })
    return {
      ...{ tenant, group, rules, profiles, today, ...pause },
      source: rule.where === undefined ? { query } : { query, where: rule.where },
      days: [],
      tickFrom,
      // Days that ticks judge too need baselines that lead to the present.
      ...(throughDay < tickFrom ? { throughDay } : {}),
      day: fromDay,
      prepared: false,
      handedOver: false,
    }
  }

  function ruleOf({ rule }: BacklogEntry): Rule | undefined {
    return options.rulesNow().find(({ id }) => id === rule)
  }

  function isOf(walk: Walk, entry: BacklogEntry): boolean {
    const rule = ruleOf(entry)
    return walk.tenant === entry.tenant && rule !== undefined && groupOf(rule) === walk.group
  }

  /** Baselines that miss late calls are dropped, and the days with calls are read. */
  async function prepare(walk: Walk, nowUs: number): Promise<void> {
    const { tenant, group, profiles, source, day } = walk
    try {
      const trustThrough = trustedThrough(backlog, options.rulesNow(), tenant, group)
      if (Number.isFinite(trustThrough)) await profiles.forget(tenant, group, trustThrough + 1)
      walk.days = await readDays(source.query, tenant, day - 1)
      walk.prepared = true
    } catch (error) {
      // Their baseline is no other rule’s: others do not wait for it.
      await failAll(walk, error, nowUs)
    }
  }

  async function step(walk: Walk, nowUs: number): Promise<JudgedCounts> {
    if (!walk.handedOver && walk.throughDay === undefined && walk.day >= walk.tickFrom) {
      await handOver(walk, nowUs)
      return NOTHING_JUDGED
    }
    const piece = pieceOf(walk)
    const judged = piece === undefined ? NOTHING_JUDGED : await judge(walk, piece, nowUs)
    walk.day = piece?.toDay ?? lastDayOf(walk) + 1
    return judged
  }

  /** Stores in the backlog how far the walk has come; says whether it has ended. */
  function settle(walk: Walk, nowUs: number): boolean {
    const { tenant, rules, days, today, day } = walk
    const again = Math.min(
      ...rules.map(({ id }) => backlog.addedSince(tenant, id) ?? Number.POSITIVE_INFINITY),
    )
    const isDone = (walk.handedOver || walk.throughDay !== undefined) && day > lastDayOf(walk)
    // Calls came for a day that was read before they did: the walk begins anew there, later.
    const isOvertaken = again < day
    const toCome = days.find((one) => one.day > today)
    for (const { id: rule } of rules) {
      if (isDone) backlog.finish(tenant, rule)
      else backlog.advance(tenant, rule, day)
      if (!isDone && !isOvertaken && Number.isFinite(again)) backlog.mark(tenant, rule)
      if (isDone && toCome !== undefined) {
        const delayMs = startOfDay(toCome.day) - nowUs / 1000 + options.lateDelayMs
        backlog.add({ tenant, rule, fromDay: toCome.day, reason: 'late', nowMs: nowUs / 1000, delayMs })
      }
    }
    return isDone || isOvertaken || rules.length === 0
  }

  /** Baselines up to today, with everything that had arrived, for the ticks to come. */
  async function handOver(walk: Walk, nowUs: number): Promise<void> {
    const { tenant, group, profiles, source } = walk
    const [rule] = walk.rules
    if (rule === undefined) return
    walk.today = dayOfUs(nowUs)
    try {
      await profiles.asOf(rule, source, tenant, walk.today)
    } catch (error) {
      await failAll(walk, error, nowUs)
      return
    }
    await options.betweenTicks(async () => {
      options.profiles.adopt(tenant, group, profiles)
    })
    for (const other of options.rulesNow()) {
      if (groupOf(other) === group && backlog.addedSince(tenant, other.id) === undefined)
        backlog.refreshed(tenant, other.id)
    }
    // Days that had no calls when the walk began may have some now, judged by ticks with the baselines before these.
    walk.days = await readDays(source.query, tenant, walk.day - 1)
    walk.handedOver = true
  }

  /** The rule leaves the walk, and is asked again later. */
  async function fail(walk: Walk, rule: Rule, error: unknown, nowUs: number): Promise<void> {
    const { tenant, day } = walk
    await quarantine(options, { tenant, rule, fromDay: day, nowMs: nowUs / 1000 }, error)
    walk.rules = walk.rules.filter((other) => other !== rule)
  }

  async function failAll(walk: Walk, error: unknown, nowUs: number): Promise<void> {
    for (const rule of walk.rules) await fail(walk, rule, error, nowUs)
  }

  async function judge(walk: Walk, { days }: Piece, nowUs: number): Promise<JudgedCounts> {
    const { tenant, rules, handedOver } = walk
    let counts = NOTHING_JUDGED
    const work = publisher.beginSlowWork()
    try {
      const plans = rules.map((rule) => ({ rule, tenant, units: days.map((day) => ({ tenant, day })) }))
      const before = await findingsBefore(options.findings, tenant, plans)
      const onFailure = ({ rule, error }: { rule: Rule; error: unknown }) => fail(walk, rule, error, nowUs)
      const profiles = handedOver ? options.profiles : walk.profiles
      const how = { onFailure, signal: options.signal, ...(walk.pause && { pause: walk.pause }) }
      for await (const judgements of judgePlans(walk.source.query, profiles, plans, how)) {
        for (const [rule, ofRule] of Map.groupBy(judgements, (judgement) => judgement.rule)) {
          const occasion = backlog.get(tenant, rule.id)?.reason ?? 'late'
          const published = await publisher.publish({
            ...{ judgements: ofRule, before },
            ...{ occasion, atUs: nowUs, slowWork: work },
          })
          counts = plusCounts(counts, published)
        }
      }
    } finally {
      publisher.endSlowWork(work)
    }
    return counts
  }
}

interface Piece {
  readonly days: readonly number[]
  /** Exclusive: where the next piece begins. */
  readonly toDay: number
}

const lastDayOf = ({ throughDay, today }: Walk): number => throughDay ?? today

/** The next days of a walk that are judged together; undefined when none is left. */
function pieceOf(walk: Walk): Piece | undefined {
  const { rules, days, day, tickFrom, handedOver } = walk
  const leadsToTheEnd = handedOver || walk.throughDay !== undefined
  const end = leadsToTheEnd ? lastDayOf(walk) + 1 : tickFrom
  const callsOf = new Map(days.map((one) => [one.day, one.calls]))
  const all = daysTouchedBy(rules, [...callsOf.keys()]).filter((one) => one >= day && one < end)
  if (all.length === 0) return leadsToTheEnd ? undefined : { days: [], toDay: tickFrom }
  const taken: number[] = []
  let calls = 0
  for (const one of all) {
    calls += callsOf.get(one) ?? 0
    if (taken.length > 0 && (calls > PIECE_CALLS || one - (taken[0] ?? one) >= PIECE_DAYS)) break
    taken.push(one)
  }
  const next = all[taken.length]
  return { days: taken, toDay: next ?? end }
}
