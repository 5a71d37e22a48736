import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Fence } from '../../core/fence.ts'
import type { FindingChange } from '../../core/finding.ts'
import type { HealthCheck } from '../../core/health.ts'
import { createEngine } from '../../detectors/engine.ts'
import { createSoleOwnership, type OwnedShard, type ShardOwnership } from '../../detectors/ownership.ts'
import { supersedeRetired } from '../../detectors/retired-rules.ts'
import type { ParsedRules } from '../../detectors/rule.ts'
import { type Schedule, startSchedule } from '../../detectors/schedule.ts'
import { createBackfills } from '../../store/backfills.ts'
import { type Database, untilStopped } from '../../store/database.ts'
import { createFindings } from '../../store/findings.ts'
import { createProfileStore } from '../../store/profiles.ts'
import { createWatermarks } from '../../store/watermarks.ts'
import type { Config } from '../config/config.ts'
import { type Part, STOPPING } from '../lifecycle.ts'
import type { Alerting } from './alerting.ts'
import { createDetectMetrics } from './detect-metrics.ts'
import type { DetectionHealth, DetectionTrouble } from './operational-checks/detection.ts'

export interface DetectOptions {
  readonly config: Config
  readonly rules: ParsedRules
  readonly database: Database
  readonly alerting: Pick<Alerting, 'pipeline'>
  /** Which shards this process judges. Default: all. */
  readonly ownership?: ShardOwnership
  /** What the store refuses writes about these shards behind; absent where nobody else may own one. */
  readonly fenceOf?: ((owned: readonly OwnedShard[]) => Fence) | undefined
  readonly logger: Logger
  readonly registry: Registry
}

export interface DetectPart extends Part {
  /** Judges all that there is now, whatever may wait: for a start that shows findings at once. */
  judgeAll(): Promise<void>
  /** One tick now, beside the scheduled ones: what arrived so far is judged when it resolves. */
  tick(): Promise<void>
  /** How detection is here. `judged`: the shards that this is about, after their first tick. */
  health(): DetectionHealth & { readonly judged: readonly number[] }
  /** The check `detection` of `/readyz`. */
  readonly check: HealthCheck
}

/** A tick that takes longer than this is said to hang. */
const HANGS_MS = 60_000

/** Baselines of so many last days are kept, and of the Mondays of so many weeks. */
const KEPT_BASELINE_DAYS = 8
const KEPT_BASELINE_WEEKS = 60
const THIN_EVERY_MS = 6 * 3_600_000

/** The part that judges what arrives and hands what it finds to the alerts. Refused rules are logged and left out. */
export function createDetectPart({
  config,
  rules: { rules, errors },
  database,
  alerting,
  ownership,
  fenceOf,
  logger,
  registry,
}: DetectOptions): DetectPart {
  for (const error of errors)
    logger.error({ rule: error.place.at, remedy: error.place.remedy }, error.toLine())
  const stopping = new AbortController()
  const asked = untilStopped(database, 'detect', stopping.signal)
  const profiles = createProfileStore(asked)
  const findings = createFindings(asked, fenceOf)
  const onFindings = async (changes: readonly FindingChange[], owned?: readonly OwnedShard[]) => {
    await alerting.pipeline.handle(changes, owned && fenceOf?.(owned))
  }
  const engine = createEngine({
    query: (sql, params) => asked.query(sql, params),
    backfillQuery: (sql, params) => asked.queryForPeople(sql, params),
    findings,
    watermarks: createWatermarks(asked),
    profiles,
    requests: createBackfills(asked),
    signal: stopping.signal,
    ...(ownership === undefined ? {} : { ownership }),
    rules,
    settleMs: config.detect.settleMs,
    latenessDays: config.detect.latenessDays,
    onFindings,
  })
  // A refused rule is not a removed one: as long as there is one, nobody knows which are gone.
  let retired = errors.length > 0
  const tick = async () => {
    if (!retired) retired = await supersedeRetired({ findings, rules: rules.map(({ id }) => id), onFindings })
    return engine.tick()
  }
  let schedule: Schedule | undefined
  let thinning: NodeJS.Timeout | undefined
  const health = () => {
    const { throughUs, shards, nowUs, reasons } = engine.health()
    const isWhole = throughUs !== undefined && shards.length === (ownership ?? createSoleOwnership()).shards
    const judged = throughUs === undefined ? [] : shards
    return { ...withSchedule({ nowUs, reasons }, schedule), isWhole, judged }
  }
  const metrics = createDetectMetrics(registry, () => engine.health())
  const thin = () => {
    const today = Math.floor(engine.health().nowUs / 86_400e6)
    if (today === 0) return
    profiles.thin(today, KEPT_BASELINE_DAYS, KEPT_BASELINE_WEEKS).catch((error: unknown) => {
      logger.warn({ reason: String(error) }, 'old baselines were not dropped; tried again in six hours')
    })
  }
  return {
    name: 'detect',
    tick: async () => {
      await tick()
    },
    judgeAll: async () => {
      await engine.drain()
    },
    health,
    check: () =>
      health().reasons.map(({ code, what, detail }) => ({
        ...{ state: 'degraded', reason: code },
        detail: `${what}: ${detail}`,
      })),
    start: async () => {
      schedule = startSchedule({
        engine: { tick, backfill: engine.backfill },
        expression: config.detect.every,
        backfillShare: config.detect.backfillShare,
        signal: stopping.signal,
        onTick: (report, durationMs) => {
          metrics.tick(report, durationMs)
          if (report.lateRows > 0)
            logger.info(
              { calls: report.lateRows },
              'calls arrived later than lateness_days; the backfill judges them',
            )
          tell(report, durationMs, 'findings')
        },
        onBackfill: (report, durationMs) => {
          metrics.backfill(report)
          tell(report, durationMs, 'findings of the backfill')
        },
        onTrouble: (lane, message) => {
          if (message === undefined) logger.info({ lane }, 'detection works again')
          else logger.error({ lane, reason: message }, 'detection failed; the next try repeats it')
        },
      })
      thinning = setInterval(thin, THIN_EVERY_MS)
    },
    stop: async () => {
      clearInterval(thinning)
      stopping.abort(STOPPING)
      await schedule?.stop()
    },
  }

  function tell(
    { findings, superseded }: { readonly findings: number; readonly superseded: number },
    durationMs: number,
    message: string,
  ): void {
    if (findings + superseded > 0) logger.info({ findings, superseded, ms: Math.round(durationMs) }, message)
  }
}

/** What the engine says, and what only its schedule can know: a tick that fails or does not end. */
function withSchedule(
  { nowUs, reasons }: { readonly nowUs: number; readonly reasons: readonly DetectionTrouble[] },
  schedule: Schedule | undefined,
): Pick<DetectionHealth, 'state' | 'reasons'> {
  const all = [...reasons]
  const sinceMs = Math.floor(nowUs / 1000)
  for (const lane of ['tick', 'backfill'] as const) {
    const message = schedule?.trouble(lane)
    if (message !== undefined) all.push({ code: `${lane}_failing`, what: lane, sinceMs, detail: message })
  }
  const runsForMs = schedule?.tickRunsForMs() ?? 0
  if (runsForMs > HANGS_MS) {
    const detail = `The running tick has taken ${Math.round(runsForMs / 1000)} s.`
    all.push({ code: 'tick_hanging', what: 'tick', sinceMs, detail })
  }
  return { state: all.length === 0 ? 'ok' : 'degraded', reasons: all }
}
