import type { Finding, FindingChange } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import { readArrivals } from './arrivals.ts'
import type { Query } from './detector.ts'
import { type Judgement, judgePlans, subjectOf } from './judgement.ts'
import { everyDay, planTick, type RulePlan } from './plan.ts'
import { createProfiles } from './profiles.ts'
import type { Rule } from './rule.ts'
import { isoDay } from './utc-day.ts'

/** Where findings are kept (`store/findings.ts`). */
export interface FindingStore {
  /** Current findings of the days `fromDay` to `throughDay` (`YYYY-MM-DD`, first part of their subjects). */
  currentOfDays(of: {
    readonly tenant: string
    readonly rules: readonly string[]
    readonly fromDay: string
    readonly throughDay: string
  }): Promise<Finding[]>
  /** Stores what changed. `version` grows from tick to tick; the same again changes nothing. */
  write(changes: readonly FindingChange[], version: number): Promise<void>
  /** Rows written with a greater version: those of a tick that did not reach its watermark. */
  writtenAfter(version: number, rules: readonly string[]): Promise<FindingChange[]>
}

/** How far the engine has come. `body` is the engine's own; the store keeps it. */
export interface Watermark {
  /** Microseconds of the store’s clock. */
  readonly recordedThroughUs: number
  readonly version: number
  readonly body: string
}

/** Where watermarks are kept (`store/watermarks.ts`). */
export interface WatermarkStore {
  read(name: string): Promise<Watermark | undefined>
  write(name: string, watermark: Watermark): Promise<void>
}

export interface EngineOptions {
  readonly query: Query
  readonly findings: FindingStore
  readonly watermarks: WatermarkStore
  readonly rules: readonly Rule[]
  /** Called before the watermark moves; must be durable when it resolves, and idempotent. */
  readonly onFindings: (changes: readonly FindingChange[]) => Promise<void>
  /** Inserts are expected to be visible after this long; later ones are noticed too, at a price. */
  readonly settleMs: number
  /** Each engine that runs at the same time over other rules has its own name. */
  readonly name?: string
}

export interface TickReport {
  readonly touchedRows: number
  readonly judgedUnits: number
  readonly findings: number
  readonly superseded: number
  readonly recordedThroughUs: number
}

export interface Engine {
  /** Judges everything that arrived since the last tick. Ticks never overlap: a second call waits for the first. */
  tick(): Promise<TickReport>
  /** Replaces the rules from the next tick on; rules that are new or changed look over the whole past once. */
  setRules(rules: readonly Rule[]): void
}

interface WatermarkBody {
  readonly overlapRows: number
  /** Rule id → hash of what it was when it last saw everything. */
  readonly rules: Readonly<Record<string, string>>
}

/** An idle engine writes its watermark this often only. */
const IDLE_WRITE_US = 60_000_000

/** Changes that are written together, at least, while a tick goes on. */
const CHANGES_AT_ONCE = 500

/** What a new rule finds in the past is news only when it is not older than this. */
const NEWS_MS = 86_400_000

/**
 * The engine: arrivals → units → judgements → findings → alerts → watermark. A crash anywhere before the watermark
 * repeats the tick, which then finds the same. Findings that were stored by a tick whose watermark was not are
 * handed to `onFindings` again by the first tick of the next process.
 */
