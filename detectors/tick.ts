import { messageOf } from '../core/errors.ts'
import { dayOfUs, type LateDay, readSlice, readWaiting, type Slice } from './arrivals.ts'
import type { Backlog } from './backlog.ts'
import { type CurrentFindings, findingsBefore } from './changes.ts'
import type { Query, Source, Touched } from './detector.ts'
import { judgePlans } from './judgement.ts'
import type { OwnedShards, ShardGroup } from './owned-shards.ts'
import { planTouched, type RulePlan } from './plan.ts'
import { groupOf, type Profiles } from './profiles.ts'
import type { Publisher } from './publisher.ts'
import { type JudgedCounts, NOTHING_JUDGED, plusCounts, type TickReport } from './reports.ts'
import type { Rule } from './rule.ts'
import { dayOf, startOfDay } from './utc-day.ts'

export interface TickOptions {
  readonly query: Query
  readonly findings: CurrentFindings
  readonly backlog: Backlog
  readonly profiles: Profiles
  readonly publisher: Publisher
  readonly shards: OwnedShards
  readonly settleMs: number
  readonly latenessDays: number
  readonly tickBudgetMs: number
  readonly lateDelayMs: number
  /** A tenant with more waiting calls of days before today is the backfill’s. */
  readonly catchUpRows: number
  /** Ends the tick between two readings and two days. */
  readonly signal?: AbortSignal | undefined
  /** Told the store’s clock of each slice, microseconds. */
  readonly onClock: (us: number) => void
}

/** A slice grows and shrinks between these, so that it takes a fraction of the budget. */
const FEWEST_ROWS = 10_000
const MOST_ROWS = 1_000_000

/** A baseline that is so many days behind is brought up within the tick; one further behind is the backfill’s work. */
const NEAR_DAYS = 3

/** An idle engine writes its watermark this often only. */
const IDLE_WRITE_US = 60_000_000

/**
 * Work of a tick: slice after slice of what arrived, until nothing waits or the budget is used up. A call that is late
 * changes the baselines of later days: those days wait for the backfill, and the tick goes on with the baselines it has.
 */
export function createTick(options: TickOptions): () => Promise<TickReport> {
  const { query, shards, publisher } = options
  let sliceRows = 100_000

  return async () => {
    const beganMs = performance.now()
    await shards.refresh()
    let total = NOTHING
    for (;;) {
      const group = shards.furthestBehind()
      if (group === undefined) return total
      const sliceMs = performance.now()
      const slice = await readSlice(query, readThroughOf(group), {
        ...options,
        rows: sliceRows,
        ...(group.untilUs === undefined ? {} : { untilUs: group.untilUs }),
      })
      options.onClock(slice.nowUs)
      await shards.noticeRules(group.members, slice.nowUs / 1000)
      await shards.noticeForgotten(group.members, readThroughOf(group)?.throughUs, slice.nowUs)
      const asked = await shards.takeRequests(group.members, slice.nowUs / 1000)
      await leaveToBackfill(options, group, slice)
      total = plus(total, slice, await judgeSlice(options, group, slice))
      await move(shards, group, slice, asked)
      const tookMs = performance.now() - sliceMs
      if (tookMs > options.tickBudgetMs / 2) sliceRows = Math.max(FEWEST_ROWS, sliceRows / 2)
      else if (tookMs < options.tickBudgetMs / 8) sliceRows = Math.min(MOST_ROWS, sliceRows * 2)
      const spentMs = performance.now() - beganMs
      if (spentMs > options.tickBudgetMs) return total
      if (slice.waiting === 0 && group.untilUs === undefined) return total
    }
  }

  async function move(of: OwnedShards, { members }: ShardGroup, slice: Slice, asked: boolean): Promise<void> {
    const [first] = members
    // Who asked waits for every shard to say that it has heard, also those without a rule of theirs.
    const idle =
      !asked &&
      slice.rows === 0 &&
      publisher.version() === first?.findingsVersion &&
      options.backlog.all().length === 0
    for (const member of members) {
      member.throughUs = slice.throughUs
      member.overlapRows = slice.overlapRows
      member.overlapLateRows = slice.overlapLateRows
    }
    if (!idle || slice.nowUs - (first?.writtenUs ?? 0) >= IDLE_WRITE_US) await of.write(members, slice.nowUs)
  }
}

