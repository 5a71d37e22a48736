import { Counter, Gauge, type Registry } from 'prom-client'
import type { Overflow } from '../../detectors/cardinality.ts'
import type { DetectionHealth } from '../../detectors/health.ts'
import type { BackfillReport, TickReport } from '../../detectors/reports.ts'

/** The numbers of detection; docs/operations.md lists them. Scrapes read what the last tick left. */
export function createDetectMetrics(registry: Registry, health: () => DetectionHealth) {
  const registers = [registry]
  const ticks = new Counter({
    name: 'gatewatch_detect_ticks_total',
    help: 'Ticks that ended well',
    registers,
  })
  const seconds = new Gauge({
    name: 'gatewatch_detect_tick_seconds',
    help: 'Duration of the last tick',
    registers,
  })
  const findings = new Counter({
    name: 'gatewatch_detect_findings_total',
    help: 'Findings made or changed',
    registers,
  })
  const watermark = new Gauge({
    name: 'gatewatch_detect_watermark_seconds',
    help: 'Arrivals are judged up to this time',
    registers,
  })
  const waiting = new Gauge({
    name: 'gatewatch_detect_waiting_calls',
    help: 'Calls that arrived and wait for the next tick',
    registers,
  })
  const late = new Counter({
    name: 'gatewatch_detect_late_calls_total',
    help: 'Calls that arrived later than lateness_days',
    registers,
  })
  new Gauge({
    name: 'gatewatch_detect_backfill_days',
    help: 'Days that the backfill has to judge, of the tenant and rule that has most, by reason',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      const most = new Map<string, number>()
      for (const { reason, atDay, throughDay } of health().backfills) {
        const days = throughDay - atDay + 1
        most.set(reason, Math.max(days, most.get(reason) ?? 0))
      }
      for (const [reason, days] of most) this.set({ reason }, days)
    },
  })
  new Gauge({
    name: 'gatewatch_detect_degraded',
    help: 'Troubles of detection, by reason; docs/operations.md says what to do',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      for (const { code } of health().reasons) this.inc({ reason: code })
    },
  })
  new Gauge({
    name: 'gatewatch_detect_baseline_overflow',
    help: 'Actors, tools or destinations beyond the limits of baselines, of the tenant and rule that has most, by limit',
    labelNames: ['limit', 'what'],
    registers,
    collect() {
      this.reset()
      const most = new Map<string, Overflow>()
      for (const { overflow } of health().overflows) {
        const name = `${overflow.limit}/${overflow.what}`
        if (overflow.keys > (most.get(name)?.keys ?? 0)) most.set(name, overflow)
      }
      for (const { limit, what, keys } of most.values()) this.set({ limit, what }, keys)
    },
  })
  return {
    tick(report: TickReport, durationMs: number): void {
      ticks.inc()
      seconds.set(durationMs / 1000)
      findings.inc(report.findings)
      watermark.set(report.recordedThroughUs / 1e6)
      waiting.set(report.waiting)
      late.inc(report.lateRows)
    },
    backfill(report: BackfillReport): void {
      findings.inc(report.findings)
    },
  }
}