export function createEngine(options: EngineOptions): Engine {
  const { query, findings, watermarks, onFindings, settleMs } = options
  const name = `detect:${options.name ?? 'default'}`
  const profiles = createProfiles()
  const latestDays = new Map<string, number>()
  let rules = options.rules
  let resumed = false
  let running: Promise<unknown> = Promise.resolve()

  async function tick(): Promise<TickReport> {
    const watermark = await watermarks.read(name)
    const body = parseBody(watermark)
    if (!resumed) {
      const unfinished = await findings.writtenAfter(
        watermark?.version ?? 0,
        rules.map((rule) => rule.id),
      )
      if (unfinished.length > 0) await onFindings(unfinished)
    }
    // Without a watermark every rule looks over the whole store anyway.
    const read = await readArrivals(
      query,
      settleMs,
      watermark && { throughUs: watermark.recordedThroughUs, overlapRows: body.overlapRows },
    )
    const recordedThroughUs = read.throughUs
    const known = rules.filter((rule) => body.rules[rule.id] === rule.hash)
    const fresh = rules.filter((rule) => body.rules[rule.id] !== rule.hash)
    if (!resumed || fresh.length > 0) {
      for (const { tenant, lastDay } of await everyDay(query)) {
        latestDays.set(tenant, Math.max(lastDay, latestDays.get(tenant) ?? lastDay))
      }
    }
    for (const { tenant, day } of planTick.touchedDays(read.touched)) {
      profiles.forget(tenant, day)
      latestDays.set(tenant, Math.max(day, latestDays.get(tenant) ?? day))
    }
    const plans = [
      ...planTick.touched(known, read.touched, latestDays),
      ...(fresh.length > 0 ? planTick.everything(fresh, await everyDay(query)) : []),
    ]
    const version = Math.max(recordedThroughUs, (watermark?.version ?? 0) + 1)
    const lookingBack = new Set(fresh.map((rule) => rule.id))
    const newsFrom = fromMillis(Math.floor(recordedThroughUs / 1000) - NEWS_MS)
    const isHistory = ({ rule, window }: Finding) => lookingBack.has(rule) && window.end < newsFrom
    const report = await judgeAll(plans, version, isHistory)
    const seen = Object.fromEntries(rules.map((rule) => [rule.id, rule.hash]))
    const next: WatermarkBody = { overlapRows: read.overlapRows, rules: seen }
    const idle = read.touched.length === 0 && fresh.length === 0
    if (!idle || recordedThroughUs - (watermark?.recordedThroughUs ?? 0) >= IDLE_WRITE_US) {
      await watermarks.write(name, { recordedThroughUs, version, body: JSON.stringify(next) })
    }
    resumed = true
    return { ...report, touchedRows: read.touched.length, recordedThroughUs }
  }

  async function judgeAll(
    plans: readonly RulePlan[],
    version: number,
    isHistory: (finding: Finding) => boolean,
  ) {
    const counts = { judgedUnits: 0, findings: 0, superseded: 0 }
    let changes: FindingChange[] = []
    const write = async () => {
      if (changes.length === 0) return
      await findings.write(changes, version)
      await onFindings(changes)
      const current = changes.filter(({ status }) => status === 'current').length
      counts.findings += current
      counts.superseded += changes.length - current
      changes = []
    }
    for (const [tenant, ofTenant] of Map.groupBy(plans, (plan) => plan.tenant)) {
      const stored = await storedOf(tenant, ofTenant)
      for await (const judgements of judgePlans(query, profiles, ofTenant)) {
        counts.judgedUnits += judgements.length
        for (const judgement of judgements) {
          const before = stored.get(placeOf(judgement.rule.id, isoDay(judgement.unit.day))) ?? []
          for (const change of changesOf(judgement, before))
            changes.push(isHistory(change.finding) ? { ...change, history: true } : change)
        }
        if (changes.length >= CHANGES_AT_ONCE) await write()
      }
      await write()
    }
    return counts
  }

  /** The findings that the store has of the days about to be judged, by rule and day. */
  async function storedOf(tenant: string, plans: readonly RulePlan[]): Promise<Map<string, Finding[]>> {
    const days = plans.flatMap(({ units }) => units.map(({ day }) => day))
    if (days.length === 0) return new Map()
    const stored = await findings.currentOfDays({
      tenant,
      rules: plans.map(({ rule }) => rule.id),
      fromDay: isoDay(days.reduce((least, day) => Math.min(least, day))),
      throughDay: isoDay(days.reduce((most, day) => Math.max(most, day))),
    })
    return Map.groupBy(stored, ({ rule, subject }) => placeOf(rule, subject.slice(0, subject.indexOf('/'))))
  }

  return {
    tick: () => {
      const next = running.then(tick, tick)
      running = next.catch(() => undefined)
      return next
    },
    setRules: (replacement) => {
      rules = replacement
    },
  }
}

/** What is new in a judgement against the findings that the store has of its rule and day. */
function changesOf({ unit, findings: made }: Judgement, stored: readonly Finding[]): FindingChange[] {
  const storedById = new Map(stored.map((finding) => [finding.finding_id, finding]))
  const changes: FindingChange[] = []
  for (const finding of made) {
    const before = storedById.get(finding.finding_id)
    if (before === undefined || !sameContent(before, finding)) changes.push({ finding, status: 'current' })
    storedById.delete(finding.finding_id)
  }
  const prefix = subjectOf(unit.day, '')
  for (const finding of storedById.values()) {
    if (unit.keys === undefined || unit.keys.has(finding.subject.slice(prefix.length)))
      changes.push({ finding, status: 'superseded' })
  }
  return changes
}

const placeOf = (rule: string, day: string): string => `${rule}/${day}`

function parseBody(watermark: Watermark | undefined): WatermarkBody {
  if (watermark === undefined) return { overlapRows: 0, rules: {} }
  const body: Partial<WatermarkBody> = JSON.parse(watermark.body)
  return { overlapRows: body.overlapRows ?? 0, rules: body.rules ?? {} }
}

/** Both sides are built in the same key order, so their JSON texts are equal exactly when they are. */
const sameContent = (a: Finding, b: Finding): boolean => canonical(a) === canonical(b)

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