const NOTHING: TickReport = { ...NOTHING_JUDGED, rows: 0, lateRows: 0, waiting: 0, recordedThroughUs: 0 }

const plus = (total: TickReport, slice: Slice, judged: JudgedCounts): TickReport => ({
  ...plusCounts(total, judged),
  rows: total.rows + slice.rows,
  lateRows: total.lateRows + slice.lateRows,
  waiting: slice.waiting,
  recordedThroughUs: slice.throughUs,
})

function readThroughOf({ members: [first] }: ShardGroup) {
  return first?.throughUs === undefined
    ? undefined
    : {
        ...{ throughUs: first.throughUs, overlapRows: first.overlapRows },
        ...(first.overlapLateRows === undefined ? {} : { overlapLateRows: first.overlapLateRows }),
      }
}

/**
 * So many calls of earlier days change the baselines of every day after them: slices would judge each day many times,
 * with baselines that do not hold. The backfill judges each day once; ticks go on for other tenants, and for this one
 * when the baselines have reached today.
 */
async function leaveToBackfill(
  { query, backlog, shards, catchUpRows }: TickOptions,
  group: ShardGroup,
  slice: Slice,
): Promise<void> {
  const [first] = group.members
  if (slice.rows + slice.waiting <= catchUpRows || first?.throughUs === undefined) return
  const nowMs = slice.nowUs / 1000
  const earlier = (await readWaiting(query, first.throughUs)).filter(({ day }) => day < dayOf(nowMs))
  for (const [tenant, days] of Map.groupBy(earlier, (row) => row.tenant)) {
    if (days.reduce((sum, { rows }) => sum + rows, 0) <= catchUpRows) continue
    // A unit of the day before may hold a call too.
    const day = days[0]?.day ?? dayOf(nowMs)
    for (const { id: rule } of shards.rulesOf(tenant, group.members)) {
      if (backlog.isBlocked(tenant, rule)) continue
      backlog.add({ tenant, rule, fromDay: day - 1, staleFrom: day + 1, reason: 'learning', nowMs })
    }
  }
}

async function judgeSlice(options: TickOptions, group: ShardGroup, slice: Slice): Promise<JudgedCounts> {
  let counts = NOTHING_JUDGED
  const nowMs = slice.nowUs / 1000
  for (const late of slice.late) addOld(options, group, late, nowMs)
  try {
    for (const [tenant, touched] of Map.groupBy(slice.touched, (row) => row.tenant)) {
      const plans = await plansOf(options, group, tenant, touched, nowMs)
      await options.publisher.beginTick(plans)
      const before = await findingsBefore(options.findings, tenant, plans)
      const onFailure = ({
        rule,
        units,
        error,
      }: {
        rule: Rule
        units: readonly { day: number }[]
        error: unknown
      }) =>
        quarantine(options, { tenant, rule, fromDay: units[0]?.day ?? dayOfUs(slice.nowUs), nowMs }, error)
      const judging = { onFailure, signal: options.signal }
      for await (const judgements of judgePlans(options.query, options.profiles, plans, judging)) {
        const published = await options.publisher.publish({
          ...{ judgements, before },
          ...{ occasion: 'tick', atUs: slice.throughUs },
        })
        counts = plusCounts(counts, published)
      }
    }
  } finally {
    options.publisher.endTick()
  }
  return counts
}

/**
 * A rule whose question failed is asked again later, and the others go on.
 * @throws GatewatchError when the store does not answer at all: then the whole tick is repeated; or when work is to end
 */
export async function quarantine(
  { query, backlog, signal }: Pick<TickOptions, 'query' | 'backlog' | 'signal'>,
  of: { readonly tenant: string; readonly rule: Rule; readonly fromDay: number; readonly nowMs: number },
  error: unknown,
): Promise<void> {
  signal?.throwIfAborted()
  await query('SELECT 1')
  backlog.fail({ ...of, rule: of.rule.id }, messageOf(error))
}

