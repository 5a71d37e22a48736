import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { FindingChange } from '../../core/finding.ts'
import { createEngine } from '../../detectors/engine.ts'
import { supersedeRetired } from '../../detectors/retired-rules.ts'
import type { ParsedRules } from '../../detectors/rule.ts'
import { type Schedule, startSchedule } from '../../detectors/schedule.ts'
import type { Database } from '../../store/database.ts'
import { createFindings } from '../../store/findings.ts'
import { createWatermarks } from '../../store/watermarks.ts'
import type { Config } from '../config/config.ts'
import type { Part } from '../lifecycle.ts'
import type { Alerting } from './alerting.ts'

export interface DetectOptions {
  readonly config: Config
  readonly rules: ParsedRules
  readonly database: Database
  readonly alerting: Pick<Alerting, 'pipeline'>
  readonly logger: Logger
  readonly registry: Registry
}

export interface DetectPart extends Part {
  /** One tick now, beside the scheduled ones: what arrived so far is judged when it resolves. */
  tick(): Promise<void>
}

/** The part that judges what arrives and hands what it finds to the alerts. Refused rules are logged and left out. */
export function createDetectPart({
  config,
  rules: { rules, errors },
  database,
  alerting,
  logger,
  registry,
}: DetectOptions): DetectPart {
  for (const error of errors)
    logger.error({ rule: error.place.at, remedy: error.place.remedy }, error.toLine())
  const metrics = {
    ticks: new Counter({
      name: 'gatewatch_detect_ticks_total',
      help: 'Ticks that ended well',
      registers: [registry],
    }),
    seconds: new Gauge({
      name: 'gatewatch_detect_tick_seconds',
      help: 'Duration of the last tick',
      registers: [registry],
    }),
    findings: new Counter({
      name: 'gatewatch_detect_findings_total',
      help: 'Findings made or changed',
      registers: [registry],
    }),
    watermark: new Gauge({
      name: 'gatewatch_detect_watermark_seconds',
      help: 'Arrivals are judged up to this time',
      registers: [registry],
    }),
  }
  const findings = createFindings(database)
  const onFindings = async (changes: readonly FindingChange[]) => {
    await alerting.pipeline.handle(changes)
  }
  const engine = createEngine({
    query: (sql, params) => database.query(sql, params),
    findings,
    watermarks: createWatermarks(database),
    rules,
    settleMs: config.detect.settleMs,
    onFindings,
  })
  // A refused rule is not a removed one: as long as there is one, nobody knows which are gone.
  let retired = errors.length > 0
  const tick = async () => {
    if (!retired) retired = await supersedeRetired({ findings, rules: rules.map(({ id }) => id), onFindings })
    return engine.tick()
  }
  let schedule: Schedule | undefined
  return {
    name: 'detect',
    tick: async () => {
      await tick()
    },
    start: async () => {
      schedule = startSchedule({
        engine: { tick },
        expression: config.detect.every,
        onTick: (report, durationMs) => {
          metrics.ticks.inc()
          metrics.seconds.set(durationMs / 1000)
          metrics.findings.inc(report.findings)
          metrics.watermark.set(report.recordedThroughUs / 1e6)
          if (report.findings + report.superseded > 0) {
            logger.info(
              { findings: report.findings, superseded: report.superseded, ms: Math.round(durationMs) },
              'findings',
            )
          }
        },
        onTrouble: (message) => {
          if (message === undefined) logger.info({}, 'ticks work again')
          else logger.error({ reason: message }, 'a tick failed; the next one repeats it')
        },
      })
    },
    stop: async () => {
      await schedule?.stop()
    },
  }
}
