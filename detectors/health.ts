import { fromMillis } from '../core/timestamp.ts'
import type { Backlog, BacklogReason } from './backlog.ts'
import { inWords, OVERFLOW_DAYS } from './cardinality.ts'
import type { BaselineOverflow } from './profiles.ts'
import type { ShardProgress } from './progress.ts'
import { startOfDay } from './utc-day.ts'

/** What is wrong with detection, in words for people. */
export interface HealthReason {
  /** Short and fixed; safe as a label of a metric. */
  readonly code:
    | 'rule_quarantined'
    | 'baseline_learning'
    | 'baseline_overflow'
    | 'arrivals_forgotten'
    | 'behind'
  readonly what: string
  /** Milliseconds of the store’s clock. */
  readonly sinceMs: number
  readonly detail: string
}

/** Work of the backfill for one tenant. */
export interface BackfillState {
  readonly tenant: string
  readonly reason: BacklogReason
  readonly rules: readonly string[]
  /** UTC days since 1970-01-01: where the work began, where it is, and the last day. */
  readonly firstDay: number
  readonly atDay: number
  readonly throughDay: number
}

/** How detection is, as of the last tick. */
export interface DetectionHealth {
  readonly state: 'ok' | 'degraded'
  readonly reasons: readonly HealthReason[]
  /** The shards of this process. */
  readonly shards: readonly number[]
  /** Arrivals are judged up to here, microseconds of the store’s clock; undefined before the first tick. */
  readonly throughUs: number | undefined
  readonly nowUs: number
  readonly backfills: readonly BackfillState[]
  readonly overflows: readonly BaselineOverflow[]
}

export interface HealthOptions {
  readonly backlog: Backlog
  /** What is beyond the limits of baselines. */
  readonly overflows: readonly BaselineOverflow[]
  readonly shards: readonly ShardProgress[]
  readonly nowUs: number
  readonly today: number
}

/** What was noticed is said for at least so long, however soon it is mended. */
const SAID_FOR_US = 600_000_000

/** Detection is behind when what arrived so long ago is not judged yet. */
const BEHIND_US = 60_000_000

/** Entries with these reasons may hold days that arrivals were forgotten of. */
const MENDED_BY: ReadonlySet<BacklogReason> = new Set(['away', 'learning', 'failed'])

export function healthOf({ backlog, overflows: all, shards, nowUs, today }: HealthOptions): DetectionHealth {
  const through = shards.map(({ throughUs }) => throughUs ?? nowUs)
  const throughUs = through.length === 0 ? undefined : Math.min(...through)
  const overflows = all.filter(({ overflow }) => today - overflow.lastDay <= OVERFLOW_DAYS)
  const reasons: HealthReason[] = overflows.map(reasonOf)
  const away = shards.map((shard) => shard.away).filter((one) => one !== undefined)
  const isBeingJudged = backlog.all().some(({ reason }) => MENDED_BY.has(reason))
  const [longest] = away
    .filter(({ noticedUs }) => isBeingJudged || nowUs - noticedUs < SAID_FOR_US)
    .sort((a, b) => a.afterUs - b.afterUs)
  if (longest !== undefined) {
    const [from, through] = [longest.afterUs, longest.throughUs].map((us) =>
      fromMillis(Math.floor(us / 1000)),
    )
    reasons.push({
      code: 'arrivals_forgotten',
      what: 'arrivals',
      sinceMs: Math.floor(longest.afterUs / 1000),
      detail: `Detection was away for longer than the store remembers what arrived. The ${longest.calls.toLocaleString('en-US')} calls that were recorded between ${from} and ${through} are judged by the backfill; it tells of those only that detect.notify_within_hours allows.`,
    })
  }
  for (const { tenant, rule, reason, sinceMs, error, attempts } of backlog.all()) {
    if (reason !== 'failed') continue
    reasons.push({
      code: 'rule_quarantined',
      what: `rule ${rule}, tenant ${tenant}`,
      sinceMs,
      detail: `Its question failed ${attempts} times and is asked again: ${error ?? ''}`,
    })
  }
  reasons.push(...learningOf(backlog))
  if (throughUs !== undefined && nowUs - throughUs > BEHIND_US) {
    const seconds = Math.round((nowUs - throughUs) / 1e6)
    reasons.push({
      code: 'behind',
      what: 'arrivals',
      sinceMs: Math.floor(throughUs / 1000),
      detail: `What arrived in the last ${seconds} s is not judged yet. Detection catches up slice by slice.`,
    })
  }
  return {
    state: reasons.length === 0 ? 'ok' : 'degraded',
    reasons,
    shards: shards.map(({ owned }) => owned.shard),
    throughUs,
    nowUs,
    backfills: backfillsOf(backlog, today),
    overflows,
  }
}

/** A tenant’s rules learn together, from the same calls: one reason for all of them. */
function learningOf(backlog: Backlog): HealthReason[] {
  const learning = backlog.all().filter(({ reason }) => reason === 'learning')
  return [...Map.groupBy(learning, ({ tenant }) => tenant)].map(([tenant, entries]) => {
    const rules = entries.map(({ rule }) => rule).sort()
    return {
      code: 'baseline_learning',
      what: `baselines, tenant ${tenant}`,
      sinceMs: Math.min(...entries.map(({ sinceMs }) => sinceMs)),
      detail: `${rules.length === 1 ? 'A rule judges' : `${rules.length} rules judge`} when the baselines are there: ${rules.join(', ')}.`,
    }
  })
}

function reasonOf({ tenant, rules, overflow }: BaselineOverflow): HealthReason {
  const [first] = rules
  const beyond = `${overflow.keys.toLocaleString('en-US')} ${overflow.what}`
  return {
    code: 'baseline_overflow',
    what: `limit ${overflow.limit} (${overflow.what}), tenant ${tenant}, ${rules.length === 1 ? 'rule' : 'rules'} ${rules.map(({ id }) => id).join(', ')}`,
    sinceMs: startOfDay(overflow.firstDay),
    detail: `A day had ${first === undefined ? 'more than fit' : inWords(overflow, first.question.limits)}. At least ${beyond} with ${overflow.calls.toLocaleString('en-US')} calls have no baseline of their own: they count as new, and all others are judged as before.`,
  }
}

function backfillsOf(backlog: Backlog, today: number): BackfillState[] {
  const groups = Map.groupBy(backlog.all(), ({ tenant, reason, fromDay, firstDay }) =>
    JSON.stringify([tenant, reason, firstDay, fromDay]),
  )
  return [...groups.values()].flatMap((entries) => {
    const [first] = entries
    if (first === undefined) return []
    const { tenant, reason, firstDay, fromDay } = first
    return [
      {
        ...{ tenant, reason, firstDay },
        rules: entries.map(({ rule }) => rule).sort(),
        atDay: fromDay,
        throughDay: Math.max(today, fromDay),
      },
    ]
  })
}