/** What the tick judges now; the rest is put on the backlog. */
async function plansOf(
  options: TickOptions,
  { members }: ShardGroup,
  tenant: string,
  touched: readonly Touched[],
  nowMs: number,
): Promise<RulePlan[]> {
  const { backlog, shards } = options
  const rules = shards.rulesOf(tenant, members)
  const today = dayOf(nowMs)
  addLate(options, rules, tenant, touched, nowMs)
  const plans: RulePlan[] = []
  const near = createNearness(options)
  for (const plan of planTouched(rules, tenant, touched, today)) {
    const { rule, units } = plan
    let ready = units.length
    if (backlog.isBlocked(tenant, rule.id)) ready = 0
    else {
      try {
        const far = await firstIndex(units, async ({ day }) => !(await near(rule, tenant, day)))
        if (far >= 0) ready = far
      } catch (error) {
        // The baseline of one rule cannot be read: others go on.
        await quarantine(options, { tenant, rule, fromDay: units[0]?.day ?? today, nowMs }, error)
        ready = 0
      }
    }
    const left = units[ready]
    if (left !== undefined)
      backlog.add({ tenant, rule: rule.id, fromDay: left.day, reason: 'learning', nowMs })
    if (ready > 0) plans.push({ ...plan, units: units.slice(0, ready) })
  }
  return plans
}

async function firstIndex<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<number> {
  for (const [index, item] of items.entries()) if (await test(item)) return index
  return -1
}

function createNearness({ query, profiles, backlog, shards }: TickOptions) {
  const known = new Map<string, boolean>()
  return async (rule: Rule, tenant: string, day: number): Promise<boolean> => {
    const name = JSON.stringify([groupOf(rule), tenant, day])
    const before = known.get(name)
    if (before !== undefined) return before
    const source: Source = rule.where === undefined ? { query } : { query, where: rule.where }
    const isNear = await profiles.isNear(rule, source, tenant, day, {
      days: NEAR_DAYS,
      trustThrough: trustedThrough(backlog, shards.rulesOf(tenant, shards.all()), tenant, groupOf(rule)),
    })
    known.set(name, isNear)
    return isNear
  }
}

/** Baselines as of later days, kept in the store, miss what arrived late. */
export function trustedThrough(
  backlog: Backlog,
  rules: readonly Rule[],
  tenant: string,
  group: string,
): number {
  return rules
    .filter((rule) => groupOf(rule) === group)
    .reduce(
      (least, rule) =>
        Math.min(least, (backlog.get(tenant, rule.id)?.staleFrom ?? Number.POSITIVE_INFINITY) - 1),
      Number.POSITIVE_INFINITY,
    )
}

/** Calls of earlier days change the baselines of the days after them; calls of days to come are judged then. */
function addLate(
  { backlog, lateDelayMs }: TickOptions,
  rules: readonly Rule[],
  tenant: string,
  touched: readonly Touched[],
  nowMs: number,
): void {
  const today = dayOf(nowMs)
  const days = new Set(touched.map(({ bucketMs }) => dayOf(bucketMs)))
  const earliest = Math.min(...days)
  for (const { id: rule } of rules) {
    if (earliest < today) {
      const fromDay = earliest + 1
      backlog.add({ tenant, rule, fromDay, staleFrom: fromDay, reason: 'late', nowMs, delayMs: lateDelayMs })
    }
    for (const day of days) {
      if (day <= today) continue
      const delayMs = startOfDay(day) - nowMs + lateDelayMs
      backlog.add({ tenant, rule, fromDay: day, reason: 'late', nowMs, delayMs })
    }
  }
}

/** Calls that are later than the allowed lateness: their own day waits too. */
function addOld(
  { backlog, shards, lateDelayMs }: TickOptions,
  { members }: ShardGroup,
  { tenant, day }: LateDay,
  nowMs: number,
): void {
  for (const { id: rule } of shards.rulesOf(tenant, members)) {
    // A unit of the day before may hold the call too.
    backlog.add({
      ...{ tenant, rule, fromDay: day - 1, staleFrom: day + 1, reason: 'old' },
      ...{ nowMs, delayMs: lateDelayMs },
    })
  }
}
