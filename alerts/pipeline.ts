import { type Alert, fingerprintOf } from '../core/alert.ts'
import type { Clock } from '../core/clock.ts'
import { GatewatchError } from '../core/errors.ts'
import type { Fence } from '../core/fence.ts'
import type { FindingChange } from '../core/finding.ts'
import type { AlertLog } from './alert-log.ts'
import { type AlertChange, deduplicate } from './deduplicate.ts'
import type { ReceiverRoute } from './notifier.ts'
import type { Outbox } from './outbox.ts'
import { type NotifyPolicy, planForFinding, planForTakenBack } from './route.ts'
import type { Logger } from './telemetry.ts'

/**
 * The way of a finding to the people: deduplicate into an alert → route to receivers → outbox. Silences, inhibition
 * and grouping belong between the first two, as files of their own.
 */
export interface AlertPipeline {
  /**
   * Takes in changes of findings. When it returns, alerts and deliveries are durable; the caller moves its watermark
   * after that. Replays and repetitions add nothing.
   * @param fence of who judged, where more than one process may
   * @throws GatewatchError of the store; the caller repeats the call. `conflict` behind the fence: the next owner makes the call
   */
  handle(changes: readonly FindingChange[], fence?: Fence): Promise<PipelineReport>
}

export interface PipelineReport {
  readonly opened: number
  readonly updated: number
  readonly deliveries: number
}

export interface AlertPipelineOptions {
  readonly alerts: AlertLog
  readonly outbox: Pick<Outbox, 'place'>
  readonly receivers: readonly ReceiverRoute[]
  readonly clock: Clock
  readonly logger: Logger
  /** See `NotifyPolicy`. Default 7 days. */
  readonly maxNotifyAgeMs?: number
  /** See `NotifyPolicy`. Default 24 h. */
  readonly recurAfterMs?: number
}

const DAY_MS = 86_400_000
// Bounds one question to the store and one block of openings.
const BATCH = 500
// Someone acknowledges while findings arrive: once or twice is life, more is a fault.
const MAX_CONFLICTS = 5

export function createAlertPipeline(options: AlertPipelineOptions): AlertPipeline {
  const { alerts, outbox, receivers, clock, logger } = options
  const policy: NotifyPolicy = {
    receivers,
    maxNotifyAgeMs: options.maxNotifyAgeMs ?? 7 * DAY_MS,
    recurAfterMs: options.recurAfterMs ?? DAY_MS,
  }
  // Two calls at once could open two alerts for one fingerprint.
  let turn: Promise<unknown> = Promise.resolve()

  return {
    handle(changes, fence) {
      const work = turn.then(() => handleAll(changes, fence))
      turn = work.catch(() => undefined)
      return work
    },
  }

  async function handleAll(
    changes: readonly FindingChange[],
    fence: Fence | undefined,
  ): Promise<PipelineReport> {
    let report: PipelineReport = { opened: 0, updated: 0, deliveries: 0 }
    for (const [tenant, ofTenant] of Map.groupBy(changes, ({ finding }) => finding.tenant)) {
      const groups = [...Map.groupBy(ofTenant, ({ finding }) => fingerprintOf(finding))]
      for (const batch of batchesOf(groups))
        report = sum(report, await handleBatch(tenant, new Map(batch), fence))
    }
    if (report.opened > 0 || report.deliveries > 0) logger.info(report, 'Alerts changed.')
    return report
  }

  async function handleBatch(
    tenant: string,
    groups: ReadonlyMap<string, readonly FindingChange[]>,
    fence: Fence | undefined,
  ): Promise<PipelineReport> {
    const written: AlertChange[] = []
    let left = groups
    for (let conflicts = 0; left.size > 0; conflicts += 1) {
      if (conflicts > MAX_CONFLICTS) {
        throw new GatewatchError('conflict', 'An alert keeps changing while its findings are added.', {
          retryable: true,
        })
      }
      const decided = await decide(tenant, left)
      const lost = new Map<string, readonly FindingChange[]>()
      const openings = decided.flatMap(({ changes }) => changes.filter(({ isNew }) => isNew))
      if (openings.length > 0)
        await alerts.open(
          openings.flatMap(({ entries }) => entries),
          fence,
        )
      written.push(...openings)
      for (const { fingerprint, changes } of decided) {
        for (const change of changes.filter(({ isNew }) => !isNew)) {
          if ((await alerts.append(change.entries, fence)) === 'stored') written.push(change)
          else lost.set(fingerprint, groups.get(fingerprint) ?? [])
        }
      }
      left = lost
    }
    const entries = written.flatMap((change) => change.entries)
    await outbox.place(entries)
    return {
      opened: written.filter(({ isNew }) => isNew).length,
      updated: written.filter(({ isNew }) => !isNew).length,
      deliveries: entries.reduce(
        (count, { action }) => count + ('notify' in action ? (action.notify?.length ?? 0) : 0),
        0,
      ),
    }
  }

  async function decide(
    tenant: string,
    groups: ReadonlyMap<string, readonly FindingChange[]>,
  ): Promise<{ fingerprint: string; changes: AlertChange[] }[]> {
    const findingIds = [...groups.values()].flat().map(({ finding }) => finding.finding_id)
    const active = new Map<string, Alert>(
      (await alerts.active(tenant, [...groups.keys()])).map((alert) => [alert.fingerprint, alert]),
    )
    const standings = Map.groupBy(
      await alerts.standings(tenant, findingIds),
      ({ alert }) => alert.fingerprint,
    )
    const nowMs = clock.now()
    return [...groups].map(([fingerprint, changes]) => ({
      fingerprint,
      changes: deduplicate({
        fingerprint,
        changes,
        active: active.get(fingerprint),
        standings: standings.get(fingerprint) ?? [],
        at: new Date(nowMs).toISOString(),
        plan: (alertId, before, change) => planForFinding(alertId, before, change, nowMs, policy),
        planTakenBack: (alert, change) => planForTakenBack(alert, change, receivers),
      }),
    }))
  }
}

function* batchesOf(
  groups: readonly (readonly [string, readonly FindingChange[]])[],
): Generator<(readonly [string, readonly FindingChange[]])[]> {
  let batch: (readonly [string, readonly FindingChange[]])[] = []
  let size = 0
  for (const group of groups) {
    batch.push(group)
    size += group[1].length
    if (size >= BATCH) {
      yield batch
      batch = []
      size = 0
    }
  }
  if (batch.length > 0) yield batch
}

const sum = (a: PipelineReport, b: PipelineReport): PipelineReport => ({
  opened: a.opened + b.opened,
  updated: a.updated + b.updated,
  deliveries: a.deliveries + b.deliveries,
})
